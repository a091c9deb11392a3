"""Frees a code object and makes others until one of them has its address. They differ in their name only."""

import sys


def make(name):
    return compile("\ndef %s(): pass" % name, "same.py", "exec").co_consts[0]


code = make("before")
address = id(code)
print(address, flush=True)
sys.stdin.readline()
del code
others = []
while not others or (id(others[-1]) != address and len(others) < 100000):
    others.append(make("after_"))
print("used again" if id(others[-1]) == address else "not used again", flush=True)
sys.stdin.read()
