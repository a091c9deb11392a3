// Forks children that allocate, live for a moment and exit, many at a time.
//
//   storm CHILDREN
#define _DEFAULT_SOURCE
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 64 };

static void live_briefly(void) {
    for (int index = 0; index < 100; index++) {
        char *block = malloc(100);
        if (block == NULL) _exit(97);
        *(volatile char *)block = 1;
    }
    usleep(20000);
    _exit(0);
}

int main(int argc, char **argv) {
    int children = argc > 1 ? atoi(argv[1]) : 500;
    for (int child = 0; child < children; child++) {
        if (child >= AT_ONCE) wait(NULL);
        pid_t forked = fork();
        if (forked < 0) return 96;
        if (forked == 0) live_briefly();
    }
    while (wait(NULL) > 0) {
    }
    return 0;
}
