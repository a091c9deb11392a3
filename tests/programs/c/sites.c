// Proves filters and orders: four functions, one each `go`, in this order, that keep blocks which differ in everything.
//
//   keep_large    10,000 bytes a block
//   keep_small    16 bytes a block
//   keep_nothing  100 bytes a block, given back at once
//   keep_late     1,000 bytes a block
#include <stdlib.h>

#include "tally.h"

enum { PHASES = 4 };

static struct tally tallies[PHASES];
static unsigned phase;

// Inlined, so that each function below is a site of its own.
__attribute__((always_inline)) static inline void *allocate(size_t size) {
    void *block = malloc(opaque(size));
    KEEP(block);
    tally_allocated(&tallies[phase], size);
    return block;
}

SITE void keep_large(void) { allocate(10000); }
SITE void keep_small(void) { allocate(16); }
SITE void keep_late(void) { allocate(1000); }

SITE void keep_nothing(void) {
    free(allocate(100));
    tally_freed(&tallies[phase], 100);
}

static const struct {
    const char *name;
    void (*run)(void);
} FUNCTIONS[PHASES] = {
    {"keep_large", keep_large},
    {"keep_small", keep_small},
    {"keep_nothing", keep_nothing},
    {"keep_late", keep_late},
};

static void go(unsigned long rounds) {
    if (phase == PHASES) _exit(97);
    for (unsigned long round = 0; round < rounds; round++) FUNCTIONS[phase].run();
    phase++;
}

static void write_books(void) {
    struct tally sum = {0};
    for (int index = 0; index < PHASES; index++) tally_add(&sum, &tallies[index]);
    tally_answer(&sum);
}

int main(int argc, char **argv) {
    (void)argc;
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
