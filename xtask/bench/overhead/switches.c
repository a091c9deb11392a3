// Two processes that hand one byte back and forth through pipes, on one processor: each round is two switches, with
// one small block for each. Probes that the kernel keeps for a task cost at every switch to and from it.
//
// A unit is a round. The process that answers `books` is the one to be traced; its partner is its child.
#define _GNU_SOURCE
#include <sched.h>
#include <stdlib.h>

#include "stretch.h"

static int to_partner[2], from_partner[2];

static void stay_on_one_processor(void) {
    cpu_set_t processors;
    CPU_ZERO(&processors);
    CPU_SET(sched_getcpu(), &processors);
    sched_setaffinity(0, sizeof processors, &processors);
}

// Ends when the pipe does.
static void echo(void) {
    char byte;
    close(to_partner[1]);
    close(from_partner[0]);
    while (read(to_partner[0], &byte, 1) == 1) {
        if (write(from_partner[1], &byte, 1) != 1) break;
    }
    _exit(0);
}

SITE static void exchange(void) {
    char *byte = malloc(48);
    if (byte == NULL) _exit(97);
    *byte = 'x';
    if (write(to_partner[1], byte, 1) != 1 || read(from_partner[0], byte, 1) != 1) _exit(96);
    KEEP(byte);
    free(byte);
}

static void go(unsigned long milliseconds) {
    uint64_t end_ns = stretch_begin(milliseconds, CLOCK_PROCESS_CPUTIME_ID);
    do {
        exchange();
        stretch.units++;
    } while (clock_ns(CLOCK_MONOTONIC) < end_ns);
    stretch_end(CLOCK_PROCESS_CPUTIME_ID);
}

int main(int argc, char **argv) {
    (void)argc;
    if (pipe(to_partner) != 0 || pipe(from_partner) != 0) return 96;
    stay_on_one_processor();
    pid_t partner = fork();
    if (partner < 0) return 96;
    if (partner == 0) echo();
    close(to_partner[0]);
    close(from_partner[1]);
    static const struct program program = {go, stretch_books};
    serve(&program, argv);
}
