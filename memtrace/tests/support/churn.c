// Allocates and frees one block every so many microseconds, for ever. Prints the address of a block that it keeps,
// 64 bytes of 0x5a.
//
//   churn MICROSECONDS [fork | exec | leave]
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double pause_us;
static const char *also = "";
static char **arguments;

static double now_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e6 + now.tv_nsec / 1e3;
}

static void fork_a_child(void) {
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 100; i++) {
            void *volatile block = malloc(50);
            free(block);
        }
        _exit(0);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) _exit(1);
}

static void *churn(void *unused) {
    (void)unused;
    double begun = now_us();
    for (size_t turn = 0;; turn++) {
        void *volatile block = malloc(100 + turn % 100);
        free(block);
        double end = now_us() + pause_us;
        while (now_us() < end) {}
        if (strcmp(also, "fork") == 0 && turn % 2000 == 0) fork_a_child();
        if (strcmp(also, "exec") == 0 && now_us() - begun > 1e6) {
            char *again[] = {arguments[0], arguments[1], NULL};
            execv("/proc/self/exe", again);
            _exit(2);
        }
    }
    return NULL;
}

int main(int count, char **values) {
    arguments = values;
    pause_us = atof(values[1]);
    if (count > 2) also = values[2];
    void *kept = malloc(64);
    memset(kept, 0x5a, 64);
    printf("%p\n", kept);
    fflush(stdout);
    if (strcmp(also, "leave") != 0) churn(NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, churn, NULL);
    pthread_exit(NULL);
}
