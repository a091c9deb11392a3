// Programs that do to a tracer what no program should, and know their own books all the same.
//
//   hostile coroutines        allocates and frees on 64 stacks in turn, each a mapping of its own
//   hostile interrupted       a signal interrupts a malloc at a point where the heap is whole; its handler allocates
//   hostile renames           takes a new name as fast as it can while it allocates, control characters included
//   hostile threads           each round starts 500 threads that allocate, live at once, and end
//   hostile libraries FILE..  each round loads the next 100 files as libraries and lets each allocate
//   hostile execs             executes itself 300 times before it begins; the count is in the environment
//   hostile seccomp           may call nothing newer than Linux 5.0: any other system call kills it
//   hostile maps FILE..       maps each file executable
//   hostile pointers          allocates with frame pointers that lead in circles, nowhere, and on for ever
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "tally.h"

enum { STACKS = 64, STACK_BYTES = 65536, THREADS = 500, LIBRARIES = 100, FORGED = 6, KEPT = 8 };

static struct tally tally;
static char **arguments;

SITE void *take(size_t size) {
    void *block = malloc(size);
    KEEP(block);
    tally_allocated(&tally, size);
    return block;
}

SITE void give(void *block, size_t size) {
    free(block);
    tally_freed(&tally, size);
}

// Coroutines: each keeps a block over every switch.

static ucontext_t scheduler, coroutines[STACKS];

static void run_coroutine(int index) {
    for (size_t turn = 1;; turn++) {
        size_t size = 64 + (size_t)index * 16 + turn % 7;
        char deeper[2048];
        char *bytes = deeper;
        KEEP(bytes);
        void *block = take(size);
        swapcontext(&coroutines[index], &scheduler);
        give(block, size);
        take(size + 1);
        swapcontext(&coroutines[index], &scheduler);
    }
}

static void go_coroutines(unsigned long rounds) {
    for (int index = 0; index < STACKS; index++) {
        void *stack =
            mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
        getcontext(&coroutines[index]);
        coroutines[index].uc_stack = (stack_t){.ss_sp = stack, .ss_size = STACK_BYTES};
        makecontext(&coroutines[index], (void (*)(void))run_coroutine, 1, index);
    }
    for (unsigned long round = 0; round < rounds; round++) {
        for (int index = 0; index < STACKS; index++) swapcontext(&scheduler, &coroutines[index]);
    }
}

// Interrupted: the mmap of one large malloc is trapped, and made by the handler, which allocates first.

static const size_t TRAPPED_BYTES = 0x2345000;
static uint64_t interrupted;

static void on_trap(int number, siginfo_t *info, void *context) {
    (void)number, (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    give(take(100), 100);
    take(48);
    registers[REG_RAX] = syscall(SYS_mmap, NULL, TRAPPED_BYTES + 4096, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void go_interrupted(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds; round++) {
        void *block = malloc(TRAPPED_BYTES - 32);
        KEEP(block);
        interrupted++;
        free(block);
        tally.frees_unknown++;
    }
}

static void filter(struct sock_filter *instructions, size_t length) {
    struct sock_fprog program = {.len = (unsigned short)length, .filter = instructions};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) != 0) _exit(89);
}

static void trap_the_mapping(void) {
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSYS, &action, NULL);
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)TRAPPED_BYTES, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    filter(instructions, sizeof instructions / sizeof *instructions);
}

// The system call with which return probes end, 335, is among those that kill.
static void forbid_new_calls(void) {
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 335, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    filter(instructions, sizeof instructions / sizeof *instructions);
}

static void go_plainly(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds; round++) {
        give(take(64 + round % 100), 64 + round % 100);
        take(32);
    }
}

// Renames: a name is any bytes.

static void go_renames(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds; round++) {
        char name[16] = "\x1b[2J\x1b]0;\xff\xfe\n)";
        name[13] = (char)('a' + round % 26);
        prctl(PR_SET_NAME, name, 0, 0, 0);
        if (round % 10 == 0) give(take(64), 64);
    }
}

// Threads.

static pthread_barrier_t all_live;

