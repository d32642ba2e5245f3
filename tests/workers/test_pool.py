"""Threads for steps that are not async."""

import threading
import time

import pytest

from stepwell.workers import ThreadPool


def test_all_work_is_done_in_order_of_arrival_on_one_thread() -> None:
    """A pool of one is a queue."""
    pool = ThreadPool(1, "test")
    done: list[int] = []
    end = threading.Event()
    for number in range(1000):
        pool.submit(lambda number=number: done.append(number))  # type: ignore[misc]
    pool.submit(end.set)
    assert end.wait(10)
    assert done == list(range(1000))
    pool.close()


@pytest.mark.parametrize("count", [1, 5, 16])
def test_work_that_waits_for_each_other_runs_side_by_side(count: int) -> None:
    """Steps that block are joined by more threads, up to the pool's size."""
    pool = ThreadPool(16, "test")
    together = threading.Barrier(count + 1)
    for _ in range(count):
        pool.submit(together.wait)  # type: ignore[arg-type]
    together.wait(20)
    pool.close()


def test_no_more_than_its_size_run_at_once() -> None:
    """The size is a limit, also when everything stalls."""
    pool = ThreadPool(3, "test")
    lock, running, most = threading.Lock(), 0, 0
    end = threading.Semaphore(0)

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        end.release()

    for _ in range(12):
        pool.submit(work)
    for _ in range(12):
        assert end.acquire(timeout=60)
    assert most == 3
    pool.close()


def test_quick_work_keeps_to_few_threads() -> None:
    """A crowd of threads is not called for work that gets done."""
    pool = ThreadPool(64, "few")
    end = threading.Event()
    names: set[int] = set()
    for _ in range(5000):
        pool.submit(lambda: names.add(threading.get_ident()))
    pool.submit(end.set)
    assert end.wait(20)
    assert len(names) <= 8
    pool.close()


def test_submitting_from_many_threads_loses_nothing() -> None:
    """Whoever submits, each piece of work is done once."""
    pool = ThreadPool(8, "test")
    done = threading.Semaphore(0)

    def submit() -> None:
        for _ in range(500):
            pool.submit(done.release)

    threads = [threading.Thread(target=submit) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for _ in range(2000):
        assert done.acquire(timeout=60)
    assert not done.acquire(timeout=0.05)
    pool.close()


def test_closing_lets_the_threads_end() -> None:
    """A closed pool leaves no thread behind."""
    pool = ThreadPool(4, "ending")
    end = threading.Event()
    pool.submit(end.set)
    assert end.wait(10)
    pool.close()
    deadline = time.monotonic() + 60
    while any(thread.name == "ending" for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_who_stands_aside_begins_nothing_and_calls_nobody() -> None:
    """Work that waits for others to have their turn is not stalled: no crowd is called for it."""
    is_aside, threads = threading.Event(), set[int]()
    is_aside.set()
    pool = ThreadPool(64, "test", aside=lambda: 0.001 if is_aside.is_set() else 0.0)
    end = threading.Semaphore(0)

    def work() -> None:
        threads.add(threading.get_ident())
        end.release()

    for _ in range(200):
        pool.submit(work)
    time.sleep(20 * ThreadPool.STALL_SECONDS)
    assert not threads
    is_aside.clear()
    for _ in range(200):
        assert end.acquire(timeout=60)
    assert len(threads) <= ThreadPool.FEW
    pool.close()


def test_threads_are_watched_over_again_and_again_by_one() -> None:
    """Each burst of work that blocks is joined by more; the watching thread stays one."""
    pool = ThreadPool(8, "burst")
    watching = set[threading.Thread]()
    for _ in range(5):
        together = threading.Barrier(7)
        for _ in range(6):
            pool.submit(together.wait)  # type: ignore[arg-type]
        together.wait(20)
        watching |= {it for it in threading.enumerate() if it.name == "burst-watch"}
    assert len(watching) == 1
    pool.close()
    watching.pop().join(20)
    assert not any(it.name == "burst-watch" for it in threading.enumerate())
