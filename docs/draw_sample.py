"""Draw docs/sample.jpg, the picture that `make demo` animates: `python docs/draw_sample.py`. Nothing else lives here.

Always the same picture: every random number comes from a seed. Drawn at twice its size, then halved, for clean edges.
"""
# ruff: noqa: INP001, S311 - a script, not a package; the dice place trees, they keep no secrets

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random

from PIL import Image, ImageChops, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
WIDTH, HEIGHT = 3840, 2560
SHORE = 1400  # where the lake begins
SUN = (1900, 1070)


def blend(a: Colour, b: Colour, part: float) -> Colour:
    red, green, blue = (round(x + (y - x) * part) for x, y in zip(a, b, strict=True))
    return red, green, blue


def gradient(stops: Sequence[tuple[float, Colour]], height: int) -> Image.Image:
    """Colours from top to bottom, full width."""
    column = Image.new("RGB", (1, height))
    for y in range(height):
        part = y / height
        below = next(i for i, (at, _) in enumerate(stops) if at >= part or i == len(stops) - 1)
        (low, first), (high, second) = stops[max(below - 1, 0)], stops[below]
        column.putpixel((0, y), blend(first, second, (part - low) / (high - low) if high > low else 0))
    return column.resize((WIDTH, height))


def noise(seed: int, cells: tuple[int, int], octaves: int, size: tuple[int, int]) -> Image.Image:
    """Smooth grey clouds of noise, finer with each octave."""
    total = Image.new("L", size, 128)
    for octave in range(octaves):
        across, down = cells[0] * 2**octave, cells[1] * 2**octave
        grains = Image.frombytes("L", (across, down), Random(seed + octave).randbytes(across * down))
        grains = grains.resize(size, Image.Resampling.BICUBIC)
        total = Image.blend(total, grains, 0.5 if octave == 0 else 0.5 / (octave + 0.6))
    return total


def ridge(seed: int, base: float, rough: float, detail: float) -> list[float]:
    """Heights of a skyline, one per pixel column, by midpoint displacement."""
    dice, points, swing = Random(seed), [0.0, 0.0], rough
    while len(points) < WIDTH:
        middles = [(a + b) / 2 + dice.uniform(-0.5 * swing, swing) for a, b in pairwise(points)]
        points = [value for pair in zip(points, middles, strict=False) for value in pair] + [points[-1]]
        swing *= detail
    step = (len(points) - 1) / WIDTH
    return [base - points[int(x * step)] for x in range(WIDTH)]


def below(line: Sequence[float], bottom: int) -> Image.Image:
    """Mask of everything under a skyline."""
    mask = Image.new("L", (WIDTH, HEIGHT), 0)
    edge = [(x, y) for x, y in enumerate(line)]
    ImageDraw.Draw(mask).polygon([(0, bottom), *edge, (WIDTH, bottom)], fill=255)
    return mask


def sky(picture: Image.Image) -> None:
    stops = [(0.0, (38, 70, 122)), (0.35, (94, 134, 178)), (0.68, (236, 186, 150)), (1.0, (255, 222, 170))]
    picture.paste(gradient(stops, SHORE), (0, 0))
    glow = Image.new("L", (WIDTH, HEIGHT), 0)
    draw = ImageDraw.Draw(glow)
    for radius, light in ((900, 45), (520, 90), (260, 150), (110, 255)):
        draw.ellipse((SUN[0] - radius, SUN[1] - radius, SUN[0] + radius, SUN[1] + radius), fill=light)
    glow = glow.resize((480, 320)).filter(ImageFilter.GaussianBlur(14)).resize(glow.size, Image.Resampling.BICUBIC)
    picture.paste((255, 236, 190), (0, 0), glow)
    shape = noise(11, (5, 9), 6, (WIDTH, 1150)).point([max(0, min(255, (value - 132) * 6)) for value in range(256)])
    fade = gradient([(0.0, (150, 150, 150)), (0.55, (210, 210, 210)), (1.0, (0, 0, 0))], 1150).convert("L")
    shape = ImageChops.multiply(shape, fade)
    lit = gradient([(0.0, (214, 206, 214)), (0.6, (255, 214, 186)), (1.0, (255, 230, 190))], 1150)
    picture.paste(ImageChops.multiply(lit, Image.new("RGB", lit.size, (205, 190, 205))), (0, 22), shape)
    picture.paste(lit, (0, 0), shape)


