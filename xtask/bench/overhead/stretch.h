// A steady load: `go N` works for N milliseconds, and `books` says how many units of work were done in the last
// stretch and what they took, so that a slow tracer means fewer units and not a longer run.
#pragma once

#include <stdint.h>
#include <time.h>

#include "protocol.h"

static struct {
    uint64_t units;
    uint64_t cpu_ns;
    uint64_t wall_ns;
} stretch;

static inline uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// When a stretch that begins now is over, CLOCK_MONOTONIC.
static inline uint64_t stretch_begin(unsigned long milliseconds, clockid_t cpu) {
    stretch.units = 0;
    stretch.cpu_ns = clock_ns(cpu);
    stretch.wall_ns = clock_ns(CLOCK_MONOTONIC);
    return stretch.wall_ns + milliseconds * 1000000;
}

static inline void stretch_end(clockid_t cpu) {
    stretch.cpu_ns = clock_ns(cpu) - stretch.cpu_ns;
    stretch.wall_ns = clock_ns(CLOCK_MONOTONIC) - stretch.wall_ns;
}

static inline void stretch_books(void) {
    answer_number("units", stretch.units);
    answer_number("cpu_ns", stretch.cpu_ns);
    answer_number("wall_ns", stretch.wall_ns);
}
