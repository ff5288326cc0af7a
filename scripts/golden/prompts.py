"""What WanPipeline makes of hard prompts: the cleaned text, and the ids by tokenizer.json."""

import html

import ftfy
from diffusers.pipelines.wan.pipeline_wan import prompt_clean, whitespace_clean

import goldenfile
import hard_text
import tokenizer
from goldenfile import MODELS

MOJIBAKE = {"encode", "decode", "transcode"}
REPAIRS = {"decode_inconsistent_utf8", "replace_lossy_sequences", "restore_byte_a0", "fix_c1_controls"}


def fixes(text):
    """The steps of ftfy.fix_text, which works line by line and gives no explanation itself."""
    config = ftfy.TextFixerConfig()
    found, fixed = [], []
    for line in text.split("\n"):
        if "<" in line:
            config = config._replace(unescape_html=False)
        result, steps = ftfy.fix_and_explain(line + "\n", config)
        fixed.append(result)
        found += [f"{step.action}:{step.parameter}" for step in steps]
    if "".join(fixed)[:-1] != ftfy.fix_text(text) and "".join(fixed) != ftfy.fix_text(text):
        raise AssertionError(f"the steps do not explain {text!r}")
    return sorted(set(found), key=found.index)


def is_mojibake(step):
    action, parameter = step.split(":")
    return action in MOJIBAKE or parameter in REPAIRS


def without_repair(text):
    text = ftfy.fix_text(text, ftfy.TextFixerConfig(fix_encoding=False))
    return whitespace_clean(html.unescape(html.unescape(text)).strip())


def cleaned(text):
    entry = {"text": text, "cleaned": prompt_clean(text)}
    steps = fixes(text)
    if steps:
        entry["fixes"] = steps
    if any(is_mojibake(step) for step in steps):
        entry["cleaned_without_repair"] = without_repair(text)
    elif without_repair(text) != entry["cleaned"]:
        raise AssertionError(f"no repair is named, yet there is one: {text!r}")
    return entry


def mint_tokens():
    full = tokenizer.FromFile(MODELS / "t2v-tiny" / "tokenizer")
    plain = tokenizer.FromFile(MODELS / "a14b-tiny" / "tokenizer")
    cases = []
    for text in hard_text.prompts():
        entry = cleaned(text)
        entry["ids"] = full.ids(entry["cleaned"])
        entry["ids_without_charsmap"] = plain.ids(entry["cleaned"])
        if text != entry["cleaned"]:
            entry["ids_uncleaned"] = full.ids(text)
            entry["ids_uncleaned_without_charsmap"] = plain.ids(text)
        cases.append(entry)
    if sum(len(case["ids"]) == 512 for case in cases) < 2:
        raise AssertionError("too few prompts reach the limit of 512 tokens")
    goldenfile.write_cases(
        "tokenizer-hard.json",
        {
            "source": goldenfile.source("tokenizers.Tokenizer"),
            "tokenizer": "models/t2v-tiny/tokenizer",
            "tokenizer_without_charsmap": "models/a14b-tiny/tokenizer",
            "truncated_to": 512,
        },
        cases,
    )
    print(f"  {len(cases)} prompts, {sum(case['text'] != case['cleaned'] for case in cases)} changed by cleaning")


def mint_clean():
    texts = list(dict.fromkeys(hard_text.dirty()))
    cases = [cleaned(text) for text in texts]
    goldenfile.write_cases("clean-hard.json", {"source": goldenfile.source("diffusers.WanPipeline prompt_clean")}, cases)
    repaired = sum("cleaned_without_repair" in case for case in cases)
    print(f"  {len(cases)} texts, {repaired} with repaired mojibake")


MINTS = {"tokenizer-hard": mint_tokens, "clean-hard": mint_clean}
