"""What Pillow finds in the pictures, and what they take."""

import base64
import io
import json
import subprocess
from xml.etree import ElementTree

import pytest
from PIL import Image

from conftest import ROOT, SERVE, needs_engine
from test_server import post

HARD = "ein \"roter\" <Ball> & 球 🎈\n\tzweite Zeile"


def pictures(server, form, prompt, n=1):
    reply, status = post(server, {"prompt": prompt, "n": n, "seed": 7, "output_format": form,
                                  "response_format": "b64_json", "size": "80x48"},
                         "/v1/images/generations")
    assert status == 200, reply
    return [Image.open(io.BytesIO(base64.b64decode(one["b64_json"]))) for one in reply["data"]]


def metadata(picture):
    if picture.format == "PNG":
        return dict(picture.text)
    (description,) = ElementTree.fromstring(picture.info["xmp"])[0]
    return {field.tag.removeprefix("{urn:reel:}"): field.text for field in description}


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_each_tells_how_it_was_made(start, form):
    server = start("--model-path", "fake:")
    for prompt in [HARD, "球" * 20_000]:
        for number, picture in enumerate(pictures(server, form, prompt, n=2)):
            assert picture.size == (80, 48)
            seen = metadata(picture)
            picture.load()  # the pixels are whole
            assert seen.pop("software").startswith("reel ")
            assert seen == {"prompt": prompt, "seed": str(7 + number), "model": "fake",
                            "num_inference_steps": "4", "guidance_scale": seen["guidance_scale"]}


@pytest.mark.parametrize("form", ["png", "jpeg", "webp"])
def test_a_prompt_that_no_file_can_hold_as_it_is(start, form):
    server = start("--model-path", "fake:")
    (picture,) = pictures(server, form, "a\0b\x1bc\uffff" + "&球" * 15_000)
    prompt = metadata(picture)["prompt"]
    picture.load()
    assert prompt.startswith("a\ufffdb\ufffdc\ufffd&球&球")
    if form == "jpeg":
        assert prompt.endswith("…") and 60_000 < len(prompt.replace("&", "&amp;").encode()) < 65_536
    else:
        assert len(prompt) == 30_006


@pytest.mark.parametrize("form", ["jpeg", "webp"])
def test_each_has_the_colours_of_the_png(start, form):
    server = start("--model-path", "fake:")
    seen, wanted = (pictures(server, kind, "a")[0].convert("RGB").reduce(16)
                    for kind in (form, "png"))
    off = [abs(a - b) for one, other in zip(seen.getdata(), wanted.getdata())
           for a, b in zip(one, other)]
    assert max(off) <= 4, off


@needs_engine
def test_the_time_that_a_picture_takes_is_told(tmp_path):
    Image.new("RGB", (40, 30), "teal").save(tmp_path / "picture.png")
    for model, encoders in (("t2v-tiny", 0), ("i2v-tiny", 2)):
        command = [SERVE, "generate", "--model-path", ROOT / "tests/goldens/models" / model,
                   "--prompt", "a", "--width", "32", "--height", "32", "--num-frames", "5",
                   "--num-inference-steps", "1", "--output-path", tmp_path,
                   "--perf-dump-path", tmp_path / "perf.json"]
        command += ["--image-path", tmp_path / "picture.png"] if encoders else []
        subprocess.run(command, check=True, timeout=120, capture_output=True)
        stages = json.loads((tmp_path / "perf.json").read_text())["stages_s"]
        assert (stages["image_encode"] > 0) + (stages["vae_encode"] > 0) == encoders, stages
