"""Prints, one JSON object a line, every code object of the standard library's modules with the line of each unit.

{"table": hex, "first_line": n, "runs": [[units, line or null], ...]}, and at the end {"modules": n}.
The lines are CPython's own: co_lines() from 3.10 on, PyCode_Addr2Line before.
"""

import json
import os
import sys
import types

MODULES = 300


def runs_of_lines(code):
    """Lines as runs, from co_lines()."""
    return [[(end - start) // 2, line] for start, end, line in code.co_lines() if end > start]


def runs_of_addresses(code):
    """Lines as runs, by asking for each address."""
    import ctypes

    ask = ctypes.pythonapi.PyCode_Addr2Line
    ask.argtypes = [ctypes.py_object, ctypes.c_int]
    ask.restype = ctypes.c_int
    runs = []
    for offset in range(0, len(code.co_code), 2):
        line = ask(code, offset)
        if runs and runs[-1][1] == line:
            runs[-1][0] += 1
        else:
            runs.append([1, line])
    return runs


def describe(code):
    if sys.version_info >= (3, 10):
        table, runs = code.co_linetable, runs_of_lines(code)
    else:
        table, runs = code.co_lnotab, runs_of_addresses(code)
    units = sum(length for length, _ in runs)
    assert units == len(code.co_code) // 2, code
    return {"table": table.hex(), "first_line": code.co_firstlineno, "runs": runs}


def walk(code):
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from walk(constant)


def sources():
    """Standard library modules, and shapes that it does not have."""
    root = os.path.dirname(os.__file__)
    paths = []
    for folder in ["", "asyncio", "email", "json", "unittest", "collections", "multiprocessing", "http", "xml/dom"]:
        folder = os.path.join(root, folder)
        if os.path.isdir(folder):
            paths += sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".py"))
    paths = [path for path in paths if os.path.isfile(path)]
    for path in paths[:MODULES]:
        with open(path, "rb") as file:
            yield path, file.read()
    gap = "\n" * 1000
    yield "gaps", "def f(a):\n  x = 1" + gap + "  y = 2" + gap + "  return (x +" + gap + "y + a(" + gap + "))\n"
    yield "long line", "def f(a):\n  return [" + "a + 1, " * 3000 + "\na]\n"
    yield "backwards", "def f(a):\n  return (" + "\n" * 200 + "a if a.b else\n" * 1 + "\n" * 300 + "a.c(\n1,\n2))\n"
    yield "handlers", (
        "def f(a):\n  try:\n    with a as b, b as c:\n      return [x for x in c\n        if x]\n"
        "  except* ValueError as e:\n    raise\n  finally:\n    del a\n"
        if sys.version_info >= (3, 11)
        else "def f(a):\n  try:\n    with a as b, b as c:\n      yield [x for x in c\n        if x]\n"
        "  except ValueError as e:\n    raise\n  finally:\n    del a\n"
    ).replace("      return", "      z =")
    yield "empty", ""


def main():
    modules = 0
    for name, source in sources():
        try:
            code = compile(source, name, "exec", dont_inherit=True)
        except SyntaxError:  # lib2to3 and the like keep files of other versions
            continue
        modules += 1
        for nested in walk(code):
            sys.stdout.write(json.dumps(describe(nested), separators=(",", ":")) + "\n")
    sys.stdout.write(json.dumps({"modules": modules}) + "\n")


main()
