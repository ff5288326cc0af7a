#!/usr/bin/env python3
"""Writes the tables of src/text: HTML's named references, single-byte code pages, classes of characters.

Needs a Python with ftfy (scripts/golden/requirements.txt names the version).
"""

import html
import pathlib
import re

from ftfy import chardata
from ftfy.badness import MOJIBAKE_CATEGORIES

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "src/text"
WIDTH = 100
# The order of CodePage and CharClass in mojibake_tables.h.
CLASSES = {**MOJIBAKE_CATEGORIES, **chardata.UTF8_CLUES}
NOTE = "// Written by scripts/text_tables.py.\n"


def packed(items, separator, indent, quote=""):
    """As many items a line as fit."""
    lines, line = [], indent + quote
    for item in items:
        if len(line) + len(item) + len(separator) + len(quote) > WIDTH:
            lines.append((line if quote else line.rstrip()) + quote)
            line = indent + quote
        line += item + separator
    return "\n".join([*lines, (line if quote else line.rstrip()) + quote])


def references():
    """Each as name, then ";" or, where HTML5 also knows it without a semicolon, ",", then code points in hex."""
    table = html.entities.html5
    for name in sorted(name[:-1] for name in table if name.endswith(";")):
        points = "+".join(f"{ord(char):X}" for char in table[name + ";"])
        if name in table and table[name] != table[name + ";"]:
            raise SystemExit(f"{name} means two things")
        yield f"{name}{',' if name in table else ';'}{points}"


def code_pages():
    for encoding in chardata.CHARMAP_ENCODINGS:
        chars = bytes(range(128, 256)).decode(encoding)
        yield f"    {{  // {encoding}\n" + packed((f"0x{ord(char):02X}" for char in chars), ", ", "        ") + "\n    },"


def ranges():
    tests = [re.compile(f"[{members}]") for members in CLASSES.values()]
    runs = []
    for code in range(0x10000):
        if 0xD800 <= code < 0xE000:
            continue
        mask = sum(1 << bit for bit, test in enumerate(tests) if test.match(chr(code)))
        if mask and runs and runs[-1][1] == code - 1 and runs[-1][2] == mask:
            runs[-1][1] = code
        elif mask:
            runs.append([code, code, mask])
    return [f"{{0x{first:X}, 0x{last:X}, 0x{mask:X}}}" for first, last, mask in runs]


def write(name, text):
    (FOLDER / name).write_text(NOTE + text, encoding="utf-8")


def main():
    write(
        "named_references.cpp",
        '#include "named_references.h"\n\nnamespace reel::text {\n\n// clang-format off\n'
        "const std::string_view kNamedReferences =\n"
        + packed(references(), " ", "    ", '"')
        + ";\n// clang-format on\n\n}  // namespace reel::text\n",
    )
    write(
        "mojibake_tables.cpp",
        '#include "mojibake_tables.h"\n\nnamespace reel::text {\n\n// clang-format off\n'
        "const std::array<std::array<char16_t, 128>, kCodePages> kUpperHalves = {{\n"
        + "\n".join(code_pages())
        + "\n}};\n\nstatic constexpr ClassRange kRanges[] = {\n"
        + packed(ranges(), ", ", "    ")
        + "\n};\n// clang-format on\n\nconst std::span<const ClassRange> kClassRanges = kRanges;\n\n"
        "}  // namespace reel::text\n",
    )
    print(", ".join(f"{name} 1<<{bit}" for bit, name in enumerate(CLASSES)))


if __name__ == "__main__":
    main()
