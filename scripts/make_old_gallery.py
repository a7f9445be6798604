"""Write a small gallery as this version writes them, for the tests of later versions.

python scripts/make_old_gallery.py tests/old_galleries/VERSION.zip

The archive holds a catalogue, its gallery with corrections, a tag and a search index, two pictures that are no part of
it, and ``expected.json``: what this version answers. Given a second time it makes the same pictures and answers.
"""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from nearid_search import __version__
from nearid_search.config import AnnConfig, EncoderConfig
from nearid_search.encoder import open_encoder
from nearid_search.engine import SearchEngine
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.shipped_heads import NO_HEAD

SIDE, THINGS, VIEWS = 64, 4, 2


def main(archive: Path) -> None:
    """Make the gallery in a temporary folder and pack it."""
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary) / "shop"
        encoder = open_encoder(EncoderConfig(device="cpu", dtype="float32", head=NO_HEAD))  # a head is 8 MB
        make_gallery(home, encoder)
        (home / "expected.json").write_text(json.dumps(answers(home, encoder), indent=1) + "\n")
        archive.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
            for path in sorted(path for path in home.rglob("*") if path.is_file()):
                packed.writestr(zipfile.ZipInfo(path.relative_to(home).as_posix()), path.read_bytes())
    sys.stdout.write(f"{archive}: {archive.stat().st_size:,} bytes, as version {__version__} writes it\n")


def make_gallery(home: Path, encoder: ImageEncoder) -> None:
    """Index a catalogue with an identities table and correct it."""
    lines = ["path,identity,bin"]
    for thing in range(THINGS):
        for view in range(VIEWS):
            draw(home / "catalog" / f"{thing}-{view}.jpg", thing, view)
            lines.append(f"{thing}-{view}.jpg,thing-{thing},B{thing}")
    (home / "catalog.csv").write_text("\n".join(lines) + "\n")
    for name, thing in (("confirmed", 0), ("asked", 1)):
        draw(home / f"{name}.jpg", thing, VIEWS)
    folder = home / ".nearid"
    search = AnnConfig(backend="hnsw-sq8")
    index_catalogue(home / "catalog", gallery=folder, identities=home / "catalog.csv", encoder=encoder, search=search)
    corrections = Gallery.open(folder).corrections
    corrections.confirm(home / "confirmed.jpg", "thing-0", encoder=encoder, by="maker")
    corrections.tag("before")
    corrections.merge(["thing-2"], into="thing-3", by="maker")
    corrections.remove(home / "catalog" / "1-1.jpg", by="maker")
    index_catalogue(home / "catalog", gallery=folder, encoder=encoder, search=search)


def answers(home: Path, encoder: ImageEncoder) -> dict[str, object]:
    """Return what this version answers about the picture that is no part of the gallery."""
    engine = SearchEngine(Gallery.open(home / ".nearid"), encoder)
    answer = engine.query(home / "asked.jpg", k=THINGS)
    return {
        "version": __version__,
        "encoder": encoder.fingerprint,
        "scores": {match.identity: round(match.score, 6) for match in answer.matches},
        "identities": Gallery.open(home / ".nearid").identities(),
    }


def draw(path: Path, thing: int, view: int) -> None:
    """Draw a view of a thing: its blobs of colour, seen from somewhere else and in another light."""
    rng = np.random.default_rng([7, thing])
    coarse = Image.fromarray(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize((2 * SIDE, 2 * SIDE))
    left, top = np.random.default_rng([8, thing, view]).integers(0, SIDE // 2, 2).tolist()
    seen = coarse.crop((left, top, left + SIDE, top + SIDE)).filter(ImageFilter.GaussianBlur(1 + view))
    path.parent.mkdir(parents=True, exist_ok=True)
    seen.save(path, quality=80)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("name the archive: python scripts/make_old_gallery.py tests/old_galleries/VERSION.zip")
    main(Path(sys.argv[1]))
