from catalog_renderer.objects import OBJECTS, STRANGER
from identity_renderer.stock import ON_SHOW


def test_everything_in_the_sample_catalogue_is_kept_from_training() -> None:
    assert {(thing.archive, thing.model) for thing in (*OBJECTS, STRANGER)} == ON_SHOW
