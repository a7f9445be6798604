"""Training sets: three forms on disk, one in memory."""

from nearid_search.trainer.datasets.checks import check_dataset, data_hash, hash_images, require_pairs
from nearid_search.trainer.datasets.open import open_dataset
from nearid_search.trainer.datasets.records import Dataset, Sample, View

__all__ = [
    "Dataset",
    "Sample",
    "View",
    "check_dataset",
    "data_hash",
    "hash_images",
    "open_dataset",
    "require_pairs",
]
