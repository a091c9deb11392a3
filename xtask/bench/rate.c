// Allocates and frees at a commanded rate, and counts what it did.
//
//   rate THREADS SECONDS TURNS_OFF
//
// `go N` does N events (an allocation or a free each) a second over all threads for SECONDS; `go 0` as many as it can.
// Each thread keeps 64 blocks live, from 8 sites. Each site is reached through TURNS_OFF functions with two calls to
// choose from at random, as in a recursive parser: 8 << TURNS_OFF different stacks.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include "protocol.h"

enum { THREADS_MAX = 64, SLOTS = 64, TICK_NS = 1000000, SITES = 8 };

struct worker {
    pthread_t thread;
    uint64_t random;
    uint64_t events;
    void *slots[SLOTS];
};

static struct worker workers[THREADS_MAX];
static int threads;
static uint64_t seconds;
static uint64_t rate_per_thread;
static uint64_t wall_ns;
static unsigned turns_off;
static pthread_barrier_t begins, ends;

#define ALLOCATING(name) \
    SITE void *name(size_t size) { \
        void *block = malloc(size); \
        KEEP(block); \
        return block; \
    }
ALLOCATING(site_0)
ALLOCATING(site_1)
ALLOCATING(site_2)
ALLOCATING(site_3)
ALLOCATING(site_4)
ALLOCATING(site_5)
ALLOCATING(site_6)
ALLOCATING(site_7)

static void *(*const sites[SITES])(size_t) = {site_0, site_1, site_2, site_3, site_4, site_5, site_6, site_7};

// Takes one of two ways to the site at each step.
SITE void *through(uint64_t way, unsigned steps, uint64_t turn) {
    void *block;
    if (steps == 0) {
        block = sites[turn % SITES](16 + turn % 512);
    } else if (way & 1) {
        block = through(way >> 1, steps - 1, turn);
        KEEP(block);
    } else {
        block = through(way >> 1, steps - 1, turn);
        KEEP(turn);
    }
    return block;
}

static uint64_t next_random(struct worker *worker) {
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return worker->random;
}

static uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void sleep_until_ns(uint64_t time_ns) {
    struct timespec until = {.tv_sec = (time_t)(time_ns / 1000000000), .tv_nsec = (long)(time_ns % 1000000000)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

// Replaces one block: a free and an allocation.
static void replace(struct worker *worker, uint64_t turn) {
    void **slot = &worker->slots[turn % SLOTS];
    if (*slot != NULL) {
        free(*slot);
        worker->events++;
    }
    *slot = through(turns_off == 0 ? 0 : next_random(worker), turns_off, turn);
    worker->events++;
}

static void work_paced(struct worker *worker, uint64_t start_ns, uint64_t end_ns) {
    uint64_t turn = 0;
    for (uint64_t tick_ns = start_ns; tick_ns < end_ns; tick_ns += TICK_NS) {
        uint64_t due = rate_per_thread / 2 * (tick_ns - start_ns + TICK_NS) / 1000000000;
        while (turn < due) replace(worker, turn++);
        // Behind is behind: the rate that was reached is in the books.
        if (now_ns() >= end_ns) break;
        sleep_until_ns(tick_ns + TICK_NS);
    }
}

static void work_flat_out(struct worker *worker, uint64_t end_ns) {
    for (uint64_t turn = 0; now_ns() < end_ns;) {
        for (int burst = 0; burst < 256; burst++) replace(worker, turn++);
    }
}

static void *work(void *argument) {
    struct worker *worker = argument;
    for (;;) {
        pthread_barrier_wait(&begins);
        uint64_t start_ns = now_ns();
        uint64_t end_ns = start_ns + seconds * 1000000000;
        if (rate_per_thread != 0) work_paced(worker, start_ns, end_ns);
        else work_flat_out(worker, end_ns);
        pthread_barrier_wait(&ends);
    }
    return NULL;
}

static void go(unsigned long rate) {
    rate_per_thread = rate / (uint64_t)threads;
    uint64_t start_ns = now_ns();
    pthread_barrier_wait(&begins);
    pthread_barrier_wait(&ends);
    wall_ns = now_ns() - start_ns;
}

static void write_books(void) {
    uint64_t events = 0;
    for (int index = 0; index < threads; index++) events += workers[index].events;
    answer_number("events", events);
    answer_number("wall_ns", wall_ns);
}

int main(int argc, char **argv) {
    threads = argc > 1 ? (int)parse_number(argv[1]) : 2;
    seconds = argc > 2 ? parse_number(argv[2]) : 1;
    turns_off = argc > 3 ? (unsigned)parse_number(argv[3]) : 0;
    if (threads < 1 || threads > THREADS_MAX || turns_off > 60) return 95;
    pthread_barrier_init(&begins, NULL, (unsigned)threads + 1);
    pthread_barrier_init(&ends, NULL, (unsigned)threads + 1);
    for (int index = 0; index < threads; index++) {
        workers[index].random = 0x9e3779b97f4a7c15 + (uint64_t)index;
        if (pthread_create(&workers[index].thread, NULL, work, &workers[index]) != 0) return 96;
    }
    serve(&(struct program){go, write_books}, argv);
}
