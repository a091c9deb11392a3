// Proves one rule of libc's allocators at a time: `semantics CASE` runs the case once per round.
//
// One block of 500 bytes is from before the first `go`, unless a second argument is given: then the first call of an
// allocator in the process' life is the case's own.
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "tally.h"

#ifndef __GLIBC__
// musl has none.
#define pvalloc valloc
#endif

enum { KEPT = 4096 };

static struct tally tally;
static void *before_attach;
static void *kept[KEPT];
static size_t kept_len;

static void keep(void *block, size_t size) {
    if (block == NULL || kept_len == KEPT) _exit(97);
    kept[kept_len++] = block;
    tally_allocated(&tally, size);
}

static void expect_refused(void *block) {
    if (block != NULL) _exit(98);
    tally.failures++;
}

static void failed_realloc(void) {
    void *block = malloc(1000);
    keep(block, 1000);
    void *moved = realloc(block, opaque(SIZE_MAX / 2 + 1));
    expect_refused(moved);
    expect_refused(realloc(block, opaque((size_t)1 << 47)));
}

static void realloc_to_nothing(void) {
    void *block = malloc(1000);
    tally_allocated(&tally, 1000);
    void *rest = realloc(block, opaque(0));
    tally_freed(&tally, 1000);
#ifdef __GLIBC__
    if (rest != NULL) _exit(99);
#else
    // musl gives a block of 0 bytes for it.
    keep(rest, 0);
#endif
}

static void realloc_of_nothing(void) { keep(realloc(NULL, 300), 300); }

static void realloc_moves(void) {
    void *block = malloc(24);
    void *wall = malloc(24);
    tally_allocated(&tally, 24);
    keep(wall, 24);
    block = realloc(block, 200000);
    tally_freed(&tally, 24);
    keep(block, 200000);
}

static void calloc_overflow(void) {
    expect_refused(calloc(opaque(SIZE_MAX / 2), 4));
    keep(calloc(10, 30), 300);
}

static void reallocarray_once(void) {
    keep(reallocarray(NULL, 10, 30), 300);
    expect_refused(reallocarray(NULL, opaque(SIZE_MAX / 2), 4));
}

static void posix_memalign_out(void) {
    void *block = &tally;
    if (posix_memalign(&block, 3, 100) != EINVAL || block != &tally) _exit(100);
    tally.failures++;
    if (posix_memalign(&block, 64, opaque(SIZE_MAX / 2)) != ENOMEM) _exit(101);
    tally.failures++;
    if (posix_memalign(&block, 4096, 300) != 0) _exit(102);
    keep(block, 300);
}

static void free_nothing(void) {
    keep(malloc(300), 300);
    free(NULL);
}

static void zero_bytes(void) {
    keep(malloc(0), 0);
    keep(calloc(0, 8), 0);
}

static void page_aligned(void) {
    keep(valloc(300), 300);
    keep(pvalloc(300), 300);
    keep(memalign(64, 300), 300);
    keep(aligned_alloc(64, 320), 320);
}

// Functions of libc that allocate within: what they hand out is counted once, at the malloc inside.
static void inside_libc(void) { keep(strdup("seven b"), 8); }

// The block is libc's, but whoever came after it was handed out cannot know it.
static void freed_from_before(void) {
    if (before_attach == NULL) return;
    free(before_attach);
    before_attach = NULL;
    tally.frees_unknown++;
}

static void grown_from_before(void) {
    if (before_attach == NULL) return;
    void *block = realloc(before_attach, 100000);
    before_attach = NULL;
    tally.frees_unknown++;
    keep(block, 100000);
}

static const struct {
    const char *name;
    void (*run)(void);
} CASES[] = {
    {"failed_realloc", failed_realloc},       {"realloc_to_nothing", realloc_to_nothing},
    {"realloc_of_nothing", realloc_of_nothing}, {"realloc_moves", realloc_moves},
    {"calloc_overflow", calloc_overflow},     {"reallocarray_once", reallocarray_once},
    {"posix_memalign_out", posix_memalign_out}, {"free_nothing", free_nothing},
    {"zero_bytes", zero_bytes},               {"page_aligned", page_aligned},
    {"inside_libc", inside_libc},             {"freed_from_before", freed_from_before},
    {"grown_from_before", grown_from_before},
};

static void (*run_case)(void);

static void go(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds; round++) run_case();
}

static void write_books(void) { tally_answer(&tally); }

int main(int argc, char **argv) {
    for (size_t index = 0; argc > 1 && index < sizeof CASES / sizeof *CASES; index++) {
        if (strcmp(argv[1], CASES[index].name) == 0) run_case = CASES[index].run;
    }
    if (run_case == NULL) _exit(103);
    if (argc == 2) before_attach = malloc(500);
    KEEP(before_attach);
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
