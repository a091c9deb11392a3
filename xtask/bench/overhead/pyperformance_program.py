"""A program of pyperformance (PyPI), called the way its own runner calls it, for as long as it is told to.

    pyperformance_program.py NAME

A unit is one call of what pyperformance times.
"""

import asyncio
import importlib.util
import pathlib
import sys

import stretch


def load(name):
    # Not imported: that would run its command line.
    package = pathlib.Path(importlib.util.find_spec("pyperformance").origin).parent
    path = package / "data-files" / "benchmarks" / f"bm_{name}" / "run_benchmark.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def deltablue():
    module = load("deltablue")
    return lambda: module.delta_blue(100)


def json_dumps():
    module = load("json_dumps")
    cases = [getattr(module, case) for case in module.CASES]
    data = [(document, range(count)) for document, count in cases]
    return lambda: module.bench_json_dumps(data)


def async_tree():
    module = load("async_tree")
    tree = module.BENCHMARKS["none"]()
    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(tree.run())


stretch.serve({"deltablue": deltablue, "json_dumps": json_dumps, "async_tree": async_tree}[sys.argv[1]]())
