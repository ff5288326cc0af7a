"""The demo model's world: bright shapes that move on dark backgrounds. A `Scene` says all that is in a clip.

Lengths are in shares of the frame's shorter side, times in shares of the clip, x to the right and y down.
"""

import math
import random
from dataclasses import dataclass, field

import torch

COLOURS = {
    "red": (215, 35, 40),
    "orange": (245, 140, 25),
    "yellow": (250, 225, 60),
    "green": (45, 165, 65),
    "teal": (40, 195, 190),
    "blue": (45, 85, 225),
    "purple": (145, 60, 200),
    "pink": (250, 140, 190),
    "white": (240, 240, 240),
}
TINTS = {
    "grey": (62, 62, 66),
    "navy": (24, 34, 78),
    "maroon": (70, 26, 34),
    "forest": (24, 58, 40),
    "plum": (56, 30, 70),
}
BACKGROUNDS = ("plain", "gradient", "stripes", "stars")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
SIZES = {"small": (0.12, 0.145), "medium": (0.155, 0.19), "large": (0.205, 0.245)}
DIRECTIONS = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
    "up-left": (-0.8, -0.8),
    "up-right": (0.8, -0.8),
    "down-left": (-0.8, 0.8),
    "down-right": (0.8, 0.8),
}
MOTIONS = (*DIRECTIONS, "still", "circling", "bouncing")
EFFECTS = ("none", "spinning", "growing", "shrinking", "pulsing", "changing")
RELATIONS = ("apart", "together", "own")  # how two shapes move


@dataclass
class Shape:
    shape: str
    colour: str
    size: str
    motion: str = "still"
    effect: str = "none"
    colour_2: str = ""  # that a changing one ends with
    # What no caption tells
    radius: float = 0.17
    centre: tuple = (0.0, 0.0)  # of its way, from the frame's
    travel: float = 0.4
    angle: float = 0.0  # radians; of a spinning one at the start
    turns: float = 0.0
    phase: float = 0.0


@dataclass
class Scene:
    shapes: list
    background: str = "plain"
    tint: str = "grey"
    relation: str = ""  # of two shapes; "" of one
    seed: int = 0  # of stars, stripes and gradients
    extra: dict = field(default_factory=dict)

    def key(self):
        """What decides whether the scene is held out from training."""
        return "/".join(f"{s.colour} {s.shape} {s.motion} {s.effect}" for s in self.shapes)


def held_out(scene):
    """One in twelve combinations of colour, shape, motion and effect is in no training clip."""
    return sum(ord(c) * (i + 7) for i, c in enumerate(scene.key())) % 12 == 0


def _pick_shape(rng, simple=False, single=True):
    shape = rng.choice(SHAPES)
    size = rng.choice(tuple(SIZES) if single else ("small", "medium"))
    motion = rng.choice(tuple(DIRECTIONS) * 2 + ("still", "circling", "bouncing") * (1 if simple else 2))
    effect = "none"
    if not simple and rng.random() < 0.4:
        effect = rng.choice(EFFECTS[1:])
        if effect == "spinning" and shape in ("circle", "ring"):
            effect = "none"
    colour = rng.choice(tuple(COLOURS))
    made = Shape(shape, colour, size, motion, effect)
    low, high = SIZES[size]
    made.radius = rng.uniform(low, high) * (1 if single else 0.9)
    if effect == "changing":
        made.colour_2 = rng.choice([c for c in COLOURS if c != colour])
    # A shape stands upright within 12 degrees, so that a turned square is still a square.
    made.angle = rng.uniform(-0.2, 0.2)
    made.turns = rng.choice((-1, 1)) * rng.uniform(0.5, 0.8)
    made.phase = rng.uniform(0, 2 * math.pi)
    return made


def largest_radius(shape):
    return shape.radius * (1.3 if shape.effect in ("growing", "shrinking", "pulsing") else 1)


def _place(rng, shape, half_width, half_height):
    """Chooses travel and centre so that the shape stays in a frame of the given half sides."""
    margin = largest_radius(shape) + 0.02
    room_x, room_y = max(0.02, half_width - margin), max(0.02, half_height - margin)
    if shape.motion in DIRECTIONS:
        dx, dy = DIRECTIONS[shape.motion]
        most = min(room_x / abs(dx) if dx else 9, room_y / abs(dy) if dy else 9) * 2
        shape.travel = min(most, rng.uniform(0.36, 0.55))
        free_x = room_x - abs(dx) * shape.travel / 2
        free_y = room_y - abs(dy) * shape.travel / 2
    elif shape.motion == "circling":
        shape.travel = min(room_x, room_y, rng.uniform(0.17, 0.24))
        free_x, free_y = room_x - shape.travel, room_y - shape.travel
    elif shape.motion == "bouncing":
        shape.travel = min(2 * room_y, rng.uniform(0.3, 0.45))
        free_x, free_y = room_x, room_y - shape.travel / 2
    else:
        free_x, free_y = room_x, room_y
    shape.centre = (rng.uniform(-1, 1) * max(0, free_x) * 0.8, rng.uniform(-1, 1) * max(0, free_y) * 0.8)


