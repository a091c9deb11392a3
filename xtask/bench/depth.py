"""Allocates from libc below a Python stack of a given depth.

`go N` makes and drops N bytearrays: one malloc and one free each, for their buffers are above pymalloc's 512 bytes.
The frames of this file's `go` and `descend`, of `serve` and of the module make DEPTH.
"""

import sys

from protocol import serve

DEPTH = int(sys.argv[1])


def allocate(rounds):
    for _ in range(rounds):
        bytearray(1000)


def descend(frames, rounds):
    if frames > 1:
        descend(frames - 1, rounds)
    else:
        allocate(rounds)


serve(lambda rounds: descend(DEPTH - 4, rounds), lambda: {"depth": DEPTH})
