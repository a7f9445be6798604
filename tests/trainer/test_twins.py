"""Twins: every one another picture, undone by the opposite change, and decided by the name of the identity."""

import numpy as np
import pytest

from nearid_search.errors import ConfigError
from nearid_search.trainer.augment import AugmentConfig
from nearid_search.trainer.twins import ALL, Twin, twins_of

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_eleven_changes_that_differ_from_each_other_and_from_the_picture() -> None:
    pictures = {twin.picture(PIXELS).tobytes() for twin in ALL} | {PIXELS.tobytes()}
    assert len(ALL) == 11
    assert len(pictures) == 12
    assert len({twin.name for twin in ALL}) == 11


@pytest.mark.parametrize("twin", ALL, ids=lambda twin: twin.name)
def test_a_change_moves_pixels_and_channels_and_alters_no_value(twin: Twin) -> None:
    changed = twin.picture(PIXELS)
    back = changed[:, ::-1] if twin.mirrored else changed
    for channel, source in enumerate(twin.channels):
        assert np.array_equal(back[..., channel], PIXELS[..., source])


def test_twins_of_an_identity_are_different_and_more_begin_with_fewer() -> None:
    for identity in ("chair", "lamp", "shelf"):
        assert len(set(twins_of(identity, 11))) == 11
        assert twins_of(identity, 11)[:3] == twins_of(identity, 3)
    assert len({twins_of(f"thing {number}", 1) for number in range(200)}) == 11


def test_a_number_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"augment\.twins must be 0 to 11, got 12"):
        AugmentConfig(twins=12)
