// Proves that what children do is kept apart from their parent's books, unless they work in its memory.
//
//   forks storm    a round forks a child that allocates, frees inherited blocks and exits
//   forks vfork    a round vforks a child that, in the parent's memory, allocates one block and frees another
//   forks spawn    a round vforks and execs /bin/true, then spawns it with posix_spawn
//   forks child    the first round forks a child that waits; each later one lets it work once, and the parent too
#define _GNU_SOURCE
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "tally.h"

enum { KEPT = 65536, INHERITED = 64, CHILD_KEEPS = 3 };

static struct tally tally;
static void *kept[KEPT];
static size_t kept_len;
static void *inherited[INHERITED];
static uint64_t children;

// What parent and child of `forks child` both see.
static struct together {
    volatile uint64_t rounds_asked, rounds_done;
    pid_t pid;
    struct tally tally;
} *together;

SITE void keep_one(size_t size) {
    void *block = malloc(size);
    KEEP(block);
    if (kept_len == KEPT) _exit(97);
    kept[kept_len++] = block;
    tally_allocated(&tally, size);
}

static void wait_for(pid_t child) {
    int status;
    children++;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) _exit(98);
}

__attribute__((noreturn)) static void be_a_storm_child(void) {
    for (size_t index = 0; index < INHERITED; index++) free(inherited[index]);
    for (size_t size = 1; size <= 100; size++) {
        void *block = malloc(size);
        KEEP(block);
        if (size % 2 == 0) free(block);
    }
    _exit(0);
}

static void storm(unsigned long round) {
    pid_t child = fork();
    if (child == 0) be_a_storm_child();
    keep_one(100 + round % 100);
    wait_for(child);
}

// Leaves what it did in the parent's memory: one block more, one block less, both in the parent's books.
SITE pid_t vfork_and_work(unsigned long round) {
    pid_t child = vfork();
    if (child == 0) {
        keep_one(200 + round % 100);
        free(kept[kept_len - 2]);
        kept[kept_len - 2] = kept[kept_len - 1];
        kept_len--;
        _exit(0);
    }
    return child;
}

static void vfork_in_memory(unsigned long round) {
    size_t freed_bytes = 100 + round % 100;
    keep_one(freed_bytes);
    wait_for(vfork_and_work(round));
    tally_freed(&tally, freed_bytes);
}

SITE pid_t vfork_and_exec(void) {
    pid_t child = vfork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(99);
    }
    return child;
}

static void spawn(unsigned long round) {
    keep_one(100 + round % 100);
    wait_for(vfork_and_exec());
    pid_t child;
    char *arguments[] = {"true", NULL}, *environment[] = {NULL};
    if (posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environment) != 0) _exit(100);
    wait_for(child);
}

static void work_in_child(uint64_t round) {
    for (size_t index = 0; index < CHILD_KEEPS; index++) {
        void *block = malloc(1000 + index);
        KEEP(block);
        tally_allocated(&together->tally, 1000 + index);
    }
    if (round <= INHERITED) {
        free(inherited[round - 1]);
        together->tally.frees_unknown++;
    }
}

__attribute__((noreturn)) static void be_the_child(void) {
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    for (;;) {
        while (together->rounds_asked == together->rounds_done) usleep(1000);
        work_in_child(together->rounds_done + 1);
        together->rounds_done++;
    }
}

static void child(unsigned long round) {
    (void)round;
    if (together->pid == 0) {
        pid_t pid = fork();
        if (pid == 0) be_the_child();
        together->pid = pid;
        return;
    }
    keep_one(500);
    together->rounds_asked++;
    while (together->rounds_done < together->rounds_asked) usleep(1000);
}

static const struct {
    const char *name;
    void (*run)(unsigned long round);
} CASES[] = {{"storm", storm}, {"vfork", vfork_in_memory}, {"spawn", spawn}, {"child", child}};

static void (*run_case)(unsigned long round);

static void go(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds; round++) run_case(round);
}

static void write_books(void) {
    tally_answer(&tally);
    answer_number("children", children);
    answer_open("child");
    answer_number("pid", (unsigned long long)together->pid);
    tally_answer(&together->tally);
    answer_close();
}

int main(int argc, char **argv) {
    for (size_t index = 0; argc > 1 && index < sizeof CASES / sizeof *CASES; index++) {
        if (strcmp(argv[1], CASES[index].name) == 0) run_case = CASES[index].run;
    }
    if (run_case == NULL) _exit(103);
    together = mmap(NULL, sizeof *together, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t index = 0; index < INHERITED; index++) inherited[index] = malloc(100 + index);
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
