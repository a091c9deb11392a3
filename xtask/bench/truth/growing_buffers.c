// Buffers that grow by realloc: 64 that double from 64 bytes to 32 KiB and are then freed, 300,000 steps a second, and
// logs of which each is doubled up to 8 KiB and then kept for good, 2 MB a minute.
#include "truth.h"

enum { BUFFERS = 64, FIRST_BYTES = 64, BUFFER_BYTES = 32768, LOG_BYTES = 8192 };

static struct truth_site sites[] = {{.label = "grow_buffer"}, {.label = "grow_log"}};
static void *buffers[BUFFERS];
static size_t buffer_bytes[BUFFERS];
static uint64_t rounds;
static void *kept;

// realloc makes a new block of this function's and ends the old one, moved or not.
static void *grown(void *block, size_t before, size_t after, struct truth_site *site) {
    if (block == NULL) _exit(97);
    if (before != 0) truth_died(site, before);
    truth_born(site, after);
    truth_fill((char *)block + before, after - before < 256 ? after - before : 256);
    return block;
}

SITE void grow_buffer(unsigned slot) {
    size_t before = buffer_bytes[slot], after = before == 0 ? FIRST_BYTES : before * 2;
    buffers[slot] = grown(realloc(buffers[slot], after), before, after, &sites[0]);
    buffer_bytes[slot] = after;
}

SITE void *grow_log(void *log, size_t before, size_t after) {
    return grown(realloc(log, after), before, after, &sites[1]);
}

static void step(double seconds) {
    static uint64_t turn;
    for (int count = 0; count < CHURN_BURST; count++, turn++) {
        unsigned slot = (unsigned)(turn * 0x9e3779b97f4a7c15 >> 58);
        if (buffer_bytes[slot] == BUFFER_BYTES) {
            free(buffers[slot]);
            truth_died(&sites[0], BUFFER_BYTES);
            buffers[slot] = NULL;
            buffer_bytes[slot] = 0;
        }
        grow_buffer(slot);
        truth_work(rounds);
    }
    while (sites[1].live_bytes < truth_due(2e6, seconds)) {
        void **log = NULL;
        for (size_t bytes = FIRST_BYTES; bytes <= LOG_BYTES; bytes *= 2) log = grow_log(log, bytes == FIRST_BYTES ? 0 : bytes / 2, bytes);
        *log = kept;
        kept = log;
    }
}

int main(int argc, char **argv) {
    (void)argc;
    rounds = truth_rounds_of_ns(2500);
    truth_serve(&(struct truth_program){sites, 2, step}, argv);
}
