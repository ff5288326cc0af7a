"""The OpenAI SDK's asynchronous client: many jobs at once, a list that changes while it is read, retries."""

import asyncio
import base64
import io
import os
import random

import openai
import pytest
from PIL import Image

JOBS = int(os.environ.get("REEL_JOBS", 150))
AT_ONCE = 50


def sdk(server, **options):
    return openai.AsyncOpenAI(base_url=server.url + "/v1", api_key="none", **{"max_retries": 0, **options})


def red(size):
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "PNG")
    return "red.png", file.getvalue(), "image/png"


async def make(client, seed, **more):
    return await client.videos.create_and_poll(model="fake", prompt="a", poll_interval_ms=50,
                                               extra_body={"seed": seed, **more})


async def pages(client, order):
    return [video.id async for video in client.videos.list(limit=7, order=order)]


def test_many_jobs_in_a_list_that_changes(start):
    server = start("--model-path", "fake:steps=2")

    async def go():
        client = sdk(server)
        made, deleted, doomed = {}, set(), {}
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(number):
            async with turn:
                video = await make(client, number % 10)
            assert video.status == "completed", video
            made[video.id] = number % 10

        async def delete():
            while len(deleted) < JOBS // 10:
                if stays := [id for id in made if id not in deleted]:
                    id = random.choice(stays)
                    doomed[id] = True
                    await client.videos.delete(id)
                    deleted.add(id)
                await asyncio.sleep(0.01)

        async def read():
            """Who is there before and after a reading is in it, once, in order."""
            reads = 0
            while len(made) < JOBS or reads < 2:
                for order in ("asc", "desc"):
                    before = set(made) - set(doomed)
                    seen = await pages(client, order)
                    assert len(seen) == len(set(seen))
                    assert before - set(doomed) <= set(seen)
                    reads += 1

        await asyncio.gather(delete(), read(), *(one(number) for number in range(JOBS)))
        newest = await pages(client, "desc")
        assert set(newest) == set(made) - deleted and newest == (await pages(client, "asc"))[::-1]
        content = {}
        for id in newest:
            file = (await client.videos.download_content(id)).read()
            assert content.setdefault(made[id], file) == file, "one seed, one file"
        assert len(set(content.values())) == 10
        for id in deleted:
            with pytest.raises(openai.NotFoundError):
                await client.videos.retrieve(id)

    asyncio.run(go())


def test_every_method(start):
    server = start("--model-path", "fake:image=optional")

    async def go():
        client = sdk(server)
        video = await make(client, 1)
        assert (await client.videos.retrieve(video.id)).progress == 100
        remixed = await client.videos.remix(video.id, prompt="another")
        assert (await client.videos.poll(remixed.id)).remixed_from_video_id == video.id
        thumbnail = (await client.videos.download_content(video.id, variant="thumbnail")).read()
        assert Image.open(io.BytesIO(thumbnail)).format == "WEBP"
        assert (await client.videos.delete(video.id)).deleted
        moved = await client.videos.create_and_poll(model="fake", prompt="a", input_reference=red((64, 32)))
        assert moved.status == "completed" and moved.size == "64x32"
        made = await client.images.generate(prompt="a", n=2, size="64x48", response_format="b64_json")
        edited = await client.images.edit(image=red((48, 48)), prompt="a", response_format="b64_json")
        sizes = [Image.open(io.BytesIO(base64.b64decode(image.b64_json))).size for image in (*made.data, *edited.data)]
        assert sizes == [(64, 48), (64, 48), (48, 48)]
        for stream, family in ((client.images.generate(prompt="a", stream=True, partial_images=1), "image_generation"),
                               (client.images.edit(image=red((48, 48)), prompt="a", stream=True, partial_images=1),
                                "image_edit")):
            events = [event async for event in await stream]
            assert [event.type for event in events] == [family + ".partial_image", family + ".completed"]
        assert [model.id async for model in client.models.list()] == ["fake"]
        with pytest.raises(openai.BadRequestError) as error:
            await client.videos.create(model="fake", prompt="a", size="1x1")
        assert error.value.param == "size" and error.value.request_id

    asyncio.run(go())


def test_a_full_queue_is_waited_for(start):
    server = start("--model-path", "fake:step_ms=100,steps=4", "--max-queue", "1")

    async def go():
        with pytest.raises(openai.RateLimitError) as error:
            for _ in range(3):
                await sdk(server).videos.create(model="fake", prompt="a")
        assert error.value.code == "queue_full" and error.value.response.headers["retry-after"]
        made = await asyncio.gather(*(make(sdk(server, max_retries=20), seed) for seed in range(3)))
        assert [video.status for video in made] == ["completed"] * 3

    asyncio.run(go())
