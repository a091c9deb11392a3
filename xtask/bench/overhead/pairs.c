// malloc and free in turn, in one or more threads, and nothing else: the hottest target that there is.
//
//   pairs THREADS
//
// A unit is a pair.
#include <pthread.h>
#include <stdlib.h>

#include "stretch.h"

enum { THREADS_MAX = 64, BURST = 256 };

static unsigned threads = 1;
static uint64_t end_ns;
static pthread_barrier_t begins, ends;

SITE static uint64_t pair_up(void) {
    uint64_t pairs = 0;
    do {
        for (int pair = 0; pair < BURST; pair++) {
            void *block = malloc(64);
            KEEP(block);
            free(block);
        }
        pairs += BURST;
    } while (clock_ns(CLOCK_MONOTONIC) < end_ns);
    return pairs;
}

static void *work(void *unused) {
    for (;;) {
        pthread_barrier_wait(&begins);
        uint64_t pairs = pair_up();
        __atomic_fetch_add(&stretch.units, pairs, __ATOMIC_RELAXED);
        pthread_barrier_wait(&ends);
    }
    return unused;
}

static void go(unsigned long milliseconds) {
    end_ns = stretch_begin(milliseconds, CLOCK_PROCESS_CPUTIME_ID);
    if (threads == 1) {
        stretch.units = pair_up();
    } else {
        pthread_barrier_wait(&begins);
        pthread_barrier_wait(&ends);
    }
    stretch_end(CLOCK_PROCESS_CPUTIME_ID);
}

int main(int argc, char **argv) {
    if (argc > 1) threads = (unsigned)parse_number(argv[1]);
    if (threads < 1 || threads > THREADS_MAX) return 95;
    pthread_barrier_init(&begins, NULL, threads + 1);
    pthread_barrier_init(&ends, NULL, threads + 1);
    for (unsigned index = 0; threads > 1 && index < threads; index++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, NULL) != 0) return 96;
    }
    static const struct program program = {go, stretch_books};
    serve(&program, argv);
}
