// Allocates and keeps.
//
// `go N` allocates N blocks of 48 bytes more, 100,000 and then a pause of 20 ms, so that no tracer is hurried.
#define _DEFAULT_SOURCE
#include <stdlib.h>
#include <unistd.h>

#include "protocol.h"

struct block {
    struct block *next;
    char rest[40];
};

static struct block *blocks;
static unsigned long live;

SITE void keep_one(void) {
    struct block *block = malloc(sizeof *block);
    if (block == NULL) _exit(97);
    block->next = blocks;
    blocks = block;
    live++;
}

static void go(unsigned long count) {
    for (unsigned long index = 1; index <= count; index++) {
        keep_one();
        if (index % 100000 == 0) usleep(20000);
    }
}

static void write_books(void) { answer_number("live_blocks", live); }

int main(int argc, char **argv) {
    (void)argc;
    serve(&(struct program){go, write_books}, argv);
}
