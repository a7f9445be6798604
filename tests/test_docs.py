"""What the documents show is what happens: every command runs, every printed answer is still given."""

import json
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedding_files import directions, write_embeddings
from embeddings import look_alikes
from made_galleries import make_gallery
from nearid_checkpoints import NUM_HEADS, write_checkpoint
from packed_catalogues import write_tar
from rating_folders import write_ratings, write_samples
from s3_server import s3_server
from training_sets import two_views, write_folder

from nearid_search.cli.app import run
from nearid_search.engine import SearchEngine

ROOT = Path(__file__).parents[1]
if not (ROOT / "README.md").exists():
    pytest.skip("the documents are not part of what is installed", allow_module_level=True)

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOT_OURS = ("pip", "./scripts/", "python", "git", "curl")  # what CI runs by itself, or sets up; tests/server runs curl
NEARBY = {"http://localhost:6333": "qdrant-folder"}  # what a test has instead of what is elsewhere
ONCE = ("distractors",)  # seconds of work that no later line needs: what several documents show is run for the first
TABLE_ROW = re.compile(r"^ +\d+ │ (\S+) +│ ([\d.]+) │", re.MULTILINE)


def blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(encoding="utf-8"), re.M | re.S)


def shell_lines(document: Path) -> list[list[str]]:
    lines = [line for block in blocks(document, "bash") for line in block.splitlines()]
    words = [shlex.split(line, comments=True) for line in lines]
    return [line for line in words if line and not line[0].startswith(NOT_OURS)]


def copy_pictures(source: Path, target: Path, *, things: int) -> None:
    """Copy all views of the first few things."""
    for thing in sorted(path for path in source.iterdir() if path.is_dir())[:things]:
        shutil.copytree(thing, target / thing.name)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the files that the documents speak of."""
    examples = ROOT / "examples"
    copy_pictures(examples / "catalog", tmp_path / "catalog", things=3)
    names = {path.name for path in (tmp_path / "catalog").iterdir()}
    header, *rows = (examples / "catalog.csv").read_text().splitlines()
    kept = [row for row in rows if row.split("/")[0] in names]
    (tmp_path / "catalog.csv").write_text("\n".join([header, *kept]) + "\n")
    shutil.copy(examples / "queries/new-view.jpg", tmp_path / "photo.jpg")
    shutil.copytree(examples / "queries", tmp_path / "incoming")
    write_tar(tmp_path / "shards/a.tar", {"chair/1.jpg": (tmp_path / "photo.jpg").read_bytes()})
    (tmp_path / "list.txt").write_text("photo.jpg\n")
    things = [("train", "cup"), ("train", "jug"), ("val", "pan"), ("test", "tin")]
    write_folder(
        tmp_path / "dataset", [image for seed, thing in enumerate(things) for image in two_views(*thing, 100 * seed)]
    )
    write_ratings(tmp_path / "ratings")
    write_samples(tmp_path / "samples")
    write_checkpoint(tmp_path / "model.safetensors")
    bins = ["A3", "B1"]
    write_embeddings(
        tmp_path / "embeddings.parquet", directions(1, 2), ["cup", "jug"], path=["1.jpg", "2.jpg"], bin=bins
    )
    write_embeddings(tmp_path / "queries.parquet", directions(2, 3), None)
    make_gallery(tmp_path / "warehouse", *look_alikes(1, 30, 3))
    (tmp_path / "tokens").write_text("scanner 0123456789abcdef\n")
    (tmp_path / "config.json").write_text(json.dumps({"num_attention_heads": NUM_HEADS}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEARID_GALLERY", raising=False)
    return tmp_path


def serve_and_stop(arguments: list[str]) -> None:
    """Start the service at a free port, and stop it once it is ready."""
    command = [sys.executable, "-m", "nearid_search", *arguments, "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        line = running.stderr.readline()
        running.terminate()
        assert line.startswith("serving http://"), line + running.stderr.read()
    assert running.returncode == 0


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The bucket that the documents speak of."""
    with s3_server() as server:
        server.make_bucket("bucket")
        for name, value in {**server.environment, "NEARID_CACHE": str(tmp_path / "cache")}.items():
            monkeypatch.setenv(name, value)
        yield


@pytest.fixture(scope="module")
def done() -> list[list[str]]:
    """The command lines that have run."""
    return []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
@pytest.mark.usefixtures("desk")
def test_every_command_runs(document: Path, done: list[list[str]], request: pytest.FixtureRequest) -> None:
    lines = [line for line in shell_lines(document) if line[0] == "nearid-search"]
    if any(word.startswith("s3://") for line in lines for word in line):
        request.getfixturevalue("bucket")
    assert len(lines) == len(shell_lines(document)), "a command that this test does not know"
    if lines and lines[0][1] != "index":
        assert run(["index", "catalog", "--identities", "catalog.csv"]) == 0
    for line in lines:
        if "--backbone" in line or line[1] == "train" or line[1:3] == ["models", "import"]:
            pytest.importorskip("torch")
        arguments = [NEARBY.get(word, word) for word in (line[1 : line.index(">")] if ">" in line else line[1:])]
        if line[1] in ONCE and line in done:
            continue
        done.append(line)
        if line[1] == "serve":
            serve_and_stop(arguments)
        else:
            assert run(arguments) == 0, shlex.join(line)


