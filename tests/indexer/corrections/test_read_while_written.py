"""The log of corrections is read while another process adds to it and renews its second copy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from correction_cases import made_gallery

from nearid_search.indexer.corrections.log import CorrectionLog

Lines = Iterator[dict[str, Any]]


@pytest.mark.parametrize("moment", ["before", "between", "after"])
def test_a_log_that_grows_while_it_is_read_has_lost_no_line(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other's correction ends, copy and all, before the lines are read, between two of them, and after the last."""
    gallery = made_gallery(tmp_path / ".nearid", {"cup": 1, "jug": 1})
    gallery.corrections.rename("cup", "mug")
    real = CorrectionLog._read

    def correct() -> None:
        with monkeypatch.context() as as_it_is:
            as_it_is.setattr(CorrectionLog, "_read", real)
            gallery.corrections.rename("jug", "pot")

    def overtaken(log: CorrectionLog) -> Lines:
        if moment == "before":
            correct()
        for number, line in enumerate(real(log)):
            if moment == "between" and number == 0:
                correct()
            yield line
        if moment == "after":
            correct()

    monkeypatch.setattr(CorrectionLog, "_read", overtaken)
    seen = CorrectionLog(gallery.folder)
    monkeypatch.setattr(CorrectionLog, "_read", real)
    assert [entry.what for entry in seen.entries] in (["cup is called mug"], ["cup is called mug", "jug is called pot"])
    assert len(CorrectionLog(gallery.folder).entries) == 2
