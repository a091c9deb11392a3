// Proves that the live set is right, whatever a threaded program does with libc's allocators.
//
// Four threads call every allocator function at random, succeeding and failing, and hand blocks to one another to be
// freed there. Every block lies in exactly one slot, so the slots are the live set; the counters are kept apart from
// them, and `balanced` says that the two agree. 64 blocks are from before `go`, and unknown to an observer who came
// then.
//
//   churn SEED
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>

#include "tally.h"

#ifndef __GLIBC__
// musl has none.
#define pvalloc valloc
#endif

enum { WORKERS = 4, SLOTS = 256, SHARED = 512, BEFORE = 64 };

// The function that a block's stack begins with.
enum function {
    BY_MALLOC,
    BY_CALLOC,
    BY_REALLOC,
    BY_REALLOCARRAY,
    BY_POSIX_MEMALIGN,
    BY_ALIGNED_ALLOC,
    BY_MEMALIGN,
    BY_VALLOC,
    BY_PVALLOC,
    FUNCTIONS
};
static const char *const FUNCTION_NAMES[FUNCTIONS] = {
    "by_malloc",        "by_calloc",   "by_realloc", "by_reallocarray", "by_posix_memalign",
    "by_aligned_alloc", "by_memalign", "by_valloc",  "by_pvalloc",
};

struct block {
    void *address;
    size_t size;
    enum function by;
    bool before;
};

struct worker {
    pthread_t thread;
    uint64_t random;
    struct tally tally;
    struct tally by_function[FUNCTIONS];
    struct block blocks[SLOTS];
};

static struct worker workers[WORKERS];
static struct block shared[SHARED];
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_barrier_t round_begins, round_ends;
static unsigned long rounds_per_worker;

static uint64_t next_random(struct worker *worker) {
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return worker->random >> 11;
}

SITE void *by_malloc(size_t size) {
    void *block = malloc(size);
    KEEP(block);
    return block;
}

SITE void *by_calloc(size_t count, size_t size) {
    void *block = calloc(count, size);
    KEEP(block);
    return block;
}

SITE void *by_realloc(void *old, size_t size) {
    void *block = realloc(old, size);
    KEEP(block);
    return block;
}

SITE void *by_reallocarray(void *old, size_t count, size_t size) {
    void *block = reallocarray(old, count, size);
    KEEP(block);
    return block;
}

SITE void *by_posix_memalign(size_t alignment, size_t size) {
    void *block = (void *)0xdead;
    if (posix_memalign(&block, alignment, size) != 0) return NULL;
    KEEP(block);
    return block;
}

SITE void *by_aligned_alloc(size_t alignment, size_t size) {
    void *block = aligned_alloc(alignment, size);
    KEEP(block);
    return block;
}

SITE void *by_memalign(size_t alignment, size_t size) {
    void *block = memalign(alignment, size);
    KEEP(block);
    return block;
}

SITE void *by_valloc(size_t size) {
    void *block = valloc(size);
    KEEP(block);
    return block;
}

SITE void *by_pvalloc(size_t size) {
    void *block = pvalloc(size);
    KEEP(block);
    return block;
}

// Mostly small, sometimes past the mmap threshold, sometimes nothing.
static size_t pick_size(struct worker *worker) {
    uint64_t kind = next_random(worker) % 64;
    if (kind == 0) return 0;
    if (kind == 1) return 128 * 1024 + next_random(worker) % (256 * 1024);
    if (kind < 8) return next_random(worker) % 16384;
    return 1 + next_random(worker) % 512;
}

// More than an address space has: fails at once by its sign, or in mmap.
static size_t pick_absurd_size(struct worker *worker) {
    return opaque(next_random(worker) % 2 ? SIZE_MAX / 2 + next_random(worker) % 4096 : (size_t)1 << 47);
}

static size_t pick_alignment(struct worker *worker) { return (size_t)16 << next_random(worker) % 9; }

static void enter(struct worker *worker, struct block *slot, void *address, size_t size, enum function by) {
    if (address == NULL) _exit(97);
    *slot = (struct block){.address = address, .size = size, .by = by};
    tally_allocated(&worker->tally, size);
    tally_allocated(&worker->by_function[by], size);
}

static void leave(struct worker *worker, struct block *slot) {
    if (slot->before) {
        worker->tally.frees_unknown++;
    } else {
        tally_freed(&worker->tally, slot->size);
        tally_freed(&worker->by_function[slot->by], slot->size);
    }
    *slot = (struct block){0};
}

static void allocate(struct worker *worker, struct block *slot) {
    enum function by = (enum function)(next_random(worker) % FUNCTIONS);
    size_t size = pick_size(worker);
    size_t alignment = pick_alignment(worker);
    void *address = NULL;
    switch (by) {
    case BY_MALLOC: address = by_malloc(size); break;
    case BY_CALLOC: size -= size % 8, address = by_calloc(size / 8, 8); break;
    case BY_REALLOC: address = by_realloc(NULL, size); break;
    case BY_REALLOCARRAY: size -= size % 4, address = by_reallocarray(NULL, size / 4, 4); break;
    case BY_POSIX_MEMALIGN: address = by_posix_memalign(alignment, size); break;
    case BY_ALIGNED_ALLOC: address = by_aligned_alloc(alignment, size); break;
    case BY_MEMALIGN: address = by_memalign(alignment, size); break;
    case BY_VALLOC: address = by_valloc(size); break;
    case BY_PVALLOC: address = by_pvalloc(size); break;
    case FUNCTIONS: _exit(98);
    }
    enter(worker, slot, address, size, by);
}

