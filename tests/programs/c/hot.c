// Proves what is known, and what it costs, of a process that allocates too much to be seen call by call.
//
//   hot THREADS WORK [orphans|maps]   THREADS workers; WORK steps of arithmetic after each block
//
// With `orphans` the first thread has ended. With `maps` a thread more holds the lock of the address space most of the
// time, by mapping, populating and unmapping 64 MiB again and again.
//
//   go 0  cool: a block every ten milliseconds, given back at once
//   go 1  keep 2,000 blocks of 500 bytes from `plant_here`, at once
//   go 2  hot: workers take and give back blocks as fast as they can
//   go 3  the same, and 2,000 blocks of 256 bytes a second are kept, from `leak_here`
//   go 4  fork 30 children that allocate and free a lot in memory of their own
//   go 5  vfork 30 children that do so in the parent's memory
//   go 6  vfork 30 children that execute /bin/true
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "tally.h"

enum { THREADS_MAX = 64, PLANTED = 2000, PLANT_BYTES = 500, LEAK_BYTES = 256, LEAKS_PER_SECOND = 2000 };
enum { BURST = 16, CHILDREN = 30, CHILD_ROUNDS = 20000, MAP_BYTES = 64 << 20 };
enum heat { COOL = 0, PLANT = 1, HOT = 2, LEAKING = 3, FORK = 4, VFORK = 5, SPAWN = 6 };

static volatile enum heat heat = COOL;
static uint64_t work_steps;
static struct tally planted, leaked;
static uint64_t turns_of[THREADS_MAX];
static uint64_t children;
static uint64_t maps;

static uint64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void fill(void *block, size_t bytes) {
    static uint64_t last;
    uint64_t word = __atomic_add_fetch(&last, 0x9e3779b97f4a7c15u, __ATOMIC_RELAXED);
    for (size_t offset = 0; offset + sizeof word <= bytes; offset += sizeof word) {
        memcpy((char *)block + offset, &word, sizeof word);
        word += 0x100000001b3u;
    }
}

static void arithmetic(uint64_t steps) {
    uint64_t state = steps | 1;
    for (uint64_t step = 0; step < steps; step++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        KEEP(state);
    }
}

SITE void *plant_here(void) {
    void *block = malloc(PLANT_BYTES);
    KEEP(block);
    fill(block, PLANT_BYTES);
    tally_allocated(&planted, PLANT_BYTES);
    return block;
}

SITE void *leak_here(void) {
    void *block = malloc(LEAK_BYTES);
    KEEP(block);
    fill(block, LEAK_BYTES);
    tally_allocated(&leaked, LEAK_BYTES);
    return block;
}

SITE void churn_here(uint64_t turn) {
    void *block = malloc(opaque(16 + turn % 32 * 16));
    KEEP(block);
    arithmetic(work_steps);
    free(block);
}

// The first worker leaks for all.
static void leak_what_is_due(void) {
    static uint64_t last_ns, owed;
    uint64_t now_ns = clock_ns(CLOCK_MONOTONIC);
    if (heat != LEAKING || last_ns == 0) {
        last_ns = now_ns;
        return;
    }
    owed += (now_ns - last_ns) * LEAKS_PER_SECOND;
    last_ns = now_ns;
    for (; owed >= 1000000000; owed -= 1000000000) leak_here();
}

static void *work(void *argument) {
    uint64_t *turns = argument;
    for (;;) {
        if (turns == turns_of) leak_what_is_due();
        if (heat == COOL) usleep(10000);
        for (int count = heat == COOL ? 1 : BURST; count > 0; count--) churn_here((*turns)++);
    }
    return NULL;
}

static void *map_and_unmap(void *unused) {
    for (;;) {
        void *memory =
            mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
        if (memory == MAP_FAILED) _exit(96);
        munmap(memory, MAP_BYTES);
        maps++;
    }
    return unused;
}

__attribute__((noreturn)) SITE void be_a_child(void) {
    for (uint64_t round = 0; round < CHILD_ROUNDS; round++) {
        void *block = malloc(opaque(16 + round % 32 * 16));
        if (block == NULL) _exit(1);
        KEEP(block);
        free(block);
    }
    _exit(0);
}

SITE pid_t start_child(enum heat how) {
    pid_t child = how == FORK ? fork() : vfork();
    if (child == 0) {
        if (how != SPAWN) be_a_child();
        execl("/bin/true", "true", (char *)NULL);
        _exit(99);
    }
    return child;
}

static void have_children(enum heat how) {
    for (int count = 0; count < CHILDREN; count++) {
        int status;
        pid_t child = start_child(how);
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) _exit(98);
        children++;
    }
}

static void go(unsigned long what) {
    switch ((enum heat)what) {
    case PLANT:
        for (int count = 0; count < PLANTED; count++) plant_here();
        break;
    case FORK:
    case VFORK:
    case SPAWN: have_children((enum heat)what); break;
    default: heat = (enum heat)what;
    }
}

static void write_books(void) {
    uint64_t turns = 0;
    for (int index = 0; index < THREADS_MAX; index++) turns += turns_of[index];
    answer_number("turns", turns);
    answer_number("cpu_ns", clock_ns(CLOCK_PROCESS_CPUTIME_ID));
    answer_number("children", children);
    answer_number("maps", maps);
    answer_open("planted");
    tally_answer(&planted);
    answer_close();
    answer_open("leaked");
    tally_answer(&leaked);
    answer_close();
}

static void *serve_elsewhere(void *argv) { serve(&(struct program){.go = go, .books = write_books}, argv); }

static void start_thread(void *(*run)(void *), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) != 0) _exit(97);
}

int main(int argc, char **argv) {
    if (argc < 3) return EXIT_FAILURE;
    unsigned long threads = parse_number(argv[1]);
    if (threads > THREADS_MAX) return EXIT_FAILURE;
    work_steps = parse_number(argv[2]);
    for (unsigned long index = 0; index < threads; index++) start_thread(work, &turns_of[index]);
    if (argc > 3 && strcmp(argv[3], "maps") == 0) start_thread(map_and_unmap, NULL);
    if (argc > 3 && strcmp(argv[3], "orphans") == 0) {
        start_thread(serve_elsewhere, argv);
        pthread_exit(NULL);
    }
    serve_elsewhere(argv);
}
