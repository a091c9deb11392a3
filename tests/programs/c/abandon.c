// Proves that calls which never return are counted, and that the figures after them are right.
//
// Each round leaves one allocator call by siglongjmp, from a signal that the call itself raises at a point where
// libc's heap is whole: a malloc whose mmap is trapped, a realloc of an unreadable pointer, a posix_memalign whose
// out-parameter cannot be written. Then it makes one call that does return.
//
//   abandon shallow    the abandoned calls stand further down the stack than those after them
//   abandon deep       the calls after them stand further down
//   abandon killed     as shallow, and before the first round four threads die inside such calls; without the malloc,
//                      which would leave its arena locked in a program with threads
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tally.h"

enum { KEPT = 4096, DOOMED = 4, FRAME_BYTES = 4096 };

// A malloc of TRAPPED_BYTES - 32 maps just this much, and is above every threshold for doing so.
static const size_t TRAPPED_BYTES = 0x2345000;

static bool after_is_deep, has_threads;
static char *unreadable;
static void *kept[KEPT];
static size_t kept_len;
static struct tally tally;
static uint64_t abandoned;
static unsigned died;
static __thread sigjmp_buf escape;
static __thread bool doomed;
static pthread_barrier_t doom;

static void on_signal(int number) {
    (void)number;
    if (doomed) {
        __atomic_fetch_add(&died, 1, __ATOMIC_RELEASE);
        syscall(SYS_exit, 0);
    }
    siglongjmp(escape, 1);
}

SITE void abandon_malloc(void) {
    void *block = malloc(TRAPPED_BYTES - 32);
    KEEP(block);
    _exit(97);
}

SITE void abandon_realloc(void) {
    void *block = realloc((void *)opaque((uintptr_t)unreadable + 64), 100);
    KEEP(block);
    _exit(98);
}

SITE void abandon_posix_memalign(void) {
    int result = posix_memalign((void **)(void *)unreadable, 64, 100);
    _exit(99 + result);
}

SITE void abandon_one(unsigned long round) {
    switch (has_threads ? round % 2 + 1 : round % 3) {
    case 0: abandon_malloc(); break;
    case 1: abandon_realloc(); break;
    case 2: abandon_posix_memalign(); break;
    }
}

SITE void further_down(void (*call)(unsigned long), unsigned long argument) {
    char frame[FRAME_BYTES];
    char *bytes = frame;
    KEEP(bytes);
    call(argument);
    KEEP(bytes);
}

// Every third block is given back at once.
SITE void allocate_after(unsigned long round) {
    size_t size = 64 + round % 1000;
    void *block = malloc(size);
    KEEP(block);
    tally_allocated(&tally, size);
    if (round % 3 == 0 || kept_len == KEPT) {
        free(block);
        tally_freed(&tally, size);
    } else {
        kept[kept_len++] = block;
    }
}

static void go(unsigned long rounds) {
    if (has_threads && __atomic_load_n(&died, __ATOMIC_ACQUIRE) == 0) {
        pthread_barrier_wait(&doom);
        while (__atomic_load_n(&died, __ATOMIC_ACQUIRE) < DOOMED) usleep(1000);
    }
    for (unsigned long round = 0; round < rounds; round++) {
        if (sigsetjmp(escape, 1) == 0) {
            if (after_is_deep) abandon_one(round);
            further_down(abandon_one, round);
        }
        abandoned++;
        if (after_is_deep) {
            further_down(allocate_after, round);
        } else {
            allocate_after(round);
        }
    }
}

static void write_books(void) {
    tally_answer(&tally);
    answer_number("abandoned", abandoned);
    answer_number("died_inside", died);
}

static void *die_inside(void *argument) {
    doomed = true;
    pthread_barrier_wait(&doom);
    abandon_one((uintptr_t)argument);
    return NULL;
}

static void trap_the_mapping(void) {
    struct sock_filter instructions[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)TRAPPED_BYTES, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {.len = sizeof instructions / sizeof *instructions, .filter = instructions};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) != 0) _exit(89);
}

int main(int argc, char **argv) {
    after_is_deep = argc > 1 && strcmp(argv[1], "deep") == 0;
    has_threads = argc > 1 && strcmp(argv[1], "killed") == 0;
    unreadable = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGSYS, &action, NULL);
    pthread_barrier_init(&doom, NULL, DOOMED + 1);
    for (uintptr_t index = 0; has_threads && index < DOOMED; index++) {
        pthread_t thread;
        pthread_create(&thread, NULL, die_inside, (void *)index);
    }
    trap_the_mapping();
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
