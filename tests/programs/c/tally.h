// A program's own books: what it was handed since its first `go`, and what it gave back.
//
// A realloc that hands out a block is one allocation and, when there was an old block, one free: also when the
// block did not move. A call that fails is neither.
#pragma once

#include <stdint.h>

#include "protocol.h"

struct tally {
    uint64_t allocations;
    uint64_t allocated_bytes;
    uint64_t frees;
    uint64_t freed_bytes;
    // Blocks given back that were handed out before the books began.
    uint64_t frees_unknown;
    // Calls that handed out nothing, as they should.
    uint64_t failures;
};

static inline void tally_allocated(struct tally *tally, size_t size) {
    tally->allocations++;
    tally->allocated_bytes += size;
}

static inline void tally_freed(struct tally *tally, size_t size) {
    tally->frees++;
    tally->freed_bytes += size;
}

static inline void tally_add(struct tally *sum, const struct tally *part) {
    sum->allocations += part->allocations;
    sum->allocated_bytes += part->allocated_bytes;
    sum->frees += part->frees;
    sum->freed_bytes += part->freed_bytes;
    sum->frees_unknown += part->frees_unknown;
    sum->failures += part->failures;
}

// The figures under the names that memtrace's snapshot has for them.
static inline void tally_answer(const struct tally *tally) {
    answer_number("live_blocks", tally->allocations - tally->frees);
    answer_number("live_bytes", tally->allocated_bytes - tally->freed_bytes);
    answer_number("allocations", tally->allocations);
    answer_number("allocated_bytes", tally->allocated_bytes);
    answer_number("frees", tally->frees);
    answer_number("freed_bytes", tally->freed_bytes);
    answer_number("frees_unknown", tally->frees_unknown);
    answer_number("failures", tally->failures);
}

// A block's share of the order-independent hash of a live set (splitmix64's finalizer over both numbers).
static inline uint64_t block_hash(uintptr_t address, size_t size) {
    uint64_t mixed = (uint64_t)address * 0x9e3779b97f4a7c15u + size;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}
