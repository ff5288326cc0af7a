"""The OpenAI SDK, unchanged."""

import base64

import openai
import pytest


@pytest.fixture(scope="module")
def client(tiny):
    return openai.OpenAI(base_url=tiny.url + "/v1", api_key="none", max_retries=0)


def make(client, **more):
    return client.videos.create_and_poll(
        model="wan", prompt="a red ball rolls to the right", size="64x48", poll_interval_ms=50,
        extra_body={"num_frames": 9, "num_inference_steps": 3, "seed": 7, **more})


def test_a_video_from_prompt_to_file(client, tmp_path):
    video = make(client)
    assert video.status == "completed" and video.progress == 100
    assert video.size == "64x48" and video.id.startswith("video_")
    path = tmp_path / "video.mp4"
    client.videos.download_content(video.id).write_to_file(path)
    assert path.read_bytes()[4:8] == b"ftyp"


def test_the_same_seed_gives_the_same_bytes(client):
    first, second, other = make(client), make(client), make(client, seed=8)
    content = [client.videos.download_content(v.id).read() for v in (first, second, other)]
    assert content[0] == content[1] != content[2]


def test_list_retrieve_delete(client):
    made = [make(client).id for _ in range(3)]
    listed = [video.id for video in client.videos.list(limit=2)]  # more than one page
    assert [v for v in listed if v in made] == made[::-1]
    assert client.videos.retrieve(made[0]).id == made[0]
    assert client.videos.delete(made[0]).deleted
    with pytest.raises(openai.NotFoundError) as error:
        client.videos.retrieve(made[0])
    assert error.value.code and error.value.request_id


def test_a_wrong_field_is_named(client):
    with pytest.raises(openai.BadRequestError) as error:
        client.videos.create(model="wan", prompt="a ball", size="65x48")
    assert error.value.param == "size" and "64x48" in error.value.message


def test_images(client):
    made = client.images.generate(prompt="a red ball", n=2, size="64x48", response_format="b64_json",
                                  output_format="png",
                                  extra_body={"num_inference_steps": 2, "seed": 1})
    pictures = [base64.b64decode(image.b64_json) for image in made.data]
    assert all(p.startswith(b"\x89PNG") for p in pictures) and pictures[0] != pictures[1]


def test_models(client, tiny):
    (model,) = client.models.list().data
    assert client.models.retrieve(model.id).id == model.id
