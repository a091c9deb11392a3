/* A C program of known truth: after one line on stdin it allocates in every way that libc has, keeps its own books
 * of what is live, prints them, and waits for stdin to close. It calls nothing that allocates behind its back. */
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 600 };

static void *block[BLOCKS];
static size_t size_of[BLOCKS];

static void *allocate(int way, size_t size)
{
    void *memory = NULL;

    switch (way) {
    case 0: return malloc(size);
    case 1: return calloc(1, size);
    case 2: return realloc(NULL, size);
    case 3: return aligned_alloc(64, size);
    case 4: return memalign(128, size);
    default: return posix_memalign(&memory, 256, size) == 0 ? memory : NULL;
    }
}

static void work(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        size_of[i] = 64 * (1 + i % 40);
        block[i] = allocate(i % 6, size_of[i]);
    }
    for (int i = 0; i < BLOCKS; i += 5) {
        void *grown = realloc(block[i], size_of[i] + 1000);
        if (grown) {
            block[i] = grown;
            size_of[i] += 1000;
        }
    }
    /* These fail, so the old block lives on. */
    volatile size_t too_large = PTRDIFF_MAX;
    for (int i = 0; i < BLOCKS; i += 50) {
        void *none = realloc(block[i], too_large);
        if (none || calloc(too_large, 16))
            abort();
    }
    for (int i = 1; i < BLOCKS; i += 2) {
        free(block[i]);
        block[i] = NULL;
    }
    free(NULL);
}

int main(void)
{
    char line[128];
    unsigned long long live_bytes = 0, live_blocks = 0;

    if (read(STDIN_FILENO, line, sizeof line) <= 0)
        return 1;
    work();
    for (int i = 0; i < BLOCKS; i++) {
        if (block[i]) {
            live_bytes += size_of[i];
            live_blocks++;
        }
    }
    int length = snprintf(line, sizeof line, "{\"live_bytes\":%llu,\"live_blocks\":%llu}\n", live_bytes, live_blocks);
    if (write(STDOUT_FILENO, line, length) != length)
        return 1;
    while (read(STDIN_FILENO, line, sizeof line) > 0)
        ;
    return 0;
}
