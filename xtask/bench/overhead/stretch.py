"""A steady load in Python: the same as stretch.h. `go N` works for N milliseconds; `books` says what was done."""

import time

import protocol


def serve(unit):
    """Answers commands until the end of input. `unit()` does one unit of work."""
    books = {"units": 0, "cpu_ns": 0, "wall_ns": 0}

    def go(milliseconds):
        units = 0
        cpu_ns, wall_ns = time.process_time_ns(), time.monotonic_ns()
        end_ns = wall_ns + milliseconds * 1_000_000
        while True:
            unit()
            units += 1
            now_ns = time.monotonic_ns()
            if now_ns >= end_ns:
                break
        books.update(units=units, cpu_ns=time.process_time_ns() - cpu_ns, wall_ns=now_ns - wall_ns)

    protocol.serve(go, lambda: books)
