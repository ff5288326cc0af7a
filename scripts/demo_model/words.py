"""The demo model's tokenizer: a SentencePiece model of our own, trained on captions and on letters of other scripts."""

import io
import random
import sys
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Tokenizer

import captions
import world

sys.path.insert(1, str(Path(__file__).resolve().parent.parent / "golden"))
import tokenizer as layout  # how a published folder's tokenizer is laid out

PIECES = 800


def train():
    rng = random.Random(4)
    lines = [captions.caption(rng, world.sample(rng, two=0.3, allow_held_out=None))[0] for _ in range(20000)]
    alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:;!?'\"-()&%/"
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="unigram",
        vocab_size=PIECES,
        required_chars=alphabet,
        character_coverage=1.0,
        split_digits=True,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        normalization_rule_name="nmt_nfkc",
        remove_extra_whitespaces=False,
        hard_vocab_limit=False,
        num_threads=1,
        minloglevel=2,
    )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto


def open_or_train(folder):
    folder = Path(folder) / "tokenizer"
    if not (folder / "tokenizer.json").exists():
        layout.save(train(), folder)
    return Tokenizer.from_file(str(folder / "tokenizer.json"))
