"""How alike generated images and their references are to an encoder, written so that ``agreement`` can read it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import DatasetError
from nearid_search.eval.encode_pictures import EncodedPictures, Picture, Progress, encode_pictures
from nearid_search.eval.image_pairs import ImagePair
from nearid_search.eval.intervals import Interval, bootstrap_interval
from nearid_search.eval.readouts import OwnReadout
from nearid_search.records import Failure
from nearid_search.similarity import row_scores
from nearid_search.trainer.datasets.image_sources import FileImage
from nearid_search.trainer.datasets.problems import first_few

_DECIMALS = 4


@dataclass(frozen=True)
class MethodScores:
    """The scores of one generation method.

    Attributes:
        scores: key of each pair to 100 x cosine, in [-100, 100], rounded to 4 decimals.
        mean: of the scores; its interval resamples reference images, each with all its pairs.
        n_left_out: pairs with an image that cannot be read or embedded; they have no score.
    """

    scores: Mapping[str, float]
    mean: Interval
    n_left_out: int


@dataclass(frozen=True, kw_only=True)
class PairScores:
    """What an encoder says of a set of pairs.

    Attributes:
        encoder: its fingerprint.
        methods: method to scores, every method asked for.
        num_pairs: pairs asked for.
        failures: images that cannot be read or embedded.
    """

    encoder: str
    methods: Mapping[str, MethodScores]
    num_pairs: int
    failures: tuple[Failure, ...]

    @property
    def num_scored(self) -> int:
        """Pairs with a score."""
        return sum(len(method.scores) for method in self.methods.values())

    def as_dict(self) -> dict[str, Any]:
        """Return the stable keys of ``score-pairs --json``."""
        return {
            "encoder": self.encoder,
            "pairs": self.num_pairs,
            "scored": self.num_scored,
            "methods": {
                name: {**method.mean.as_dict(), "n_left_out": method.n_left_out}
                for name, method in self.methods.items()
            },
            "failures": [{"path": failure.path, "error": failure.error} for failure in self.failures],
        }


def score_pairs(
    pairs: Sequence[ImagePair],
    encoder: IdentityEncoder,
    *,
    batch_size: int = 8,
    on_progress: Progress | None = None,
) -> PairScores:
    """Compare each generated image with its reference; equal files are encoded once.

    Args:
        pairs: from ``read_pairs``; at least one.
        encoder: frozen or with a head.
        batch_size: images an encoder call; changes memory and speed, never a score.
        on_progress: called after every batch with the images done and their number.

    Returns:
        The scores. A pair with an unreadable image has none, and the image is among the failures.

    Raises:
        DatasetError: if no pair could be scored.
    """
    pictures = (_picture(path) for pair in pairs for path in (pair.reference, pair.generated))
    readout = OwnReadout(encoder)
    images = encode_pictures(pictures, readout, batch_size=batch_size, on_progress=on_progress)
    failures = tuple(images.failures.values())
    if not any(_is_readable(pair, images) for pair in pairs):
        problems = [f"{failure.path}: {failure.error}" for failure in failures]
        raise DatasetError(f"none of {len(pairs)} pairs could be scored: {first_few(problems)}")
    methods = {
        method: _method_scores([pair for pair in pairs if pair.method == method], images, readout.name)
        for method in sorted({pair.method for pair in pairs})
    }
    return PairScores(encoder=encoder.fingerprint, methods=methods, num_pairs=len(pairs), failures=failures)


def check_free(folder: Path, *, overwritten: Iterable[str] = ()) -> None:
    """Refuse a folder that holds scores that stay: files of two encoders would be taken for one scorer's.

    Args:
        folder: where scores will be written.
        overwritten: the methods whose files may be there, because new ones take their place.

    Raises:
        DatasetError: if there is another ``.json`` file in it, or it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f"{folder} is a file: give a folder for the scores")
    replaced = {f"{method}.json" for method in overwritten}
    present = sorted(path.name for path in folder.glob("*.json"))
    staying = [name for name in present if name not in replaced]
    if staying and replaced:
        raise DatasetError(
            f"{folder} would keep {first_few(staying)} of another run: remove them or give another folder"
        )
    if staying:
        raise DatasetError(f"{folder} holds {first_few(staying)} already: give another folder or --force")


def write_scores(scores: PairScores, folder: Path) -> None:
    """Write ``<method>.json`` for each method with a score, in the layout that ``read_ratings`` takes for a scorer.

    Args:
        scores: what to write.
        folder: made if it is not there; other files in it stay.

    Raises:
        DatasetError: if the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, method in scores.methods.items():
            if not method.scores:
                (folder / f"{name}.json").unlink(missing_ok=True)  # of an earlier run
                continue
            temporary = folder / f"{name}.json.tmp"
            temporary.write_text(json.dumps(dict(method.scores), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            temporary.replace(folder / f"{name}.json")
    except OSError as error:
        raise DatasetError(f"{folder}: the scores cannot be written ({error.strerror or error})") from error


def _picture(path: Path) -> Picture:
    return Picture(FileImage(path))


def _is_readable(pair: ImagePair, images: EncodedPictures) -> bool:
    return {_picture(pair.reference), _picture(pair.generated)} <= images.rows.keys()


def _method_scores(asked: Sequence[ImagePair], images: EncodedPictures, readout: str) -> MethodScores:
    pairs = [pair for pair in asked if _is_readable(pair, images)]
    references = np.array([images.rows[_picture(pair.reference)] for pair in pairs], np.int64)
    generated = np.array([images.rows[_picture(pair.generated)] for pair in pairs], np.int64)
    embeddings = images.embeddings[readout]
    cosines = row_scores(embeddings[references], embeddings[generated]).astype(np.float64)
    scores = np.round(100 * np.clip(cosines, -1, 1), _DECIMALS)
    keyed = {pair.key: float(score) for pair, score in zip(pairs, scores, strict=True)}
    return MethodScores(keyed, bootstrap_interval(scores, references), len(asked) - len(pairs))
