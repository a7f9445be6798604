"""The pages of docs/examples: their folders are made as they say, and every script prints what they show."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/examples"
if not PAGES.exists():
    pytest.skip("the documents are not part of what is installed", allow_module_level=True)
ORDER = ("track-assets", "reconcile", "find-counterfeits", "score-generations")
FIGURE = re.compile(r"-?\d+\.\d{2,}")


def bash(script: str, folder: Path) -> str:
    """Run a script as a reader would who has the environment of these tests, and return what it prints."""
    python = shlex.quote(sys.executable)
    commands = f'python() {{ {python} "$@"; }}; nearid-search() {{ {python} -m nearid_search "$@"; }}; '
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NEARID_GALLERY": "demo/gallery"}
    done = subprocess.run(
        ["bash", "-c", commands + script], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the examples, and what the first page makes beside them."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "examples").symlink_to(ROOT / "examples")
    (making,) = re.findall(r"^```bash\n(.*?)^```", (PAGES / "README.md").read_text(), re.M | re.S)
    bash(f"set -e; {making}", folder)
    return folder


def shown(page: str) -> list[tuple[str, str]]:
    """Every command of a page and what it prints there."""
    (block,) = re.findall(r"^```console\n(.*?)^```", (PAGES / f"{page}.md").read_text(), re.M | re.S)
    return [(part.partition("\n")[0], part.partition("\n")[2]) for part in block.removeprefix("$ ").split("\n$ ")]


@pytest.mark.slow
def test_every_page_shows_what_happens(checkout: Path) -> None:
    for page in ORDER:  # the second compares what the first has noted
        for command, expected in shown(page):
            printed = bash(command, checkout)
            # Processors differ in the last bits: words are compared as they are, figures nearly.
            assert FIGURE.sub("#", printed.strip()) == FIGURE.sub("#", expected.strip())
            figures = [float(figure) for figure in FIGURE.findall(expected)]
            assert [float(figure) for figure in FIGURE.findall(printed)] == pytest.approx(figures, abs=0.03)
    assert (checkout / "demo/suspects.html").read_text().count("demo/listings/") >= 4
    again = bash(f"{shown('track-assets')[0][0]} > again; wc -c < again", checkout)
    assert again.strip() == "0"


@pytest.mark.parametrize("page", ORDER)
def test_a_page_has_a_small_picture(page: str) -> None:
    (picture,) = re.findall(r"!\[[^\]]+\]\((.*?)\)", (PAGES / f"{page}.md").read_text())
    assert (PAGES / picture).stat().st_size <= 100 * 1024