def mountains(picture: Image.Image) -> None:
    """Far to near: bluer and paler with distance, with gullies and snow."""
    layers = (
        (14, 950.0, 640.0, 0.52, (150, 160, 192), 0.30),
        (21, 1090.0, 240.0, 0.52, (112, 128, 166), 0.42),
        (48, 1210.0, 170.0, 0.53, (78, 102, 130), 0.5),
    )
    for index, (seed, base, rough, detail, colour, texture) in enumerate(layers):
        line = ridge(seed, base, rough, detail)
        mask = below(line, SHORE)
        rock = noise(seed + 70, (28, 12), 6, (WIDTH, HEIGHT)).rotate(24, Image.Resampling.BILINEAR, fillcolor=128)
        shade = Image.merge("RGB", [rock.point([round(c * (1 - texture + texture * v / 128)) for v in range(256)])
                                    for c in colour])  # fmt: skip
        picture.paste(shade, (0, 0), mask)
        if index == 0:
            snow(picture, line, rock)
        haze = gradient([(0.0, (0, 0, 0)), (0.62, (0, 0, 0)), (1.0, (150, 150, 150))], SHORE).convert("L")
        veil = Image.new("L", (WIDTH, HEIGHT), 0)
        veil.paste(haze, (0, 0))
        picture.paste((246, 208, 178), (0, 0), ImageChops.multiply(veil, mask))


def snow(picture: Image.Image, line: Sequence[float], rock: Image.Image) -> None:
    high = min(line)
    depth = [max(0.0, (high + 330 - y) * 0.55) for y in line]
    cap = below(line, SHORE)
    under = below([y + d for y, d in zip(line, depth, strict=True)], SHORE)
    cap = ImageChops.subtract(cap, under)
    patches = rock.point([0 if v < 112 else min(255, (v - 112) * 9) for v in range(256)])
    picture.paste((250, 240, 236), (0, 0), ImageChops.multiply(cap, patches))


def conifer(draw: ImageDraw.ImageDraw, dice: Random, foot: tuple[float, float], tall: float, colour: Colour) -> None:
    x, y = foot
    draw.line((x, y, x, y - tall), fill=blend(colour, (40, 26, 18), 0.6), width=max(2, round(tall / 45)))
    tiers = max(6, round(tall / 13))
    for tier in range(tiers):
        part = tier / tiers
        level = y - tall * (0.06 + 0.94 * part)
        reach = tall * 0.23 * (1 - part) ** 0.85 + tall * 0.012
        for side in (-1, 1):
            for _ in range(3):
                out = side * reach * dice.uniform(0.55, 1.1)
                drop = tall * dice.uniform(0.02, 0.06)
                lit = 0.32 * (side > 0) * dice.random()
                tone = blend(blend(colour, (4, 14, 14), dice.random() * 0.45), (206, 164, 96), lit)
                draw.polygon([(x, level - tall * 0.05), (x + out, level + drop), (x + out * 0.3, level + drop * 1.1)],
                             fill=tone)  # fmt: skip


