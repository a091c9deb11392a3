// A program that keeps books of its own memory while it works, so that estimates can be held against them.
//
//   PROGRAM FILE
//
// `go N` works for N milliseconds and adds a line to FILE ten times a second:
//
//   {"unix_ns":..,"allocations":..,"sites":{"LABEL":[live bytes, live blocks],..}}
//
// A label is the function that a block's stack begins with. Bytes are as asked for. Nothing is live before the first
// `go`, so an observer who has come by then sees all there is. What surrounds the leaks is churn: blocks that live for a
// thousand others, with a fixed amount of work for each, so that a slower program does less and not the same.
#pragma once

#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "protocol.h"

enum { TRUTH_PERIOD_NS = 100000000, CHURN_SLOTS = 1024, CHURN_BURST = 64 };

struct truth_site {
    const char *label;
    uint64_t live_bytes;
    uint64_t live_blocks;
};

// What a program says of itself: its sites, and a short step of its work, given the seconds since the first `go`.
struct truth_program {
    struct truth_site *sites;
    unsigned count;
    void (*step)(double seconds);
};

static const struct truth_program *truth_served;
static uint64_t truth_allocations;
static uint64_t truth_start_ns;
static int truth_file;

static inline uint64_t truth_clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

// Threads share the books.
static inline void truth_born(struct truth_site *site, size_t bytes) {
    __atomic_fetch_add(&truth_allocations, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&site->live_bytes, bytes, __ATOMIC_RELAXED);
    __atomic_fetch_add(&site->live_blocks, 1, __ATOMIC_RELAXED);
}

static inline void truth_died(struct truth_site *site, size_t bytes) {
    __atomic_fetch_sub(&site->live_bytes, bytes, __ATOMIC_RELAXED);
    __atomic_fetch_sub(&site->live_blocks, 1, __ATOMIC_RELAXED);
}

// The contents of a block that is in use: no two are alike.
static inline void truth_fill(void *block, size_t bytes) {
    static uint64_t last;
    uint64_t word = __atomic_add_fetch(&last, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);
    char *place = (char *)block;
    for (; bytes >= sizeof word; bytes -= sizeof word, place += sizeof word) {
        memcpy(place, &word, sizeof word);
        word += 0x100000001b3;
    }
}

// As many steps of arithmetic as take some nanoseconds on this machine.
static inline uint64_t truth_work(uint64_t rounds) {
    uint64_t state = rounds | 1;
    for (uint64_t round = 0; round < rounds; round++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        KEEP(state);
    }
    return state;
}

static inline uint64_t truth_rounds_of_ns(uint64_t time_ns) {
    enum { ROUNDS = 2000000 };
    uint64_t best_ns = UINT64_MAX;
    for (int turn = 0; turn < 5; turn++) {
        uint64_t start_ns = truth_clock_ns(CLOCK_MONOTONIC);
        truth_work(ROUNDS);
        uint64_t spent_ns = truth_clock_ns(CLOCK_MONOTONIC) - start_ns;
        if (spent_ns < best_ns) best_ns = spent_ns;
    }
    return time_ns * ROUNDS / best_ns;
}

// Blocks that come and go; one for each thread.
struct churn {
    struct truth_site *site;
    uint64_t rounds;
    uint64_t turn;
    void *blocks[CHURN_SLOTS];
    size_t sizes[CHURN_SLOTS];
};

SITE void *churn_block(size_t bytes) {
    void *block = malloc(bytes);
    KEEP(block);
    return block;
}

static inline void churn_step(struct churn *churn) {
    for (int count = 0; count < CHURN_BURST; count++) {
        uint64_t slot = churn->turn++ * 0x9e3779b97f4a7c15 >> 54;
        if (churn->blocks[slot] != NULL) {
            truth_died(churn->site, churn->sizes[slot]);
            free(churn->blocks[slot]);
        }
        churn->sizes[slot] = 16 + churn->turn * 48 % 480;
        churn->blocks[slot] = churn_block(churn->sizes[slot]);
        truth_born(churn->site, churn->sizes[slot]);
        truth_fill(churn->blocks[slot], 16);
        truth_work(churn->rounds);
    }
}

// How many bytes are due by now at so many a minute.
static inline uint64_t truth_due(double bytes_per_minute, double seconds) {
    return (uint64_t)(bytes_per_minute * seconds / 60);
}

static void truth_digits(char **place, uint64_t number) {
    char digits[20];
    int length = 0;
    do digits[length++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (length > 0) *(*place)++ = digits[--length];
}

static void truth_text(char **place, const char *text) {
    while (*text != 0) *(*place)++ = *text++;
}

// Without an allocation.
static void truth_write(void) {
    char line[2048];
    char *place = line;
    truth_text(&place, "{\"unix_ns\":");
    truth_digits(&place, truth_clock_ns(CLOCK_REALTIME));
    truth_text(&place, ",\"allocations\":");
    truth_digits(&place, __atomic_load_n(&truth_allocations, __ATOMIC_RELAXED));
    truth_text(&place, ",\"sites\":{");
    for (unsigned index = 0; index < truth_served->count; index++) {
        struct truth_site *site = &truth_served->sites[index];
        truth_text(&place, index == 0 ? "\"" : ",\"");
        truth_text(&place, site->label);
        truth_text(&place, "\":[");
        truth_digits(&place, __atomic_load_n(&site->live_bytes, __ATOMIC_RELAXED));
        truth_text(&place, ",");
        truth_digits(&place, __atomic_load_n(&site->live_blocks, __ATOMIC_RELAXED));
        truth_text(&place, "]");
    }
    truth_text(&place, "}}\n");
    if (write(truth_file, line, (size_t)(place - line)) != place - line) _exit(91);
}

static void truth_go(unsigned long milliseconds) {
    uint64_t now_ns = truth_clock_ns(CLOCK_MONOTONIC);
    uint64_t end_ns = now_ns + milliseconds * 1000000;
    uint64_t next_ns = now_ns;
    if (truth_start_ns == 0) truth_start_ns = now_ns;
    while (now_ns < end_ns) {
        if (now_ns >= next_ns) {
            truth_write();
            next_ns += TRUTH_PERIOD_NS;
        }
        truth_served->step((double)(now_ns - truth_start_ns) / 1e9);
        now_ns = truth_clock_ns(CLOCK_MONOTONIC);
    }
    truth_write();
}

static void truth_books(void) { answer_number("allocations", truth_allocations); }

// Serves until told to quit; never returns.
__attribute__((noreturn)) static inline void truth_serve(const struct truth_program *program, char **argv) {
    static const struct program served = {truth_go, truth_books};
    truth_served = program;
    truth_file = argv[1] == NULL ? -1 : open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
    if (truth_file < 0) _exit(95);
    serve(&served, argv);
}
