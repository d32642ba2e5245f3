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
