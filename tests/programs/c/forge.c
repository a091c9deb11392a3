// A library for programs/python/forge.py: while one of its functions allocates, one word of the interpreter's memory
// is forged. The word is restored before Python runs again.
//
// Each kind of forgery allocates in a function of its own, so that its blocks can be told apart by their stacks.
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SITE __attribute__((noinline, noclone, visibility("default")))
#define KEEP(pointer) __asm__ volatile("" : "+r"(pointer)::"memory")

// Where things are, as memtrace itself found out (memtrace_common::settings::PythonTarget).
struct layout {
    uint64_t thread_state_offset, thread_state_index_offset, is_indirect;
    uint64_t frame_offset, cframe_offset;
    uint64_t window_start, code, outer;
};

enum { NO_CFRAME = 65535, BLOCKS = 7 };

static struct layout layout;
// No pointer into the interpreter is here: a frame whose outer frame is itself, and nothing else.
static _Alignas(16) uint64_t circle[64];

SITE void set_layout(const struct layout *given) { layout = *given; }

static uint64_t *word_at(uint64_t address) { return (uint64_t *)address; }

static uint64_t *thread_state_slot(void) {
    uint64_t base;
    __asm__("mov %%fs:0, %0" : "=r"(base));
    uint64_t *slot = word_at(base + layout.thread_state_offset);
    return layout.is_indirect ? word_at(*slot + layout.thread_state_index_offset) : slot;
}

static uint64_t *frame_slot(void) {
    uint64_t *slot = word_at(*thread_state_slot() + layout.frame_offset);
    return layout.cframe_offset == NO_CFRAME ? slot : word_at(*slot + layout.cframe_offset);
}

static uint64_t *in_frame(uint64_t offset) { return word_at(*frame_slot() + layout.window_start + offset); }

static uint64_t unmapped(void) {
    void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(page, 4096);
    return (uint64_t)page;
}

static uint64_t forged_value(const char *value, uint64_t here, uint64_t object) {
    if (strcmp(value, "zero") == 0) return 0;
    if (strcmp(value, "unmapped") == 0) return unmapped();
    if (strcmp(value, "misaligned") == 0) return here + 1;
    if (strcmp(value, "kernel") == 0) return 0xffff888000000000;
    if (strcmp(value, "itself") == 0) return *frame_slot();
    if (strcmp(value, "object") == 0) return object;
    if (strcmp(value, "circle") == 0) {
        circle[(layout.window_start + layout.outer) / 8] = (uint64_t)circle;
        return (uint64_t)circle;
    }
    return here;
}

#define SITE_OF(number)                                                                                                \
    SITE void allocate_##number(size_t size) {                                                                         \
        for (int block = 0; block < BLOCKS; block++) {                                                                 \
            void *pointer = malloc(size);                                                                              \
            KEEP(pointer);                                                                                             \
        }                                                                                                              \
    }

SITE_OF(0) SITE_OF(1) SITE_OF(2) SITE_OF(3) SITE_OF(4) SITE_OF(5) SITE_OF(6) SITE_OF(7) SITE_OF(8) SITE_OF(9)
SITE_OF(10) SITE_OF(11) SITE_OF(12) SITE_OF(13) SITE_OF(14) SITE_OF(15) SITE_OF(16) SITE_OF(17)

static void (*const SITES[])(size_t) = {
    allocate_0,  allocate_1,  allocate_2,  allocate_3,  allocate_4,  allocate_5,  allocate_6,  allocate_7,  allocate_8,
    allocate_9,  allocate_10, allocate_11, allocate_12, allocate_13, allocate_14, allocate_15, allocate_16, allocate_17,
};

// Forges `word` ("slot", "frame", "outer", "code", "none") to `value` while allocate_`site` allocates.
SITE void forge(unsigned site, const char *word, const char *value, size_t size, uint64_t object) {
    static uint64_t nothing;
    uint64_t *place = &nothing;
    if (strcmp(word, "slot") == 0) place = thread_state_slot();
    if (strcmp(word, "frame") == 0) place = frame_slot();
    if (strcmp(word, "outer") == 0) place = in_frame(layout.outer);
    if (strcmp(word, "code") == 0) place = in_frame(layout.code);
    uint64_t saved = *place;
    *place = forged_value(value, saved, object);
    SITES[site](size);
    *place = saved;
}
