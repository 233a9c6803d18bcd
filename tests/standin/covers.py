"""Covers that the stand-in draws, as SVG: a scene in flat colours, the title, and who made it when.

All of a cover follows from id, title and credit. Coordinates are those of a drawing of 300 × 450.
"""

from collections.abc import Callable
from html import escape
from math import cos, pi, sin
from random import Random
from typing import NamedTuple
from unicodedata import east_asian_width

WIDTH, HEIGHT = 300, 450
MARGIN = 16
LARGEST, SMALLEST = 54, 24
"""Sizes of a title's letters."""
TITLE_HEIGHT = 118
"""Room for all its lines."""
MOST_LETTERS = 130
"""Of a title; so many have no room, even narrow ones."""
LEADING = 1.06
WIDTHS = dict.fromkeys("iljI.,:;'!|()[] ", 0.36) | dict.fromkeys("mwMW@%", 0.92)
"""Of the letters that differ most, in units of their size."""


class Palette(NamedTuple):
    """Colours of a cover, and what each is for."""

    sky: str
    glow: str
    far: str
    near: str
    ink: str
    accent: str
    light: str


PALETTES = tuple(
    Palette(*("#" + colour for colour in line.split()))
    for line in (
        "2b2d6e f27d72 7a4b91 43286b 1d1238 ffd166 fff4e0",
        "1f7fd6 bfeaff 58b98f 227a68 10394a ffffff ffffff",
        "7a0f1d f2542d a8202c 5a0d18 26050a ffe08a fff6e5",
        "0d2b3e 2a9d8f 1c5566 11384a 071722 f4e285 f3fff7",
        "1d0b45 e0358a 55208a 2c1060 100525 4df0e2 fdf2ff",
        "f59bbd ffe6ee e8739d a4487d 4a1f45 ff4f81 ffffff",
        "d9822b ffe9ad c0692a 7d3d1b 381a0c d7263d fffaf0",
        "1d46c4 8fc1ff 3565e0 17318c 0b1742 fde047 ffffff",
        "0f766e fdc48a 3b9488 17524f 082a2b ff6b35 fffbf0",
        "dcd6cb f6f2ea b3aaa0 6b635c 201d1b d7263d ffffff",
        "5b4bc4 e9d8ff 8a77dd 4a37a0 211659 ffe45c ffffff",
        "26262e 5b5b69 3c3c47 24242b 0a0a0d ffd60a ffffff",
    )
)
SKINS = ("#ffe3cf", "#fbd3b4", "#f0bd98", "#c98d66")
HAIRS = ("#22202b", "#4a2c23", "#8c4a2b", "#e0a83e", "#d65f6f", "#5d7fc9", "#cfd3e6", "#7a4ea3", "#2f8f83")

BACK_HAIR = (
    "M-66 0Q-86 110 -74 190H74Q86 110 66 0Z",
    "M-66 0Q-74 60 -52 74H52Q74 60 66 0Z",
    "M-64 0V60H64V0ZM-54 -56L-86 -70Q-136 20 -104 160Q-70 90 -66 0ZM54 -56L86 -70Q136 20 104 160Q70 90 66 0Z",
    "M-60 0Q-62 40 -46 56H46Q62 40 60 0ZM20 -60Q120 -96 116 30Q112 104 84 140Q96 40 40 -30Z",
    "M-50 -50L-96 -58L-74 -24L-98 14L-68 20L-72 54H72L68 20L98 14L74 -24L96 -58L50 -50L34 -104L8 -74L-22 -108Z",
)
"""Long, short, in two tails, in one, and spiky."""
FRINGES = (
    "M-64 34Q-78 -82 0 -84Q78 -82 64 34L50 -8L44 14L24 -22L10 10L-8 -24L-20 12L-34 -16L-46 16L-52 -4Z",
    "M-64 40Q-78 -84 0 -84Q78 -84 64 40L52 0Q10 -6 -14 -44Q-30 -4 -52 6Z",
    "M-64 44Q-76 -84 0 -84Q76 -84 64 44L52 2H-52Z",
)
FIGURES = (
    """M-9 -98L-14 -112L-4 -108L0 -118L6 -108L14 -111L10 -97Q12 -88 3 -84L16 -80Q22 -60 44 -34L60 -22L30 -26L22 -40V-4
    H12L6 -40H-2L-8 0H-18L-14 -44L-26 -18L-34 -20L-20 -62Q-18 -78 -4 -84Q-12 -88 -9 -98Z
    M-30 -22L-72 10L-70 13L-28 -18Z""",
    """M0 -114Q16 -114 14 -96Q24 -74 18 -56L12 -72L10 -58L24 -30H12V0H4V-30H-2V0H-10V-30H-22L-8 -58L-14 -36L-20 -38
    L-12 -74Q-12 -82 -4 -85Q-14 -92 -13 -100Q-12 -114 0 -114Z""",
    """M0 -114Q13 -114 12 -99Q11 -90 5 -86Q17 -84 18 -70L22 -40H16L13 -60V-44L14 0H4L1 -38L-3 0H-13V-60L-24 -66Q-14 -86
    -4 -86Q-12 -92 -11 -101Q-10 -114 0 -114ZM14 -66L40 -58L36 -36L16 -42Z""",
)
"""People from their feet up: in a coat with a sword, in a skirt, with a bag."""
FAINT = 'fill-opacity=".3"'


