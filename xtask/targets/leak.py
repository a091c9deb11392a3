"""A Python program of known truth: after one line on stdin it leaks on one line, prints which and how much, and waits."""

import sys

SLOTS = 300
kept = [None] * SLOTS


def leak(slot):
    kept[slot] = bytes(2000)


def churn():
    return len(bytes(900))


sys.stdin.readline()
for number in range(SLOTS):
    leak(number)
    churn()
books = {
    "line": leak.__code__.co_firstlineno + 1,
    "live_blocks": len(kept),
    "live_bytes": sum(sys.getsizeof(block) for block in kept),
}
print(str(books).replace("'", '"'), flush=True)
sys.stdin.readline()
