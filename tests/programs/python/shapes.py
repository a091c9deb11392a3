"""Every shape that a Python stack takes, each allocating 100 kB buffers on a line of its own.

Proves that function names and lines are right in generators, coroutines, lambdas, decorators, class bodies, threads
and recursions deeper than any walker's limit, and that names need not be ASCII. Each line is marked `# SHAPE name`;
the books say which function it is in, its callers innermost first, and what it allocated.
"""

import functools
import sys
import threading

from protocol import serve

BYTES = 100_000
KEPT = [None] * 100_000
kept = 0
DEPTH = 300


def keep(buffer):
    global kept
    KEPT[kept] = buffer
    kept += 1


def plain():
    buffer = bytearray(BYTES)  # SHAPE plain
    keep(buffer)


def recursion(depth=DEPTH):
    if depth > 0:
        return recursion(depth - 1)
    buffer = bytearray(BYTES)  # SHAPE recursion
    keep(buffer)


def numbers():
    while True:
        buffer = bytearray(BYTES)  # SHAPE generator
        yield buffer


def generator():
    for buffer in numbers():
        keep(buffer)
        return


async def inner_coroutine():
    buffer = bytearray(BYTES)  # SHAPE coroutine
    keep(buffer)


async def outer_coroutine():
    await inner_coroutine()


def coroutine():
    try:
        outer_coroutine().send(None)
    except StopIteration:
        pass


make_buffer = lambda: bytearray(BYTES)  # SHAPE lambda


def lambda_shape():
    keep(make_buffer())


def decorate(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


@decorate
def decorated():
    buffer = bytearray(BYTES)  # SHAPE decorator
    keep(buffer)


def class_body():
    class Holder:
        buffer = bytearray(BYTES)  # SHAPE class_body

    keep(Holder.buffer)


class Worker:
    def run(self):
        buffer = bytearray(BYTES)  # SHAPE method
        keep(buffer)

    def __getattr__(self, name):
        buffer = bytearray(BYTES)  # SHAPE called_from_c
        keep(buffer)
        return buffer


def method():
    Worker().run()


def called_from_c():
    getattr(Worker(), "missing")


def run_in_thread():
    buffer = bytearray(BYTES)  # SHAPE thread
    keep(buffer)


def thread():
    worker = threading.Thread(target=run_in_thread)
    worker.start()
    worker.join()


def größe_内存():
    buffer = bytearray(BYTES)  # SHAPE non_ascii
    keep(buffer)


SHAPES = [
    # name, how to reach it, the functions innermost first
    ("plain", plain, ["plain"]),
    ("recursion", recursion, ["recursion"] * 100),
    ("generator", generator, ["numbers", "generator"]),
    ("coroutine", coroutine, ["inner_coroutine", "outer_coroutine", "coroutine"]),
    ("lambda", lambda_shape, ["<lambda>", "lambda_shape"]),
    ("decorator", decorated, ["decorated", "wrapper"]),
    ("class_body", class_body, ["Holder", "class_body"]),
    ("method", method, ["run", "method"]),
    ("called_from_c", called_from_c, ["__getattr__", "called_from_c"]),
    ("thread", thread, ["run_in_thread"]),
    ("non_ascii", größe_内存, ["größe_内存"]),
]
rounds_done = 0


def go(rounds):
    global rounds_done
    for _ in range(rounds):
        for _, reach, _ in SHAPES:
            reach()
        rounds_done += 1


def books():
    each = sys.getsizeof(bytearray(BYTES)) - bytearray.__basicsize__
    return {
        name: {"functions": functions, "live_blocks": rounds_done, "live_bytes": rounds_done * each}
        for name, _, functions in SHAPES
    }


sys.setrecursionlimit(DEPTH + 1000)
# What the interpreter keeps of a function's first call (its frame, up to 3.9) is not the line's.
go(1)
rounds_done = 0
serve(go, books)
