"""What the demo model's videos show: quality.py SERVE. Exits 1 where one does not show what was asked for.

Each video is also held against what the next prompt asks for, and must not show that: a judge that nods fails here.
"""

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
for room in ("demo_model", "measure"):
    sys.path.insert(0, str(ROOT / "scripts" / room))

import seeing
import served
from world import Scene, Shape

ASKED = (
    ("a red circle moves to the right", Shape("circle", "red", "medium", "right")),
    ("an orange triangle moves up", Shape("triangle", "orange", "medium", "up")),
    ("a green square falls in front of a starry sky", Shape("square", "green", "medium", "down")),
    ("a white ring glides to the left over a navy gradient", Shape("ring", "white", "medium", "left")),
)


def main(serve):
    flags = ("--dit-precision", "fp32", "--text-encoder-precisions", "fp32")
    wrong = []
    with tempfile.TemporaryDirectory() as folder, served.Server(ROOT / "configs" / "demo", *flags, binary=serve) as server:
        for index, path in server.videos([{"prompt": prompt, "seed": 7} for prompt, _ in ASKED], folder):
            frames, prompt = seeing.read_video(path), ASKED[index][0]
            seen = seeing.verdict(frames, Scene([ASKED[index][1]]))
            other = seeing.verdict(frames, Scene([ASKED[(index + 1) % len(ASKED)][1]]))
            print(f"{prompt}: {seen}")
            if not all(seen.values()) or other["colour"] or other["shape"] or other["motion"]:
                wrong.append(prompt)
    sys.exit(f"not shown: {wrong}" if wrong else 0)


main(sys.argv[1])
