"""Free English for a scene of the demo world: `caption(rng, scene)`; `unseen_order=True` for word orders kept from training."""

import random

SYNONYMS = {
    "circle": ("circle", "circle", "disc", "round disc", "ball", "filled circle"),
    "square": ("square", "square", "box", "square block"),
    "triangle": ("triangle", "triangle", "three-sided shape"),
    "star": ("star", "star", "five-pointed star"),
    "cross": ("cross", "cross", "plus sign", "plus"),
    "ring": ("ring", "ring", "hoop", "hollow circle", "donut"),
}
COLOUR_WORDS = {
    "red": ("red", "red", "bright red", "crimson"),
    "orange": ("orange", "orange", "bright orange"),
    "yellow": ("yellow", "yellow", "golden yellow"),
    "green": ("green", "green", "grass green"),
    "teal": ("teal", "teal", "turquoise", "cyan"),
    "blue": ("blue", "blue", "bright blue"),
    "purple": ("purple", "purple", "violet"),
    "pink": ("pink", "pink", "light pink"),
    "white": ("white", "white", "snow white"),
}
SIZE_WORDS = {
    "small": ("small", "little", "tiny"),
    "medium": ("", "", "medium-sized", "mid-sized"),
    "large": ("large", "big", "huge"),
}
TINT_WORDS = {
    "grey": ("grey", "dark grey", "gray"),
    "navy": ("navy", "dark blue", "midnight blue"),
    "maroon": ("maroon", "dark red", "wine-coloured"),
    "forest": ("dark green", "forest green"),
    "plum": ("plum", "dark purple"),
}
PLACES = {
    "plain": ("plain {t}background", "{t}backdrop", "flat {t}background", "plain {t}wall"),
    "gradient": ("{t}gradient", "{t}background that fades from dark to light", "shaded {t}background"),
    "stripes": ("striped {t}background", "{t}background with stripes", "{t}stripes", "striped {t}wall"),
    "stars": ("starry {t}sky", "{t}sky full of stars", "{t}night sky with tiny stars", "{t}starry background"),
}
WAYS = {
    "left": ("left", "to the left", "leftwards", "towards the left side", "from right to left"),
    "right": ("right", "to the right", "rightwards", "towards the right side", "from left to right"),
    "up": ("up", "upwards", "to the top", "from bottom to top"),
    "down": ("down", "downwards", "to the bottom", "from top to bottom"),
    "up-left": ("up and to the left", "diagonally up left", "to the upper left", "towards the top left corner"),
    "up-right": ("up and to the right", "diagonally up right", "to the upper right", "towards the top right corner"),
    "down-left": ("down and to the left", "diagonally down left", "to the lower left", "towards the bottom left corner"),
    "down-right": (
        "down and to the right",
        "diagonally down right",
        "to the lower right",
        "towards the bottom right corner",
    ),
}
# (third person, -ing form) of what goes somewhere; rises and falls need no way.
GOING = (
    ("moves", "moving"),
    ("moves", "moving"),
    ("drifts", "drifting"),
    ("slides", "sliding"),
    ("glides", "gliding"),
    ("travels", "travelling"),
    ("floats", "floating"),
    ("flies", "flying"),
    ("goes", "going"),
)
IN_PLACE = {
    "still": (
        ("stands still", "standing still"),
        ("does not move", "not moving"),
        ("stays in place", "staying in place"),
        ("rests", "resting"),
    ),
    "circling": (
        ("moves in a circle", "moving in a circle"),
        ("goes round and round", "going round and round"),
        ("circles around", "circling around"),
        ("orbits the middle", "orbiting the middle"),
    ),
    "bouncing": (
        ("bounces", "bouncing"),
        ("bounces up and down", "bouncing up and down"),
        ("hops up and down", "hopping up and down"),
        ("jumps up and down", "jumping up and down"),
    ),
}
EFFECT_VERBS = {
    "spinning": (("spins", "spinning"), ("rotates", "rotating"), ("turns around itself", "turning around itself")),
    "growing": (("grows", "growing"), ("gets bigger", "getting bigger"), ("becomes larger", "becoming larger")),
    "shrinking": (("shrinks", "shrinking"), ("gets smaller", "getting smaller"), ("becomes smaller", "becoming smaller")),
    "pulsing": (("pulses", "pulsing"), ("throbs", "throbbing"), ("pulsates", "pulsating")),
    "changing": (
        ("turns {c}", "turning {c}"),
        ("changes its colour to {c}", "changing its colour to {c}"),
        ("becomes {c}", "becoming {c}"),
    ),
}


