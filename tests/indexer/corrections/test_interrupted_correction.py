"""A correction that is killed anywhere was made or was not; corrections of several processes are all kept."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from correction_cases import made_gallery, shown

from nearid_search.errors import GalleryCorruptError, GalleryLockedError
from nearid_search.indexer import store
from nearid_search.indexer.care.verify import verify_gallery
from nearid_search.indexer.corrections import desk as correction_desk
from nearid_search.indexer.corrections.log import LOG_NAME, CorrectionLog
from nearid_search.indexer.gallery import Gallery
from nearid_search.indexer.image_rows import add_rows
from nearid_search.indexer.lock import writer_lock
from nearid_search.indexer.rows import ImageRow

KILLED = """
import os, signal, sys
from nearid_search.indexer.corrections import log as correction_log
from nearid_search.indexer.corrections import follow
from nearid_search.indexer import gallery, image_rows
gallery_dir, point, action, *words = sys.argv[1:]
def die(*_args, **_options):
    os.kill(os.getpid(), signal.SIGKILL)
def after(function):
    def wrapped(*args, **options):
        function(*args, **options)
        die()
    return wrapped
log = correction_log.CorrectionLog
if point == "before the log":
    log.append = die
elif point == "within the log":
    def torn(self, entry):
        with self._path.open("ab") as file:
            file.write(b'{"number": 1, "half')
        die()
    log.append = torn
elif point == "after the log":
    log.append = after(log.append)
elif point == "half of the move":
    table = follow.move_rows
    def half(source, target, keys):
        source.delete = die
        table(source, target, keys)
    follow.move_rows = half
elif point == "after the tables":
    log.mark_done = die
corrections = gallery.Gallery.open(gallery_dir).corrections
getattr(corrections, action)(*words)
"""
MANY = """
import sys
from nearid_search.indexer.gallery import Gallery
gallery_dir, who = sys.argv[1:]
for number in range(1, 6):
    Gallery.open(gallery_dir).corrections.confirm(f"catalog/cup/{5 * int(who) + number}.png", "jug", by=who)
