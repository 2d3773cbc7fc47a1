#!/usr/bin/env python3
"""Draws a terminal command as an SVG picture.

usage: terminal.py [--rows FIRST:LAST] [--show COMMAND] OUT.svg COMMAND [ARGUMENT...]

The command runs in a terminal of 80 columns. The picture shows its final screen as text with colours, and
the current folder as `.`.
--rows   keeps these rows of the output (counted from 0, as a Python slice); `…` marks each cut
--show   shows this text as the command
"""

import argparse
import fcntl
import html
import os
import pty
import re
import struct
import subprocess
import sys
import termios

COLUMNS, ROWS = 80, 200
WIDTH, HEIGHT, MARGIN = 8.4, 18, 16
FOREGROUND, BACKGROUND = "#e6edf3", "#0d1117"
COLOURS = ["#8b949e", "#ff7b72", "#7ee787", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#e6edf3"]
# A control sequence (ECMA-48), another escape, a control character, or text.
TOKEN = re.compile(r"\x1b\[([?\d;]*)([@-~])|\x1b.|([\x00-\x1f])|([^\x00-\x1f]+)")
PLAIN = ("", False, False)


def record(command):
    """Returns the output of the command in a terminal."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=environment)
    os.close(side)
    output = b""
    while True:
        try:
            block = os.read(main, 65536)
        except OSError:  # Linux reports the end of a terminal as EIO.
            block = b""
        if not block:
            break
        output += block
    if process.wait() != 0:
        sys.stderr.write(output.decode(errors="replace"))
        sys.exit(f"error: `{command[0]}` ended with status {process.returncode}")
    return output.decode(errors="replace")


def styled(style, codes):
    """Applies SGR codes to a style: colour, bold, dim."""
    colour, bold, dim = style
    for code in [int(code or 0) for code in codes.split(";")]:
        if code == 0:
            colour, bold, dim = PLAIN
        elif code in (1, 2):
            bold, dim = bold or code == 1, dim or code == 2
        elif code == 22:
            bold = dim = False
        elif 30 <= code <= 37 or 90 <= code <= 97:
            colour = COLOURS[code % 10]
        elif code == 39:
            colour = ""
    return colour, bold, dim


def screen(output):
    """Returns the final rows, each a list of (character, style)."""
    rows, row, column, style = [[]], 0, 0, PLAIN
    for codes, command, control, text in TOKEN.findall(output):
        number = int(codes) if codes.isdigit() else 1
        if command == "m":
            style = styled(style, codes)
        elif command == "A":
            row = max(row - number, 0)
        elif command in ("B", "E"):
            row += number
        elif command == "C":
            column += number
        elif command == "G":
            column = number - 1
        elif command == "K":
            del rows[row][column if codes != "2" else 0 :]
        elif command == "J":
            del rows[row][column:], rows[row + 1 :]
        elif control == "\r":
            column = 0
        elif control == "\n":
            row += 1
        for character in text:
            if column == COLUMNS:
                row, column = row + 1, 0
            rows += [[] for _ in range(row + 1 - len(rows))]
            line = rows[row]
            line += [(" ", PLAIN)] * (column + 1 - len(line))
            line[column] = (character, style)
            column += 1
        rows += [[] for _ in range(row + 1 - len(rows))]
    while rows and not rows[-1]:
        rows.pop()
    return rows


def drawn(line):
    """Returns a row as <tspan> elements, one for each run of a style."""
    runs = []
    for character, style in line:
        if runs and runs[-1][1] == style:
            runs[-1][0].append(character)
        else:
            runs.append(([character], style))
    spans = []
    for characters, (colour, bold, dim) in runs:
        attributes = f' fill="{colour}"' if colour else ""
        attributes += ' font-weight="bold"' if bold else ""
        attributes += ' opacity="0.7"' if dim else ""
        # SVG renderers differ in how they collapse spaces; none collapses these.
        text = html.escape("".join(characters), quote=False).replace(" ", "\u00a0")
        spans.append(f"<tspan{attributes}>{text}</tspan>" if attributes else text)
    return "".join(spans)


def picture(rows, title):
    """Returns the SVG document."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, len(rows) * HEIGHT + 2 * MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        f"<title>{html.escape(title, quote=False)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>',
        f'<g fill="{FOREGROUND}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, '
        f'\'DejaVu Sans Mono\', monospace" font-size="14">',
    ]
    for index, line in enumerate(rows):
        if not line:
            continue
        y = MARGIN + (index + 0.75) * HEIGHT
        # The length keeps columns aligned in every font.
        size = f'textLength="{len(line) * WIDTH:g}" lengthAdjust="spacingAndGlyphs"'
        lines.append(f'<text x="{MARGIN}" y="{y:g}" {size}>{drawn(line)}</text>')
    return "\n".join([*lines, "</g>", "</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", default=":")
    parser.add_argument("--show")
    parser.add_argument("picture")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    shown = arguments.show or " ".join(arguments.command)
    rows = screen(record(arguments.command).replace(os.getcwd(), "."))
    first, last = (int(part) if part else None for part in arguments.rows.split(":"))
    kept = slice(first, last)
    start, stop, _ = kept.indices(len(rows))
    cut = [[("…", ("", False, True))]]
    rows = (cut if start else []) + rows[kept] + (cut if stop < len(rows) else [])
    prompt = [("$", (COLOURS[2], True, False)), (" ", PLAIN), *((c, ("", True, False)) for c in shown)]
    with open(arguments.picture, "w", encoding="utf-8") as file:
        file.write(picture([prompt, *rows], shown))


if __name__ == "__main__":
    main()
