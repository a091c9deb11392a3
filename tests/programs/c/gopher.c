// Looks like a program of the Go toolchain to those who look at its file: it has the section that Go's linker writes.
#include <stdlib.h>

#include "protocol.h"

__attribute__((section(".go.buildinfo"), used)) static const char buildinfo[] = "\xff Go buildinf:";

static void go(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds; round++) free(malloc(100));
}

static void write_books(void) {}

int main(int argc, char **argv) {
    (void)argc;
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