class Writer:
    def __init__(self, rng):
        self.rng = rng
        self.told = {}  # which attributes the caption tells

    def pick(self, options):
        return self.rng.choice(options)

    def chance(self, share):
        return self.rng.random() < share

    def noun(self, s, article=True, size=None):
        """'a small red star'"""
        size_word = self.pick(SIZE_WORDS[s.size]) if (self.chance(0.5) if size is None else size) else ""
        words = " ".join(w for w in (size_word, self.pick(COLOUR_WORDS[s.colour]), self.pick(SYNONYMS[s.shape])) if w)
        if size_word:
            self.told["size"] = s.size
        if not article:
            return words
        an = "an" if words[0] in "aeiou" else "a"
        return f"{self.pick((an, an, an, 'the', 'one', 'a single') if an == 'a' else (an, an, 'the', 'one'))} {words}"

    def going(self, s):
        """(verb, -ing form, way)"""
        if s.motion in IN_PLACE:
            verb, ing = self.pick(IN_PLACE[s.motion])
            return verb, ing, ""
        if s.motion == "up" and self.chance(0.25):
            return self.pick((("rises", "rising", ""), ("climbs", "climbing", "")))
        if s.motion == "down" and self.chance(0.25):
            return self.pick((("falls", "falling", ""), ("sinks", "sinking", ""), ("drops", "dropping", "")))
        verb, ing = self.pick(GOING)
        return verb, ing, self.pick(WAYS[s.motion])

    def effect(self, s):
        if s.effect == "none":
            return "", ""
        verb, ing = self.pick(EFFECT_VERBS[s.effect])
        colour = self.pick(COLOUR_WORDS[s.colour_2]) if s.colour_2 else ""
        return verb.format(c=colour), ing.format(c=colour)

    def place(self, scene):
        """'a striped background', or ''"""
        if self.chance(0.35):
            return ""
        tint = ""
        if self.chance(0.5):
            tint = self.pick(TINT_WORDS[scene.tint]) + " "
            self.told["tint"] = scene.tint
        self.told["background"] = scene.background
        text = self.pick(PLACES[scene.background]).format(t=tint)
        if text.endswith("stripes"):
            return text
        return ("an " if text[0] in "aeiou" else "a ") + text

    def on(self, scene):
        place = self.place(scene)
        return f"{self.pick(('on', 'in front of', 'against', 'over'))} {place}" if place else ""


def _join(*parts):
    return " ".join(p for p in parts if p)


def _one(w, scene):
    s = scene.shapes[0]
    verb, ing, way = w.going(s)
    effect, effect_ing = w.effect(s)
    on = w.on(scene)
    noun = w.noun(s)
    kind = w.rng.randrange(11)
    does = _join(verb, way)
    doing = _join(ing, way)
    if effect and s.motion == "still" and w.chance(0.6):
        does, doing, effect, effect_ing = effect, effect_ing, "", ""
    tail = ""
    if effect:
        tail = w.pick((f"while it {effect}", f"and {effect}", f"while {effect_ing}", f"as it {effect}", effect_ing))
    if kind == 0:
        return _join(noun, does, tail, on)
    if kind == 1:
        return _join(noun, on, does, tail)
    if kind == 2:
        return _join(on + ("," if on else ""), noun, does, tail)
    if kind == 3:
        return _join(noun, doing, ("and " + effect_ing) if effect else "", on)
    if kind == 4:
        return _join(w.pick(("there is", "we see", "a video of", "an animation of", "a clip of")), noun, doing, tail, on)
    if kind == 5:
        return _join(w.pick(("there is", "here is", "we see")), noun, on, w.pick(("that", "which")), does, tail)
    if kind == 6:
        return _join(doing + ",", noun, (f"{effect} too") if effect else "is seen", on)
    if kind == 7:
        parts = [w.noun(s, article=False), doing, effect_ing, w.place(scene)]
        w.rng.shuffle(parts)
        return ", ".join(p for p in parts if p)
    if kind == 8:
        shape, colour = w.pick(SYNONYMS[s.shape]), w.pick(COLOUR_WORDS[s.colour])
        return _join(f"the {shape} is {colour} and it {does}", tail, on)
    if kind == 9 and way:
        return _join(way, verb, noun, tail, on)
    return _join(noun, w.pick(("is", "keeps")), doing, tail, on)


