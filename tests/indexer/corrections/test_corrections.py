"""What each correction does to the answers, what it refuses, and that each can be taken back."""

from collections.abc import Callable
from pathlib import Path

import pytest
from correction_cases import made_gallery, shown

from nearid_search.errors import CorrectionError
from nearid_search.indexer.corrections.actions import GalleryCorrections
from nearid_search.indexer.gallery import Gallery

CUP1, CUP2, CUP3 = (f"catalog/cup/{number}.png" for number in (1, 2, 3))
JUG1, JUG2, LOOSE = "catalog/jug/1.png", "catalog/jug/2.png", "catalog/1.png"


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gallery:
    """Three cups, two jugs, and one picture that its own path names."""
    monkeypatch.chdir(tmp_path)
    return made_gallery(tmp_path / ".nearid", {"cup": 3, "jug": 2, "": 1})


Correct = Callable[[GalleryCorrections], object]
EVERY: dict[str, tuple[Correct, dict[str, str | None]]] = {
    "confirm": (lambda c: c.confirm(CUP1, "jug"), {CUP1: "jug"}),
    "confirm by its own folder": (lambda c: c.confirm(CUP1, "cup"), {}),
    "confirm as new": (lambda c: c.confirm(LOOSE, "pan", new=True), {LOOSE: "pan"}),
    "reject a view": (lambda c: c.reject(CUP1, "cup"), {CUP1: CUP1}),
    "reject another's": (lambda c: c.reject(CUP1, "jug"), {}),
    "reject identities": (lambda c: c.reject("cup", "jug"), {}),
    "merge": (lambda c: c.merge(["cup", LOOSE, "jug"], into="jug"), dict.fromkeys((CUP1, CUP2, CUP3, LOOSE), "jug")),
    "split": (lambda c: c.split("cup", [CUP1, CUP3], into="mug"), {CUP1: "mug", CUP3: "mug"}),
    "rename": (lambda c: c.rename("cup", "mug"), dict.fromkeys((CUP1, CUP2, CUP3), "mug")),
    "rename what its path names": (lambda c: c.rename(LOOSE, "pan"), {LOOSE: "pan"}),
    "remove an identity": (lambda c: c.remove("cup"), dict.fromkeys((CUP1, CUP2, CUP3))),
    "remove a picture": (lambda c: c.remove(CUP2), {CUP2: None}),
}


