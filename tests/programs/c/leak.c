// Proves that a leak is found by function, inlined helper and line, among churn that gives everything back.
//
// Each round leaks one block of 1,000 bytes from `leak_here`, through the inlined `copy_of_secret`, and allocates and
// frees a hundred others from `churn_here`.
#include <stdlib.h>

#include "tally.h"

enum { LEAK_BYTES = 1000, CHURN = 100 };

static char secret[LEAK_BYTES];
static struct tally leaked;
static uint64_t churned;

__attribute__((always_inline)) static inline void *copy_of_secret(void) {
    void *copy = malloc(opaque(LEAK_BYTES)); // LEAK
    memcpy(copy, secret, LEAK_BYTES);
    return copy;
}

SITE void *leak_here(void) {
    void *copy = copy_of_secret(); // CALL
    KEEP(copy);
    tally_allocated(&leaked, LEAK_BYTES);
    return copy;
}

SITE void churn_here(void) {
    void *blocks[CHURN];
    for (size_t index = 0; index < CHURN; index++) blocks[index] = malloc(opaque(16 + index * 8));
    for (size_t index = 0; index < CHURN; index++) free(blocks[index]);
    churned += CHURN;
}

static void go(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds; round++) {
        leak_here();
        churn_here();
    }
}

static void write_books(void) {
    tally_answer(&leaked);
    answer_number("churned", churned);
}

int main(int argc, char **argv) {
    (void)argc;
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
