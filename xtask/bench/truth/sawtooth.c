// Memory that grows by 200 kB a second for 30 seconds and is then freed at once, over and over: no leak.
#include "truth.h"

enum { BLOCK_BYTES = 128, PERIOD_SECONDS = 30, BYTES_PER_SECOND = 200000 };

static struct truth_site sites[] = {{.label = "churn_block"}, {.label = "collect_batch"}};
static struct churn churn = {.site = &sites[0]};
static void **batch;

SITE void collect_batch(void) {
    void **block = malloc(BLOCK_BYTES);
    if (block == NULL) _exit(97);
    truth_fill(block, BLOCK_BYTES);
    *block = batch;
    batch = block;
    truth_born(&sites[1], BLOCK_BYTES);
}

static void drop_batch(void) {
    while (batch != NULL) {
        void **next = *batch;
        free(batch);
        batch = next;
        truth_died(&sites[1], BLOCK_BYTES);
    }
}

static void step(double seconds) {
    static uint64_t periods;
    churn_step(&churn);
    uint64_t period = (uint64_t)(seconds / PERIOD_SECONDS);
    if (period != periods) drop_batch();
    periods = period;
    double due_bytes = (seconds - (double)(period * PERIOD_SECONDS)) * BYTES_PER_SECOND;
    while ((double)sites[1].live_bytes < due_bytes) collect_batch();
}

int main(int argc, char **argv) {
    (void)argc;
    churn.rounds = truth_rounds_of_ns(900);
    truth_serve(&(struct truth_program){sites, 2, step}, argv);
}
