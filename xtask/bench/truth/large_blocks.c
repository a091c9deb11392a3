// Large blocks: a pool of sixteen between 64 and 256 KiB that is renewed 200 times a second, and a leak of 8 MB a minute
// in blocks of 32 KiB, among 600,000 small allocations a second.
#include "truth.h"

enum { POOL = 16, LEAK_BYTES = 32768, RENEWALS_PER_SECOND = 200 };

static struct truth_site sites[] = {{.label = "churn_block"}, {.label = "renew_large"}, {.label = "keep_page"}};
static struct churn churn = {.site = &sites[0]};
static void *pool[POOL];
static size_t pool_bytes[POOL];
static void *kept;

SITE void renew_large(unsigned slot, size_t bytes) {
    if (pool[slot] != NULL) {
        truth_died(&sites[1], pool_bytes[slot]);
        free(pool[slot]);
    }
    pool[slot] = malloc(bytes);
    if (pool[slot] == NULL) _exit(97);
    truth_fill(pool[slot], 4096);
    pool_bytes[slot] = bytes;
    truth_born(&sites[1], bytes);
}

SITE void keep_page(void) {
    void **block = malloc(LEAK_BYTES);
    if (block == NULL) _exit(97);
    truth_fill(block, LEAK_BYTES);
    *block = kept;
    kept = block;
    truth_born(&sites[2], LEAK_BYTES);
}

static void step(double seconds) {
    static uint64_t renewals;
    churn_step(&churn);
    for (; renewals < (uint64_t)(seconds * RENEWALS_PER_SECOND); renewals++) {
        renew_large(renewals * 7 % POOL, (64 + renewals * 37 % 192) * 1024);
    }
    while (sites[2].live_bytes < truth_due(8e6, seconds)) keep_page();
}

int main(int argc, char **argv) {
    (void)argc;
    churn.rounds = truth_rounds_of_ns(1500);
    truth_serve(&(struct truth_program){sites, 3, step}, argv);
}
