"""A split of a dataset with everything in it embedded: what the protocols judge."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from nearid_search.errors import DatasetError
from nearid_search.eval.encode_pictures import EncodedPictures, Picture, Progress, encode_pictures
from nearid_search.eval.readouts import ReadoutSet
from nearid_search.records import Failure
from nearid_search.similarity import Embeddings, Rows
from nearid_search.trainer.dataset_rows import SampleRows, ViewRows
from nearid_search.trainer.datasets.image_sources import ImageSource
from nearid_search.trainer.datasets.problems import first_few
from nearid_search.trainer.datasets.records import Sample, View


@dataclass(frozen=True, kw_only=True)
class Dropped:
    """What of a split counts nowhere.

    Attributes:
        failures: pictures and masks that could not be read or embedded, each reason once.
        identities: those none of whose views is left.
        views: those that could not be read or embedded.
        duplicate_views: those with the same bytes as an earlier view of their identity.
        distractors: those that could not be read or embedded, or whose view is gone.
        own_distractors: those with the same bytes as a view of the identity that they should differ from.
        masked_pictures: views and distractors with a mask that could not be cut out by it.
        fillers: those that could not be read or embedded, or are in the split themselves, or named twice.
    """

    failures: tuple[Failure, ...] = ()
    identities: int = 0
    views: int = 0
    duplicate_views: int = 0
    distractors: int = 0
    own_distractors: int = 0
    masked_pictures: int = 0
    fillers: int = 0

    def as_dict(self) -> dict[str, object]:
        """Return the counts and the failures as JSON-ready values."""
        counts = {name: value for name, value in vars(self).items() if name != "failures"}
        return {**counts, "failures": [{"path": each.path, "error": each.error} for each in self.failures]}


@dataclass(frozen=True)
class PlacedSamples:
    """Identities and where their embeddings are.

    Attributes:
        samples: identities with the views and distractors that are left.
        rows: row of each of them, in the same order.
    """

    samples: tuple[Sample, ...]
    rows: tuple[SampleRows, ...]

    @cached_property
    def view_rows(self) -> Rows:
        """(V,) row of every view, all different."""
        return np.array([view.view for sample in self.rows for view in sample.views], np.int64)

    @cached_property
    def view_codes(self) -> NDArray[np.int64]:
        """(V,) number in ``samples`` of the identity of every view."""
        return np.repeat(np.arange(len(self.rows), dtype=np.int64), [len(sample.views) for sample in self.rows])

    @cached_property
    def view_pairs(self) -> NDArray[np.int64]:
        """(P, 2) places in ``view_rows`` of every two views of one identity, the first before the second."""
        ends = np.cumsum([0, *(len(sample.views) for sample in self.rows)])
        pairs = [pair for start, end in pairwise(ends.tolist()) for pair in combinations(range(start, end), 2)]
        return np.array(pairs, np.int64).reshape(-1, 2)

    @cached_property
    def distractor_rows(self) -> Rows:
        """(N,) row of every distractor that is no view of any identity, each once, sorted."""
        rows = {row for sample in self.rows for view in sample.views for row in view.distractors.values()}
        return np.array(sorted(rows - set(self.view_rows.tolist())), np.int64)

    @property
    def num_pictures(self) -> int:
        """Views and distractors, each as often as it is named."""
        return sum(1 + len(view.distractors) for sample in self.samples for view in sample.views)


@dataclass(frozen=True, kw_only=True)
class EmbeddedSplit:
    """A split and its embeddings.

    Attributes:
        name: of the split.
        placed: its identities.
        masked: those views and distractors that are known without background, too, in rows without background.
        unmasked: the same views and distractors, in rows with background.
        fillers: (F,) rows of pictures that show no identity of the split.
        pictures: one picture of each row.
        keys: SHA-256 of the content of each row, in hex; of the mask's, too, if there is one.
        embeddings: by readout, (R, D) float32 unit rows.
        dropped: what was left out.
    """

    name: str
    placed: PlacedSamples
    masked: PlacedSamples
    unmasked: PlacedSamples
    fillers: Rows
    pictures: tuple[Picture, ...]
    keys: tuple[str, ...]
    embeddings: Mapping[str, Embeddings]
    dropped: Dropped


def embed_split(
    samples: Sequence[Sample],
    readouts: ReadoutSet,
    *,
    fillers: Iterable[ImageSource] = (),
    batch_size: int = 8,
    on_progress: Progress | None = None,
) -> EmbeddedSplit:
    """Embed everything in a split.

    Args:
        samples: of one split.
        readouts: how to embed.
        fillers: pictures that show none of the identities.
        batch_size: pictures a backbone call.
        on_progress: called after every batch.

    Returns:
        The embedded split; memory grows with its embeddings, not with its pictures or tokens.

    Raises:
        DatasetError: if there is no sample, nothing can be read, or one picture is a view of two identities.
    """
    if not samples:
        raise DatasetError("the split holds no images: name another with --split")
    others = list(fillers)
    wanted = [*pictures_of(samples), *(Picture(image) for image in others)]
    encoded = encode_pictures(wanted, readouts, batch_size=batch_size, on_progress=on_progress)
    return arrange_split(samples, encoded, fillers=others)


def arrange_split(
    samples: Sequence[Sample], encoded: EncodedPictures, *, fillers: Sequence[ImageSource] = ()
) -> EmbeddedSplit:
    """Find everything of a split among pictures that are embedded already.

    Args:
        samples: of one split, at least one.
        encoded: their pictures, as far as they could be embedded.
        fillers: pictures that show none of the identities.

    Raises:
        DatasetError: if no view is embedded, or one picture is a view of two identities.
    """
    placement = _Placement(encoded)
    placed = placement.place(samples)
    if not placed.samples:
        raise DatasetError(
            f"no view of the split can be read: {first_few([str(f) for f in encoded.failures.values()])}"
        )
    masked, unmasked, lost = _without_background(placed, encoded)
    inside = {*placed.view_rows.tolist(), *placed.distractor_rows.tolist()}
    filler_rows = {encoded.rows[Picture(image)] for image in fillers if Picture(image) in encoded.rows} - inside
    dropped = replace(placement.dropped, masked_pictures=lost, fillers=len(fillers) - len(filler_rows))
    return EmbeddedSplit(
        name=samples[0].split,
        placed=placed,
        masked=masked,
        unmasked=unmasked,
        fillers=np.array(sorted(filler_rows), np.int64),
        pictures=encoded.pictures,
        keys=encoded.keys,
        embeddings=encoded.embeddings,
        dropped=dropped,
    )


def pictures_of(samples: Iterable[Sample]) -> Iterator[Picture]:
    """Yield every picture to embed: views, distractors, and both without background where a view has a mask."""
    for sample in samples:
        for view in sample.views:
            for image in (view.image, *view.distractors.values()):
                yield Picture(image)
                if view.mask is not None:
                    yield Picture(image, view.mask)


@dataclass
class _Placement:
    """Finds the rows of samples and counts what has none."""

    encoded: EncodedPictures
    dropped: Dropped = Dropped()
    owners: dict[int, str] = field(default_factory=dict)

    def place(self, samples: Sequence[Sample]) -> PlacedSamples:
        kept = [replace(sample, views=self._kept_views(sample)) for sample in samples]
        self._refuse_shared(kept)
        kept = [replace(sample, views=tuple(map(self._kept_distractors, sample.views))) for sample in kept]
        left = tuple(sample for sample in kept if sample.views)
        # A file with a mask is asked for twice, and a mask once for each picture of its view.
        failures = tuple(dict.fromkeys(self.encoded.failures.values()))
        self._count(identities=len(kept) - len(left))
        self.dropped = replace(self.dropped, failures=failures)
        return PlacedSamples(left, tuple(_rows_of(sample, self.encoded.rows, masked=False) for sample in left))

    def _kept_views(self, sample: Sample) -> tuple[View, ...]:
        kept: dict[int, View] = {}
        for view in sample.views:
            row = self.encoded.rows.get(Picture(view.image))
            if row is None or row in kept:
                self._count(distractors=len(view.distractors), views=row is None, duplicate_views=row is not None)
            else:
                kept[row] = view
        return tuple(kept.values())

    def _refuse_shared(self, samples: Sequence[Sample]) -> None:
        shared = []
        for sample in samples:
            for view in sample.views:
                owner = self.owners.setdefault(self.encoded.rows[Picture(view.image)], sample.identity)
                if owner != sample.identity:
                    shared.append(f"{view.image.name} ({owner} and {sample.identity})")
        if shared:
            raise DatasetError(
                f"{len(shared):,} pictures are views of two identities, so neither can be right: keep each in one: "
                f"{first_few(shared)}"
            )

    def _kept_distractors(self, view: View) -> View:
        own = self.owners[self.encoded.rows[Picture(view.image)]]
        kept = {}
        for source, image in view.distractors.items():
            row = self.encoded.rows.get(Picture(image))
            if row is None:
                self._count(distractors=1)
            elif self.owners.get(row) == own:
                self._count(own_distractors=1)
            else:
                kept[source] = image
        return replace(view, distractors=kept)

    def _count(self, **more: int) -> None:
        self.dropped = replace(self.dropped, **{name: getattr(self.dropped, name) + n for name, n in more.items()})


def _rows_of(sample: Sample, rows: Mapping[Picture, int], *, masked: bool) -> SampleRows:
    views = []
    for view in sample.views:
        mask = view.mask if masked else None
        distractors = {source: rows[Picture(image, mask)] for source, image in view.distractors.items()}
        views.append(ViewRows(rows[Picture(view.image, mask)], distractors))
    return SampleRows(sample.identity, tuple(views))


def _without_background(placed: PlacedSamples, encoded: EncodedPictures) -> tuple[PlacedSamples, PlacedSamples, int]:
    """Return what is known without background, the same with it, and how many pictures with a mask are not."""
    kept, lost = [], 0
    views_of_all = set(placed.view_rows.tolist())
    for sample in placed.samples:
        views, seen = [], set()
        for view in sample.views:
            if view.mask is None:
                continue
            own = encoded.rows.get(Picture(view.image, view.mask))
            # Two views whose things are cut out alike would be one picture.
            if own is None or own in seen:
                lost += 1 + len(view.distractors)
                continue
            seen.add(own)
            # A view of another identity is cut out by its own mask, and stays what it is.
            known = {
                source: image
                for source, image in view.distractors.items()
                if Picture(image, view.mask) in encoded.rows and encoded.rows[Picture(image)] not in views_of_all
            }
            lost += len(view.distractors) - len(known)
            views.append(replace(view, distractors=known))
        if views:
            kept.append(replace(sample, views=tuple(views)))
    samples = tuple(kept)
    masked, full = (
        tuple(_rows_of(sample, encoded.rows, masked=without) for sample in samples) for without in (True, False)
    )
    return PlacedSamples(samples, masked), PlacedSamples(samples, full), lost
