"""Turns what memtrace prints on a terminal into an SVG: `python3 docs/picture.py < block > docs/picture.svg`.

A block is cut out of what `script -qc 'stty cols 100; memtrace ...' FILE` recorded. Knows the escape sequences that
memtrace uses (bold, faint, yellow, reset) and no others.
"""

import html
import re
import sys

FONT_SIZE, LINE_HEIGHT, CHARACTER_WIDTH, MARGIN = 13, 18, 7.8, 16
STYLES = {"1": 'class="title"', "2": 'class="faint"', "33": 'class="alert"'}
CSS = """
  text { font: %dpx ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d4d4d4; white-space: pre }
  .title { fill: #ffffff; font-weight: bold } .faint { fill: #8a8a8a } .alert { fill: #e5c07b }
""" % FONT_SIZE


def spans(line):
    """The line's pieces, each at its own column: renderers disagree about the width of a space."""
    style, column, pieces = "", 0, []
    for part in re.split(r"(\x1b\[\d+m)", line):
        if part.startswith("\x1b["):
            style = STYLES.get(part[2:-1], "")
            continue
        for word in re.finditer(r"\S+(?: \S+)*", part):
            x = MARGIN + (column + word.start()) * CHARACTER_WIDTH
            width = len(word.group()) * CHARACTER_WIDTH
            text = html.escape(word.group())
            pieces.append(f'<tspan x="{x:.1f}" textLength="{width:.1f}" {style}>{text}</tspan>')
        column += len(part)
    return "".join(pieces)


def picture(lines, columns=100):
    width = 2 * MARGIN + columns * CHARACTER_WIDTH
    height = 2 * MARGIN + len(lines) * LINE_HEIGHT
    yield f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}">'
    yield f'<style>{CSS}</style><rect width="100%" height="100%" rx="8" fill="#1e1e1e"/>'
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield f'<text y="{MARGIN + number * LINE_HEIGHT - 5}">{spans(line)}</text>'
    yield "</svg>"


if __name__ == "__main__":
    session = sys.stdin.read().replace("\r", "").rstrip("\n").split("\n")
    print("\n".join(picture(session)))
