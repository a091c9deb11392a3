// A service with next to nothing to do: epoll, a timer 100 times a second, and four allocations each time.
//
// A unit is a wake-up. Wall time for each is the timer's, whatever the tracer costs: CPU time is what counts.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "stretch.h"

enum { PERIOD_NS = 10000000, BLOCKS = 4, LIVE = 64 };

static int poller;
static int timer;
static void *blocks[LIVE];

SITE static void handle(uint64_t turn) {
    for (int index = 0; index < BLOCKS; index++) {
        void **block = &blocks[(turn * BLOCKS + (uint64_t)index) % LIVE];
        free(*block);
        *block = malloc(100 + turn % 200);
        KEEP(*block);
    }
}

static void go(unsigned long milliseconds) {
    uint64_t end_ns = stretch_begin(milliseconds, CLOCK_PROCESS_CPUTIME_ID);
    do {
        struct epoll_event event;
        uint64_t expirations;
        if (epoll_wait(poller, &event, 1, -1) != 1) continue;
        if (read(timer, &expirations, sizeof expirations) != sizeof expirations) _exit(96);
        handle(stretch.units++);
    } while (clock_ns(CLOCK_MONOTONIC) < end_ns);
    stretch_end(CLOCK_PROCESS_CPUTIME_ID);
}

int main(int argc, char **argv) {
    (void)argc;
    struct itimerspec period = {{0, PERIOD_NS}, {0, PERIOD_NS}};
    struct epoll_event event = {.events = EPOLLIN};
    poller = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, 0);
    if (poller < 0 || timer < 0) return 96;
    if (timerfd_settime(timer, 0, &period, NULL) != 0) return 96;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event) != 0) return 96;
    static const struct program program = {go, stretch_books};
    serve(&program, argv);
}
