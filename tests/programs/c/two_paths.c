// Proves that a library that a process maps by more than one path is counted once: `two_paths PATH` maps PATH, which
// is its own C library by another name, and leaks a block of 700 bytes a round.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tally.h"

static struct tally tally;

static void go(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds; round++) {
        void *block = malloc(opaque(700));
        KEEP(block);
        tally_allocated(&tally, 700);
    }
}

static void write_books(void) { tally_answer(&tally); }

int main(int argc, char **argv) {
    struct stat file;
    int descriptor = argc > 1 ? open(argv[1], O_RDONLY) : -1;
    if (descriptor < 0 || fstat(descriptor, &file) != 0) _exit(96);
    // Below everything else, so that it comes first in the list of mappings.
    void *low = (void *)0x10000000;
    if (mmap(low, (size_t)file.st_size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE, descriptor, 0) != low) _exit(97);
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