def _place_two(rng, scene, half_width, half_height):
    """One beside or above the other; their ways do not cross."""
    first, second = scene.shapes
    across = scene.extra["layout"] == "beside"
    long, wide = (half_width, half_height) if across else (half_height, half_width)
    toward, away = ("right", "left") if across else ("down", "up")
    if scene.relation == "apart":
        first.motion, second.motion = away, toward
    elif scene.relation == "together":
        first.motion, second.motion = toward, away
    for place, shape in ((-1, first), (1, second)):
        margin = largest_radius(shape) + 0.02
        room = max(0.02, wide - margin)
        if scene.relation == "own":
            direction = DIRECTIONS[shape.motion] if shape.motion in DIRECTIONS else (0, 0)
            along, side = direction if across else direction[::-1]
            shape.travel = min(rng.uniform(0.3, 0.45), 2 * room)
            centre = place * (long - margin) * rng.uniform(0.85, 1)
            if along:
                shape.travel = min(shape.travel, 0.16)
                centre = place * (long - margin - 0.08)
            offset = rng.uniform(-1, 1) * max(0, room - abs(side) * shape.travel / 2)
        else:
            near, far = margin + 0.01, max(margin + 0.02, long - margin)
            shape.travel = far - near
            centre = place * (near + far) / 2
            offset = rng.uniform(-0.3, 0.3) * room
        shape.centre = (centre, offset) if across else (offset, centre)


def sample(rng, two=0.0, simple=False, width=96, height=96, allow_held_out=False):
    """A scene. `two`: the share of scenes with two shapes. `simple`: no effects."""
    side = min(width, height)
    half_width, half_height = width / side / 2, height / side / 2
    while True:
        if rng.random() < two:
            shapes = [_pick_shape(rng, simple=True, single=False) for _ in range(2)]
            if shapes[0].colour == shapes[1].colour:
                continue
            scene = Scene(shapes, relation=rng.choice(RELATIONS))
            scene.extra["layout"] = rng.choice(("beside", "above"))
            for shape in shapes:
                shape.motion = rng.choice(("left", "right", "up", "down", "still"))
            if scene.relation == "own" and rng.random() < 0.5:
                shapes[1].motion = shapes[0].motion
        else:
            scene = Scene([_pick_shape(rng, simple)])
        scene.background = rng.choice(BACKGROUNDS)
        scene.tint = rng.choice(tuple(TINTS))
        scene.seed = rng.randrange(1 << 30)
        if scene.relation:
            _place_two(rng, scene, half_width, half_height)
        else:
            _place(rng, scene.shapes[0], half_width, half_height)
        if allow_held_out is None or held_out(scene) == allow_held_out:
            return scene


# Pictures


def distance(name, x, y):
    """Signed distance to the outline of a shape of radius 1."""
    if name == "circle":
        return torch.hypot(x, y) - 0.95
    if name == "ring":
        return (torch.hypot(x, y) - 0.7).abs() - 0.28
    if name == "square":
        return torch.maximum(x.abs(), y.abs()) - 0.82
    if name == "triangle":
        half = math.sqrt(3) / 2
        return torch.maximum(torch.maximum(half * x - 0.5 * y, -half * x - 0.5 * y), y) - 0.55
    if name == "cross":
        a, b = x.abs(), y.abs()
        return torch.minimum(torch.maximum(a - 0.98, b - 0.3), torch.maximum(b - 0.98, a - 0.3))
    sector = 2 * math.pi / 5
    turn = torch.remainder(torch.atan2(x, -y) + sector / 2, sector) - sector / 2
    radius = torch.hypot(x, y)
    u, v = radius * torch.cos(turn), radius * torch.sin(turn).abs()
    tip, notch = (1.12, 0.0), (0.46 * math.cos(sector / 2), 0.46 * math.sin(sector / 2))
    nx, ny = notch[1] - tip[1], tip[0] - notch[0]
    length = math.hypot(nx, ny)
    return ((u - tip[0]) * nx + v * ny) / length


