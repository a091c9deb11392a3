"""Forges its own interpreter's structures while a C library allocates: each command is one forgery.

Proves that memtrace survives whatever a target has in its memory, and invents nothing from it.

  layout PATH N..              the library, and where the interpreter's structures are -> {"ready":true}
  forge SITE WORD VALUE SIZE   allocate seven blocks of SIZE while WORD is VALUE      -> {"forged":SITE}
"""

import ctypes
import os
import sys

from protocol import answer

TEXT = "no code object"


def innermost(library, site, word, value, size):
    library.forge(site, word.encode(), value.encode(), size, id(TEXT))


def middle(*arguments):
    innermost(*arguments)


def outermost(*arguments):
    middle(*arguments)


def main():
    answer({"ready": os.getpid()})
    library = None
    for line in sys.stdin:
        command, *arguments = line.split()
        if command == "layout":
            library = ctypes.PyDLL(arguments[0])
            library.forge.argtypes = [
                ctypes.c_uint,
                ctypes.c_char_p,
                ctypes.c_char_p,
                ctypes.c_size_t,
                ctypes.c_uint64,
            ]
            numbers = [int(number) for number in arguments[1:]]
            library.set_layout((ctypes.c_uint64 * len(numbers))(*numbers))
            answer({"ready": True})
        elif command == "forge":
            outermost(library, int(arguments[0]), arguments[1], arguments[2], int(arguments[3]))
            answer({"forged": int(arguments[0])})
        else:
            sys.exit(94)


main()
