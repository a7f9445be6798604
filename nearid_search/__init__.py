"""Find the same object, not the one that merely looks like it in the same place.

The public names are resolved when first used, so importing this package loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nearid_search.client import Client
    from nearid_search.encoder import IdentityEncoder
    from nearid_search.engine import SearchEngine
    from nearid_search.errors import NearIDError
    from nearid_search.eval.calibrate import CalibrationReport, calibrate_gallery
    from nearid_search.eval.intervals import Interval, bootstrap_interval
    from nearid_search.indexer.catalogue.build import index_catalogue
    from nearid_search.indexer.catalogue.scan import list_pictures
    from nearid_search.indexer.exchange.embedding_export import export_embeddings
    from nearid_search.indexer.exchange.embedding_import import import_embeddings
    from nearid_search.indexer.gallery import Gallery
    from nearid_search.indexer.sightings import Sighting, SightingLog
    from nearid_search.picture_time import capture_time
    from nearid_search.records import ClaimCheck, Failure, IdentityMatch, MatchedImage, QueryAnswer
    from nearid_search.reports import ExportReport, ImportReport, IndexReport
    from nearid_search.strip import write_strip
    from nearid_search.trainer.config import TrainConfig
    from nearid_search.trainer.recipe import TrainReport, train

__version__ = "0.1.0"

_HOMES = {
    "CalibrationReport": "nearid_search.eval.calibrate",
    "ClaimCheck": "nearid_search.records",
    "Client": "nearid_search.client",
    "ExportReport": "nearid_search.reports",
    "Failure": "nearid_search.records",
    "Gallery": "nearid_search.indexer.gallery",
    "IdentityEncoder": "nearid_search.encoder",
    "IdentityMatch": "nearid_search.records",
    "ImportReport": "nearid_search.reports",
    "IndexReport": "nearid_search.reports",
    "Interval": "nearid_search.eval.intervals",
    "MatchedImage": "nearid_search.records",
    "NearIDError": "nearid_search.errors",
    "QueryAnswer": "nearid_search.records",
    "SearchEngine": "nearid_search.engine",
    "Sighting": "nearid_search.indexer.sightings",
    "SightingLog": "nearid_search.indexer.sightings",
    "TrainConfig": "nearid_search.trainer.config",
    "TrainReport": "nearid_search.trainer.recipe",
    "bootstrap_interval": "nearid_search.eval.intervals",
    "calibrate_gallery": "nearid_search.eval.calibrate",
    "capture_time": "nearid_search.picture_time",
    "export_embeddings": "nearid_search.indexer.exchange.embedding_export",
    "import_embeddings": "nearid_search.indexer.exchange.embedding_import",
    "index_catalogue": "nearid_search.indexer.catalogue.build",
    "list_pictures": "nearid_search.indexer.catalogue.scan",
    "train": "nearid_search.trainer.recipe",
    "write_strip": "nearid_search.strip",
}

__all__ = [
    "CalibrationReport",
    "ClaimCheck",
    "Client",
    "ExportReport",
    "Failure",
    "Gallery",
    "IdentityEncoder",
    "IdentityMatch",
    "ImportReport",
    "IndexReport",
    "Interval",
    "MatchedImage",
    "NearIDError",
    "QueryAnswer",
    "SearchEngine",
    "Sighting",
    "SightingLog",
    "TrainConfig",
    "TrainReport",
    "bootstrap_interval",
    "calibrate_gallery",
    "capture_time",
    "export_embeddings",
    "import_embeddings",
    "index_catalogue",
    "list_pictures",
    "train",
    "write_strip",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401  (PEP 562: any public object)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
