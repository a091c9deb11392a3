// Maps and strings that come and go, as in much C++: built with -O2 and without frame pointers.
//
// A unit is a step: one entry written, one looked up, one erased, one string built.
#include <map>
#include <string>

#include "stretch.h"

namespace {

constexpr unsigned KEYS = 4096, BURST = 32;

std::map<std::string, std::string> table;
uint64_t random_state = 0x9e3779b97f4a7c15;
uint64_t found;

uint64_t next_random() {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

std::string key_of(uint64_t number) { return "customer/" + std::to_string(number % KEYS) + "/orders"; }

void step() {
    uint64_t number = next_random();
    table[key_of(number)] = std::string(16 + number % 200, 'x');
    found += table.count(key_of(number >> 16));
    table.erase(key_of(number >> 32));
}

void go(unsigned long milliseconds) {
    uint64_t end_ns = stretch_begin(milliseconds, CLOCK_PROCESS_CPUTIME_ID);
    do {
        for (unsigned count = 0; count < BURST; count++) step();
        stretch.units += BURST;
    } while (clock_ns(CLOCK_MONOTONIC) < end_ns);
    KEEP(found);
    stretch_end(CLOCK_PROCESS_CPUTIME_ID);
}

}  // namespace

int main(int, char **argv) {
    static const struct program program = {go, stretch_books};
    serve(&program, argv);
}
