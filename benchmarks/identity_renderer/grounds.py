"""What is behind the words: plain or patterned grounds, logo shapes, badges and barcodes."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from identity_renderer.design import BLACK, WHITE, Ink, mix, readable_on
from identity_renderer.lettering import Box, Lettering, draw_text


def paint_ground(image: Image.Image, pattern: str, ground: Ink, accent: Ink, share: float) -> None:
    """Fill an image with a pattern of two colours; `share` (0 to 1) moves what the pattern leaves free."""
    width, height = image.size
    image.paste(ground, (0, 0, width, height))
    draw = ImageDraw.Draw(image)
    line = height * (0.35 + 0.4 * share)
    if pattern == "fade":
        ramp = Image.linear_gradient("L").resize((width, height))
        image.paste(Image.composite(Image.new("RGB", image.size, accent), image, ramp.point(lambda v: int(v * 0.8))))
    elif pattern == "halves":
        draw.rectangle((0, line, width, height), fill=accent)
    elif pattern == "diagonal":
        draw.polygon(
            [(0, line + height * 0.15), (width, line - height * 0.15), (width, height), (0, height)], fill=accent
        )
    elif pattern == "wave":
        step = max(width // 40, 1)
        edge = [(x, line + height * 0.05 * math.sin(x / width * 2 * math.pi)) for x in range(0, width + step, step)]
        draw.polygon([*edge, (width, height), (0, height)], fill=accent)
    elif pattern == "frame":
        inset = min(width, height) * (0.03 + 0.03 * share)
        draw.rectangle((inset, inset, width - inset, height - inset), outline=accent, width=max(round(inset / 2), 1))
    elif pattern == "arch":
        draw.ellipse((-width * 0.3, -height * 0.4, width * 1.3, line), fill=accent)
    else:
        _paint_repeats(draw, width, height, pattern, mix(ground, accent, 0.25 + 0.35 * share))


def _paint_repeats(draw: ImageDraw.ImageDraw, width: int, height: int, pattern: str, ink: Ink) -> None:
    pitch = max(width // 12, 6)
    if pattern == "stripes":
        for x in range(0, width, pitch):
            draw.rectangle((x, 0, x + pitch // 2, height), fill=ink)
    elif pattern == "dots":
        for row, y in enumerate(range(0, height, pitch)):
            for x in range(pitch // 2 * (row % 2), width, pitch):
                draw.ellipse((x, y, x + pitch // 2, y + pitch // 2), fill=ink)
    elif pattern == "rays":
        reach = width + height
        for number in range(14):
            angles = [math.tau * (number + k) / 14 for k in (0, 0.5)]
            rim = [(width / 2 + reach * math.cos(a), height * 0.55 + reach * math.sin(a)) for a in angles]
            draw.polygon([(width / 2, height * 0.55), *rim], fill=ink)


def paint_logo_shape(image: Image.Image, box: Box, shape: str, ink: Ink, rim: Ink) -> Box:
    """Draw the shape behind a brand's name and return the box that the name may fill."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    draw = ImageDraw.Draw(image)
    line = max(round(min(width, height) * 0.04), 1)
    if shape == "none" or width < 12 or height < 12:
        return box
    if shape in ("ellipse", "circle"):
        draw.ellipse(box, fill=ink, outline=rim, width=line)
        return left + width // 8, top + height // 5, right - width // 8, bottom - height // 5
    if shape == "banner":
        notch = height // 4
        points = [(left, top), (right, top), (right - notch, top + height // 2), (right, bottom), (left, bottom)]
        draw.polygon([*points, (left + notch, top + height // 2)], fill=ink)
    elif shape == "pill":
        draw.rounded_rectangle(box, height // 2, fill=ink, outline=rim, width=line)
    elif shape == "shield":
        low = bottom - height // 4
        draw.polygon([(left, top), (right, top), (right, low), (left + width // 2, bottom), (left, low)], fill=ink)
        return left + width // 12, top + height // 12, right - width // 12, low
    else:
        draw.rectangle(box, fill=ink, outline=rim, width=line)
    return left + width // 9, top + height // 7, right - width // 9, bottom - height // 7


def paint_badge(image: Image.Image, x: float, y: float, radius: float, text: str, ink: Ink, face: str) -> None:
    """Draw a round or star-shaped mark with a word; the word decides which."""
    draw = ImageDraw.Draw(image)
    if len(text) % 2:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=ink)
    else:
        rim = [(radius * (1 if k % 2 else 0.82), math.pi * k / 12) for k in range(24)]
        draw.polygon([(x + r * math.cos(a), y + r * math.sin(a)) for r, a in rim], fill=ink)
    half = radius * 0.68
    box = (round(x - half), round(y - half * 0.7), round(x + half), round(y + half * 0.7))
    draw_text(image, box, text, Lettering(face, readable_on(ink)))


def paint_barcode(image: Image.Image, box: Box, code: int, face: str) -> None:
    """Draw bars that follow a number's digits, on white, with the number under them."""
    left, top, right, bottom = box
    if right - left < 16 or bottom - top < 10:
        return
    draw = ImageDraw.Draw(image)
    draw.rectangle(box, fill=WHITE)
    digits = f"{code:012d}"
    widths = [1, 1, 1] + [1 + (int(digit) * 7 + place * 3) % 3 for digit in digits for place in range(4)] + [1, 1, 1]
    unit = (right - left) * 0.9 / sum(widths)
    x, low = left + (right - left) * 0.05, bottom - (bottom - top) * 0.2
    for number, wide in enumerate(widths):
        if number % 2 == 0:
            draw.rectangle((x, top + 2, x + max(wide * unit - 1, 0), low), fill=BLACK)
        x += wide * unit
    draw_text(image, (left + 2, round(low) + 1, right - 2, bottom), digits, Lettering(face, BLACK))
