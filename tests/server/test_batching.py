"""Work goes through one thread in batches, in order, within bounds; and nothing that was begun is lost."""

import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearid_search.errors import ServiceBusyError
from nearid_search.server.batching import Batcher


@dataclass(eq=False)
class Piece:
    size: int = 1
    number: int = 0
    future: Future[Any] = field(default_factory=Future)


def numbers(batch: list[Piece]) -> None:
    for piece in batch:
        piece.future.set_result(piece.number)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=12), st.integers(1, 6))
def test_all_work_is_done_in_order_and_in_batches_that_fit(sizes: list[int], batch_size: int) -> None:
    batches: list[list[Piece]] = []

    def run(batch: list[Piece]) -> None:
        batches.append(batch)
        numbers(batch)

    batcher = Batcher[Piece](run, batch_size=batch_size, wait=0.001, capacity=sum(sizes))
    work = [Piece(size, number) for number, size in enumerate(sizes)]
    batcher.submit(work)
    assert [piece.future.result(10) for piece in work] == list(range(len(sizes)))
    batcher.close()
    assert [piece for batch in batches for piece in batch] == work
    for batch in batches:
        assert len(batch) == 1 or sum(piece.size for piece in batch) <= batch_size
    assert batcher.depth == 0


def test_work_that_comes_while_a_batch_runs_makes_the_next() -> None:
    started, go, sizes = threading.Event(), threading.Event(), []

    def run(batch: list[Piece]) -> None:
        started.set()
        go.wait(10)
        sizes.append(len(batch))
        numbers(batch)

    batcher = Batcher[Piece](run, batch_size=8, wait=0, capacity=20)
    first, rest = Piece(), [Piece(number=n) for n in range(10)]
    batcher.submit([first])
    assert started.wait(10)
    for piece in rest:
        batcher.submit([piece])
    go.set()
    assert [piece.future.result(10) for piece in rest] == list(range(10))
    batcher.close()
    assert sizes == [1, 8, 2]


def test_a_batch_waits_for_company_only_where_some_is_expected() -> None:
    sizes: list[int] = []

    def run(batch: list[Piece]) -> None:
        sizes.append(len(batch))
        numbers(batch)

    expected = False
    batcher = Batcher[Piece](run, batch_size=2, wait=20, capacity=9, expects_more=lambda: expected)
    started = time.monotonic()
    alone = Piece()
    batcher.submit([alone])
    alone.future.result(10)
    assert time.monotonic() - started < 10
    expected = True
    first, second = Piece(), Piece()
    batcher.submit([first])
    batcher.submit([second])
    second.future.result(10)
    assert sizes == [1, 2]
    batcher.close()


def test_those_who_were_answered_together_are_waited_for() -> None:
    sizes: list[int] = []

    def run(batch: list[Piece]) -> None:
        sizes.append(len(batch))
        numbers(batch)

    batcher = Batcher[Piece](run, batch_size=3, wait=0.5, capacity=9)
    together = [Piece() for _ in range(3)]
    batcher.submit(together)
    together[-1].future.result(10)
    again = [Piece() for _ in range(3)]
    for piece in again:
        batcher.submit([piece])
        time.sleep(0.01)
    again[-1].future.result(10)
    assert sizes == [3, 3]
    started = time.monotonic()
    for _ in range(3):
        alone = Piece()
        batcher.submit([alone])
        alone.future.result(10)
    assert sizes == [3, 3, 1, 1, 1]
    assert 0.5 <= time.monotonic() - started < 1.4, "only the first of them waits for those who do not come back"
    batcher.close()


def test_what_does_not_fit_is_refused_as_a_whole() -> None:
    go = threading.Event()
    taken = threading.Event()

    def run(batch: list[Piece]) -> None:
        taken.set()
        go.wait(10)
        numbers(batch)

    batcher = Batcher[Piece](run, batch_size=1, wait=0, capacity=4)
    batcher.submit([Piece()])
    assert taken.wait(10)
    batcher.submit([Piece(3)])
    with pytest.raises(ServiceBusyError, match="3 pictures are waiting, of 4 that may") as caught:
        batcher.submit([Piece(), Piece()])
    assert caught.value.retry_after == 1
    assert batcher.depth == 3
    last = Piece()
    batcher.submit([last])
    go.set()
    batcher.close()
    assert last.future.done()


def test_closing_does_what_waits_and_refuses_what_comes() -> None:
    def slow(batch: list[Piece]) -> None:
        time.sleep(0.02)
        numbers(batch)

    batcher = Batcher[Piece](slow, batch_size=2, wait=5, capacity=100)
    work = [Piece(number=n) for n in range(7)]
    batcher.submit(work)
    started = time.monotonic()
    batcher.close()
    assert time.monotonic() - started < 4  # it does not wait for more
    assert [piece.future.result(0) for piece in work] == list(range(7))
    assert not batcher.alive
    with pytest.raises(ServiceBusyError, match="stopping"):
        batcher.submit([Piece()])


def test_a_fault_fails_its_batch_and_no_other() -> None:
    def run(batch: list[Piece]) -> None:
        if batch[0].number == 1:
            raise RuntimeError("broken")
        numbers(batch)

    batcher = Batcher[Piece](run, batch_size=1, wait=0, capacity=9)
    work = [Piece(number=n) for n in range(3)]
    batcher.submit(work)
    assert work[0].future.result(10) == 0
    with pytest.raises(RuntimeError, match="broken"):
        work[1].future.result(10)
    assert work[2].future.result(10) == 2
    batcher.close()


def test_what_nobody_waits_for_is_not_done() -> None:
    go, taken = threading.Event(), threading.Event()
    done: list[int] = []

    def run(batch: list[Piece]) -> None:
        taken.set()
        go.wait(10)
        done.extend(piece.number for piece in batch)
        numbers(batch)

    batcher = Batcher[Piece](run, batch_size=1, wait=0, capacity=9)
    batcher.submit([Piece(number=0)])
    assert taken.wait(10)
    work = [Piece(number=n) for n in (1, 2, 3)]
    batcher.submit(work)
    assert work[1].future.cancel()
    go.set()
    batcher.close()
    assert done == [0, 1, 3]


def test_many_threads_lose_nothing() -> None:
    batcher = Batcher[Piece](numbers, batch_size=8, wait=0.001, capacity=10_000)

    def ask(number: int) -> int:
        piece = Piece(number=number)
        batcher.submit([piece])
        return int(piece.future.result(10))

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(500))) == list(range(500))
    batcher.close()
