"""A Python program that keeps books of its own memory while it works: the same as truth.h."""

import json
import os
import sys
import time

import protocol

PERIOD_NS = 100_000_000


class Site:
    """What one function has allocated and still holds."""

    __slots__ = ("label", "live_bytes", "live_blocks")

    def __init__(self, label):
        self.label = label
        self.live_bytes = 0
        self.live_blocks = 0

    def born(self, size):
        self.live_bytes += size
        self.live_blocks += 1


def serve(sites, step):
    """`step(seconds)` does a short step of work, given the seconds since the first `go`."""
    file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    start_ns = None

    def write():
        books = {site.label: [site.live_bytes, site.live_blocks] for site in sites}
        os.write(file, (json.dumps({"unix_ns": time.time_ns(), "allocations": None, "sites": books}) + "\n").encode())

    def go(milliseconds):
        nonlocal start_ns
        now_ns = next_ns = time.monotonic_ns()
        end_ns = now_ns + milliseconds * 1_000_000
        start_ns = start_ns or now_ns
        while now_ns < end_ns:
            if now_ns >= next_ns:
                write()
                next_ns += PERIOD_NS
            step((now_ns - start_ns) / 1e9)
            now_ns = time.monotonic_ns()
        write()

    protocol.serve(go, lambda: {"file": sys.argv[1]})
