"""The demo model's tokenizer: a SentencePiece model of our own, trained on captions."""

import random
import sys
from pathlib import Path

from tokenizers import Tokenizer

import captions
import world

sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "golden"))
import tokenizer as layout  # trained and laid out as a published folder's

PIECES = 800


def train():
    rng = random.Random(4)
    lines = [captions.caption(rng, world.sample(rng, two=0.3, allow_held_out=None))[0] for _ in range(20000)]
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'\"-()&%/"
    return layout.train(lines, PIECES, character_coverage=1.0, required_chars=alphabet, byte_fallback=False)


def open_or_train(folder):
    folder = Path(folder) / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        layout.save(train(), folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))
