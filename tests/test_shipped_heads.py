"""Heads that ship: found by the backbone they read, and only where the word for them is given."""

from pathlib import Path

import pytest
from small_heads import write_head

from nearid_search.backbones.dinov2_small_variant import Dinov2Variant
from nearid_search.backbones.registry import canonical_name
from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import WeightsError
from nearid_search.shipped_heads import find_head, list_shipped_heads

VARIANT = "dinov2-small:layers=2-4"


@pytest.fixture
def shipped(tmp_path: Path, encoder: IdentityEncoder) -> Path:
    """A folder of heads: one for the plain backbone and one for a variant."""
    folder = tmp_path / "heads"
    write_head(folder / "plain", encoder.backbone.spec)
    write_head(folder / "variant", Dinov2Variant.parse(VARIANT).spec("0" * 64, "float32"), seed=1)
    (folder / "notes").mkdir()
    return folder


def test_heads_are_listed_by_their_backbone(shipped: Path) -> None:
    assert list_shipped_heads(shipped) == {"dinov2-small": shipped / "plain", VARIANT: shipped / "variant"}
    assert list_shipped_heads(shipped / "nowhere") == {}


@pytest.mark.parametrize(
    ("head", "backbone", "expected"),
    [
        ("auto", "dinov2-small", "plain"),
        ("auto", "dinov2-small:size=224,layers=2-4", "variant"),
        ("auto", "efficientnet-lite0", None),
        ("none", "dinov2-small", None),
        (None, "dinov2-small", None),
    ],
)
def test_a_word_stands_for_a_head(shipped: Path, head: str | None, backbone: str, expected: str | None) -> None:
    found = find_head(head, canonical_name(backbone), shipped=shipped)
    assert found == (None if expected is None else shipped / expected)


def test_anything_else_is_a_folder(shipped: Path) -> None:
    for folder in ("my/head", Path("my/head")):
        assert find_head(folder, "dinov2-small", shipped=shipped) == Path("my/head")


def test_what_is_found_opens_on_its_backbone(shipped: Path, encoder: IdentityEncoder) -> None:
    found = find_head("auto", "dinov2-small", shipped=shipped)
    opened = IdentityEncoder.open("dinov2-small", device="cpu", head=found)
    assert opened.head is not None
    assert opened.fingerprint == f"{encoder.backbone.spec.fingerprint}+{opened.head.fingerprint}"


def test_a_damaged_head_is_named(shipped: Path) -> None:
    (shipped / "plain/head.json").write_text("{}")
    with pytest.raises(WeightsError, match=r"plain/head\.json"):
        find_head("auto", VARIANT, shipped=shipped)


def test_two_heads_of_one_backbone_are_refused(shipped: Path, encoder: IdentityEncoder) -> None:
    write_head(shipped / "second", encoder.backbone.spec, seed=2)
    with pytest.raises(WeightsError, match=r"plain and .*second are heads of one backbone"):
        list_shipped_heads(shipped)
