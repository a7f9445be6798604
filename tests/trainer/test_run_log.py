"""The log of a run: what a resumed run keeps, and that TensorBoard reads what was written."""

import json
from pathlib import Path

import pytest

from nearid_search.trainer.run_log import LOG_NAME, TENSORBOARD_FOLDER, RunLog


def write(folder: Path, first: int, last: int, *, done: int, tensorboard: bool = False) -> None:
    with RunLog(folder, step=done, tensorboard=tensorboard) as log:
        for step in range(first, last + 1):
            log.add(step, {"loss": step / 10, "alarm": "text"})


def read(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / LOG_NAME).read_text().splitlines()]


def test_a_resumed_run_drops_the_steps_it_does_again(tmp_path: Path) -> None:
    write(tmp_path, 1, 5, done=0)
    write(tmp_path, 4, 6, done=3)
    assert [line["step"] for line in read(tmp_path)] == [1, 2, 3, 4, 5, 6]


def test_what_is_no_number_is_null(tmp_path: Path) -> None:
    with RunLog(tmp_path, step=0) as log:
        log.add(1, {"gradient_norm": float("inf"), "ssr": float("nan"), "alarm": "x"})
    assert read(tmp_path) == [{"step": 1, "gradient_norm": None, "ssr": None, "alarm": "x"}]


def test_tensorboard_reads_the_numbers_once_a_step(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    write(tmp_path, 1, 5, done=0, tensorboard=True)
    write(tmp_path, 4, 6, done=3, tensorboard=True)
    events = accumulator.EventAccumulator(str(tmp_path / TENSORBOARD_FOLDER)).Reload()
    assert events.Tags()["scalars"] == ["loss"]
    assert [(event.step, round(event.value, 5)) for event in events.Scalars("loss")] == [
        (step, step / 10) for step in range(1, 7)
    ]