def shape(fill: str, d: str, more: str = "") -> str:
    return f'<path d="{d}" fill="{fill}" {more}/>'


def disc(fill: str, x: float, y: float, radius: float, more: str = "") -> str:
    return f'<circle cx="{x:.0f}" cy="{y:.0f}" r="{radius:.1f}" fill="{fill}" {more}/>'


def box(x: float, y: float, width: float, height: float) -> str:
    """A rectangle as part of a path."""
    return f"M{x:.0f} {y:.0f}h{width:.0f}v{height:.0f}h{-width:.0f}Z"


def at(x: float, y: float, scale: float, drawing: str) -> str:
    """A drawing elsewhere; below zero, it faces the other way."""
    return f'<g transform="translate({x:.0f} {y:.0f}) scale({scale:.2f} {abs(scale):.2f})">{drawing}</g>'


def ridge(chance: Random, fill: str, level: float, rough: float) -> str:
    tops = (f"L{35 * i} {level + chance.uniform(0.3, 1) * rough * (-1) ** i:.0f}" for i in range(10))
    return shape(fill, f"M0 450{''.join(tops)}V450Z")


def stars(chance: Random, fill: str, number: int) -> str:
    spots = ((chance.uniform(0, 300), chance.uniform(0, 300), chance.choice((1, 1, 1.6, 2.4))) for _ in range(number))
    return "".join(disc(fill, x, y, radius) for x, y, radius in spots)


def petals(chance: Random, fill: str, number: int) -> str:
    petal = shape(fill, "M0 0Q9 -10 16 0Q9 8 0 0Z", f'transform="rotate({chance.randrange(360)})"')
    return "".join(
        at(chance.uniform(0, 300), chance.uniform(0, 450), chance.choice((-1, 1)) * chance.uniform(0.5, 1.4), petal)
        for _ in range(number)
    )


def rays(fill: str, number: int) -> str:
    turns = [pi * i / number for i in range(2 * number)]
    ends = [f"L{150 + 400 * cos(turn):.0f} {200 + 400 * sin(turn):.0f}" for turn in turns]
    return shape(fill, "".join(f"M150 200{a}{b}Z" for a, b in zip(ends[::2], ends[1::2], strict=True)))


def figure(chance: Random, fill: str, x: float, y: float, scale: float) -> str:
    return at(x, y, scale, shape(fill, chance.choice(FIGURES)))


def bust(p: Palette, chance: Random, x: float, y: float, scale: float) -> str:
    """A person from the chest up, the middle of whose face is there."""
    hair, skin = chance.choice(HAIRS), chance.choice(SKINS)
    coat, trim = chance.choice(((p.near, p.accent), (p.light, p.near), (p.accent, p.ink), (p.ink, p.accent)))
    eye = (
        f'<ellipse rx="11" ry="15" fill="{p.ink}"/>'
        + shape(chance.choice((p.accent, p.far, p.sky)), "M-9 5A9 10 0 0 0 9 5Z")
        + disc("#fff", -3, -5, 3.6)
        + shape(p.ink, "M-15 -9Q0 -24 15 -9Q0 -16 -15 -9Z")
    )
    mouth = chance.choice(("M-8 50Q0 56 8 50", "M-6 52H6", "M-9 48H9Q0 66 -9 48Z"))
    drawing = (
        shape(hair, chance.choice(BACK_HAIR))
        + shape(coat, "M-22 84Q-96 96 -112 260H112Q96 96 22 84Z")
        + shape(skin, "M-22 40V86L0 128L22 86V40Z")
        + shape("#000", "M-22 66Q0 84 22 60V78Q0 96 -22 82Z", FAINT)
        + shape(trim, "M-24 82L-52 92L-8 160L0 128ZM24 82L52 92L8 160L0 128Z")
        + shape(skin, "M-54 -20Q-58 34 -34 56Q-12 76 0 76Q12 76 34 56Q58 34 54 -20Q0 -80 -54 -20Z")
        + at(-25, 22, 1, eye)
        + at(25, 22, -1, eye)
        + shape("#a8423f" if "Z" in mouth else "none", mouth, f'stroke="{p.ink}" stroke-width="2.5"')
        + shape("#f0607a", "M-47 42a8 6 0 0 0 16 0a8 6 0 0 0 -16 0M31 42a8 6 0 0 0 16 0a8 6 0 0 0 -16 0", FAINT)
        + shape(hair, chance.choice(FRINGES))
        + shape("#fff", "M-44 -40Q0 -72 44 -40Q0 -56 -44 -40Z", FAINT)
    )
    return at(x, y, scale, drawing)


