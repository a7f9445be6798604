"""The sample catalogue holds what the README shows: look-alikes, queries with their truth, licences and hashes."""

import csv
import hashlib
import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PICTURES = sorted((EXAMPLES / "catalog").glob("*/*.jpg"))
QUERIES = sorted((EXAMPLES / "queries").glob("*.jpg"))
MANIFEST = json.loads((EXAMPLES / "catalog-manifest.json").read_text())
BY_PATH = {image["path"]: image for image in MANIFEST["images"]}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def truth() -> dict[str, dict[str, str]]:
    return {row["path"]: row for row in rows(EXAMPLES / "queries" / "truth.csv")}


def test_there_are_enough_identities_and_views() -> None:
    views = Counter(picture.parent.name for picture in PICTURES)
    assert len(views) >= 12
    assert min(views.values()) >= 4


@pytest.mark.parametrize("picture", PICTURES + QUERIES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_picture_decodes_to_a_photograph_of_usual_size(picture: Path) -> None:
    with Image.open(picture) as image:
        image.load()
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert 480 <= max(image.size) <= 640


def test_everything_together_is_small() -> None:
    files = [*PICTURES, *QUERIES, *EXAMPLES.glob("*.csv"), *EXAMPLES.glob("*.md"), *EXAMPLES.glob("*.json")]
    assert sum(path.stat().st_size for path in files) <= 6 * 2**20


def test_no_two_views_of_an_identity_share_a_background() -> None:
    for identity in {picture.parent.name for picture in PICTURES}:
        scenes = [image["scene"] for image in MANIFEST["images"] if image["path"].startswith(f"catalog/{identity}/")]
        assert len(scenes) == len(set(scenes)) >= 4


def test_the_manifest_names_exactly_these_files_and_their_hashes() -> None:
    found = {
        str(path.relative_to(EXAMPLES)): hashlib.sha256(path.read_bytes()).hexdigest() for path in PICTURES + QUERIES
    }
    assert found == {path: image["sha256"] for path, image in BY_PATH.items()}


def test_the_table_names_every_picture_with_its_folder_as_identity() -> None:
    table = rows(EXAMPLES / "catalog.csv")
    assert sorted(row["path"] for row in table) == [f"{path.parent.name}/{path.name}" for path in PICTURES]
    for row in table:
        assert row["identity"] == Path(row["path"]).parent.name
        assert row["category"]
        assert row["colour"]
        assert row["collection"]


def test_every_identity_and_the_stranger_is_attributed_under_a_free_licence() -> None:
    text = (EXAMPLES / "ATTRIBUTION.md").read_text()
    lines = {line.split("|")[1].strip(): line for line in text.splitlines() if line.startswith("| ")}
    for shown in {image["thing"] for image in MANIFEST["images"]}:
        assert "CC0-1.0" in lines[shown] or "CC-BY-3.0" in lines[shown], shown
    for scene in {image["scene"] for image in MANIFEST["images"]}:
        assert "MIT" in lines[scene], scene


def test_truth_names_every_query_and_only_catalogued_identities() -> None:
    answers = truth()
    assert sorted(answers) == [path.name for path in QUERIES] == ["look-alike.jpg", "new-view.jpg", "stranger.jpg"]
    identities = {picture.parent.name for picture in PICTURES}
    assert answers["new-view.jpg"]["identity"] in identities
    assert answers["look-alike.jpg"]["identity"] in identities
    assert answers["stranger.jpg"]["identity"] == ""
    for name, row in answers.items():
        assert BY_PATH[f"queries/{name}"]["thing"] == row["identity"] or not row["identity"]


def test_the_new_view_has_a_background_of_its_own_and_the_stranger_a_known_one() -> None:
    known = {image["scene"] for path, image in BY_PATH.items() if path.startswith("catalog/")}
    assert BY_PATH["queries/new-view.jpg"]["scene"] not in known
    assert BY_PATH["queries/stranger.jpg"]["scene"] in known
    identities = {picture.parent.name for picture in PICTURES}
    assert BY_PATH["queries/stranger.jpg"]["thing"] not in identities


def test_the_look_alike_stands_in_a_catalogue_picture_of_another_identity() -> None:
    query = BY_PATH["queries/look-alike.jpg"]
    assert query["framed_by"] != query["thing"]
    setup = {name: value for name, value in query.items() if name not in ("path", "thing", "sha256")}
    twins = [
        path
        for path, image in BY_PATH.items()
        if path.startswith("catalog/") and setup.items() <= image.items() and image["thing"] == query["framed_by"]
    ]
    assert len(twins) == 1
    with Image.open(EXAMPLES / twins[0]) as twin, Image.open(EXAMPLES / query["path"]) as shown:
        # The top left corner is background in both: the same pixels but for what JPEG's blocks and light make of them.
        corner = (0, 0, twin.width // 8, twin.height // 8)
        pairs = zip(twin.crop(corner).tobytes(), shown.crop(corner).tobytes(), strict=True)
        differences = [abs(one - other) for one, other in pairs]
    assert sum(differences) / len(differences) < 4
