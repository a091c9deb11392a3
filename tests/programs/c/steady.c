// Proves rates: allocates and frees at a steady pace, and says how often it has.
//
//   steady NANOSECONDS    so much work, about, between an allocation and its free; every 50 ms a line
//                         `CLOCK_REALTIME_NS ALLOCATIONS`
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TRIALS = 5, SPINS_PER_TRIAL = 5000000 };

static unsigned long spins;
static atomic_ulong allocations;

// In registers: what a processor predicts of stores and loads it forgets in a trap, and the same work takes longer.
static void spin(unsigned long times) {
    unsigned long chain = 1;
    for (unsigned long time = 0; time < times; time++) __asm__ volatile("imul $3, %0, %0" : "+r"(chain));
}

static double now_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *work(void *unused) {
    for (;;) {
        void *block = malloc(100);
        __asm__ volatile("" : : "r"(block) : "memory");
        spin(spins);
        free(block);
        atomic_fetch_add_explicit(&allocations, 1, memory_order_relaxed);
    }
    return unused;
}

int main(int argc, char **argv) {
    double best_ns = 1e9;
    for (int trial = 0; trial < TRIALS; trial++) {
        double begun_ns = now_ns(CLOCK_MONOTONIC);
        spin(SPINS_PER_TRIAL);
        double each_ns = (now_ns(CLOCK_MONOTONIC) - begun_ns) / SPINS_PER_TRIAL;
        if (each_ns < best_ns) best_ns = each_ns;
    }
    spins = (unsigned long)((argc > 1 ? atof(argv[1]) : 1000) / best_ns);
    pthread_t thread;
    if (pthread_create(&thread, NULL, work, NULL) != 0) return 1;
    for (;;) {
        printf("%.0f %lu\n", now_ns(CLOCK_REALTIME), atomic_load(&allocations));
        fflush(stdout);
        usleep(50000);
    }
}
