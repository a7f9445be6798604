"""What works on a disk only says so before it does anything; no store is asked."""

from collections.abc import Callable

import pytest

from nearid_search.encoder import IdentityEncoder
from nearid_search.errors import ConfigError
from nearid_search.indexer.care.repair import repair_gallery
from nearid_search.indexer.care.verify import verify_gallery
from nearid_search.indexer.catalogue.migrate import migrate_gallery
from nearid_search.indexer.encoder_choice import command_for
from nearid_search.indexer.location import locate_gallery
from nearid_search.indexer.manifest import EncoderRecord, Manifest


@pytest.mark.parametrize("call", [verify_gallery, repair_gallery, migrate_gallery])
def test_a_gallery_in_a_store_is_refused(call: Callable[[str], object]) -> None:
    with pytest.raises(
        ConfigError, match=r"^gallery \w+ needs a gallery on a disk, and s3://shop/gallery is in an obj"
    ):
        call("s3://shop/gallery")


def test_another_encoder_takes_a_rebuild_there(encoder: IdentityEncoder) -> None:
    record = EncoderRecord(fingerprint="old", backbone="old", dtype="float32", dim=4)
    manifest = Manifest(encoder=record, created_at="", made_by="", catalogues={"shop": None})
    assert command_for(encoder, locate_gallery("s3://shop/gallery"), manifest) == (
        f"nearid-search index shop --backbone dinov2-small --dtype {encoder.dtype} --head none "
        "--gallery s3://shop/gallery --rebuild"
    )
