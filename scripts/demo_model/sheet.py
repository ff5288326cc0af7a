"""Asks `serve` for 24 fixed prompts and lays frames of each video in one picture: sheet.py OUT.png"""

import argparse
import sys
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

import seeing

sys.path.insert(1, str(Path(__file__).resolve().parents[1] / "measure"))
import served

PROMPTS = (
    "a red circle moves to the right",
    "a large blue star drifts up on a striped background",
    "A small teal star drifts to the left while it spins",
    "a green square falls in front of a starry sky",
    "a white ring glides down and to the left over a navy gradient",
    "an orange triangle slides to the upper right",
    "a pink cross stands still and spins",
    "a yellow ball bounces up and down",
    "a purple square moves in a circle on a plain dark green background",
    "a big red star gets smaller",
    "a tiny blue ring grows on stripes",
    "the circle is green and it turns yellow",
    "a teal cross pulses in front of stars",
    "leftwards, an orange star flies on a maroon background",
    "Drifting diagonally down right, a white triangle is seen",
    "a yellow hoop that rises",
    "blue square, moving left, striped grey background",
    "a violet donut goes round and round",
    "two circles, red above blue, move apart",
    "a green star to the left of a white square, moving towards each other",
    "a yellow triangle above a purple ring, both moving to the right",
    "a pink square rises and a teal circle falls, the first left of the second",
    "a red cross over a yellow cross, both standing still",
    "an orange ring to the right of a blue star, moving apart in front of stars",
)
COLUMNS, PICTURES, SIDE, LINE = 2, 6, 96, 18


def main():
    root = Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model-path", default=root / "configs" / "demo")
    parser.add_argument("--serve", default=root / "build" / "release" / "serve")
    parser.add_argument("--seed", type=int, default=7)
    a = parser.parse_args()

    bodies = [
        {"prompt": p, "size": f"{SIDE}x{SIDE}", "num_frames": 17, "num_inference_steps": 20, "seed": a.seed}
        for p in PROMPTS
    ]
    width, height = PICTURES * SIDE + 8, SIDE + LINE + 6
    sheet = Image.new("RGB", (COLUMNS * width, len(PROMPTS) // COLUMNS * height), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    flags = ("--dit-precision", "fp32", "--text-encoder-precisions", "fp32")
    with tempfile.TemporaryDirectory() as folder, served.Server(a.model_path, *flags, binary=a.serve) as server:
        for index, path in server.videos(bodies, folder):
            frames = seeing.read_video(path)
            x, y = index % COLUMNS * width, index // COLUMNS * height
            draw.text((x + 2, y + 1), PROMPTS[index], "black", font)
            for place in range(PICTURES):
                frame = frames[round(place * (len(frames) - 1) / (PICTURES - 1))]
                picture = Image.fromarray((frame.permute(1, 2, 0) * 255).round().byte().numpy())
                sheet.paste(picture, (x + place * SIDE, y + LINE))
    sheet.quantize(256).save(a.out, optimize=True)


main()