def mountains(p: Palette, chance: Random) -> str:
    drawn = disc(p.accent, chance.uniform(80, 220), 140, 66) + ridge(chance, p.far, 220, 40)
    drawn += ridge(chance, p.near, 270, 26) + figure(chance, p.ink, chance.uniform(90, 210), 312, 1.1)
    return drawn + ridge(chance, p.ink, 312, 8)


def night(p: Palette, chance: Random) -> str:
    def houses(fill: str, window: str, level: float) -> str:
        x, walls, windows = -10, "", ""
        while x < WIDTH:
            wide, top = chance.randrange(28, 56), level - chance.randrange(90)
            walls += box(x, top, wide, HEIGHT - top)
            spots = ((column, row) for column in range(6, wide - 6, 10) for row in range(10, 120, 14))
            windows += "".join(box(x + column, top + row, 5, 7) for column, row in spots if chance.random() < 0.3)
            x += wide
        return shape(fill, walls) + shape(window, windows)

    moon = disc(p.accent, chance.uniform(90, 210), 110, 72)
    far = stars(chance, p.light, 60) + moon + houses(p.far, p.glow, 230) + houses(p.near, p.accent, 310)
    return far + shape(p.ink, "M0 318H200V450H0Z") + figure(chance, p.ink, 110, 320, 1.5)


def portrait(p: Palette, chance: Random) -> str:
    behind = chance.choice((
        disc(p.light, 150, 190, 138) + disc(p.accent, 150, 190, 128),
        rays(p.far, 10),
        petals(chance, p.far, 30) + disc(p.light, 150, 190, 125, 'fill-opacity=".35"'),
        shape(p.far, "".join(f"M{x} -90h40l-192 540h-40Z" for x in range(0, 520, 80))),
    ))  # fmt: skip
    return behind + petals(chance, p.light, 6) + bust(p, chance, 150, 205, chance.choice((1.25, -1.25)))


def rivals(p: Palette, chance: Random) -> str:
    halves = shape(p.far, "M0 -90H206L110 450H0Z") + shape(p.light, "M200 -90H212L116 450H104Z")
    return halves + bust(p, chance, 220, 165, 0.95) + bust(p, chance, 86, 220, -1.05)


def trio(p: Palette, chance: Random) -> str:
    behind = disc(p.far, 150, 170, 150) + disc(p.glow, 150, 170, 112)
    sides = bust(p, chance, 58, 195, 0.74) + bust(p, chance, 242, 195, -0.74)
    return behind + sides + bust(p, chance, 150, 200, 0.98)


def panels(p: Palette, chance: Random) -> str:
    drawn = ""
    for number, colour in enumerate(chance.sample((p.accent, p.far, p.glow, p.near), 4)):
        x, y = number % 2 * 150, number // 2 * 172
        panel = f"M{x} {y + 10}l150 -20v172l-150 20Z"
        inside = shape(colour, panel) + bust(p, chance, x + 75, y + 86, 0.74)
        drawn += f'<clipPath id="p{number}">{shape("", panel)}</clipPath><g clip-path="url(#p{number})">{inside}</g>'
        drawn += shape("none", panel, f'stroke="{p.light}" stroke-width="7"')
    return drawn


def waves(p: Palette, chance: Random) -> str:
    rings = ((p.near, 32), (p.light, 27), (p.far, 21), (p.light, 13), (p.near, 8))
    wave = "".join(disc(colour, 0, 0, radius) for colour, radius in rings)
    boat = shape(p.ink, "M-46 -14Q0 6 50 -18L36 8H-32ZM0 -16V-90L42 -28ZM-4 -20V-74L-30 -26Z")
    drawn = disc(p.accent, 150, 150, 100) + at(chance.uniform(110, 190), 206, 1.3, boat)
    return drawn + "".join(at(x - row % 2 * 30, 225 + 26 * row, 1, wave) for row in range(9) for x in range(0, 360, 60))


