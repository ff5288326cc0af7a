"""What a clip of the demo world shows, read off its pixels: colours, shapes, ways and changes of what is bright.

Knows what the world may contain (palette, outlines), never what a clip was asked to show. Needs nothing but torch.
"""

import math
import subprocess

import torch
import torch.nn.functional as F

import world

SIDE, TURNS = 40, 24  # of the pictures that outlines are compared in; of a whole turn


def read_video(path):
    """[T, 3, H, W] in 0…1"""
    probe = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=width,height", "-of", "csv=p=0"]
    size = subprocess.run([*probe, str(path)], capture_output=True, check=True, text=True).stdout
    width, height = map(int, size.strip().split(","))
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    raw = bytearray(subprocess.run(command, capture_output=True, check=True).stdout)
    return torch.frombuffer(raw, dtype=torch.uint8).view(-1, height, width, 3).permute(0, 3, 1, 2).float() / 255


def lab(rgb):
    """CIE L*a*b* (D65) of sRGB in 0…1: [..., 3] -> [..., 3]"""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    matrix = torch.tensor([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ matrix.T / torch.tensor([0.9505, 1.0, 1.089])
    f = torch.where(xyz > 0.008856, xyz.clamp_min(1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(-1)
    return torch.stack((116 * y - 16, 500 * (x - y), 200 * (y - z)), -1)


NAMES = tuple(world.COLOURS)
PALETTE = lab(torch.tensor(list(world.COLOURS.values())) / 255)


def nearest(rgb):
    """Indices into NAMES of colours [..., 3]."""
    return torch.cdist(lab(rgb).reshape(-1, 3), PALETTE).argmin(-1).view(rgb.shape[:-1])


def bright(frames):
    """Where a frame is no background, bool [T, H, W]; specks as small as the sky's stars are left out."""
    light = torch.maximum(torch.maximum(frames[:, 0], frames[:, 1]), 0.75 * frames[:, 2])
    mask = (light > 0.45).float()[:, None]
    eroded = -F.max_pool2d(-mask, 3, 1, 1)
    return (F.max_pool2d(eroded, 5, 1, 2) * mask)[:, 0] > 0


def _templates():
    """Each outline in every turn, centred on its own middle, all of one area: [shapes, TURNS, SIDE, SIDE]"""
    grid = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
    ys, xs = torch.meshgrid(grid, grid, indexing="ij")
    made = []
    for name in world.SHAPES:
        fine = torch.linspace(-1.3, 1.3, 200)
        fy, fx = torch.meshgrid(fine, fine, indexing="ij")
        inside = (world.distance(name, fx, fy) < 0).float()
        area, middle = inside.mean().item() * 2.6**2, (inside * fy).sum() / inside.sum()
        scale = math.sqrt(area / 0.9)  # 0.9 of the picture's 4: even a star's points are inside
        rows = []
        for turn in range(TURNS):
            a = 2 * math.pi * turn / TURNS
            x, y = xs * math.cos(a) + ys * math.sin(a), ys * math.cos(a) - xs * math.sin(a)
            rows.append((0.5 - world.distance(name, x * scale, y * scale + middle) / scale * SIDE / 2).clamp(0, 1))
        made.append(torch.stack(rows))
    return torch.stack(made)


TEMPLATES = _templates()


class Seen:
    """One thing that moves: `colours` of its first and last frames, `shape`, `motion`, `effect`, `path` [T, 2]."""

    def __init__(self, frames, mask):
        self.frames, self.mask = frames, mask
        self.side = min(frames.shape[-2:])
        self.areas = mask.flatten(1).sum(1).float()
        self.there = bool((self.areas > 12).float().mean() > 0.8)
        if self.there:
            self._follow()

    def _follow(self):
        self.path, kept = [], []
        height, width = self.mask.shape[1:]
        for mask in self.mask:
            ys, xs = mask.nonzero(as_tuple=True)
            if len(xs) == 0:
                self.path.append(self.path[-1] if self.path else torch.tensor([width / 2, height / 2]))
                kept.append(mask)
                continue
            x, y = xs.float().median(), ys.float().median()
            near = torch.hypot(xs - x, ys - y) < 2 * math.sqrt(len(xs) / math.pi) + 3
            self.path.append(torch.stack((xs[near].float().mean(), ys[near].float().mean())))
            mask = torch.zeros_like(mask)
            mask[ys[near], xs[near]] = True
            kept.append(mask)
        kept = torch.stack(kept)
        # What is bright elsewhere: another thing, that nobody asked for.
        self.alone = bool(kept.sum() > 0.8 * self.mask.sum())
        self.mask, self.areas = kept, kept.flatten(1).sum(1).float().clamp_min(1)
        self.path = torch.stack(self.path) / self.side
        self._outline()

    def _outline(self):
        """Compares each frame's mask, at the templates' scale, with every outline in every turn."""
        grid = (torch.arange(SIDE) + 0.5) / SIDE * 2 - 1
        ys, xs = torch.meshgrid(grid, grid, indexing="ij")
        height, width = self.mask.shape[1:]
        half = torch.sqrt(self.areas * 4 / 0.9) / 2  # pixels
        x = (self.path[:, 0] * self.side + 0.5).view(-1, 1, 1) + xs * half.view(-1, 1, 1)
        y = (self.path[:, 1] * self.side + 0.5).view(-1, 1, 1) + ys * half.view(-1, 1, 1)
        at = torch.stack((x / width * 2 - 1, y / height * 2 - 1), -1)
        seen = F.grid_sample(self.mask.float()[:, None], at, align_corners=False)[:, 0]
        flat, known = seen.flatten(1), TEMPLATES.flatten(2)
        both = torch.einsum("tp,snp->tsn", flat, known)
        overlap = both / (flat.sum(1)[:, None, None] + known.sum(-1) - both)
        self.fit, self.turn = overlap.max(-1)  # [T, shapes]
        self.shape = world.SHAPES[int(self.fit.mean(0).argmax())]

    def colour(self, part):
        """Of `part` of the frames: the one that most of the inside is nearest to."""
        inside = -F.max_pool2d(-self.mask.float()[:, None], 3, 1, 1)[:, 0] > 0
        inside = inside if inside[part].any() else self.mask
        pixels = self.frames.permute(0, 2, 3, 1)[part][inside[part]]
        return NAMES[int(nearest(pixels).bincount(minlength=len(NAMES)).argmax())] if len(pixels) else ""

    @property
    def motion(self):
        path = self.path
        smooth = (path[:-2] + path[1:-1] + path[2:]) / 3
        steps = smooth[1:] - smooth[:-1]
        length, net = steps.norm(dim=1).sum().item(), (smooth[-1] - smooth[0]).tolist()
        straight = math.hypot(*net)
        if (smooth - smooth.mean(0)).norm(dim=1).max() < 0.045:
            return "still"
        if straight > 0.7 * length and straight > 0.07:
            ways = {k: (x * net[0] + y * net[1]) / math.hypot(x, y) for k, (x, y) in world.DIRECTIONS.items()}
            return max(ways, key=ways.get)
        across, along = (smooth.amax(0) - smooth.amin(0)).tolist()
        return "circling" if across > 0.5 * along else "bouncing"

    @property
    def effect(self):
        count = len(self.areas)
        third = max(1, count // 4)
        radius = self.areas.sqrt()
        first, last = radius[:third].mean(), radius[-third:].mean()
        if self.colour(slice(0, third)) != self.colour(slice(-third, None)):
            return "changing"
        if radius.max() > 1.3 * radius.min() and self._swings(radius) >= 3:
            return "pulsing"
        if last > 1.3 * first:
            return "growing"
        if first > 1.3 * last:
            return "shrinking"
        return "spinning" if self._spins() else "none"

    def _swings(self, values):
        middle = (values.max() + values.min()) / 2
        return int(((values[1:] > middle) != (values[:-1] > middle)).sum())

    def _spins(self):
        """Whether the turn that fits best goes round by a sixth or more."""
        fold = {"square": 4, "cross": 4, "triangle": 3, "star": 5}.get(self.shape)
        if not fold:
            return False
        period = TURNS / fold
        turn = self.turn[:, world.SHAPES.index(self.shape)].float()
        steps = (turn[1:] - turn[:-1] + period / 2) % period - period / 2
        return abs(steps.sum().item()) > TURNS / 6


def see_one(frames):
    return Seen(frames, bright(frames))


def see_colour(frames, colour):
    """The thing of one colour among several."""
    mask = bright(frames)
    mask &= nearest(frames.permute(0, 2, 3, 1)) == NAMES.index(colour)
    opened = F.max_pool2d(-F.max_pool2d(-mask.float()[:, None], 3, 1, 1), 3, 1, 1)[:, 0] > 0
    return Seen(frames, mask & opened)


def verdict(frames, scene):
    """Right or wrong, by attribute, of a clip that was to show `scene`."""
    if len(scene.shapes) == 1:
        wanted, seen = scene.shapes[0], see_one(frames)
        if not seen.there:
            return dict.fromkeys(("colour", "shape", "motion", "effect"), False)
        quarter = max(1, len(frames) // 4)
        first, last = seen.colour(slice(0, quarter)), seen.colour(slice(-quarter, None))
        return {
            "colour": first == wanted.colour and last == (wanted.colour_2 or wanted.colour),
            "shape": seen.alone and seen.shape == wanted.shape,
            "motion": seen.motion == wanted.motion,
            "effect": seen.effect == wanted.effect,
        }
    found = [see_colour(frames, s.colour) for s in scene.shapes]
    if not all(s.there for s in found):
        return dict.fromkeys(("colour", "shape", "layout", "motion"), False)
    axis = 0 if scene.extra["layout"] == "beside" else 1
    gaps = found[1].path[:, axis] - found[0].path[:, axis]
    if scene.relation == "own":
        moved = all(s.motion == w.motion for s, w in zip(found, scene.shapes))
    else:
        moved = bool((gaps[-1] - gaps[0]) * (1 if scene.relation == "apart" else -1) > 0.1)
    return {
        "colour": True,
        "shape": all(s.shape == w.shape for s, w in zip(found, scene.shapes)),
        "layout": bool(gaps.mean() > 0.05),
        "motion": moved,
    }
