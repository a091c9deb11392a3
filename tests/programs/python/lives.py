"""Python objects that live, change and are freed, with their truth in the table of lives.h: see there.

Kinds by number, as the test names them: texts, bytes, large numbers, instances, their dictionaries' keys, sets, arrays
of lists' items, bytearrays, bytearrays' bytes, texts of a few letters.
"""
import ctypes
import mmap
import random
import struct
import sys
import time

RECORDS = 8192
EMPTY, LIVES, ENDS, FREED = 0, 1, 2, 3
table = mmap.mmap(0, RECORDS * 32)
TEXT, BYTES, NUMBER, INSTANCE, KEYS, SET, ITEMS, BYTEARRAY, BUFFER, SHORT_TEXT = range(10)
WORD = 8
# Words before an instance: the collector's two, and since 3.11 two more for its attributes.
BEFORE_INSTANCE = 4 if sys.version_info >= (3, 11) else 2
# Since 3.13 the attributes follow it: a word about them, and three.
INLINE_VALUES = 4 * WORD if sys.version_info >= (3, 13) else 0


class Instance:
    def __init__(self, number):
        self.number = number
        self.name = "name %d" % number
        self.other = None


def word(address):
    return ctypes.c_uint64.from_address(address).value


def blocks_of(kind, thing):
    """Address, size and kind of each block that is the thing's alone."""
    address = id(thing)
    if kind == INSTANCE:
        before = BEFORE_INSTANCE * WORD
        return [(address - before, type(thing).__basicsize__ + before + INLINE_VALUES, kind)]
    if kind == SET:
        return [(address - 2 * WORD, set.__basicsize__ + 2 * WORD, kind)]
    if kind == ITEMS:
        return [(word(address + 3 * WORD), 8 * len(thing), kind)]
    if kind == KEYS:
        keys = word(address + 4 * WORD)
        return [(keys, sys.getsizeof(thing) - sys.getsizeof({}), kind)]
    if kind == BYTEARRAY:
        return [(address, bytearray.__basicsize__, kind), (word(address + 4 * WORD), len(thing) + 1, BUFFER)]
    return [(address, sys.getsizeof(thing), kind)]


def make(kind):
    number = random.getrandbits(62)
    if kind == TEXT:
        return "a text of %d letters or so %x" % (number % 1000, number)
    if kind == SHORT_TEXT:
        return "s%d" % (number % 1000)
    if kind == BYTES:
        return number.to_bytes(8, "little") * random.randint(1, 20)
    if kind == NUMBER:
        return number
    if kind == INSTANCE:
        return Instance(number)
    if kind == KEYS:
        return {(number, index): index for index in range(9)}
    if kind == SET:
        return {number}
    if kind == ITEMS:
        return [number + index for index in range(random.choice([2, 4, 8, 20, 40]))]
    return bytearray(number.to_bytes(8, "little") * random.choice([2, 10, 100]))


def publish(kind, thing):
    published = []
    for address, size, kind in blocks_of(kind, thing):
        record = random.randrange(RECORDS)
        fields = struct.unpack_from("<QQIIQ", table, record * 32)
        if fields[3] == EMPTY:
            # The state is the last to be written.
            struct.pack_into("<QQI", table, record * 32, address, size, kind)
            struct.pack_into("<Q", table, record * 32 + 24, fields[4] + 1)
            struct.pack_into("<I", table, record * 32 + 20, LIVES)
            published.append(record)
    return published


def say(records, state):
    for record in records:
        struct.pack_into("<I", table, record * 32 + 20, state)


def touch(kind, thing):
    if kind == INSTANCE:
        thing.other = random.random()
    elif kind == BYTEARRAY:
        thing[random.randrange(8)] = random.randrange(256)


PLACES = 6000
things = [None] * PLACES
kinds = [0] * PLACES
records = [[] for _ in range(PLACES)]
KINDS = [TEXT, BYTES, NUMBER, INSTANCE, KEYS, SET, ITEMS, BYTEARRAY, SHORT_TEXT]
round = 0
while True:
    round += 1
    place = int(PLACES * random.random() ** 4)
    if random.random() < 0.1:
        touch(kinds[place], things[place])
        continue
    say(records[place], ENDS)
    things[place] = None
    say(records[place], FREED)
    kind = random.choice(KINDS)
    kinds[place] = kind
    things[place] = make(kind)
    records[place] = publish(kind, things[place]) if random.random() < 0.2 else []
    # What lives for a moment.
    [make(random.choice(KINDS)) for _ in range(3)]
    if round % 64 == 0:
        time.sleep(0.0005)