def with_changes(before: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
    return {path: name for path, name in (before | changes).items() if name is not None}


@pytest.mark.parametrize("name", EVERY)
def test_each_is_seen_at_once_and_undone_as_if_it_had_not_been(name: str, gallery: Gallery) -> None:
    before, embeddings = shown(gallery), gallery.rows().vectors
    correct, changes = EVERY[name]
    made = correct(gallery.corrections)
    assert made.images == len([path for path, new in changes.items() if before[path] != new])  # type: ignore[attr-defined]
    assert shown(gallery) == with_changes(before, changes)
    gallery.corrections.undo()
    assert shown(gallery) == before
    assert (gallery.rows().vectors == embeddings).all()
    with pytest.raises(CorrectionError, match=r"entry 1 .* was undone by entry 2 already"):
        gallery.corrections.undo(1)
    with pytest.raises(CorrectionError, match="there is no correction to undo: all were undone"):
        gallery.corrections.undo()
    with pytest.raises(CorrectionError, match="entry 2 is an undo itself"):
        gallery.corrections.undo(2)


REFUSED: dict[str, tuple[Correct, str]] = {
    "merge into itself": (lambda c: c.merge(["cup"], into="cup"), "'cup' cannot be merged into itself"),
    "merge twice the same": (lambda c: c.merge(["cup", "cup"], into="jug"), "'cup' is named twice"),
    "merge into a typo": (lambda c: c.merge(["cup"], into="jig"), "no identity 'jig': did you mean 'jug'"),
    "unknown identity": (lambda c: c.rename("Cups", "mug"), "there is no identity 'Cups': did you mean 'cup'"),
    "unlike anything": (
        lambda c: c.rename("xylophone", "mug"),
        "no identity 'xylophone': nearid-search gallery list",
    ),
    "unknown picture": (lambda c: c.confirm("catalog/cup/9.png", "cup"), "no picture .*: did you mean 'catalog/cup"),
    "nothing to remove": (lambda c: c.remove("cup/1.png"), "no identity or picture 'cup/1.png'"),
    "confirm unknown": (lambda c: c.confirm(CUP1, "mug"), "there is no identity 'mug'"),
    "confirm as new what is there": (lambda c: c.confirm(CUP1, "jug", new=True), "identity 'jug' already"),
    "split by unknown paths": (
        lambda c: c.split("cup", ["catalog/cup/x1.png"], into="mug"),
        "there is no picture 'catalog/cup/x1.png' of 'cup': did you mean 'catalog/cup/1.png'",
    ),
    "split by another's": (lambda c: c.split("cup", [JUG1], into="mug"), "no picture .* of 'cup'"),
    "split by all": (lambda c: c.split("jug", [JUG1, JUG2], into="mug"), "all 2 pictures of 'jug': rename it"),
    "split by none": (lambda c: c.split("jug", [], into="mug"), "no picture of 'jug' is named"),
    "split into what is there": (lambda c: c.split("cup", [CUP1], into="jug"), "identity 'jug' already"),
    "rename into what is there": (lambda c: c.rename("cup", "jug"), "identity 'jug' already: merge the two"),
    "rename to the same": (lambda c: c.rename("cup", "cup"), "'cup' is called that already"),
    "empty name": (lambda c: c.rename("cup", "  "), "the name is empty"),
    "blank at the end": (lambda c: c.rename("cup", "mug "), "begins or ends with a blank"),
    "no author": (lambda c: c.rename("cup", "mug", by=" "), "who corrects is empty"),
    "reject from itself": (lambda c: c.reject("cup", "cup"), "cannot be kept apart from itself"),
    "reject its own name": (lambda c: c.reject(LOOSE, LOOSE), "is the picture's own name"),
    "undo nothing": (lambda c: c.undo(), "there is no correction to undo$"),
    "undo unknown": (lambda c: c.undo(3), "there is no entry 3: nothing has been corrected"),
    "restore unknown": (lambda c: c.restore("yesterday"), "'yesterday' is no version, tag or time"),
    "restore to a version to come": (lambda c: c.restore("99"), "there is no version 99: the gallery has 1 to"),
    "restore to what is": (lambda c: c.restore("2"), "the gallery is as it was at 2"),
    "restore to before it was": (lambda c: c.restore("2020-01-01"), "the gallery's tables begin at 20"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_done_is_said_in_one_line_and_changes_nothing(name: str, gallery: Gallery) -> None:
    before = shown(gallery)
    correct, message = REFUSED[name]
    with pytest.raises(CorrectionError, match=message) as raised:
        correct(gallery.corrections)
    assert "\n" not in str(raised.value)
    assert shown(gallery) == before
    assert gallery.corrections.history() == []


def test_what_contradicts_an_earlier_word_is_refused(gallery: Gallery) -> None:
    corrections = gallery.corrections
    corrections.reject("cup", "jug")
    corrections.reject(LOOSE, "cup")
    with pytest.raises(CorrectionError, match="'cup' and 'jug' were kept apart by entry 1: undo that first"):
        corrections.merge(["cup"], into="jug")
    with pytest.raises(CorrectionError, match="does not show 'cup' by entry 2: undo that first"):
        corrections.confirm(LOOSE, "cup")
    with pytest.raises(CorrectionError, match="kept apart by entry 1"):
        corrections.reject("jug", "cup")
    corrections.rename("cup", "mug")
    with pytest.raises(CorrectionError, match="'jug' and 'mug' were kept apart by entry 1"):
        corrections.merge(["jug"], into="mug")
    with pytest.raises(CorrectionError, match="does not show 'mug' by entry 2"):
        corrections.confirm(LOOSE, "mug")
    corrections.undo(1)
    corrections.merge(["jug"], into="mug")


def test_an_entry_that_a_later_one_is_built_on_is_undone_after_it(gallery: Gallery) -> None:
    before = shown(gallery)
    corrections = gallery.corrections
    corrections.rename("cup", "mug")
    corrections.confirm(JUG1, "mug")
    corrections.reject(CUP1, "jug")
    with pytest.raises(CorrectionError, match=r"entry 2 \(confirm: .*\) is built on entry 1: undo that first"):
        corrections.undo(1)
    corrections.undo(2)
    corrections.undo(1)
    assert shown(gallery) == before


def test_confirmations_are_undone_in_any_order(gallery: Gallery) -> None:
    before = shown(gallery)
    for path in (CUP1, CUP2):
        gallery.corrections.confirm(path, "jug")
    gallery.corrections.undo(1)
    assert shown(gallery) == before | {CUP2: "jug"}


def test_two_names_are_exchanged_by_three_renames(gallery: Gallery) -> None:
    before = shown(gallery)
    for old, new in (("cup", "tmp"), ("jug", "cup"), ("tmp", "jug")):
        gallery.corrections.rename(old, new)
    swap = {"cup": "jug", "jug": "cup"}
    assert shown(gallery) == {path: swap.get(name, name) for path, name in before.items()}


def test_the_history_says_who_when_why_and_what(gallery: Gallery) -> None:
    corrections = gallery.corrections
    corrections.rename("cup", "mug", by="Ada", because="as on the label")
    corrections.confirm(JUG1, "mug", by="Bob")
    corrections.remove(LOOSE)
    corrections.undo(2)
    first, second, third, fourth = corrections.history()
    assert (first.entry.who, first.entry.why, first.entry.what) == ("Ada", "as on the label", "cup is called mug")
    assert first.entry.when.endswith("+00:00")
    assert (second.undone_by, third.undone_by, fourth.entry.undoes) == (4, None, 2)
    assert second.as_dict()["pictures"] == [
        {"path": JUG1, "key": second.entry.pins[0].key, "before": "jug", "after": "mug"}
    ]
    assert [past.entry.number for past in corrections.history("mug")] == [1, 2, 4]
    assert [past.entry.number for past in corrections.history("jug")] == [2, 4]
    with pytest.raises(CorrectionError, match="there is no identity 'tea', in the gallery or in its history"):
        corrections.history("tea")
    gallery.corrections.merge(["jug"], into="mug")
    assert [past.entry.number for past in corrections.history("mug")] == [1, 2, 4, 5]
