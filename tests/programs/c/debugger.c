// Debugs another process for as long as it is told to: every stop of every thread is passed on, nothing is changed.
//
// `debugger PID` answers "attached" by its books once it holds the process.
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "protocol.h"

static pid_t debugged;
static volatile uint64_t stops;

/// ptrace belongs to the thread that attached, so that thread waits as well.
static void *debug(void *attached) {
    if (ptrace(PTRACE_SEIZE, debugged, 0, PTRACE_O_TRACECLONE) != 0) exit(EXIT_FAILURE);
    *(volatile int *)attached = 1;
    int status;
    for (pid_t stopped; (stopped = waitpid(-1, &status, __WALL)) > 0;) {
        if (!WIFSTOPPED(status)) continue;
        stops++;
        int signal = status >> 16 ? 0 : WSTOPSIG(status);
        ptrace(PTRACE_CONT, stopped, 0, signal);
    }
    return NULL;
}

static void go(unsigned long rounds) {
    for (unsigned long round = 0; round < rounds; round++) kill(debugged, SIGURG);
}

static void write_books(void) {
    answer_number("stops", stops);
}

int main(int argc, char **argv) {
    if (argc < 2) return EXIT_FAILURE;
    debugged = atoi(argv[1]);
    volatile int attached = 0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, debug, (void *)&attached) != 0) return EXIT_FAILURE;
    while (!attached) usleep(1000);
    serve(&(struct program){.go = go, .books = write_books}, argv);
}
