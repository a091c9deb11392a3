"""How a Python program of known truth talks with the tests: the same protocol as programs/c/protocol.h."""

import json
import os
import sys


def answer(values):
    os.write(1, (json.dumps(values) + "\n").encode())


def serve(go, books):
    """Answers commands until `quit` or the end of input. `go(rounds)` works; `books()` returns a dict."""
    answer({"ready": os.getpid(), "version": list(sys.version_info[:3])})
    for line in sys.stdin:
        command, _, argument = line.strip().partition(" ")
        if command == "go":
            go(int(argument))
            answer({"done": int(argument)})
        elif command == "books":
            answer(books())
        elif command == "comm":
            with open("/proc/self/comm", "w") as comm:
                comm.write(argument)
            answer({"comm": argument})
        elif command == "quit":
            return
        else:
            sys.exit(94)
