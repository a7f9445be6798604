"""A small gallery that has everything a gallery can have, and what it answers to everything that can be asked."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from nearid_search.config import AnnConfig
from nearid_search.engine import SearchEngine
from nearid_search.errors import NearIDError
from nearid_search.head_file import load_head
from nearid_search.image_encoder import ImageEncoder
from nearid_search.indexer.catalogue.build import index_catalogue
from nearid_search.indexer.gallery import Gallery
from nearid_search.records import IdentityMatch

REFUSED = "refused with one line"


def make_gallery(home: Path, encoder: ImageEncoder, *, things: int, views: int) -> Path:
    """Index a catalogue with an identities table, and correct, enrol, hide and tag."""
    lines = ["path,identity,bin"]
    for thing in range(things):
        for view in range(views):
            draw(home / "catalog" / f"{thing}-{view}.png", thing, view)
            lines.append(f"{thing}-{view}.png,thing-{thing},B{thing % 2}")
    (home / "catalog.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    folder, search = home / ".nearid", AnnConfig(backend="hnsw-sq8")
    index_catalogue(home / "catalog", gallery=folder, identities=home / "catalog.csv", encoder=encoder, search=search)
    corrections = Gallery.open(folder).corrections
    draw(home / "confirmed.png", 0, views)
    corrections.confirm(home / "confirmed.png", "thing-0", encoder=encoder, by="sweep")
    corrections.tag("before")
    draw(home / "sent.png", 1, views)
    corrections.enrol((home / "sent.png").read_bytes(), "thing-1", name="sent", encoder=encoder, by="sweep")
    corrections.merge(["thing-2"], into="thing-3", by="sweep")
    corrections.remove(home / "catalog" / "0-1.png", by="sweep")
    corrections.reject(home / "catalog" / "3-1.png", "thing-3", by="sweep")
    index_catalogue(home / "catalog", gallery=folder, encoder=encoder, search=search)
    return folder


def draw(path: Path, thing: int, view: int) -> None:
    """Draw a view of a thing: blobs of its colours, seen from somewhere else."""
    coarse = Image.fromarray(np.random.default_rng([7, thing]).integers(0, 256, (4, 4, 3), dtype=np.uint8))
    left, top = np.random.default_rng([8, thing, view]).integers(0, 60, 2).tolist()
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse.resize((160, 160), Image.Resampling.BICUBIC).crop((left, top, left + 100, top + 100)).save(path)


def answers(folder: Path, queries: Any) -> dict[str, Any]:  # noqa: ANN401  (an array)
    """Ask a gallery all that a caller may see of it; what it refuses is ``REFUSED``.

    Args:
        folder: the gallery's folder.
        queries: (Q, D) float32 embeddings.
    """
    questions: dict[str, Callable[[Gallery], Any]] = {
        "asked": lambda gallery: _asked(gallery, queries, "auto", "bin = 'B1'"),
        "scanned": lambda gallery: _asked(gallery, queries, "exact", None),
        "listed": lambda gallery: [
            [name, [[_plain(path, folder), key] for path, key in views]] for name, views in gallery.views().items()
        ],
        "head": lambda gallery: None if gallery.head_folder is None else load_head(gallery.head_folder).fingerprint,
        "history": lambda gallery: [past.entry.what for past in gallery.corrections.history()],
        "past": lambda gallery: _asked(gallery.as_of("before"), queries, "exact", None),
    }
    seen = {}
    for name, ask in questions.items():
        try:
            seen[name] = ask(Gallery.open(folder))
        except NearIDError as error:
            if "\n" in str(error):
                raise
            seen[name] = REFUSED
    return seen


def _asked(gallery: Gallery, queries: Any, backend: str, where: str | None) -> list[Any]:  # noqa: ANN401
    engine = SearchEngine(gallery, None, backend=backend)
    labels = [str(number) for number in range(len(queries))]
    return [
        [
            answer.verdict,
            answer.confidence,
            answer.calibrated,
            [_match(match, gallery.folder) for match in answer.matches],
        ]
        for rows in ([None] if where is None else [None, engine.enrolled.allowed(where)])
        for answer in engine.answer_many(queries, labels=labels, k=5, allowed=rows)
    ]


def _match(match: IdentityMatch, folder: Path) -> list[Any]:
    return [
        match.identity,
        match.score,
        match.support,
        [[_plain(image.path, folder), image.key] for image in match.images],
    ]


def _plain(path: str | None, folder: Path) -> str | None:
    return None if path is None else os.path.relpath(os.path.abspath(path), folder.parent)
