"""Small pictures of every kind, and what Diffusers' load_image makes of each: tests/goldens/pictures/<name>, <name>.ppm."""

import io
import struct
import subprocess
import zlib

import imageio_ffmpeg
import numpy as np
import PIL.Image
from diffusers.utils import load_image, load_video

from goldenfile import GOLDENS, write_cases

WIDTH, HEIGHT = 21, 13


def colours(channels, top=255):
    """Gradients with hard edges, [HEIGHT, WIDTH, channels] in 0…top."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    planes = [x / (WIDTH - 1), y / (HEIGHT - 1), (x + y) % 7 / 6, (x * y) % 5 / 4]
    picture = np.stack(planes[:channels], -1)
    picture[3:8, 4:12] = np.array([1, 0, 0, 1])[:channels]
    picture[6:10, 9:17] = np.array([0, 0.2, 1, 0])[:channels]
    return np.round(picture * top).astype(np.uint16 if top > 255 else np.uint8)


def pil(channels=3):
    modes = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
    values = colours(channels)
    return PIL.Image.fromarray(values[..., 0] if channels == 1 else values, modes[channels])


def saved(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def exif(orientation, order="<"):
    head = b"II*\0" if order == "<" else b"MM\0*"
    return b"Exif\0\0" + head + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def xmp(orientation):
    return f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a tiff:Orientation="{orientation}"/></x:xmpmeta>'.encode()


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def packed(values, depth):
    """Rows of samples [height, samples] as PNG packs them, each with filter 0."""
    rows = b""
    for row in values:
        if depth == 16:
            rows += b"\0" + row.astype(">u2").tobytes()
        elif depth == 8:
            rows += b"\0" + row.astype(np.uint8).tobytes()
        else:
            bits = "".join(format(int(v), f"0{depth}b") for v in row)
            bits += "0" * (-len(bits) % 8)
            rows += b"\0" + bytes(int(bits[i : i + 8], 2) for i in range(0, len(bits), 8))
    return rows


def png(values, depth, colour, before=b"", interlaced=False):
    height, width = values.shape[:2]
    samples = values.reshape(height, width, -1)
    passes = [(0, 8, 0, 8), (0, 8, 4, 8), (4, 8, 0, 4), (0, 4, 2, 4), (2, 4, 0, 2), (0, 2, 1, 2), (1, 2, 0, 1)]
    if not interlaced:
        passes = [(0, 1, 0, 1)]
    rows = b""
    for top, down, left, right in passes:
        part = samples[top::down, left::right]
        if part.size:
            rows += packed(part.reshape(part.shape[0], -1), depth)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + before + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


def palette(count):
    return bytes((37 * i + 80 * c) % 256 for i in range(count) for c in range(3))


def png_files():
    yield "grey16", png(np.array([[0, 1, 100, 254, 255, 256, 257, 300, 1000, 32768, 65535]]), 16, 0)
    for depth in (1, 2, 4, 8):
        greys = colours(1)[..., 0] >> (8 - depth)
        yield f"grey{depth}", png(greys, depth, 0)
        yield f"palette{depth}", png(greys, depth, 3, chunk(b"PLTE", palette(1 << depth)))
    yield "palette-short", png(np.array([[0, 1, 2, 3, 255]]), 8, 3, chunk(b"PLTE", palette(2)))
    transparent = chunk(b"PLTE", palette(256)) + chunk(b"tRNS", bytes(range(0, 256, 3)))
    yield "palette-alpha", png(colours(1)[..., 0], 8, 3, transparent)
    yield "grey1-alpha", png(colours(1)[..., 0] >> 7, 1, 0, chunk(b"tRNS", b"\0\1"))
    for name, colour, channels in (("grey-alpha", 4, 2), ("rgb", 2, 3), ("rgba", 6, 4)):
        for depth in (8, 16):
            yield f"{name}{depth}", png(colours(channels, (1 << depth) - 1), depth, colour)
    yield "rgb-transparent", png(colours(3), 8, 2, chunk(b"tRNS", b"\0\xff\0\0\0\0"))
    yield "rgba-interlaced", png(colours(4), 8, 6, interlaced=True)
    yield "grey2-interlaced", png(colours(1)[..., 0] >> 6, 2, 0, interlaced=True)
    yield "rgb-exif6", png(colours(3), 8, 2, chunk(b"eXIf", exif(6)[6:]))
    yield "rgb-xmp8", png(colours(3), 8, 2, chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(8)))
    yield "rgb-filters", saved(pil(), "PNG")


def jpeg_files():
    yield "grey", saved(pil(1), "JPEG", quality=90)
    for kind in ("4:4:4", "4:2:2", "4:2:0"):
        yield kind.replace(":", ""), saved(pil(), "JPEG", quality=90, subsampling=kind)
    yield "420-progressive", saved(pil(), "JPEG", quality=70, subsampling="4:2:0", progressive=True)
    yield "rgb", saved(pil(), "JPEG", quality=90, keep_rgb=True)
    cmyk = saved(PIL.Image.fromarray(colours(4), "CMYK"), "JPEG", quality=90)
    adobe = cmyk.index(b"Adobe")
    assert cmyk[adobe + 11] == 0
    yield "cmyk", cmyk
    yield "ycck", cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :]
    for orientation in range(0, 10):
        yield f"exif{orientation}", saved(pil(), "JPEG", quality=60, exif=exif(orientation))
    yield "exif6-big-endian", saved(pil(), "JPEG", quality=60, exif=exif(6, ">"))
    yield "xmp3", saved(pil(), "JPEG", quality=60, xmp=xmp(3))


def webp_files():
    yield "lossy", saved(pil(), "WEBP", quality=80)
    yield "lossy-alpha", saved(pil(4), "WEBP", quality=80, exact=True)
    yield "lossless", saved(pil(), "WEBP", lossless=True)
    yield "lossless-alpha", saved(pil(4), "WEBP", lossless=True, exact=True)
    yield "exif5", saved(pil(), "WEBP", lossless=True, exif=exif(5))
    moved = PIL.Image.new("RGBA", (WIDTH, HEIGHT))
    moved.paste(pil().crop((0, 0, 9, 7)), (6, 4))
    yield "moving", saved(moved, "WEBP", save_all=True, append_images=[pil(4)], lossless=True)


def gif(frames, screen=(WIDTH, HEIGHT), colours=b"", background=0):
    """`frames`: (indices, left, top, options): transparent, disposal, interlaced, colours."""
    def size_of(table):
        return (len(table) // 3).bit_length() - 2

    file = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80 | size_of(colours) if colours else 0, background, 0) + colours
    for indices, left, top, options in frames:
        transparent = options.get("transparent")
        flags = options.get("disposal", 0) << 2 | (transparent is not None)
        file += b"!\xf9\4" + struct.pack("<BHB", flags, 8, transparent or 0) + b"\0"
        own = options.get("colours", b"")
        height, width = indices.shape
        flags = (0x80 | size_of(own) if own else 0) | (0x40 if options.get("interlaced") else 0)
        file += b"," + struct.pack("<HHHHB", left, top, width, height, flags) + own
        if options.get("interlaced"):
            indices = np.concatenate([indices[0::8], indices[4::8], indices[2::4], indices[1::2]])
        bits = ""  # codes of 9 bits, cleared before the table grows
        for at, value in enumerate(indices.reshape(-1)):
            if at % 200 == 0:
                bits = format(256, "09b") + bits
            bits = format(int(value), "09b") + bits
        bits = format(257, "09b") + bits
        data = int(bits, 2).to_bytes(len(bits) // 8 + 1, "little")
        file += b"\x08" + b"".join(bytes([len(data[i : i + 255])]) + data[i : i + 255] for i in range(0, len(data), 255)) + b"\0"
    return file + b";"


def gif_files():
    greys = colours(1)[..., 0]
    table = palette(256)
    yield "palette", gif([(greys, 0, 0, {})], colours=table)
    yield "written", saved(pil(), "GIF")
    yield "interlaced", gif([(greys, 0, 0, {"interlaced": True})], colours=table)
    yield "transparent", gif([(greys, 0, 0, {"transparent": 255})], colours=table)
    yield "own-palette", gif([(greys >> 4, 0, 0, {"colours": palette(16)})], colours=table)
    yield "grey", gif([(greys, 0, 0, {})])
    yield "part", gif([(greys[:6, :8], 5, 4, {})], colours=table, background=9)
    yield "part-transparent", gif([(greys[:6, :8], 5, 4, {"transparent": 7})], colours=table, background=9)
    yield "beyond", gif([(greys, 5, 4, {})], colours=table)


def bmp(rows, bits, compression=0, colours=b"", height=HEIGHT, extra=b"", old=False):
    head = (
        struct.pack("<IHHHH", 12, WIDTH, height, 1, bits)
        if old
        else struct.pack("<IiiHHIIiiII", 40, WIDTH, height, 1, bits, compression, len(rows), 0, 0, 0, 0)
    )
    start = 14 + len(head) + len(extra) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + extra + colours + rows


def bmp_files():
    for mode in ("1", "L", "RGB", "RGBA"):
        picture = pil(4 if mode == "RGBA" else 3)
        yield mode.lower(), saved(picture.convert(mode), "BMP")
    rgb = colours(3).astype(int)
    r, g, b = rgb[..., 0] >> 3, rgb[..., 1], rgb[..., 2] >> 3

    def rows(values):
        return b"".join(row.astype("<u2").tobytes() + bytes(-2 * WIDTH % 4) for row in values)

    yield "555", bmp(rows(r << 10 | g >> 3 << 5 | b), 16)
    masks = struct.pack("<III", 0xF800, 0x7E0, 0x1F)
    yield "565", bmp(rows(r << 11 | g >> 2 << 5 | b), 16, 3, extra=masks)
    greys = colours(1)[..., 0]
    padded = np.pad(greys, ((0, 0), (0, -WIDTH % 4)))
    table = b"".join(palette(256)[3 * i : 3 * i + 3] + b"\0" for i in range(256))
    yield "palette8", bmp(padded.tobytes(), 8, colours=table)
    yield "top-down", bmp(padded.tobytes(), 8, colours=table, height=-HEIGHT)
    yield "os2", bmp(padded.tobytes(), 8, colours=palette(256), old=True)
    nibbles = np.pad(greys >> 4, ((0, 0), (0, -WIDTH % 8)))
    yield "palette4", bmp((nibbles[:, 0::2] << 4 | nibbles[:, 1::2]).tobytes(), 4, colours=table[:64])
    runs = b"".join(b"".join(bytes([1, v]) for v in row) + b"\0\0" for row in greys) + b"\0\1"
    yield "rle8", bmp(runs, 8, 1, colours=table)


KINDS = {"png": png_files, "jpg": jpeg_files, "webp": webp_files, "gif": gif_files, "bmp": bmp_files}


def mint():
    folder = GOLDENS / "pictures"
    folder.mkdir(exist_ok=True)
    for kind, files in KINDS.items():
        for name, data in files():
            path = folder / f"{name}.{kind}"
            path.write_bytes(data)
            load_image(str(path)).save(f"{path}.ppm")


def moving_gif(name):
    """Frames of 12x9 with parts, transparency and every disposal."""
    whole = np.arange(108).reshape(9, 12) % 16
    part = np.arange(20).reshape(4, 5) % 16
    table, own = palette(16), bytes(range(0, 96, 2))
    frames = [
        (whole, 0, 0, {"disposal": 1}),
        (part, 2, 3, {"transparent": 4, "disposal": 2}),
        (part, 6, 1, {"transparent": 7, "disposal": 3, "colours": own}),
        (part, 1, 5, {"disposal": 2}),
        (part, 4, 4, {}),
        (part, 0, 0, {"transparent": 1, "disposal": 1}),
    ]
    kinds = {"disposal": frames, "first-cleared": [(part, 1, 1, {"disposal": 2}), *frames[4:]],
             "first-transparent": [(part, 1, 1, {"transparent": 5, "disposal": 2}), *frames[4:]],
             "first-restored": [(part, 1, 1, {"disposal": 3}), *frames[4:]]}  # fmt: skip
    return gif(kinds[name], (12, 9), table, 3)


MOVING = ["-f", "lavfi", "-i", "testsrc2=size=48x32:rate=8:duration=1"]


def ffmpeg(path, source, *options):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *source, *options, "-fflags", "+bitexact", "-threads", "1"]
    subprocess.run([*command, str(path)], check=True)


def videos():
    folder = GOLDENS / "videos"
    folder.mkdir(exist_ok=True)
    cases = []

    def add(name):
        frames = [np.asarray(frame.convert("RGB")).astype(int) for frame in load_video(str(folder / name))]
        rows = [int(row.sum()) for frame in frames for row in frame]
        height, width = frames[0].shape[:2]
        cases.append({"file": name, "count": len(frames), "width": width, "height": height, "rows": rows})

    for name in ("disposal", "first-cleared", "first-transparent", "first-restored"):
        (folder / f"{name}.gif").write_bytes(moving_gif(name))
        add(f"{name}.gif")
    encoded = {
        "h264.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "30"],
        "h264-444.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv444p", "-crf", "30"],
        "bt709.mp4": ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "30", "-colorspace", "bt709"],
        "full-range.mp4": ["-c:v", "libx264", "-pix_fmt", "yuvj420p", "-crf", "30"],
        "vp9.webm": ["-c:v", "libvpx-vp9", "-pix_fmt", "yuv420p", "-crf", "40", "-b:v", "0"],
    }
    for name, options in encoded.items():
        ffmpeg(folder / name, MOVING, *options)
        add(name)
    ffmpeg(folder / "turned.mp4", ["-display_rotation", "90", "-i", str(folder / "h264.mp4")], "-c", "copy")
    add("turned.mp4")
    write_cases("videos/frames.json", {}, cases)


MINTS = {"pictures": mint, "videos": videos}
