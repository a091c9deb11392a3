"""A service that parses JSON all day and leaks 1 kB per 10 requests, on one line.

Proves that the leaking line is found among a busy interpreter's churn, with exact bytes. `sys.getsizeof` says what
CPython asked libc for: a bytearray's buffer is above pymalloc's 512 bytes. The list is as long as it will ever be,
and there are free pools for the bytearray objects themselves, so the line allocates nothing else from libc.
"""

import json
import sys

from protocol import serve

LEAKED = [None] * 100_000
SPARE = [bytearray() for _ in range(40_000)]
del SPARE[::2]

leaked = 0
leaked_bytes = 0
requests = 0
REQUEST = json.dumps({"user": "ada", "items": [{"id": n, "tags": ["a", "b"], "price": n / 7} for n in range(40)]})


def handle(number):
    global leaked, leaked_bytes
    document = json.loads(REQUEST)
    total = sum(item["price"] for item in document["items"])
    if number % 10 == 0:
        buffer = bytearray(1000)  # LEAK
        LEAKED[leaked] = buffer
        leaked += 1
        leaked_bytes += sys.getsizeof(buffer) - bytearray.__basicsize__
    return json.dumps({"total": total})


def go(rounds):
    global requests
    for _ in range(rounds):
        handle(requests)
        requests += 1


serve(go, lambda: {"live_blocks": leaked, "live_bytes": leaked_bytes, "requests": requests})
