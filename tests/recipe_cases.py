"""Small datasets that the whole recipe learns from, with the real default backbone."""

from pathlib import Path

from catalogues import draw
from PIL import Image

from nearid_search.trainer.config import TrainConfig

SMALL = {"width": 48, "num_heads": 4, "num_probes": 2, "mlp_dim": 96, "out_dim": 32}


def place(path: Path, thing: int, background: int) -> None:
    """A large square of the thing's own texture on a background's."""
    draw(path, 1000 + background)
    ground = Image.open(path).convert("RGB").resize((96, 96))
    draw(path, thing)
    ground.paste(Image.open(path).convert("RGB").resize((64, 64)), (16, 16))
    ground.save(path)


def make_dataset(folder: Path, *, things: dict[str, int], views: int = 2, distractors: bool = True) -> Path:
    number = 0
    for split, count in things.items():
        for _ in range(count):
            number += 1
            for view in range(1, views + 1):
                home = folder / split / f"thing-{number:02}" / str(view)
                place(home / "positive.png", number, 10 * number + view)
                if distractors:
                    place(home / "distractor-other.png", 500 + number, 10 * number + view)
    return folder


def config_for(dataset: Path, out: Path, **settings: object) -> TrainConfig:
    document = {
        "backbone": "dinov2-small",
        "batch_size": 4,
        "epochs": 8,
        "learning_rate": 3e-3,
        "warmup_steps": 4,
        "validate_every": 4,
    }
    return TrainConfig.from_dict({"dataset": str(dataset), "out": str(out), "head": SMALL, **document, **settings})