"""
CUPS = {f"catalog/cup/{number}.png" for number in (1, 2)}


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


@pytest.mark.parametrize(
    ("point", "made"),
    [
        ("before the log", False),
        ("within the log", False),
        ("after the log", True),
        ("half of the move", True),
        ("after the tables", True),
    ],
)
def test_a_killed_correction_was_made_or_was_not(
    point: str, made: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 2, "jug": 1, "pan": 1})
    vectors = gallery.rows().vectors
    before = shown(gallery)
    whole = verify_gallery(gallery.folder)
    command = [sys.executable, "-c", KILLED, str(gallery.folder), point, "remove", "cup"]
    process = subprocess.run(command, env=environment(), timeout=120, check=False, capture_output=True, text=True)
    assert process.returncode == -signal.SIGKILL, process.stderr
    assert verify_gallery(gallery.folder).damaged == whole.damaged
    # Queries see the one or the other, and the next command that writes ends what was begun.
    assert shown(gallery).items() >= {path: name for path, name in before.items() if name != "cup"}.items()
    after = {path: name for path, name in before.items() if name != "cup"} if made else before
    Gallery.open(gallery.folder).corrections.rename("jug", "pitcher")
    assert shown(gallery) == {path: "pitcher" if name == "jug" else name for path, name in after.items()}
    log = CorrectionLog(gallery.folder)
    assert [entry.action for entry in log.entries] == ["remove", "rename"][not made :]
    assert log.pending is None
    for _ in log.entries:
        gallery.corrections.undo()
    assert shown(gallery) == before
    assert (gallery.rows().vectors == vectors).all()
    assert not gallery.store.hidden_keys()


def test_a_picture_whose_confirmation_was_never_written_leaves_no_trace(tmp_path: Path) -> None:
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 2})
    staged = ImageRow("f" * 64, "photo.png", "photo.png", gallery.rows().vectors[0], 1, 1, b"", {}, None)
    for correct in (lambda: gallery.corrections.tag("first"), lambda: gallery.corrections.rename("cup", "mug")):
        add_rows(gallery.store.hidden, [staged], encoder=gallery.manifest.encoder.fingerprint)
        correct()
        assert not Gallery.open(gallery.folder).store.hidden_keys()
    assert len(shown(gallery)) == 2


@pytest.mark.parametrize("made", ["hidden.lance", "hidden.lance/_transactions", "hidden.lance/_versions"])
def test_a_table_that_was_only_begun_counts_as_none(tmp_path: Path, made: str) -> None:
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 2, "jug": 1})
    (gallery.folder / "tables" / made).mkdir(parents=True)
    assert not Gallery.open(gallery.folder).store.hidden_keys()
    gallery.corrections.remove("cup")
    assert set(shown(gallery).values()) == {"jug"}
    gallery.corrections.undo()
    assert set(shown(gallery).values()) == {"cup", "jug"}


def test_a_table_with_rows_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 2, "jug": 1})
    gallery.corrections.remove("cup")
    shutil.rmtree(gallery.folder / "tables/hidden.lance/_versions")
    with pytest.raises(GalleryCorruptError, match=r"table hidden in .* cannot be read .*gallery repair"):
        gallery.corrections.rename("jug", "pot")


def test_a_reader_believes_of_the_log_what_its_tables_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before = made_gallery(tmp_path / ".nearid", {"cup": 2, "jug": 1})

    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    def told_and_shown(gallery: Gallery) -> tuple[bool, str]:
        names = gallery.store.image_table(["path", "identity"]).to_pylist()
        (shown,) = {row["identity"] for row in names if row["path"] == "catalog/cup/1.png"}
        return bool(gallery.corrections_that_hold().not_shown), shown

    for step, wanted in (("change_rows", (False, "cup")), ("mark_done", (True, "catalog/cup/1.png"))):
        with monkeypatch.context() as patched:
            patched.setattr(CorrectionLog if step == "mark_done" else store, step, interrupt)
            with pytest.raises(KeyboardInterrupt):
                Gallery.open(before.folder).corrections.reject("catalog/cup/1.png", "cup")
        assert told_and_shown(Gallery.open(before.folder)) == wanted
        assert told_and_shown(before) == (False, "cup")
        Gallery.open(before.folder).corrections.undo()
    assert told_and_shown(Gallery.open(before.folder)) == (False, "cup")


def test_corrections_of_several_processes_are_queued_and_all_kept(tmp_path: Path) -> None:
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 11, "jug": 1})
    command = [sys.executable, "-c", MANY, str(gallery.folder)]
    processes = [subprocess.Popen([*command, who], env=environment(), cwd=tmp_path) for who in ("0", "1")]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    log = CorrectionLog(gallery.folder)
    assert [entry.number for entry in log.entries] == list(range(1, 11))
    assert sorted(entry.who for entry in log.entries) == ["0"] * 5 + ["1"] * 5
    assert gallery.corrections.history()[-1].version == Gallery.open(gallery.folder).store.version
    assert Gallery.open(gallery.folder).identities() == {"cup": 1, "jug": 11}


def test_a_writer_that_takes_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 1})
    monkeypatch.setattr(correction_desk, "WAIT_SECONDS", 0.1)
    with writer_lock(gallery.folder), pytest.raises(GalleryLockedError, match=f"by process {os.getpid()} on"):
        gallery.corrections.rename("cup", "mug")
    assert gallery.corrections.history() == []


def test_every_changed_byte_of_the_log_is_noticed(tmp_path: Path) -> None:
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 2})
    gallery.corrections.rename("cup", "mug", because="as on the label")
    gallery.corrections.undo()
    path = gallery.folder / LOG_NAME
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(GalleryCorruptError, match="gallery repair"):
            CorrectionLog(gallery.folder)
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(GalleryCorruptError, match=r"has lost its last lines, which corrections\.jsonl\.copy has"):
            CorrectionLog(gallery.folder)
    path.write_bytes(b"".join([lines[0], *lines[2:]]))
    with pytest.raises(GalleryCorruptError, match="line 2 was altered, or the line before it is missing"):
        gallery.corrections.history()
    path.write_bytes(content + b'{"number": 3, "wh')
    gallery.corrections.rename("cup", "pot")
    assert [entry.action for entry in CorrectionLog(gallery.folder).entries] == ["rename", "undo", "rename"]


def test_a_log_that_cannot_be_written_stays_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 2})
    gallery.corrections.rename("cup", "mug")
    content = (gallery.folder / LOG_NAME).read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left on device"):
            gallery.corrections.rename("mug", "pot")
    assert (gallery.folder / LOG_NAME).read_bytes() == content
    assert Gallery.open(gallery.folder).identities() == {"mug": 2}
