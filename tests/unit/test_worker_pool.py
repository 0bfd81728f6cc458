"""Pools of threads: order, withdrawal, and that a job which hangs costs no thread."""

import threading
from collections.abc import Iterator

import pytest

from understudy.control.workers import Job, WorkerPool
from understudy.testing import ManualClock

TIMEOUT_S = 20


class Hung:
    """A job that hangs until it is let go."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.let_go = threading.Event()

    def __call__(self) -> None:
        self.began.set()
        assert self.let_go.wait(TIMEOUT_S)


def ignore(_result: object) -> None:
    """Tells nobody."""


def done(pool: WorkerPool) -> threading.Event:
    event = threading.Event()
    pool.submit(event.set, ignore)
    return event


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def pool(clock: ManualClock) -> Iterator[WorkerPool]:
    pool = WorkerPool("test", clock, threads=1, patience_s=10.0)
    yield pool
    pool.stop()


def hang(pool: WorkerPool) -> tuple[Hung, Job]:
    hung = Hung()
    job = pool.submit(hung, ignore)
    assert hung.began.wait(TIMEOUT_S)
    return hung, job


def test_a_job_that_has_not_begun_can_be_withdrawn_and_one_that_has_cannot(pool: WorkerPool) -> None:
    hung, running = hang(pool)
    never = threading.Event()
    waiting = pool.submit(never.set, ignore)
    last = done(pool)
    assert pool.withdraw(waiting)
    assert not pool.withdraw(waiting)
    assert not pool.withdraw(running)
    hung.let_go.set()
    assert last.wait(TIMEOUT_S)
    assert not never.is_set()


def test_a_job_that_takes_long_gets_a_spare_thread_beside_it(pool: WorkerPool, clock: ManualClock) -> None:
    hung, _ = hang(pool)
    waiting = done(pool)
    clock.advance(9.9)
    pool.tend()
    assert not waiting.is_set()
    clock.advance(0.1)
    pool.tend()
    assert waiting.wait(TIMEOUT_S)
    hung.let_go.set()


def test_a_late_thread_ends_with_its_job_so_that_the_pool_keeps_its_size(
    pool: WorkerPool, clock: ManualClock
) -> None:
    first, _ = hang(pool)
    clock.advance(10.0)
    pool.tend()
    assert done(pool).wait(TIMEOUT_S)
    first.let_go.set()
    second, _ = hang(pool)
    waiting = done(pool)
    assert not waiting.wait(0.05)
    second.let_go.set()
    assert waiting.wait(TIMEOUT_S)


def test_each_job_past_the_deadline_is_told_once(pool: WorkerPool, clock: ManualClock) -> None:
    hung, job = hang(pool)
    clock.advance(5.0)
    told: list[Job] = []
    pool.tend(5.1, told.append)
    assert not told
    clock.advance(0.1)
    pool.tend(5.1, told.append)
    pool.tend(5.1, told.append)
    assert told == [job]
    hung.let_go.set()


def test_a_job_whose_result_is_there_is_not_told_as_overdue(pool: WorkerPool, clock: ManualClock) -> None:
    """Told after the result, it would be news of something that is no longer so."""
    telling = Hung()
    pool.submit(int, lambda _result: telling())
    assert telling.began.wait(TIMEOUT_S)
    clock.advance(10.0)
    told: list[Job] = []
    pool.tend(5.0, told.append)
    assert not told
    telling.let_go.set()
