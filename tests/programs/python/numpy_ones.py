"""The tracemalloc tutorial's case: 80,000 bytes a call, appended to a global.

Proves that memory which a C extension takes from libc is shown at the Python line that asked for it.
"""

import numpy as np

from protocol import serve

LEAKED = []


def leak():
    LEAKED.append(np.ones(10000, dtype=np.int64))  # LEAK


def go(rounds):
    for _ in range(rounds):
        leak()


go(1)  # What numpy sets up on first use is not the line's.
FIRST = len(LEAKED)
serve(go, lambda: {"live_blocks": len(LEAKED) - FIRST, "live_bytes": 80_000 * (len(LEAKED) - FIRST)})