def _one_unseen(w, scene):
    """Orders that no training caption has."""
    s = scene.shapes[0]
    verb, ing, way = w.going(s)
    effect, effect_ing = w.effect(s)
    on, kind = w.on(scene), w.rng.randrange(5)
    colour, shape = w.pick(COLOUR_WORDS[s.colour]), w.pick(SYNONYMS[s.shape])
    does, doing = _join(verb, way), _join(ing, way)
    if kind == 0:
        return _join(effect_ing + " and" if effect else "", doing, on, ": that is what", w.noun(s), "does")
    if kind == 1:
        return _join(f"{colour} is the colour of the {shape} that", does, f"and {effect}" if effect else "", on)
    if kind == 2:
        return _join("watch how, ", on, ",", f"a {shape} in {colour}", does, f", how it {effect}" if effect else "")
    if kind == 3:
        return _join(f"a {shape}, {colour} all over,", on, effect_ing, f"and {doing}" if effect else doing)
    return _join("something", doing, on, f"and {effect_ing}:" if effect else ":", w.noun(s))


def _two(w, scene):
    a, b = scene.shapes
    if w.chance(0.5):
        a, b = b, a
    swapped = a is not scene.shapes[0]
    beside = scene.extra["layout"] == "beside"
    words = (("to the left of", "left of"), ("to the right of", "right of")) if beside else (
        ("above", "over", "on top of"),
        ("below", "under", "beneath"),
    )
    where = w.pick(words[1 if swapped else 0])
    na, nb, on = w.noun(a, size=False), w.noun(b, size=False), w.on(scene)
    if scene.relation in ("apart", "together"):
        ways = {
            "apart": (("move apart", "moving apart"), ("drift away from each other", "drifting away from each other")),
            "together": (("move towards each other", "moving towards each other"), ("come together", "coming together")),
        }[scene.relation]
        verb, ing = w.pick(ways)
        kind = w.rng.randrange(4)
        if kind == 0:
            return _join(f"{na} {where} {nb},", ing, on)
        if kind == 1:
            return _join(f"{na} and {nb}", verb + ",", f"the {w.pick(SYNONYMS[a.shape])} is {where} the {w.pick(SYNONYMS[b.shape])}", on)
        if kind == 2 and a.shape == b.shape:
            shapes = {"circle": "circles", "cross": "crosses"}.get(a.shape, a.shape + "s")
            return _join(f"two {shapes}, {a.colour} {where} {b.colour},", verb, on)
        return _join(f"two shapes {verb}:", f"{na} {where} {nb}", on)
    (va, ia, wa), (vb, ib, wb) = w.going(a), w.going(b)
    if a.motion == b.motion and w.chance(0.7):
        return _join(f"{na} {where} {nb},", w.pick((f"both {_join(ia, wa)}", f"both of them {_join(ia, wa)}")), on)
    kind = w.rng.randrange(3)
    if kind == 0:
        return _join(f"{na} {_join(va, wa)} {where} {nb} that {_join(vb, wb)}", on)
    if kind == 1:
        return _join(f"{na} {_join(va, wa)} and {nb} {_join(vb, wb)},", f"the first {where} the second", on)
    return _join(f"{na} {where} {nb},", f"the {w.pick(SYNONYMS[a.shape])} {_join(va, wa)} while the {w.pick(SYNONYMS[b.shape])} {_join(vb, wb)}", on)


def _misspell(rng, text):
    at = rng.randrange(1, max(2, len(text) - 1))
    kind = rng.randrange(3)
    if kind == 0:
        return text[:at] + text[at + 1 :]
    if kind == 1:
        return text[: at - 1] + text[at : at + 1] + text[at - 1 : at] + text[at + 1 :]
    return text[:at] + rng.choice("abcdefghijklmnopqrstuvwxyz") + text[at:]


def caption(rng, scene, unseen_order=False, clean=False):
    """A caption, and what it tells beyond the shapes: a dict of size, background and tint.

    One in ten training captions has a slip of the pen, unless `clean`.
    """
    w = Writer(rng)
    if scene.relation:
        text = _two(w, scene)
    else:
        text = (_one_unseen if unseen_order else _one)(w, scene)
    text = text.replace(" ,", ",").replace(" :", ":").replace(",,", ",").replace(",:", ":").strip(" ,")
    if w.chance(0.7):
        text = text[0].upper() + text[1:]
    if w.chance(0.6):
        text += "."
    if not clean and w.chance(0.1):
        text = _misspell(rng, text)
    return text, w.told


if __name__ == "__main__":
    import world

    lines = random.Random(1)
    for index in range(40):
        scene_ = world.sample(lines, two=0.3)
        print(caption(lines, scene_, unseen_order=index % 4 == 0)[0])
