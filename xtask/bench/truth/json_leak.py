"""Parses JSON as fast as it can and forgets a bytearray of 1,000 bytes 17 times a second: 1 MB a minute.

The buffer of a bytearray comes from libc, for it is above pymalloc's 512 bytes. Its size is what CPython asks for:
`sys.getsizeof` less the object. The list that holds them is as long as it will ever be.
"""

import json
import sys

import truth

FORGOTTEN = truth.Site("forget_buffer")
KEPT = [None] * 100_000
DOCUMENT = json.dumps({"items": [{"id": n, "tags": ["a", "b", str(n)], "price": n / 7} for n in range(40)]})


def forget_buffer():
    buffer = bytearray(1000)
    KEPT[FORGOTTEN.live_blocks] = buffer
    FORGOTTEN.born(sys.getsizeof(buffer) - bytearray.__basicsize__)


def step(seconds):
    for _ in range(10):
        json.loads(DOCUMENT)
    while FORGOTTEN.live_bytes < 1e6 * seconds / 60:
        forget_buffer()


truth.serve([FORGOTTEN], step)
