// Calls malloc and free in turn, from below a stack of a given depth.
//
//   pairs DEPTH
//
// `go N` does N pairs. Built with frame pointers, so that a stack walker finds all DEPTH frames.
#include <stdlib.h>

#include "protocol.h"

static unsigned long depth;

SITE void pair_up(unsigned long pairs) {
    for (unsigned long pair = 0; pair < pairs; pair++) {
        void *block = malloc(64);
        KEEP(block);
        free(block);
    }
}

SITE void descend(unsigned long frames, unsigned long pairs) {
    if (frames > 1) descend(frames - 1, pairs);
    else pair_up(pairs);
    // Something to do after the call, so that it is a call.
    KEEP(frames);
}

static void go(unsigned long pairs) { descend(depth, pairs); }

static void write_books(void) { answer_number("depth", depth); }

int main(int argc, char **argv) {
    depth = argc > 1 ? parse_number(argv[1]) : 1;
    serve(&(struct program){go, write_books}, argv);
}
