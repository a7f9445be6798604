"""Made-up words and numbers: brands, products, amounts and small print."""

from __future__ import annotations

import numpy as np

from identity_renderer.design import pick

_SINGLE = tuple("bcdfghjklmnprstvwyz")
ONSETS = (*_SINGLE, "br", "dr", "fl", "gr", "pl", "st", "tr", "sch", "ch", "qu", "sn")
# Plain letters: not every typeface has others.
VOWELS = ("a", "e", "i", "o", "u", "ai", "au", "ei", "oo", "ia", "y", "io", "a", "e", "o")
CODAS = ("", "", "", "l", "n", "r", "s", "x", "nt", "rk", "sh", "mp", "ll", "tt")
BADGES = (
    "NEW",
    "BIO",
    "2+1",
    "-25%",
    "PLUS",
    "XL",
    "ECO",
    "0%",
    "PRO",
    "100%",
    "VEGAN",
    "24h",
    "3 in 1",
    "TOP",
    "No. 1",
)


def make_word(rng: np.random.Generator, syllables: int) -> str:
    """Return a word of that many made-up syllables, lower case."""
    parts = [pick(rng, ONSETS) + pick(rng, VOWELS) for _ in range(syllables)]
    return "".join(parts) + pick(rng, CODAS)


def make_name(rng: np.random.Generator) -> str:
    """Return a brand's name: one or two short words in title, upper or lower case."""
    words = [make_word(rng, int(rng.integers(1, 4)))]
    if len(words[0]) < 7 and rng.random() < 0.35:
        words.append(make_word(rng, int(rng.integers(1, 3))))
    joint = pick(rng, (" ", " ", "-", " & ")) if len(words) > 1 else ""
    return set_case(rng, joint.join(words))


def set_case(rng: np.random.Generator, text: str) -> str:
    """Return a text in title case, capitals or (rarely) small letters."""
    draw = rng.random()
    return text.title() if draw < 0.5 else text.upper() if draw < 0.85 else text


def make_amount(rng: np.random.Generator, genre: str) -> str:
    """Return an amount as a package of that genre states it."""
    if genre == "food":
        return f"{pick(rng, (75, 100, 125, 150, 200, 250, 330, 400, 500, 750, 1000))} {pick(rng, ('g', 'ml'))}"
    if genre == "care":
        return f"{pick(rng, (50, 75, 150, 200, 300, 400, 650, 750))} ml"
    if genre == "book":
        return f"Vol. {rng.integers(1, 30)}"
    return pick(rng, ("{} W", "{} mm", "{} pcs", "M{}", "Nr. {}", "{} V", "A-{}")).format(int(rng.integers(2, 480)))


def make_lines(rng: np.random.Generator, count: int, letters: int) -> list[str]:
    """Return lines of small print, each about `letters` long."""
    vocabulary = [make_word(rng, int(rng.integers(1, 4))) for _ in range(16)]
    lines = []
    for _ in range(count):
        line = ""
        while len(line) < letters:
            line += pick(rng, vocabulary) + pick(rng, (" ", " ", ", "))
        lines.append(line[:letters].rstrip(" ,").capitalize())
    return lines
