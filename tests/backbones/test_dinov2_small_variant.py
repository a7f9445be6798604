"""Names of variants of dinov2-small: what is said is read, what is default is left out, what is wrong is named."""

import pytest

from nearid_search.backbones.dinov2_small_variant import Dinov2Variant
from nearid_search.backbones.patch_colour import DIM
from nearid_search.backbones.registry import open_backbone
from nearid_search.errors import BackboneError


@pytest.mark.parametrize(
    ("name", "variant"),
    [
        ("dinov2-small", Dinov2Variant()),
        ("dinov2-small:size=336", Dinov2Variant(size=336)),
        ("dinov2-small:layers=2-4", Dinov2Variant(layers=(2, 4))),
        ("dinov2-small:size=448,layers=0-11,colour", Dinov2Variant(size=448, layers=(0, 11), colour=True)),
    ],
)
def test_a_name_and_its_variant_are_one(name: str, variant: Dinov2Variant) -> None:
    assert Dinov2Variant.parse(name) == variant
    assert variant.name == name


def test_settings_may_come_in_any_order_and_repeat_the_default() -> None:
    assert Dinov2Variant.parse("dinov2-small:colour,size=224").name == "dinov2-small:colour"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("", "'' is no setting"),
        ("size=big", "'size=big' is no setting"),
        ("colour,colour", "'colour' is no setting"),
        ("size=230", "multiple of 28 up to 504, got 230"),
        ("size=0", "got 0"),
        ("size=532", "got 532"),
        ("layers=6-4", r"rising numbers from 0 to 11, got \(6, 4\)"),
        ("layers=4-4", "rising"),
        ("layers=12", "rising"),
    ],
)
def test_what_is_wrong_is_named(settings: str, message: str) -> None:
    with pytest.raises(BackboneError, match=message):
        open_backbone(f"dinov2-small:{settings}", device="cpu")


def test_variants_have_other_fingerprints_and_say_their_shape() -> None:
    specs = [
        variant.spec("00", "float32")
        for variant in (
            Dinov2Variant(),
            Dinov2Variant(size=336),
            Dinov2Variant(layers=(4,)),
            Dinov2Variant(colour=True),
        )
    ]
    assert len({spec.fingerprint for spec in specs}) == len({spec.weights_fingerprint for spec in specs}) == 4
    shapes = [(spec.token_scales[0].num_tokens, spec.token_scales[0].dim, spec.pooled_dim) for spec in specs]
    assert shapes == [(256, 1152, 1152), (576, 1152, 1152), (256, 384, 384), (256, 1152 + DIM, 1152)]
