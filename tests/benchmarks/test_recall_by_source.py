"""What is in each gallery, and that all sources together give what `eval` gives."""

from pathlib import Path

from recall_by_source import measure
from training_sets import Drawn, two_views, write_folder

from nearid_search.encoder import IdentityEncoder
from nearid_search.eval.evaluate import EvalOptions, evaluate
from nearid_search.trainer.datasets import open_dataset


def test_galleries_hold_their_own_sources(tmp_path: Path) -> None:
    images = [
        *two_views("test", "lamp", 100),
        *two_views("test", "cup", 200),
        Drawn("test", "vase", 1, "positive", "", 6),
    ]
    encoder = IdentityEncoder.open(device="cpu")  # the shipped head and its backbone
    dataset = open_dataset(write_folder(tmp_path, images))
    galleries = measure(dataset.split("test"), encoder)["galleries"]
    assert {name: gallery["pictures"] for name, gallery in galleries.items()} == {
        "none": 5,
        "flux": 9,
        "sdxl": 9,
        "all": 13,
    }
    judged = evaluate(dataset, encoder, split="test", options=EvalOptions(masked=False)).readouts["head"].figures
    for figure in ("recall@1", "recall@5", "map"):
        assert galleries["all"][figure] == judged[figure].as_dict()
        falling = [galleries[name][figure]["value"] for name in ("none", "flux", "all")]
        assert falling == sorted(falling, reverse=True)
