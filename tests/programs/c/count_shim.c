// Proves the other programs right without memtrace: a preloaded library that stands before libc's allocators and
// keeps independent books, from the moment that the test arms it, in a file that both have mapped (SHIM_BOOKS).
//
// It knows nothing of the program: it sees addresses and sizes only, as memtrace does.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tally.h"

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);
extern void *__libc_memalign(size_t, size_t);
extern void *__libc_valloc(size_t);
extern void *__libc_pvalloc(size_t);

// The file: the test writes `armed`, the library the rest. tests/support/shim.rs has the same layout.
struct books {
    uint64_t armed;
    struct tally tally;
    uint64_t live_hash;
};

enum { SLOTS = 1 << 20 };
// Keyed by address for good: an address that was given back is soon handed out again.
struct slot {
    uintptr_t address;
    size_t size;
    bool live;
};

static struct books *books;
static struct slot *slots;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void open_books(void) {
    int file = open(getenv("SHIM_BOOKS"), O_RDWR | O_CLOEXEC);
    if (file < 0) _exit(95);
    slots = mmap(NULL, SLOTS * sizeof *slots, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    books = mmap(NULL, sizeof *books, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (slots == MAP_FAILED || books == MAP_FAILED) _exit(96);
    close(file);
}

static bool armed(void) { return books != NULL && __atomic_load_n(&books->armed, __ATOMIC_ACQUIRE) != 0; }

static struct slot *find(uintptr_t address) {
    size_t index = block_hash(address, 0) % SLOTS;
    while (slots[index].address != 0 && slots[index].address != address) index = (index + 1) % SLOTS;
    return &slots[index];
}

static void *allocated(void *block, size_t size) {
    if (block == NULL || !armed()) return block;
    pthread_mutex_lock(&lock);
    struct slot *slot = find((uintptr_t)block);
    slot->address = (uintptr_t)block;
    slot->size = size;
    slot->live = true;
    tally_allocated(&books->tally, size);
    books->live_hash += block_hash((uintptr_t)block, size);
    pthread_mutex_unlock(&lock);
    return block;
}

// Takes the block out and says what its size was; false when it is not in the books.
static bool take(void *block, size_t *size) {
    pthread_mutex_lock(&lock);
    struct slot *slot = find((uintptr_t)block);
    bool known = slot->live;
    if (known) {
        *size = slot->size;
        slot->live = false;
        books->live_hash -= block_hash((uintptr_t)block, slot->size);
    }
    pthread_mutex_unlock(&lock);
    return known;
}

static void tally_taken(bool known, size_t size) {
    pthread_mutex_lock(&lock);
    if (known) {
        tally_freed(&books->tally, size);
    } else {
        books->tally.frees_unknown++;
    }
    pthread_mutex_unlock(&lock);
}

void *malloc(size_t size) { return allocated(__libc_malloc(size), size); }

void *calloc(size_t count, size_t size) { return allocated(__libc_calloc(count, size), count * size); }

void free(void *block) {
    if (block != NULL && armed()) {
        size_t size = 0;
        bool known = take(block, &size);
        tally_taken(known, size);
    }
    __libc_free(block);
}

void *realloc(void *old, size_t size) {
    if (old == NULL || !armed()) return allocated(__libc_realloc(old, size), size);
    // Read through the pointer first, as libc does: a call that faults must leave the books alone.
    (void)*(volatile char *)old;
    // Out of the books before the call: as soon as it has freed the block, another thread may be handed it.
    size_t old_size = 0;
    bool known = take(old, &old_size);
    void *block = __libc_realloc(old, size);
    if (block != NULL || size == 0) {
        tally_taken(known, old_size);
        return allocated(block, size);
    }
    if (known) {
        // The old block lives on: back into the books, which is no allocation.
        allocated(old, old_size);
        pthread_mutex_lock(&lock);
        books->tally.allocations--;
        books->tally.allocated_bytes -= old_size;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}

void *reallocarray(void *old, size_t count, size_t size) {
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(old, bytes);
}

void *memalign(size_t alignment, size_t size) { return allocated(__libc_memalign(alignment, size), size); }

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

void *valloc(size_t size) { return allocated(__libc_valloc(size), size); }

void *pvalloc(size_t size) { return allocated(__libc_pvalloc(size), size); }

int posix_memalign(void **out, size_t alignment, size_t size) {
    if (alignment % sizeof(void *) != 0 || alignment == 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *block = __libc_memalign(alignment, size);
    if (block == NULL) return ENOMEM;
    *out = block;
    allocated(block, size);
    return 0;
}