def forests(picture: Image.Image) -> None:
    """Three wooded slopes towards the shore, each nearer, darker and taller."""
    dice, draw = Random(5), ImageDraw.Draw(picture)
    slopes: tuple[tuple[int, Callable[[float], float], tuple[float, float], Colour, int], ...] = (
        (90, lambda u: 1255 + 60 * math.sin(5 * u + 1), (34, 66), (70, 98, 104), 900),
        (91, lambda u: 1380 - 190 * max(0.0, 0.62 - u) ** 1.3 * 2, (60, 120), (44, 76, 70), 520),
        (92, lambda u: 1392 - 330 * max(0.0, u - 0.66) ** 1.2 * 2, (90, 190), (28, 58, 50), 420),
    )
    for seed, line, (low, high), colour, count in slopes:
        heights = [line(x / WIDTH) for x in range(WIDTH)]
        ground = noise(seed, (60, 40), 4, (WIDTH, HEIGHT))
        fill = Image.merge("RGB", [ground.point([round(c * (0.6 + 0.5 * v / 255)) for v in range(256)])
                                   for c in colour])  # fmt: skip
        picture.paste(fill, (0, 0), below(heights, SHORE))
        spots = sorted((dice.uniform(0, 1) ** 1.5, dice.randrange(WIDTH)) for _ in range(count))
        for down, x in spots:
            foot = heights[x] + (SHORE - heights[x]) * down
            if heights[x] < SHORE - 6:
                conifer(draw, dice, (x, foot + 4), dice.uniform(low, high), colour)


def cabin(picture: Image.Image) -> None:
    """Draw a lit window: it gives the eye a place to go."""
    draw, x, y = ImageDraw.Draw(picture), 1500, SHORE - 8
    draw.rectangle((x, y - 74, x + 150, y), fill=(74, 48, 36))
    for board in range(y - 70, y, 9):
        draw.line((x, board, x + 150, board), fill=(58, 36, 28), width=2)
    draw.polygon([(x - 22, y - 70), (x + 40, y - 140), (x + 118, y - 140), (x + 172, y - 70)], fill=(98, 56, 44))
    draw.rectangle((x + 112, y - 166, x + 130, y - 116), fill=(86, 70, 66))
    for left in (24, 98):
        draw.rectangle((x + left, y - 52, x + left + 30, y - 22), fill=(255, 214, 120))
        draw.line((x + left + 15, y - 52, x + left + 15, y - 22), fill=(90, 56, 40), width=3)
        draw.line((x + left, y - 37, x + left + 30, y - 37), fill=(90, 56, 40), width=3)
    draw.rectangle((x + 62, y - 50, x + 88, y), fill=(48, 30, 26))
    puff = Image.new("L", (WIDTH, HEIGHT), 0)
    smoke = ImageDraw.Draw(puff)
    for step in range(60):
        wide, at = 8 + step * 0.9, (x + 121 + step * 1.5 + 14 * math.sin(step / 7), y - 172 - step * 5.2)
        smoke.ellipse((at[0] - wide, at[1] - wide, at[0] + wide, at[1] + wide), fill=round(80 * (1 - step / 60)))
    picture.paste((240, 226, 220), (0, 0), puff.filter(ImageFilter.GaussianBlur(12)))


def lake(picture: Image.Image) -> None:
    """Mirror the land row by row, shaken more the nearer it is; darker below, with the sun's glitter."""
    dice, land = Random(8), picture.copy()
    tint = gradient([(0.0, (214, 214, 224)), (0.35, (150, 166, 190)), (1.0, (66, 96, 124))], HEIGHT - SHORE)
    for y in range(SHORE, HEIGHT):
        near = (y - SHORE) / (HEIGHT - SHORE)
        swing = 2 + 26 * near
        wave = math.sin(y * (0.55 - 0.42 * near)) + 0.6 * math.sin(y * (0.23 - 0.17 * near) + 1.3)
        source = round(SHORE - (y - SHORE) * 1.12 + swing * wave * 0.9)
        row = land.crop((0, max(0, min(SHORE - 1, source)), WIDTH, max(0, min(SHORE - 1, source)) + 1))
        picture.paste(ImageChops.offset(row, round(swing * 0.5 * math.sin(y * 0.31)), 0), (0, y))
    water = picture.crop((0, SHORE, WIDTH, HEIGHT))
    picture.paste(ImageChops.multiply(water, tint), (0, SHORE))
    draw = ImageDraw.Draw(picture, "RGBA")
    for _ in range(5200):
        near = dice.random() ** 1.6
        y, long = SHORE + 4 + near * (HEIGHT - SHORE), 6 + 90 * near * dice.random()
        x = dice.randrange(WIDTH)
        tone = (236, 214, 206, 42) if dice.random() < 0.5 else (22, 44, 72, 58)
        draw.line((x, y, x + long, y + dice.uniform(-1, 1)), fill=tone, width=1 + round(3 * near))
    for _ in range(1500):
        near = dice.random() ** 1.2
        y, spread = SHORE + 4 + near * 800, 40 + 330 * near
        middle, long = SUN[0] + dice.gauss(0, spread / 2), 6 + 44 * near * dice.random()
        draw.line(
            (middle - long, y, middle + long, y),
            fill=(255, 232, 184, dice.randrange(60, 190)),
            width=1 + round(3 * near),
        )


