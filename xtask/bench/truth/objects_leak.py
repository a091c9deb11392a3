"""Makes and drops objects as fast as it can and forgets one of 112 bytes 150 times a second: 1 MB a minute.

They come from CPython's own allocator, with the collector's 16 bytes before each, which `sys.getsizeof` has in it.
"""

import sys

import truth


class Order:
    __slots__ = ("customer", "item", "amount", "price", "note", "a", "b", "c", "d", "e")


FORGOTTEN = truth.Site("forget_order")
KEPT = [None] * 2_000_000


def make_orders():
    return [Order() for _ in range(200)]


def forget_order():
    order = Order()
    KEPT[FORGOTTEN.live_blocks] = order
    order.customer = KEPT
    FORGOTTEN.born(sys.getsizeof(order))


def step(seconds):
    for _ in range(20):
        make_orders()
    while FORGOTTEN.live_bytes < 1e6 * seconds / 60:
        forget_order()


truth.serve([FORGOTTEN], step)