static void release(struct worker *worker, struct block *slot) {
    void *address = slot->address;
    leave(worker, slot);
    free(address);
}

// Grows, shrinks, gives back by size 0.
static void resize(struct worker *worker, struct block *slot) {
    size_t size = pick_size(worker);
    void *old = slot->address;
    if (size > 0 && next_random(worker) % 4 == 0) {
        size += (4 - size % 4) % 4;
        void *address = by_reallocarray(old, size / 4, 4);
        leave(worker, slot);
        enter(worker, slot, address, size, BY_REALLOCARRAY);
        return;
    }
    void *address = by_realloc(old, opaque(size));
    leave(worker, slot);
#ifdef __GLIBC__
    if (size == 0) {
        if (address != NULL) _exit(99);
        return;
    }
#endif
    // musl gives a block of 0 bytes for size 0.
    enter(worker, slot, address, size, BY_REALLOC);
}

// Every way to be refused. The slot's block must live on.
static void fail(struct worker *worker, struct block *slot) {
    size_t absurd = pick_absurd_size(worker);
    void *address = NULL;
    switch (next_random(worker) % 11) {
    case 0: address = by_malloc(absurd); break;
    case 1: address = by_calloc(absurd, 16); break;
    case 2: address = by_realloc(slot->address, absurd); break;
    case 3: address = by_reallocarray(slot->address, absurd, 8); break;
    case 4: address = by_posix_memalign(64, absurd); break;
    case 5: address = by_posix_memalign(3, 100); break;
    case 6: address = by_aligned_alloc(64, absurd); break;
    case 7: address = by_memalign(64, absurd); break;
    case 8: address = by_valloc(absurd); break;
    case 9: address = by_pvalloc(absurd); break;
    case 10: free(NULL); break;
    }
    if (address != NULL) _exit(100);
    worker->tally.failures++;
}

// Puts the block where any thread may take it, and takes what was there.
static void exchange(struct worker *worker, struct block *slot) {
    struct block *place = &shared[next_random(worker) % SHARED];
    pthread_mutex_lock(&shared_lock);
    struct block other = *place;
    *place = *slot;
    *slot = other;
    pthread_mutex_unlock(&shared_lock);
}

static void work_once(struct worker *worker) {
    struct block *slot = &worker->blocks[next_random(worker) % SLOTS];
    uint64_t choice = next_random(worker) % 16;
    if (choice == 0) {
        fail(worker, slot);
    } else if (choice < 5) {
        exchange(worker, slot);
    } else if (slot->address == NULL) {
        allocate(worker, slot);
    } else if (choice < 8) {
        resize(worker, slot);
    } else {
        release(worker, slot);
    }
}

static void *work(void *argument) {
    struct worker *worker = argument;
    for (;;) {
        pthread_barrier_wait(&round_begins);
        for (unsigned long round = 0; round < rounds_per_worker; round++) work_once(worker);
        pthread_barrier_wait(&round_ends);
    }
    return NULL;
}

static void go(unsigned long rounds) {
    rounds_per_worker = rounds;
    pthread_barrier_wait(&round_begins);
    pthread_barrier_wait(&round_ends);
}

struct live_set {
    uint64_t blocks, bytes, hash;
};

static void add_live(struct live_set *live, const struct block *blocks, size_t count) {
    for (size_t index = 0; index < count; index++) {
        if (blocks[index].address == NULL || blocks[index].before) continue;
        live->blocks++;
        live->bytes += blocks[index].size;
        live->hash += block_hash((uintptr_t)blocks[index].address, blocks[index].size);
    }
}

static void write_books(void) {
    struct tally sum = {0};
    struct tally by_function[FUNCTIONS] = {0};
    struct live_set live = {0};
    for (int index = 0; index < WORKERS; index++) {
        tally_add(&sum, &workers[index].tally);
        for (int by = 0; by < FUNCTIONS; by++) tally_add(&by_function[by], &workers[index].by_function[by]);
        add_live(&live, workers[index].blocks, SLOTS);
    }
    add_live(&live, shared, SHARED);
    tally_answer(&sum);
    answer_number("live_hash", live.hash);
    answer_number("balanced", live.blocks == sum.allocations - sum.frees &&
                                  live.bytes == sum.allocated_bytes - sum.freed_bytes);
    answer_open("functions");
    for (int by = 0; by < FUNCTIONS; by++) {
        answer_open(FUNCTION_NAMES[by]);
        tally_answer(&by_function[by]);
        answer_close();
    }
    answer_close();
}

int main(int argc, char **argv) {
    uint64_t seed = argc > 1 ? parse_number(argv[1]) : 1;
    pthread_barrier_init(&round_begins, NULL, WORKERS + 1);
    pthread_barrier_init(&round_ends, NULL, WORKERS + 1);
    for (int index = 0; index < BEFORE; index++) {
        shared[index] = (struct block){.address = malloc(100), .size = 100, .before = true};
    }
    for (int index = 0; index < WORKERS; index++) {
        workers[index].random = (seed * WORKERS + (uint64_t)index + 1) * 0x9e3779b97f4a7c15u;
        pthread_create(&workers[index].thread, NULL, work, &workers[index]);
    }
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
