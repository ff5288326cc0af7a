"""A small SentencePiece model of our own, and its tokenizer.json in the form of the T5 converter of transformers 4."""

import io
import json

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

import corpus

EXTRA_IDS = 3
MANNERS = {"padding_side": "right", "truncation_side": "right", "clean_up_tokenization_spaces": False}


def train(sentences=None, vocabulary=1200, character_coverage=0.995, **settings):
    """pad, eos, bos, unk and the byte pieces come first, as in the published UMT5 model."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences or corpus.sentences()),
        model_writer=model,
        model_type="unigram",
        vocab_size=vocabulary,
        character_coverage=character_coverage,
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
        **{"byte_fallback": True, **settings},
    )
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model.getvalue())
    return proto


def without_charsmap(proto):
    """The same pieces with the identity as normaliser: a tokenizer.json without a Precompiled part."""
    small = sentencepiece_model_pb2.ModelProto()
    small.CopyFrom(proto)
    small.normalizer_spec.name = "identity"
    small.normalizer_spec.precompiled_charsmap = b""
    return small


def fast(proto):
    """What T5TokenizerFast of transformers 4 writes; byte fallback is not carried over."""
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    extra = [f"<extra_id_{index}>" for index in range(EXTRA_IDS - 1, -1, -1)]
    tokenizer = Tokenizer(models.Unigram(pieces + [(piece, 0.0) for piece in extra], proto.trainer_spec.unk_id, False))
    special = [piece.piece for piece in proto.pieces if piece.type in (2, 3)] + extra
    tokenizer.add_tokens([AddedToken(piece, normalized=False, special=True) for piece in special])
    steps = [normalizers.Strip(left=False, right=True), normalizers.Replace(Regex(" {2,}"), "▁")]
    if proto.normalizer_spec.precompiled_charsmap:
        steps.insert(0, normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", 1)]
    )
    return tokenizer


def save(proto, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "spiece.model").write_bytes(proto.SerializeToString(deterministic=True))
    text = json.dumps(json.loads(fast(proto).to_str()), ensure_ascii=False, separators=(",", ":"))
    (folder / "tokenizer.json").write_text(text + "\n", encoding="utf-8")
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    extra = [f"<extra_id_{index}>" for index in range(EXTRA_IDS)]
    config = {
        "tokenizer_class": "T5Tokenizer",
        "extra_ids": EXTRA_IDS,
        "model_max_length": 512,
        "additional_special_tokens": extra,
        **names,
        **MANNERS,
    }
    special = {**names, "additional_special_tokens": extra}
    for name, value in (("tokenizer_config", config), ("special_tokens_map", special)):
        (folder / f"{name}.json").write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


class FromFile:
    """Stands for the pipeline's tokenizer: does what the file says, which transformers 5 does not."""

    def __init__(self, folder):
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.seen = []

    def ids(self, text, longest=512):
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(longest)
        return self.tokenizer.encode(text).ids

    def __call__(self, prompts, max_length, **_):
        import torch
        from transformers import BatchEncoding

        rows = [self.ids(prompt, max_length) for prompt in prompts]
        ids = torch.tensor([row + [0] * (max_length - len(row)) for row in rows])
        mask = torch.tensor([[1] * len(row) + [0] * (max_length - len(row)) for row in rows])
        self.seen.append(ids)
        return BatchEncoding({"input_ids": ids, "attention_mask": mask})
