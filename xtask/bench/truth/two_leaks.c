// Two leaks at once: many small blocks (2 MB a minute in 64 bytes) and few larger ones (0.5 MB a minute in 4 KiB).
#include "truth.h"

static struct truth_site sites[] = {{.label = "churn_block"}, {.label = "keep_small"}, {.label = "keep_large"}};
static struct churn churn = {.site = &sites[0]};
static void *kept;

static void keep(void **block, size_t bytes, struct truth_site *site) {
    if (block == NULL) _exit(97);
    truth_fill(block, bytes);
    *block = kept;
    kept = block;
    truth_born(site, bytes);
}

SITE void keep_small(void) { keep(malloc(64), 64, &sites[1]); }

SITE void keep_large(void) { keep(malloc(4096), 4096, &sites[2]); }

static void step(double seconds) {
    churn_step(&churn);
    while (sites[1].live_bytes < truth_due(2e6, seconds)) keep_small();
    while (sites[2].live_bytes < truth_due(0.5e6, seconds)) keep_large();
}

int main(int argc, char **argv) {
    (void)argc;
    churn.rounds = truth_rounds_of_ns(400);
    truth_serve(&(struct truth_program){sites, 3, step}, argv);
}
