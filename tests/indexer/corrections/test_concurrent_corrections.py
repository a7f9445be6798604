"""Two command lines that say different things of one identity at once."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from correction_cases import made_gallery

from nearid_search.indexer.corrections.log import CorrectionLog
from nearid_search.indexer.gallery import Gallery

CORRECT = """
import sys
from nearid_search.cli.app import run
print("ready", flush=True)
sys.stdin.readline()
for line in sys.stdin:
    code = run(["gallery", *line.split(), "--gallery", sys.argv[1]])
    print("exit", code, flush=True)
"""


def correct_at_once(folder: Path, *commands: list[str]) -> list[tuple[str, str]]:
    """Give each process its commands when all of them have loaded; return what each printed and complained of."""
    line = [sys.executable, "-c", CORRECT, str(folder)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(line, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for _ in commands]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process, wanted in zip(processes, commands, strict=True):
        assert process.stdin is not None
        process.stdin.write("\n" + "\n".join(wanted) + "\n")
        process.stdin.flush()
    return [process.communicate(timeout=120) for process in processes]


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return made_gallery(tmp_path / ".nearid", {"thing": 2, "jug": 1})


def test_of_two_that_contradict_each_other_one_is_refused_in_a_line(gallery: Gallery) -> None:
    done = correct_at_once(gallery.folder, ["rename thing left"], ["rename thing right"])
    codes = [printed.split()[-1] for printed, _ in done]
    assert sorted(codes) == ["0", "1"]
    (complaint,) = [complaint for (_, complaint), code in zip(done, codes, strict=True) if code == "1"]
    assert re.fullmatch(r"error: there is no identity 'thing'.*\n", complaint)
    (entry,) = CorrectionLog(gallery.folder).entries
    names = Gallery.open(gallery.folder).identities()
    assert ("left" in names, "right" in names) in ((True, False), (False, True))
    assert entry.what == f"thing is called {'left' if 'left' in names else 'right'}"
