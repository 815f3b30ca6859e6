"""Draws what a terminal shows: reads text with escape sequences, writes an SVG."""

import html
import re
import sys

COLUMN, ROW, MARGIN = 8.43, 19, 16
STYLES = {"1": "font-weight:bold", "2": "opacity:.7", "31": "fill:#ff7b72", "32": "fill:#3fb950", "33": "fill:#d6a21e"}


def spans(line):
    """Each piece of a line, in its style."""
    style = set()
    for text in re.split(r"(\x1b\[[0-9;]*m)", line):
        if not text.startswith("\x1b"):
            if text:
                yield "".join(f"{STYLES[code]};" for code in sorted(style)), text
            continue
        codes = text[2:-1].split(";")
        style = style | set(codes) & set(STYLES) if codes not in (["0"], [""]) else set()


def main():
    lines = sys.stdin.read().rstrip("\n").split("\n")
    width = max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines) * COLUMN + 2 * MARGIN
    height = len(lines) * ROW + 2 * MARGIN
    print(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" width="{width:.0f}" height="{height}">')
    print("<title>What compliance-gate prints for a blocked deploy</title>")
    print('<rect width="100%" height="100%" rx="8" fill="#0d1117"/>')
    print('<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, DejaVu Sans Mono, monospace" font-size="14" fill="#e6edf3">')
    for number, line in enumerate(lines):
        drawn = "".join(
            f'<tspan style="{style}">{html.escape(text)}</tspan>' if style else html.escape(text)
            for style, text in spans(line)
        )
        if drawn:
            print(f'<text x="{MARGIN}" y="{MARGIN + number * ROW + 14}" xml:space="preserve">{drawn}</text>')
    print("</g>\n</svg>")


if __name__ == "__main__":
    main()
