// C++ containers that churn, with the truth of their nodes and texts in the table of lives.h.
//
// Kinds by number, as the test names them: map nodes, texts of strings, hash nodes, vectors' arrays, shared objects.
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "lives.h"

enum kind { MAP_NODE, STRING_TEXT, HASH_NODE, VECTOR_ARRAY, SHARED_OBJECT };

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random() {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state >> 8;
}

// Publishes what a container allocates: the kind is the container's.
template <class T, kind KIND> struct publishing {
    using value_type = T;
    template <class U> struct rebind {
        using other = publishing<U, KIND>;
    };
    publishing() = default;
    template <class U> publishing(const publishing<U, KIND> &) {}
    T *allocate(size_t count) {
        T *block = static_cast<T *>(malloc(count * sizeof(T)));
        uint64_t where = next_random();
        // A hash table's array of buckets is no node.
        if (where % 4 == 0 && (KIND != HASH_NODE || count == 1)) {
            struct record *record = lives_publish(block, count * sizeof(T), KIND, where / 4);
            if (record != nullptr) published[block] = record;
        }
        return block;
    }
    void deallocate(T *block, size_t) {
        auto found = published.find(block);
        struct record *record = found == published.end() ? nullptr : found->second;
        if (record != nullptr) published.erase(found);
        lives_ends(record);
        free(block);
        lives_freed(record);
    }
    bool operator==(const publishing &) const { return true; }
    bool operator!=(const publishing &) const { return false; }
    static inline std::unordered_map<void *, struct record *> published;
};

struct shape {
    virtual ~shape() = default;
    virtual uint64_t area() const { return width * height; }
    uint64_t width = next_random() % 100, height = next_random() % 100, number = next_random();
};

using text = std::basic_string<char, std::char_traits<char>, publishing<char, STRING_TEXT>>;
using array = std::vector<uint64_t, publishing<uint64_t, VECTOR_ARRAY>>;
using map_node = std::pair<const uint64_t, text>;

int main() {
    lives_open();
    std::map<uint64_t, text, std::less<uint64_t>, publishing<map_node, MAP_NODE>> map;
    std::unordered_map<uint64_t, uint64_t, std::hash<uint64_t>, std::equal_to<uint64_t>,
                       publishing<std::pair<const uint64_t, uint64_t>, HASH_NODE>>
        hash;
    std::vector<array> arrays(500);
    std::vector<std::shared_ptr<shape>> shapes(500);
    for (uint64_t round = 0;; round++) {
        uint64_t key = next_random() % 4000 * (next_random() % 4000) / 4000;
        if (next_random() % 2 == 0) {
            map.erase(key);
            hash.erase(key);
        } else if (map.count(key) == 0) {
            map[key] = text(1 + next_random() % 100, char('a' + next_random() % 20));
            for (auto &letter : map[key]) letter = char(' ' + next_random() % 90);
            hash[key] = next_random();
        }
        array &array = arrays[key % 500];
        if (next_random() % 8 == 0) {
            std::remove_reference_t<decltype(array)>().swap(array);
        } else {
            array.push_back(next_random());
        }
        shapes[key % 500] = std::allocate_shared<shape>(publishing<shape, SHARED_OBJECT>());
        if (round % 64 == 0) usleep(300);
    }
}
