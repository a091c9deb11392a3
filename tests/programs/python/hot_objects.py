"""Makes and drops objects as fast as it can in a thread, small ones and some of libc's, and keeps others on one line.

Proves that small objects are seen in windows where the interpreter calls `PyObject_Malloc` for each. `go 1` heats and
`go 0` cools.
"""

import itertools
import threading
import time

from protocol import serve

KEPT = [None] * 1_000_000
heat = 0
kept = 0


class Point:
    __slots__ = ("x", "y")


def work():
    global kept
    for turn in itertools.count():
        if heat == 0:
            time.sleep(0.01)
            continue
        texts = [str(number) + "." for number in range(100)]
        texts.append(bytearray(1000))
        if turn % 4 == 0 and kept < len(KEPT):
            KEPT[kept] = [str(kept) + "!", bytes(20 + kept % 8), (kept, kept), {kept: kept}, {kept}, Point()]  # KEEP
            kept += 1
        del texts


def go(rounds):
    global heat
    heat = rounds


threading.Thread(target=work, daemon=True).start()
serve(go, lambda: {"live_blocks": kept})
