// Four threads: each has its churn, and each hands blocks to the next one, which frees them; one of them forgets every
// hundredth it is handed, which makes a leak of about 1 MB a minute whose blocks were made by another thread.
#include <pthread.h>
#include <sched.h>

#include "truth.h"

enum { THREADS = 4, QUEUE = 256, JOB_BYTES = 192, FORGOTTEN_EVERY = 100 };

static struct truth_site sites[] = {{.label = "churn_block"}, {.label = "make_job"}};
static struct churn churns[THREADS];
static void *queues[THREADS][QUEUE];
static uint64_t jobs_due;
static void *kept;

SITE void *make_job(void) {
    void **job = malloc(JOB_BYTES);
    if (job == NULL) _exit(97);
    truth_fill(job, JOB_BYTES);
    truth_born(&sites[1], JOB_BYTES);
    return job;
}

static void finish_job(void **job, uint64_t number) {
    if (number % FORGOTTEN_EVERY == 0) {
        *job = kept;
        kept = job;
    } else {
        truth_died(&sites[1], JOB_BYTES);
        free(job);
    }
}

// Does its churn, finishes what it was handed, and hands on as much as is due.
static void *work(void *argument) {
    uint64_t index = (uint64_t)(uintptr_t)argument;
    void **inbox = queues[index], **outbox = queues[(index + 1) % THREADS];
    for (uint64_t made = 0, taken = 0;;) {
        churn_step(&churns[index]);
        void *job = __atomic_exchange_n(&inbox[taken % QUEUE], NULL, __ATOMIC_ACQ_REL);
        if (job != NULL) finish_job(job, index == 0 ? ++taken : (taken++, 1));
        uint64_t due = __atomic_load_n(&jobs_due, __ATOMIC_RELAXED) / THREADS;
        if (made < due && __atomic_load_n(&outbox[made % QUEUE], __ATOMIC_ACQUIRE) == NULL) {
            __atomic_store_n(&outbox[made++ % QUEUE], make_job(), __ATOMIC_RELEASE);
        }
    }
    return NULL;
}

static void step(double seconds) {
    static pthread_t threads[THREADS];
    for (uintptr_t index = 0; threads[THREADS - 1] == 0 && index < THREADS; index++) {
        if (pthread_create(&threads[index], NULL, work, (void *)index) != 0) _exit(96);
    }
    // A quarter of the jobs pass the one that forgets.
    __atomic_store_n(&jobs_due, truth_due(4e6 * FORGOTTEN_EVERY / JOB_BYTES, seconds), __ATOMIC_RELAXED);
    struct timespec pause = {.tv_nsec = 1000000};
    nanosleep(&pause, NULL);
}

int main(int argc, char **argv) {
    (void)argc;
    for (int index = 0; index < THREADS; index++) {
        churns[index].site = &sites[0];
        churns[index].rounds = truth_rounds_of_ns(1800);
    }
    truth_serve(&(struct truth_program){sites, 2, step}, argv);
}