def blossom(p: Palette, chance: Random) -> str:
    turns = [2 * pi * i / 5 for i in range(5)]
    flower = "".join(disc(p.light, 9 * cos(turn), 9 * sin(turn), 7) for turn in turns) + disc(p.accent, 0, 0, 4)
    branch = (
        "M300 20Q220 40 170 90Q120 120 40 112Q130 134 186 100Q240 70 300 72ZM196 84Q180 130 140 156Q196 130 212 74Z"
    )
    drawn = disc(p.light, 120, 190, 90, 'fill-opacity=".45"') + shape(p.ink, branch) + at(142, 152, 1.5, flower)
    for i in range(10):
        drawn += at(44 + 27 * i, 116 - i * i + chance.uniform(-8, 8), chance.uniform(1, 1.8), flower)
    return drawn + figure(chance, p.ink, 120, 318, 1.3) + ridge(chance, p.near, 316, 6) + petals(chance, p.light, 30)


def battle(p: Palette, chance: Random) -> str:
    sides = figure(chance, p.near, 62, 312, 1.6) + figure(chance, p.near, 242, 312, -1.6)
    centre = figure(chance, p.ink, 150, 330, 2.3) + ridge(chance, p.ink, 314, 12)
    return rays(p.far, 16) + disc(p.accent, 150, 170, 100) + sides + centre


def space(p: Palette, chance: Random) -> str:
    half, ring = "M-150 0A150 34 0 0 {} 150 0", f'stroke="{p.accent}" stroke-width="10"'
    globe = disc(p.far, 0, 0, 92) + shape(p.near, "M-92 0A92 92 0 0 0 92 0Q0 70 -92 0Z")
    planet = shape("none", half.format(1), ring) + globe + shape("none", half.format(0), ring)
    turned = f'<g transform="rotate({chance.randrange(-30, 30)})">{planet}</g>'
    ship = shape(p.light, "M-60 10L20 -14L64 -6L24 8L-10 24L-26 12ZM-20 0L-44 -26L-6 -8Z")
    ship += shape(p.accent, "M-58 10L-130 34L-46 16Z")
    return stars(chance, p.light, 110) + at(150, 150, 0.95, turned) + at(chance.uniform(120, 200), 236, 1.1, ship)


def robot(p: Palette, chance: Random) -> str:
    parts = (
        (p.near, "M-150 280L-150 150L-96 96L-40 120H40L96 96L150 150V280Z"),
        (p.light, "M-150 150L-96 96L-70 150L-110 200ZM150 150L96 96L70 150L110 200Z"),
        (p.accent, "M-34 120H34L20 280H-20Z"),
        (p.light, "M-70 -40L-40 -96H40L70 -40L60 60L24 104H-24L-60 60Z"),
        (p.far, "M-70 -40L-20 -30L-24 104L-60 60ZM70 -40L20 -30L24 104L60 60Z"),
        (p.ink, "M-64 -18L-6 4V34L-58 22ZM64 -18L6 4V34L58 22ZM-16 62H16L10 92H-10Z"),
        (p.accent, "M-54 -6L-12 10V22L-50 14ZM54 -6L12 10V22L50 14ZM0 -60L-96 -142L-22 -94ZM0 -60L96 -142L22 -94Z"),
    )
    return rays(p.far, chance.randrange(8, 14)) + at(150, 185, 1.1, "".join(shape(*part) for part in parts))


def shrine(p: Palette, chance: Random) -> str:
    gate = "M-120 -150Q0 -128 120 -150L112 -122Q0 -106 -112 -122ZM-100 -100H100V-84H-100ZM-8 -112H8V-86H-8Z"
    gate += "M-78 -120H-58L-64 40H-86ZM58 -120H78L86 40H64Z"
    stairs = "".join(shape((p.near, p.far)[i % 2], box(84 - 9 * i, 280 + 20 * i, 132 + 18 * i, 20)) for i in range(9))
    drawn = stars(chance, p.light, 40) + disc(p.light, 150, 160, 84) + ridge(chance, p.near, 250, 24)
    drawn += shape(p.ink, "M0 280H300V450H0Z") + stairs + at(150, 248, 1.1, shape(p.accent, gate))
    return drawn + figure(chance, p.ink, 150, 304, 0.9) + petals(chance, p.glow, 16)


SCENES: tuple[Callable[[Palette, Random], str], ...] = (
    *(mountains, night, portrait, portrait, rivals, trio, panels),
    *(waves, blossom, battle, space, robot, shrine),
)
"""People fill covers more often than anything else."""


