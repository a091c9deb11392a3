// Nodes of search trees: one whose entries come and go, half a million a second, and one that only ever grows, by 1 MB
// a minute. `operator new` has no frame pointer, so a stack walker may miss the function that calls it: the labels are
// those of its callers.
#include <new>

#include "truth.h"

namespace {

struct node {
    uint64_t key;
    node *children[2];
    uint64_t payload[4];
};

constexpr uint64_t LIVE = 20000;

truth_site sites[] = {{"insert_entry", 0, 0}, {"insert_history", 0, 0}};
node *entries;
node *history;
uint64_t rounds;

uint64_t scramble(uint64_t number) { return number * 0x9e3779b97f4a7c15 ^ number >> 7; }

SITE node *make_entry(uint64_t key) {
    node *made = new node{key, {nullptr, nullptr}, {~key, key ^ 0x5bd1e995, key + 1, key << 9}};
    truth_born(&sites[0], sizeof *made);
    return made;
}

SITE node *make_history(uint64_t key) {
    node *made = new node{key, {nullptr, nullptr}, {key, ~key, key + 3, key << 5}};
    truth_born(&sites[1], sizeof *made);
    return made;
}

node **place_of(node **place, uint64_t key) {
    while (*place != nullptr && (*place)->key != key) place = &(*place)->children[key > (*place)->key];
    return place;
}

SITE void insert_entry(uint64_t key) {
    node **place = place_of(&entries, key);
    if (*place == nullptr) *place = make_entry(key);
    KEEP(place);
}

SITE void insert_history(uint64_t key) {
    node **place = place_of(&history, key);
    *place = make_history(key);
    KEEP(place);
}

void remove_entry(uint64_t key) {
    node **place = place_of(&entries, key);
    node *gone = *place;
    if (gone == nullptr) return;
    if (gone->children[0] == nullptr || gone->children[1] == nullptr) {
        *place = gone->children[gone->children[0] == nullptr];
    } else {
        node **least = &gone->children[1];
        while ((*least)->children[0] != nullptr) least = &(*least)->children[0];
        node *heir = *least;
        *least = heir->children[1];
        heir->children[0] = gone->children[0];
        heir->children[1] = gone->children[1];
        *place = heir;
    }
    delete gone;
    truth_died(&sites[0], sizeof *gone);
}

void step(double seconds) {
    static uint64_t first, next;
    for (int count = 0; count < CHURN_BURST; count++) {
        insert_entry(scramble(next++));
        if (next - first > LIVE) remove_entry(scramble(first++));
        truth_work(rounds);
    }
    while (sites[1].live_bytes < truth_due(1e6, seconds)) insert_history(scramble(sites[1].live_blocks));
}

}  // namespace

int main(int, char **argv) {
    rounds = truth_rounds_of_ns(500);
    static const truth_program program = {sites, 2, step};
    truth_serve(&program, argv);
}