static void *allocate_in_thread(void *kept) {
    for (int block = 0; block < KEPT; block++) ((void **)kept)[block] = malloc(100);
    void *block = malloc(50);
    KEEP(block);
    free(block);
    pthread_barrier_wait(&all_live);
    return NULL;
}

static void go_threads(unsigned long rounds) {
    static pthread_t threads[THREADS];
    static void *kept[THREADS][KEPT];
    pthread_barrier_init(&all_live, NULL, THREADS + 1);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    for (unsigned long round = 0; round < rounds; round++) {
        for (int index = 0; index < THREADS; index++) {
            if (pthread_create(&threads[index], &small, allocate_in_thread, kept[index]) != 0) _exit(88);
        }
        pthread_barrier_wait(&all_live);
        for (int index = 0; index < THREADS; index++) pthread_join(threads[index], NULL);
    }
}

// Libraries.

static void go_libraries(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds * LIBRARIES && *arguments != NULL; round++) {
        void *library = dlopen(*arguments++, RTLD_NOW | RTLD_LOCAL);
        if (library == NULL) _exit(87);
        void *(*allocate)(size_t) = (void *(*)(size_t))dlsym(library, "allocate");
        void *block = allocate(4321);
        KEEP(block);
    }
}

static void map_all(void) {
    for (; *arguments != NULL; arguments++) {
        int file = open(*arguments, O_RDONLY);
        if (mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0) == MAP_FAILED) _exit(86);
        close(file);
    }
}

// Frame pointers: what rbp is while malloc runs.

__attribute__((naked, noinline)) static void *allocate_with(size_t size __attribute__((unused)),
                                                            uint64_t frame __attribute__((unused))) {
    __asm__("push %rbp\n mov %rsi, %rbp\n call malloc@PLT\n pop %rbp\n ret");
}

SITE void allocate_forged(unsigned long which, uint64_t *stack) {
    uint64_t frames[FORGED] = {
        0,
        (uint64_t)stack + 3,
        0xffff888000000000,
        (uint64_t)stack,        // a frame that is its own caller
        (uint64_t)stack + 4096, // an endless chain
        8,
    };
    stack[0] = (uint64_t)stack;
    stack[1] = (uint64_t)__builtin_return_address(0);
    for (unsigned index = 512; index < 1536; index += 2) {
        stack[index] = (uint64_t)(stack + index + 2);
        stack[index + 1] = (uint64_t)__builtin_return_address(0);
    }
    void *block = allocate_with(77, frames[which % FORGED]);
    KEEP(block);
    tally_allocated(&tally, 77);
}

static void go_pointers(unsigned long rounds) {
    // The chain must be above the stack pointer: this frame holds it.
    uint64_t stack[2048];
    for (unsigned long round = 0; round < rounds; round++) allocate_forged(round, stack);
}

static void write_books(void) {
    tally_answer(&tally);
    answer_number("interrupted", interrupted);
}

static void execute_again(char **argv) {
    const char *left = getenv("EXECS_LEFT");
    unsigned long count = left == NULL ? 300 : parse_number(left);
    if (count == 0) return;
    char text[32];
    snprintf(text, sizeof text, "%lu", count - 1);
    setenv("EXECS_LEFT", text, 1);
    execv(argv[0], argv);
    _exit(93);
}

int main(int argc, char **argv) {
    const char *mode = argc > 1 ? argv[1] : "";
    arguments = argv + 2;
    void (*go)(unsigned long) = go_plainly;
    if (strcmp(mode, "coroutines") == 0) go = go_coroutines;
    if (strcmp(mode, "interrupted") == 0) go = go_interrupted, trap_the_mapping();
    if (strcmp(mode, "renames") == 0) go = go_renames;
    if (strcmp(mode, "threads") == 0) go = go_threads;
    if (strcmp(mode, "libraries") == 0) go = go_libraries;
    if (strcmp(mode, "pointers") == 0) go = go_pointers;
    if (strcmp(mode, "execs") == 0) execute_again(argv);
    if (strcmp(mode, "maps") == 0) map_all();
    if (strcmp(mode, "seccomp") == 0) forbid_new_calls();
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