def test_the_python_example_runs(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "examples").symlink_to(ROOT / "examples")
    (block,) = blocks(ROOT / "README.md", "python")
    (desk / "example.py").write_text(block)
    runpy.run_path(str(desk / "example.py"))
    first, verdict, *matches = capsys.readouterr().out.splitlines()
    assert first == "80 images of 20 identities"
    assert verdict.endswith("calibrated: False")
    assert [line.split()[0] for line in matches] == ["1", "2", "3"]


def test_the_example_of_a_constraint_runs(desk: Path) -> None:
    """A thing that was seen in one bin is no answer in another, and still is one in its own."""
    assert run(["index", "catalog", "--identities", "catalog.csv", "--device", "cpu"]) == 0
    (block,) = [block for block in blocks(ROOT / "docs/how-to.md", "python") if "round_of_pictures" in block]
    engine = SearchEngine.open(device="cpu", on_warning=lambda _line: None)
    first, second = (desk / f"catalog/chair-slatted/{number}.jpg" for number in (1, 2))
    assert engine.query(second).identity == "chair-slatted"
    furniture = engine.query(first, where=lambda images: np.array(images["collection"].to_pylist()) == "furniture")
    assert len(furniture.matches) == 3
    after = {}
    for bin_name in ("A3", "B1"):
        names = {"engine": engine, "round_of_pictures": [("A3", first), (bin_name, second)]}
        exec(block, names)  # noqa: S102  (the document's own example)
        assert names["seen"]["chair-slatted"] == "A3"  # type: ignore[index]
        after[bin_name] = {match.identity for match in names["answer"].matches}  # type: ignore[attr-defined]
    assert "chair-slatted" in after["A3"]
    assert after["B1"] == {"chair-blue-cushion", "chair-red-seat"}


@pytest.mark.usefixtures("desk")
@pytest.mark.filterwarnings("ignore:Local mode performs exact")  # it says so of every setting of a search
def test_a_published_gallery_answers_as_the_page_says(capsys: pytest.CaptureFixture[str]) -> None:
    """The page's own lines, in its order: a collection made first, published, asked and compared with the gallery."""
    qdrant_client = pytest.importorskip("qdrant_client")
    make, ask, compare = blocks(ROOT / "docs/scaling.md", "python")
    assert run(["index", "catalog", "--identities", "catalog.csv", "--device", "cpu"]) == 0
    names: dict[str, Any] = {"client": qdrant_client.QdrantClient(path="qdrant-folder")}
    exec(make, names)  # noqa: S102  (the page's own example)
    names["client"].close()
    assert run(["gallery", "publish", "qdrant-folder", "--collection", "shop"]) == 0
    names["client"] = qdrant_client.QdrantClient(path="qdrant-folder")
    exec(ask, names)  # noqa: S102
    ours = SearchEngine.open(device="cpu", on_warning=lambda _line: None).query("photo.jpg", k=6)
    groups = names["groups"]
    assert [group.id for group in groups] == [match.identity for match in ours.matches]
    for group, match in zip(groups, ours.matches, strict=True):
        assert group.hits[0].score == pytest.approx(match.score, abs=1e-6)
    assert names["margin"] == pytest.approx(ours.margin, abs=1e-6)
    capsys.readouterr()
    exec(compare, names)  # noqa: S102
    names["client"].close()
    assert capsys.readouterr().out == "the same first identity for 12 of 12 views\n"


def test_the_answers_in_the_readme_are_still_given(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (desk / "examples").symlink_to(ROOT / "examples")
    assert run(["index", "examples/catalog", "--identities", "examples/catalog.csv", "--device", "cpu"]) == 0
    shown = blocks(ROOT / "README.md", "console")
    assert len(shown) == 2
    for block in shown:
        command, _, output = block.partition("\n")
        capsys.readouterr()
        assert run([*shlex.split(command)[2:], "--json"]) == 0
        answer = json.loads(capsys.readouterr().out)
        rows = TABLE_ROW.findall(output)
        assert len(rows) == len(answer["matches"]) == 3
        assert output.split()[:2] == [answer["query"], answer["verdict"]]
        # Processors differ in the last bits, so near-ties may change places: compared by identity, not by rank.
        scores = {match["identity"]: match["score"] for match in answer["matches"]}
        assert scores == {identity: pytest.approx(float(score), abs=0.01) for identity, score in rows}
    assert run(["calibrate"]) == 0
    capsys.readouterr()
    assert run(["query", "examples/queries/stranger.jpg", "examples/queries/look-alike.jpg", "--json"]) == 0
    verdicts = [json.loads(line)["verdict"] for line in capsys.readouterr().out.splitlines()]
    assert verdicts == ["unknown", "ambiguous"]


def test_the_reference_is_what_the_commands_say() -> None:
    generator = runpy.run_path(str(ROOT / "scripts/write_reference.py"))
    text = (ROOT / "docs/reference.md").read_text(encoding="utf-8")
    assert generator["with_declarations"](text) == text, "run: python scripts/write_reference.py"


@pytest.mark.parametrize("document", [*DOCUMENTS, *sorted((ROOT / "docs/examples").glob("*.md"))], ids=str)
def test_every_link_leads_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [target for target in targets if not (document.parent / target).exists()] == []
