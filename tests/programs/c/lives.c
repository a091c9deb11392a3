// Blocks of many kinds that live, are written to, are freed and whose slots are taken by others, with their truth in
// the table of lives.h. Three threads churn the same size classes and free one another's blocks.
//
// Kinds by number, as the test names them: objects, texts, zeros, small numbers, list nodes, buffers that fill, large,
// mapped alone, bursts, grown in place, short texts in long buffers, twins, counters.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "lives.h"

enum kind {
    OBJECT, TEXT, ZEROS, SMALL_NUMBERS, LIST_NODE, FILLING, LARGE, MAPPED, BURST, GROWN, SHORT_TEXT, TWIN, COUNTER,
    KINDS
};

enum { THREADS = 3, PLACES = 4000, BURST_BLOCKS = 40, PUBLISH_ONE_IN = 8 };

struct place {
    uint64_t *block;
    size_t size;
    enum kind kind;
    struct record *record;
};

struct node {
    struct node *next, *previous;
    uint64_t number;
};

static struct place places[PLACES];
static pthread_mutex_t locks[PLACES];
static struct node list = {&list, &list, 0};
static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t next_random(uint64_t *random) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random >> 8;
}

static void write_text(char *text, size_t length, uint64_t *random) {
    for (size_t index = 0; index < length; index++) text[index] = (char)(' ' + next_random(random) % 90);
}

static size_t size_of(enum kind kind, uint64_t *random) {
    switch (kind) {
    case OBJECT: return 40 + next_random(random) % 3 * 24;
    case TEXT: return 10 + next_random(random) % 180;
    case ZEROS: return 24 + next_random(random) % 200;
    case SMALL_NUMBERS: return 16;
    case LIST_NODE: return sizeof(struct node);
    case FILLING: return 100;
    case LARGE: return 1100 + next_random(random) % 20000;
    case MAPPED: return (40 << 20) + next_random(random) % 4096;
    case BURST: return 56;
    case GROWN: return 200 + next_random(random) % 100;
    case SHORT_TEXT: return 120;
    case TWIN: return 72;
    case COUNTER: return 64;
    case KINDS: break;
    }
    _exit(92);
}

static void fill(struct place *place, uint64_t *random) {
    uint64_t *words = place->block;
    switch (place->kind) {
    case OBJECT:
    case COUNTER:
        words[0] = (uint64_t)(uintptr_t)&places;
        words[1] = 1;
        words[2] = next_random(random);
        for (size_t index = 3; index < place->size / 8; index++) words[index] = next_random(random) % 1000;
        break;
    case TEXT:
    case LARGE:
    case BURST: write_text((char *)words, place->size < 300 ? place->size : 300, random); break;
    case SHORT_TEXT: write_text((char *)words, 5 + next_random(random) % 110, random); break;
    case ZEROS: break;
    case SMALL_NUMBERS:
        words[0] = next_random(random) % 100;
        words[1] = next_random(random) % 100;
        break;
    case LIST_NODE: {
        struct node *node = (struct node *)words;
        node->number = next_random(random);
        pthread_mutex_lock(&list_lock);
        *node = (struct node){.next = list.next, .previous = &list, .number = node->number};
        list.next->previous = node;
        list.next = node;
        pthread_mutex_unlock(&list_lock);
        break;
    }
    case FILLING: words[0] = words[1] = 0; break;
    case MAPPED:
    case GROWN: write_text((char *)words, 64, random); break;
    case TWIN:
        for (size_t index = 0; index < place->size / 8; index++) words[index] = (uint64_t)(uintptr_t)&locks;
        break;
    case KINDS: _exit(93);
    }
}

static enum kind pick_kind(uint64_t *random) {
    enum kind kind = (enum kind)(next_random(random) % KINDS);
    return kind == MAPPED && next_random(random) % 16 != 0 ? OBJECT : kind;
}

static void allocate(struct place *place, enum kind kind, uint64_t *random) {
    place->kind = kind;
    place->size = size_of(kind, random);
    place->block = (uint64_t *)(kind == ZEROS ? calloc(1, place->size) : malloc(place->size));
    if (place->block == NULL) _exit(94);
    fill(place, random);
    uint64_t where = next_random(random);
    place->record =
        where % PUBLISH_ONE_IN == 0 ? lives_publish(place->block, place->size, kind, where / PUBLISH_ONE_IN) : NULL;
}

static void release(struct place *place) {
    if (place->block == NULL) return;
    if (place->kind == LIST_NODE) {
        struct node *node = (struct node *)place->block;
        pthread_mutex_lock(&list_lock);
        node->previous->next = node->next;
        node->next->previous = node->previous;
        pthread_mutex_unlock(&list_lock);
    }
    lives_ends(place->record);
    free(place->block);
    lives_freed(place->record);
    *place = (struct place){0};
}

// Writes to a living block, if its kind is one that is written to.
static void touch(struct place *place, uint64_t *random) {
    if (place->block == NULL) return;
    if (place->kind == COUNTER) place->block[1 + next_random(random) % 2 * 3]++;
    if (place->kind == FILLING) place->block[next_random(random) % 12] = next_random(random);
    if (place->kind == GROWN) {
        size_t size = place->size + 64 + next_random(random) % 64;
        if (size > 2000) return;
        lives_ends(place->record);
        place->block = (uint64_t *)realloc(place->block, size);
        lives_freed(place->record);
        place->record = NULL;
        place->size = size;
    }
}

// More blocks of one size than a thread's cache takes, all freed at once.
static void burst(uint64_t *random) {
    struct place blocks[BURST_BLOCKS];
    for (int index = 0; index < BURST_BLOCKS; index++) allocate(&blocks[index], BURST, random);
    usleep(500 + next_random(random) % 5000);
    for (int index = 0; index < BURST_BLOCKS; index++) release(&blocks[index]);
}

// Low places are taken often and high ones rarely: lives from microseconds to for ever.
static struct place *pick_place(uint64_t *random) {
    uint64_t number = next_random(random) % PLACES;
    for (int squeeze = 0; squeeze < 3; squeeze++) number = number * (next_random(random) % PLACES) / PLACES;
    return &places[number];
}

static void *work(void *argument) {
    uint64_t random = (uint64_t)(uintptr_t)argument * 0x9e3779b97f4a7c15u;
    for (uint64_t round = 0;; round++) {
        struct place *place = pick_place(&random);
        pthread_mutex_t *lock = &locks[place - places];
        pthread_mutex_lock(lock);
        if (next_random(&random) % 4 == 0) {
            touch(place, &random);
        } else {
            release(place);
            allocate(place, pick_kind(&random), &random);
        }
        pthread_mutex_unlock(lock);
        if (round % 1000 == 0) burst(&random);
        if (round % 64 == 0) usleep(200);
    }
    return NULL;
}

int main(void) {
    lives_open();
    for (int index = 0; index < PLACES; index++) pthread_mutex_init(&locks[index], NULL);
    for (uintptr_t index = 1; index <= THREADS; index++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, work, (void *)index) != 0) _exit(95);
    }
    pause();
}