def _pose(shape, t):
    """Centre, radius, angle and the share of the second colour at times t [T] in 0…1."""
    x, y = (torch.full_like(t, c) for c in shape.centre)
    if shape.motion in DIRECTIONS:
        dx, dy = DIRECTIONS[shape.motion]
        x, y = x + dx * shape.travel * (t - 0.5), y + dy * shape.travel * (t - 0.5)
    elif shape.motion == "circling":
        a = shape.phase + math.copysign(1, shape.turns) * 2 * math.pi * 0.9 * t
        x, y = x + shape.travel * torch.cos(a), y + shape.travel * torch.sin(a)
    elif shape.motion == "bouncing":
        y = y + shape.travel * (0.5 - torch.sin(2 * math.pi * t + shape.phase % 0.8).abs())
    scale = torch.ones_like(t)
    if shape.effect == "growing":
        scale = 0.55 + 0.75 * t
    elif shape.effect == "shrinking":
        scale = 1.3 - 0.75 * t
    elif shape.effect == "pulsing":
        scale = 1 + 0.3 * torch.sin(4 * math.pi * t + shape.phase)
    angle = torch.full_like(t, shape.angle)
    if shape.effect == "spinning":
        angle = angle + 2 * math.pi * shape.turns * t
    second = t if shape.effect == "changing" else torch.zeros_like(t)
    return x, y, shape.radius * scale, angle, second


def _rgb(value):
    return torch.tensor(value, dtype=torch.float32).view(3, 1, 1) / 255


def _background(scene, width, height):
    """[3, H, W]"""
    rng = random.Random(scene.seed)
    side = min(width, height)
    ys, xs = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    xs, ys = (xs - width / 2) / side, (ys - height / 2) / side
    base = _rgb(TINTS[scene.tint]) * rng.uniform(0.85, 1.1)
    if scene.background == "gradient":
        a = rng.uniform(0, 2 * math.pi)
        way = (xs * math.cos(a) + ys * math.sin(a) + 0.5).clamp(0, 1)
        return base * (0.4 + 0.9 * way)
    if scene.background == "stripes":
        a = rng.choice((0.0, 0.25, 0.5, 0.75)) * math.pi
        period = rng.uniform(0.17, 0.26)
        wave = torch.sin((xs * math.cos(a) + ys * math.sin(a)) * 2 * math.pi / period + rng.uniform(0, 6))
        steep = period * side / (2 * math.pi)
        return base * (1 + 0.35 * (wave * steep).clamp(-1, 1))
    if scene.background == "stars":
        picture = base.expand(3, height, width) * 0.5
        for _ in range(max(8, round(22 * width * height / side**2))):
            x, y = rng.uniform(-0.5, 0.5) * width / side, rng.uniform(-0.5, 0.5) * height / side
            radius, light = rng.uniform(0.006, 0.011), rng.uniform(0.5, 0.85)
            dot = ((radius - torch.hypot(xs - x, ys - y)) * side + 0.5).clamp(0, 1) * light
            picture = picture * (1 - dot) + dot
        return picture
    return base.expand(3, height, width)


def render(scene, width=96, height=96, frames=17, only=slice(None)):
    """uint8 [T, 3, H, W]; `only` some of the frames."""
    side = min(width, height)
    ys, xs = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    xs, ys = (xs - width / 2) / side, (ys - height / 2) / side
    t = torch.linspace(0, 1, frames)[only]
    clip = _background(scene, width, height).expand(len(t), 3, height, width)
    for shape in scene.shapes:
        x, y, radius, angle, second = (v.view(-1, 1, 1) for v in _pose(shape, t))
        dx, dy = (xs - x) / radius, (ys - y) / radius
        cos, sin = torch.cos(angle), torch.sin(angle)
        cover = 0.5 - distance(shape.shape, dx * cos + dy * sin, dy * cos - dx * sin) * radius * side
        cover = cover.clamp(0, 1).unsqueeze(1)
        colour = _rgb(COLOURS[shape.colour])
        if shape.colour_2:
            colour = colour + (_rgb(COLOURS[shape.colour_2]) - colour) * second.unsqueeze(1)
        clip = clip + (colour - clip) * cover
    return (clip * 255).round().clamp(0, 255).to(torch.uint8)


def texture(generator, width=96, height=96, frames=17):
    """Coloured noise of a random fineness that drifts: uint8 [T, 3, H, W]. For the VAE only."""
    cells = int(torch.randint(2, 13, (1,), generator=generator))
    rough = torch.rand(1, 3, cells + 2, cells + 2, generator=generator)
    size = (height + frames * 2, width + frames * 2)
    field_ = torch.nn.functional.interpolate(rough, size, mode="bicubic", align_corners=False)[0]
    step = torch.randint(-1, 2, (2,), generator=generator).tolist()
    rows = [
        field_[:, frames + f * step[0] : frames + f * step[0] + height, frames + f * step[1] : frames + f * step[1] + width]
        for f in range(frames)
    ]
    return (torch.stack(rows) * 255).round().clamp(0, 255).to(torch.uint8)


def signal(clips):
    """uint8 [..., T, 3, H, W] -> what the VAE takes: [..., 3, T, H, W] in -1…1."""
    return clips.transpose(-4, -3).float() / 127.5 - 1