def boat(picture: Image.Image) -> None:
    draw, x, y = ImageDraw.Draw(picture, "RGBA"), 1130, 1790
    draw.ellipse((x - 40, y + 34, x + 370, y + 74), fill=(16, 34, 52, 110))
    for row in range(26):  # its reflection, broken by ripples
        shift, part = 9 * math.sin(row * 1.1), row / 26
        draw.line((x + 30 + 60 * part + shift, y + 62 + row * 3, x + 306 - 50 * part + shift, y + 62 + row * 3),
                  fill=(120, 34, 28, round(120 * (1 - part))), width=3)  # fmt: skip
    draw.polygon([(x, y - 12), (x + 350, y - 20), (x + 300, y + 56), (x + 52, y + 60)], fill=(164, 46, 36))
    draw.polygon([(x + 8, y + 4), (x + 340, y - 4), (x + 300, y + 56), (x + 52, y + 60)], fill=(132, 34, 30))
    draw.polygon([(x, y - 12), (x + 350, y - 20), (x + 322, y + 2), (x + 28, y + 8)], fill=(86, 54, 40))
    draw.line((x, y - 12, x + 350, y - 20), fill=(246, 230, 206), width=7)
    draw.line((x, y - 12, x + 28, y + 8, x + 322, y + 2, x + 350, y - 20), fill=(246, 230, 206), width=6)
    for seat in (96, 212):
        draw.polygon([(x + seat, y - 12), (x + seat + 34, y - 13), (x + seat + 28, y + 6), (x + seat - 6, y + 7)],
                     fill=(190, 142, 92))  # fmt: skip
    draw.line((x + 120, y - 4, x - 90, y + 44), fill=(196, 152, 104), width=8)
    draw.line((x - 60, y + 36, x - 112, y + 50), fill=(214, 174, 124), width=16)


def meadow(picture: Image.Image) -> None:
    """Grass blade by blade, far rows first, flowers among them."""
    dice, draw = Random(12), ImageDraw.Draw(picture)
    edge = [2330 - 150 * math.sin(1.1 + 3.1 * x / WIDTH) + 26 * math.sin(x / 170) for x in range(WIDTH)]
    picture.paste(gradient([(0.0, (70, 92, 44)), (0.9, (52, 74, 34)), (1.0, (22, 40, 22))], HEIGHT), (0, 0),
                  below(edge, HEIGHT))  # fmt: skip
    spots = sorted((dice.random() ** 0.8, dice.uniform(-40, WIDTH + 40)) for _ in range(15000))
    blooms = ((250, 244, 232), (244, 196, 70), (214, 88, 96), (150, 120, 214))
    for down, x in spots:
        top = edge[max(0, min(WIDTH - 1, round(x)))]
        y, tall = top + (HEIGHT + 60 - top) * down, (36 + 130 * down) * dice.uniform(0.5, 1.25)
        lean = dice.gauss(0.12, 0.28) * tall
        tone = blend(blend((62, 92, 40), (150, 158, 66), dice.random()), (16, 34, 20), 0.55 * down * dice.random())
        wide = 1.5 + 4.5 * down
        bend = (x + lean * 0.35, y - tall * 0.6)
        draw.polygon([(x - wide, y), (bend[0] - wide * 0.6, bend[1]), (x + lean, y - tall),
                      (bend[0] + wide * 0.6, bend[1]), (x + wide, y)], fill=tone)  # fmt: skip
        if dice.random() < 0.035:
            flower(draw, dice, (x + lean, y - tall), 5 + 13 * down, blooms[dice.randrange(len(blooms))])


