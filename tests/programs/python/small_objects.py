"""Instances with slots, made on one line and kept in a list that is long enough from the start.

Proves that small objects, which pymalloc carves from its own pools, are counted exactly where the interpreter calls
`PyObject_Malloc` for each. `sys.getsizeof` includes the garbage collector's header.
"""

import sys

from protocol import serve

KEPT = [None] * 1_000_000
kept = 0


class Point:
    __slots__ = ("x", "y")


def make():
    global kept
    KEPT[kept] = Point()  # KEEP
    kept += 1


def go(rounds):
    for _ in range(rounds):
        make()


# What the interpreter keeps of a function's first call (its frame, up to 3.9) is not the line's.
go(1)
kept = 0
serve(go, lambda: {"live_blocks": kept, "live_bytes": kept * sys.getsizeof(Point())})
