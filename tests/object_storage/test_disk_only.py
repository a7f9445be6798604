"""What works on a disk only says so before it does anything; no store is asked."""

from collections.abc import Callable

import pytest

from nearid_search.errors import ConfigError
from nearid_search.indexer.care.repair import repair_gallery
from nearid_search.indexer.care.verify import verify_gallery
from nearid_search.indexer.catalogue.migrate import migrate_gallery


@pytest.mark.parametrize("call", [verify_gallery, repair_gallery, migrate_gallery])
def test_a_gallery_in_a_store_is_refused(call: Callable[[str], object]) -> None:
    with pytest.raises(
        ConfigError, match=r"^gallery \w+ needs a gallery on a disk, and s3://shop/gallery is in an obj"
    ):
        call("s3://shop/gallery")