def flower(draw: ImageDraw.ImageDraw, dice: Random, at: tuple[float, float], size: float, colour: Colour) -> None:
    turn = dice.random()
    for petal in range(6):
        angle = math.tau * (petal / 6 + turn)
        x, y = at[0] + size * math.cos(angle), at[1] + size * 0.7 * math.sin(angle)
        draw.ellipse((x - size * 0.62, y - size * 0.5, x + size * 0.62, y + size * 0.5), fill=colour)
    draw.ellipse((at[0] - size / 2, at[1] - size / 2, at[0] + size / 2, at[1] + size / 2), fill=(222, 158, 48))


def spruce(draw: ImageDraw.ImageDraw, dice: Random, foot: tuple[float, float], tall: float) -> None:
    """Draw a near tree: bough by bough, needle by needle, the lower ones first."""
    x, y = foot
    draw.polygon([(x - tall / 70, y), (x, y - tall), (x + tall / 70, y)], fill=(40, 28, 22))
    tiers = round(tall / 17)
    for tier in range(tiers):
        part = tier / tiers
        level = y - tall * (0.05 + 0.93 * part)
        for _ in range(7):
            reach = tall * (0.2 * (1 - part) ** 0.8 + 0.012) * dice.choice((-1, 1)) * dice.uniform(0.35, 1.15)
            bough(draw, dice, (x, level + dice.uniform(-12, 12)), reach)


def bough(draw: ImageDraw.ImageDraw, dice: Random, root: tuple[float, float], reach: float) -> None:
    """Draw one bough: it sinks, then lifts its tip; needles hang from it, those towards the sun warmer."""
    depth = dice.random()
    tone = blend((16, 40, 34), (44, 84, 56), depth)
    tone = blend(tone, (214, 176, 104), 0.3 * dice.random() * (reach > 0) * depth)
    steps = max(5, round(abs(reach) / 6))
    for step in range(steps + 1):
        out = step / steps
        x = root[0] + reach * out
        y = root[1] + abs(reach) * (0.5 * out - 0.22 * out * out)
        long = (10 + abs(reach) * 0.16) * (1.05 - out) * dice.uniform(0.6, 1.2) + 5
        shade = blend(tone, (8, 22, 20), 0.5 * dice.random())
        draw.line((x, y, x + reach / abs(reach) * long * 0.55, y + long), fill=shade, width=4)
        draw.line((x, y, x + reach / abs(reach) * long * 0.9, y + long * 0.35), fill=tone, width=3)


def frame_trees(picture: Image.Image) -> None:
    """Draw near spruces at the left edge: they give the picture its depth."""
    dice, draw = Random(31), ImageDraw.Draw(picture)
    for x, y, tall in ((690, 2290, 760), (430, 2330, 1290), (120, 2420, 1980)):
        spruce(draw, dice, (x, y), tall)


def main() -> None:
    picture = Image.new("RGB", (WIDTH, HEIGHT))
    for paint in (sky, mountains, forests, cabin, lake, boat, frame_trees, meadow):
        paint(picture)
    picture = picture.resize((WIDTH // 2, HEIGHT // 2), Image.Resampling.LANCZOS)
    picture.save(Path(__file__).with_name("sample.jpg"), quality=86, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
