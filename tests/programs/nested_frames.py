"""Waits in nested functions of two threads, and says first, in one JSON line, where each thread is.

{thread id: [[function, file, line], ...]}, innermost first; the function is co_qualname where there is one.
Every name width that CPython stores differently is there: ASCII, Latin-1, two bytes, four bytes.
"""

import json
import sys
import threading
import time

ASCII = '''
class Shop:
    def checkout(self, then):
        return [
            then()
            for _ in range(1)
        ]

    @staticmethod
    def items(then):
        yield 1

        yield then()
'''

LATIN_1 = '''


def größe(then):
    return sorted([1], key=lambda item: (
        item,
        then(),
    ))
'''

TWO_BYTES = '''
def заказ(then):
    for item in map(
        lambda item: then(),
        [1]
    ):
        pass
'''

FOUR_BYTES = '\n' * 700 + '''
def 函𠀀(then):
    result = (
        1 +
        2 *
        then()
    )
    return result
'''

names = {}
for source, file in [
    (ASCII, "/srv/shop.py"),
    (LATIN_1, "/srv/café.py"),
    (TWO_BYTES, "/srv/Приложение/заказ.py"),
    (FOUR_BYTES, "/srv/\U0001f40d/函.py"),
]:
    exec(compile(source, file, "exec"), names)

Shop, größe, заказ, 函𠀀 = names["Shop"], names["größe"], names["заказ"], names["函𠀀"]
never = threading.Lock()
never.acquire()


def second_thread():
    Shop().checkout(lambda: 函𠀀(lambda: list(Shop.items(lambda: заказ(never.acquire)))))


def frames_of(frame):
    frames = []
    while frame:
        code = frame.f_code
        name = getattr(code, "co_qualname", code.co_name)
        frames.append([name, code.co_filename, frame.f_lineno])
        frame = frame.f_back
    return frames


def is_waiting(thread):
    """True once the thread is in the innermost call that it will be in."""
    frame = sys._current_frames().get(thread.ident)
    return frame is not None and frame.f_code.co_filename.endswith("заказ.py")


def report():
    all_frames = {}
    for thread, frame in sys._current_frames().items():
        if thread == threading.get_ident():
            frame = frame.f_back  # this function will have returned
        all_frames[thread] = frames_of(frame)
    return all_frames


def wait(thread):
    while not is_waiting(thread):
        time.sleep(0.01)
    time.sleep(0.1)
    print(json.dumps(report()), flush=True) or sys.stdin.read()


thread = threading.Thread(target=second_thread, daemon=True)
thread.start()
größe(lambda: Shop().checkout(lambda: 函𠀀(lambda: wait(thread))))
