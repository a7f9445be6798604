"""What must hold before a dataset is trained on: nothing of one split in another, and something to learn from."""

import hashlib
from collections.abc import Callable, Iterable, Mapping

from nearid_search.errors import DatasetError
from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.datasets.problems import first_few
from nearid_search.trainer.datasets.records import Dataset

Progress = Callable[[int, int], None]
"""Called with the number of images done and of all images."""
Hashes = Mapping[ImageSource, str]
"""SHA-256 of the encoded bytes of each image, in hex."""

_NO_DISTRACTORS = (
    "no distractors: training falls back to plain InfoNCE, which in the NearID paper reached a sample success rate "
    "(SSR) of 61, against 99 with distractors"
)


def hash_images(dataset: Dataset, *, progress: Progress | None = None) -> dict[ImageSource, str]:
    """Hash every image of a dataset, masks included, with one of them in memory at a time.

    Args:
        dataset: the dataset.
        progress: told after each image.

    Returns:
        The SHA-256 of the encoded bytes of each image, in hex.

    Raises:
        UnreadableImageError: at the first image that cannot be read.
    """
    images = sorted({placed.image for placed in dataset.images()}, key=lambda image: image.storage_order)
    hashes = {}
    for done, image in enumerate(images, start=1):
        hashes[image] = hashlib.sha256(image.read_bytes()).hexdigest()
        if progress is not None:
            progress(done, len(images))
    return hashes


def check_dataset(dataset: Dataset, hashes: Hashes | None = None, *, progress: Progress | None = None) -> list[str]:
    """Refuse a dataset that cannot be learnt from or whose splits share an identity or an image.

    Images are the same if their encoded bytes are; masks may repeat. A copy that was saved again is not found.

    Args:
        dataset: the dataset.
        hashes: from ``hash_images``; computed if not given.
        progress: as for ``hash_images``.

    Returns:
        Warnings, one line each, those of the reader first.

    Raises:
        DatasetError: if the dataset is empty, has no train split or fewer than two identities there, or an identity or
            image is in two splits: the first few are named and all are counted.
        UnreadableImageError: if an image cannot be read.
    """
    _check_enough(dataset)
    check_identities(dataset)
    _check_images(dataset, hashes if hashes is not None else hash_images(dataset, progress=progress))
    warnings = list(dataset.warnings)
    if not dataset.sources:
        warnings.append(_NO_DISTRACTORS)
    single = [f"{sample.split} {sample.identity}" for sample in dataset.samples if len(sample.views) == 1]
    if single:
        warnings.append(
            f"{len(single):,} identities have a single view, which has no positive to be drawn to: {first_few(single)}"
        )
    return warnings


def require_pairs(dataset: Dataset) -> None:
    """Refuse a dataset in which too few identities have a second view, before anything is computed from it.

    Args:
        dataset: the dataset; no image is read.

    Raises:
        DatasetError: if fewer than two of train have one, or none of val.
    """
    for split, needed in (("train", 2), ("val", 1)):
        found = sum(len(sample.views) > 1 for sample in dataset.split(split))
        if found < needed:
            raise DatasetError(
                f"{dataset.path}: {found} identities of {split} have two views or more, at least {needed} needed: "
                "a view is learnt from, and judged by, another view of the same thing"
            )


def check_identities(dataset: Dataset) -> None:
    """Refuse a dataset one of whose identities is in two splits.

    Args:
        dataset: the dataset; no image is read.

    Raises:
        DatasetError: names the first few and counts them all.
    """
    images = ((sample.identity, sample.split, sample.views[0].image.name) for sample in dataset.samples)
    leaks = _in_two_splits(images)
    if leaks:
        raise DatasetError(
            f"{dataset.path}: {len(leaks):,} identities are in two splits, so results would be too good. "
            f"Keep each in one: {first_few([f'{identity}: {places}' for identity, places in leaks.items()])}"
        )


def data_hash(dataset: Dataset, hashes: Hashes | None = None) -> str:
    """Fingerprint what a dataset holds: every image with its split, identity, view, role and source.

    It depends on neither paths nor the form of the dataset, so a copy elsewhere or in other tables has the same.

    Args:
        dataset: the dataset.
        hashes: from ``hash_images``; computed if not given.

    Returns:
        A SHA-256 in hex.

    Raises:
        UnreadableImageError: if an image cannot be read.
    """
    known = hashes if hashes is not None else hash_images(dataset)
    digest = hashlib.sha256()
    for *place, image in sorted((*placed[:-1], known[placed.image]) for placed in dataset.images()):
        for text in (*place, image):
            # The length before each part keeps ("ab", "c") and ("a", "bc") apart.
            part = str(text).encode()
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def _check_enough(dataset: Dataset) -> None:
    if not dataset.samples:
        raise DatasetError(f"{dataset.path} holds no images")
    num_train = len(dataset.split("train"))
    if num_train == 0:
        raise DatasetError(f"{dataset.path} has no train split: there is nothing to learn from")
    if num_train == 1:
        raise DatasetError(f"{dataset.path} has one identity in train: telling identities apart takes two or more")


def _check_images(dataset: Dataset, hashes: Hashes) -> None:
    images = (
        (hashes[placed.image], placed.split, placed.image.name) for placed in dataset.images() if placed.role != "mask"
    )
    leaks = _in_two_splits(images)
    if leaks:
        raise DatasetError(
            f"{dataset.path}: {len(leaks):,} images are in two splits, so results would be too good. "
            f"Keep each in one: {first_few(list(leaks.values()))}"
        )


def _in_two_splits(items: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Of (what, split, where), describe each thing that is in two splits by its first place and the first elsewhere."""
    first: dict[str, tuple[str, str]] = {}
    leaks: dict[str, str] = {}
    for what, split, where in items:
        known_split, known_where = first.setdefault(what, (split, where))
        if split != known_split and what not in leaks:
            leaks[what] = f"{known_where} ({known_split}) and {where} ({split})"
    return leaks
