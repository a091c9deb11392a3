// A cache of 400-byte entries that grows for a minute and is full from then on: no leak, for it stops.
#include "truth.h"

enum { ENTRIES = 10000, ENTRY_BYTES = 400 };

static struct truth_site sites[] = {{.label = "churn_block"}, {.label = "fill_cache"}};
static struct churn churn = {.site = &sites[0]};
static void *cache[ENTRIES];

SITE void fill_cache(unsigned entry) {
    cache[entry] = malloc(ENTRY_BYTES);
    if (cache[entry] == NULL) _exit(97);
    truth_fill(cache[entry], ENTRY_BYTES);
    truth_born(&sites[1], ENTRY_BYTES);
}

static void step(double seconds) {
    churn_step(&churn);
    double share = seconds < 60 ? seconds / 60 : 1;
    while (sites[1].live_blocks < (uint64_t)(share * ENTRIES)) fill_cache((unsigned)sites[1].live_blocks);
}

int main(int argc, char **argv) {
    (void)argc;
    churn.rounds = truth_rounds_of_ns(900);
    truth_serve(&(struct truth_program){sites, 2, step}, argv);
}