def width_of(text: str) -> float:
    """How wide a text is set, in units of its letters' size: about that of a bold sans serif."""
    return sum(
        WIDTHS.get(one) or (1.0 if east_asian_width(one) in "WF" else 0.74 if one.isupper() else 0.62) for one in text
    )


def printable(text: str) -> str:
    return "".join(one for one in " ".join(text.split()) if one.isprintable())


def set_title(title: str) -> tuple[float, list[str]]:
    """The size of a title's letters, as large as there is room, and its lines. What has no room is left out."""
    words = printable(title)[:MOST_LETTERS].split()
    while words:
        tried = (wrapped(words, limit) for limit in range(3, 24))
        room = WIDTH - 2 * MARGIN
        sizes = (
            (min(LARGEST, TITLE_HEIGHT / LEADING / len(one), room / max(map(width_of, one))), one) for one in tried
        )
        size, lines = max(sizes, key=lambda pair: (pair[0], -len(pair[1])))
        if size >= SMALLEST:
            return size, lines
        *before, last = words
        words = [*before[:-1], f"{before[-1]}…"] if before else [f"{last[: len(last) // 2]}…"]
    return LARGEST, []


def wrapped(words: list[str], limit: float) -> list[str]:
    lines = words[:1]
    for word in words[1:]:
        if width_of(longer := f"{lines[-1]} {word}") <= limit:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def lettering(p: Palette, chance: Random, title: str, credit: str, *, at_head: bool) -> str:
    """Title and credit; on a slanted band, or on a shade."""
    size, lines = set_title(title)
    height = size * LEADING * len(lines)
    top = HEIGHT - 38 - height
    anchor, x = chance.choice((("middle", WIDTH // 2), ("start", MARGIN)))
    face, banded = chance.choice(("sans-serif", "sans-serif", "serif")), chance.random() < 0.5
    is_red = p.accent[3] < "7"  # by its green: hard to read on a dark shade
    fill, edge = chance.choice(
        ((p.light, p.ink), (p.ink, p.light) if banded else (p.light if is_red else p.accent, p.ink))
    )
    if at_head:
        fill, edge = p.light, p.ink
        drawn = shape("url(#shade)", "M0 370H300V450H0Z")
        drawn += shape("url(#shade)", f"M0 {top - 50:.0f}H300V450H0Z", 'transform="rotate(180 150 225)"')
        top = MARGIN
    elif banded:
        drawn = shape(edge, f"M0 {top - 8:.0f}L300 {top - 22:.0f}V450H0Z")
    else:
        drawn = shape("url(#shade)", f"M0 {top - 70:.0f}H300V450H0Z")

    def line(text: str, y: float, size: float, edge: str) -> str:
        return (
            f'<text x="{x}" y="{y:.1f}" text-anchor="{anchor}" font-family="{face}" font-weight="900" fill="{fill}" '
            f'font-size="{size:.1f}" textLength="{width_of(text) * size:.1f}" lengthAdjust="spacingAndGlyphs" '
            f'stroke="{edge}" stroke-width="{size / 6:.1f}" stroke-linejoin="round" paint-order="stroke">'
            f"{escape(text)}</text>"
        )

    credit = printable(credit.upper())
    drawn += "".join(line(text, top + size * (LEADING * i + 0.86), size, edge) for i, text in enumerate(lines))
    small = min(14, (WIDTH - 2 * MARGIN) / max(1, width_of(credit)))
    return drawn + line(credit, HEIGHT - 16, small, "none")


def cover(anime_id: int, title: str, credit: str = "") -> str:
    """Draw a title's cover."""
    chance = Random(anime_id)
    p, scene = chance.choice(PALETTES), chance.choice(SCENES)
    sky = f'<stop stop-color="{p.sky}"/><stop offset=".75" stop-color="{p.glow}"/>'
    shade = f'<stop stop-color="{p.ink}" stop-opacity="0"/><stop offset=".75" stop-color="{p.ink}" stop-opacity=".9"/>'
    fades = "".join(
        f'<linearGradient id="{name}" x2="0" y2="1">{stops}</linearGradient>'
        for name, stops in (("sky", sky), ("shade", shade))
    )
    at_head = chance.random() < 0.25
    drawing = shape("url(#sky)", "M0 0H300V450H0Z") + at(0, 70 * at_head, 1, scene(p, chance))
    drawing += lettering(p, chance, title, credit, at_head=at_head)
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><defs>{fades}</defs>{drawing}</svg>'
