// Proves that figures are right whatever becomes of a process' threads.
//
//   threads crowd     50 threads at once, each of which keeps a block a round and gives others back
//   threads elsewhere the same with 4, told what to do in another thread than the first, which waits
//   threads orphans   the same with 4, after main has ended by pthread_exit: the process' first thread is a zombie
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

enum { CROWD = 50, ORPHANS = 4, BLOCK_BYTES = 100 };

static struct tally sum;
static pthread_mutex_t sum_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t begins, ends;
static unsigned long rounds_per_thread;

static void work(unsigned long rounds) {
    struct tally own = {0};
    for (unsigned long round = 0; round < rounds; round++) {
        void *kept = malloc(opaque(BLOCK_BYTES));
        void *returned = malloc(opaque(BLOCK_BYTES + round % 1000));
        KEEP(kept);
        KEEP(returned);
        tally_allocated(&own, BLOCK_BYTES);
        tally_allocated(&own, BLOCK_BYTES + round % 1000);
        free(returned);
        tally_freed(&own, BLOCK_BYTES + round % 1000);
    }
    pthread_mutex_lock(&sum_lock);
    tally_add(&sum, &own);
    pthread_mutex_unlock(&sum_lock);
}

static void *work_on_command(void *unused) {
    for (;;) {
        pthread_barrier_wait(&begins);
        work(rounds_per_thread);
        pthread_barrier_wait(&ends);
    }
    return unused;
}

static void go(unsigned long rounds) {
    rounds_per_thread = rounds;
    pthread_barrier_wait(&begins);
    pthread_barrier_wait(&ends);
}

static void write_books(void) { tally_answer(&sum); }

static void *serve_elsewhere(void *argv) { serve(&(struct program){.go = go, .books = write_books}, argv); }

int main(int argc, char **argv) {
    int is_crowd = argc > 1 && strcmp(argv[1], "crowd") == 0;
    int threads = is_crowd ? CROWD : ORPHANS;
    pthread_barrier_init(&begins, NULL, (unsigned)threads + 1);
    pthread_barrier_init(&ends, NULL, (unsigned)threads + 1);
    for (int index = 0; index < threads; index++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work_on_command, NULL) != 0) _exit(97);
    }
    if (is_crowd) serve_elsewhere(argv);
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve_elsewhere, argv) != 0) _exit(97);
    if (argc > 1 && strcmp(argv[1], "elsewhere") == 0) pthread_join(thread, NULL);
    pthread_exit(NULL);
}
