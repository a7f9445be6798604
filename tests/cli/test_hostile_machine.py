"""A full disk, a read-only one, short memory and hostile arguments: one line, exit code 1, and nothing is lost."""

import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import hostile_machine as machine
import pytest
from full_disk import SmallDisk, small_disk

from nearid_search.cli.app import run

pytest.importorskip("faiss")

Run = Callable[[Sequence[str]], tuple[int, str]]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("hostile") / "home"
    machine.prepare(home)
    return home


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", size=machine.DISK) as disk:
        yield disk


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[Path], Run]:
    """Commands in this process; the benchmark gives each a process of its own."""
    monkeypatch.delenv("NEARID_GALLERY", raising=False)

    def standing_in(folder: Path) -> Run:
        def command(arguments: Sequence[str]) -> tuple[int, str]:
            monkeypatch.chdir(folder)
            capsys.readouterr()
            return run([str(argument) for argument in arguments]), capsys.readouterr().err

        return command

    return standing_in


FULL = {
    "index": (8_192,),
    "rename": (300, 16_384),
    "tag": (4_096,),
    "tune": (4_096,),
    "calibrate": (4_096,),
    "confirm": (16_384,),
    "fiftyone": (4_096,),
    "page": (4_096,),
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "left"), [(name, left) for name, lefts in FULL.items() for left in lefts])
def test_a_full_disk_loses_nothing(
    home: Path, disk: SmallDisk, here: Callable[[Path], Run], tmp_path: Path, name: str, left: int
) -> None:
    after = machine.expected(home, tmp_path, name, here)
    tried = machine.attempt(home, disk, name, left, after, here)
    assert (tried.code, tried.fault) == (1, "")
    assert "No space left on device" in tried.said


def test_a_correction_that_the_tables_cannot_follow_says_so(
    home: Path, disk: SmallDisk, here: Callable[[Path], Run], tmp_path: Path
) -> None:
    after = machine.expected(home, tmp_path, "rename", here)
    said = machine.attempt(home, disk, "rename", 16_384, after, here).said
    assert said.endswith("; correction 1 is in the log, and the next command that can write carries it out\n")


def test_a_read_only_gallery_answers_and_refuses_to_change(
    home: Path, disk: SmallDisk, here: Callable[[Path], Run]
) -> None:
    subprocess.run(["cp", "-r", f"{home}/.", str(disk.folder)], check=True)
    before = machine.state(disk.folder / ".nearid")
    remounted = subprocess.run(["mount", "-o", "remount,ro", str(disk.folder)], capture_output=True, check=False)
    if remounted.returncode:
        pytest.skip("a file system cannot be made read-only here")
    command = here(disk.folder)
    for words in (["query", "new.png"], ["gallery", "info"], ["gallery", "history"], ["gallery", "suggest"]):
        code, said = command(words)
        assert (code, "error" in said) == (0, False), said
    for name in ("index", "rebuild", "rename", "tag", "tune", "calibrate", "confirm"):
        code, said = command(machine.COMMANDS[name])
        (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
        assert (code, line) == (1, f"error: cannot write the gallery {disk.folder / '.nearid'}: Read-only file system")
    assert machine.state(disk.folder / ".nearid") == before


def test_too_little_memory_is_said_in_one_line(home: Path) -> None:
    code, said = machine.in_a_child(home, cap=3 * 2**30)(["query", "new.png"])
    expected = "the address space (ulimit -v) of this process is limited to 3.0G: give it 4.0G or more"
    assert (code, said) == (1, f"error: {expected}\n")


def test_what_fails_under_a_cap_names_the_cap(monkeypatch: pytest.MonkeyPatch, here: Callable[[Path], Run]) -> None:
    """Libraries that lack memory raise anything; without a cap it would be a fault of ours, and a traceback."""

    def fail(*_: object) -> None:
        raise SystemError("error return without exception set")

    monkeypatch.setattr("nearid_search.indexer.gallery.Gallery.open", fail)
    with pytest.raises(SystemError):
        run(["gallery", "info"])
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (2**33, -1) if kind == resource.RLIMIT_AS else (-1, -1))
    code, said = here(Path.cwd())(["gallery", "info"])
    assert code == 1
    assert said.startswith("error: failed with SystemError while the address space (ulimit -v) of this process is limi")
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (MemoryError(), "not enough memory: end other programs, raise the limit, or give a smaller --batch-size"),
        (OSError(5, "Input/output error", "a.lance"), "the system refuses: Input/output error (a.lance)"),
    ],
)
def test_what_the_machine_refuses_is_one_line(
    error: Exception, line: str, monkeypatch: pytest.MonkeyPatch, here: Callable[[Path], Run]
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("nearid_search.indexer.gallery.Gallery.open", fail)
    assert here(Path.cwd())(["gallery", "info"]) == (1, f"error: {line}\n")
    with pytest.raises(type(error)):
        run(["--debug", "gallery", "info"])


def test_output_that_cannot_be_written_is_an_error(home: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full")
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-m", "nearid_search", "--version"], stdout=full, stderr=subprocess.PIPE, cwd=home,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}, text=True, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (1, "error: the system refuses: No space left on device\n")


def test_words_that_are_not_utf8_are_refused(here: Callable[[Path], Run]) -> None:
    code, said = here(Path.cwd())(["gallery", "rename", "cup", os.fsdecode(b"mug\xff")])
    assert (code, said) == (1, r"error: 'mug\udcff' is not valid UTF-8: rename the file, or type it in UTF-8" + "\n")


def test_a_file_name_cannot_change_the_terminal(here: Callable[[Path], Run]) -> None:
    code, said = here(Path.cwd())(["gallery", "info", "--gallery", "red\x1b[31m\u202egpj"])
    assert code == 1
    assert r"red\x1b[31m\u202egpj" in said
    assert said.count("\n") == 1
