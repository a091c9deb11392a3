// How a program of known truth says which blocks live: a table in the file that is its standard input.
//
// A record is filled while its `state` is EMPTY, and says LIVES until just before the block is freed and FREED from
// just after on. The test makes it EMPTY again. Records are sought at random, so that no kind of block is preferred.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum state { EMPTY, LIVES, ENDS, FREED, CLAIMED };

struct record {
    uint64_t address;
    uint64_t size;
    uint32_t kind;
    uint32_t state;
    uint64_t generation;
};

enum { RECORDS = 8192 };

static struct record *records;

static inline void lives_open(void) {
    records = (struct record *)mmap(NULL, RECORDS * sizeof *records, PROT_READ | PROT_WRITE, MAP_SHARED, 0, 0);
    if (records == MAP_FAILED) _exit(91);
}

// Puts a block into the table, if the record that is looked at is empty.
static inline struct record *lives_publish(void *address, size_t size, uint32_t kind, uint64_t random) {
    struct record *record = &records[random % RECORDS];
    uint32_t empty = EMPTY;
    if (!__atomic_compare_exchange_n(&record->state, &empty, CLAIMED, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        return NULL;
    }
    record->address = (uint64_t)(uintptr_t)address;
    record->size = size;
    record->kind = kind;
    record->generation++;
    __atomic_store_n(&record->state, LIVES, __ATOMIC_RELEASE);
    return record;
}

static inline void lives_ends(struct record *record) {
    if (record != NULL) __atomic_store_n(&record->state, ENDS, __ATOMIC_SEQ_CST);
}

static inline void lives_freed(struct record *record) {
    if (record != NULL) __atomic_store_n(&record->state, FREED, __ATOMIC_SEQ_CST);
}
