// A leak of 1 MB a minute, in blocks of 256 bytes, among a million allocations a second.
#include "truth.h"

static struct truth_site sites[] = {{.label = "churn_block"}, {.label = "keep_forgotten"}};
static struct churn churn = {.site = &sites[0]};
static void *kept;

SITE void keep_forgotten(size_t bytes) {
    void **block = malloc(bytes);
    if (block == NULL) _exit(97);
    truth_fill(block, bytes);
    *block = kept;
    kept = block;
    truth_born(&sites[1], bytes);
}

static void step(double seconds) {
    churn_step(&churn);
    while (sites[1].live_bytes < truth_due(1e6, seconds)) keep_forgotten(256);
}

int main(int argc, char **argv) {
    (void)argc;
    churn.rounds = truth_rounds_of_ns(900);
    truth_serve(&(struct truth_program){sites, 2, step}, argv);
}
