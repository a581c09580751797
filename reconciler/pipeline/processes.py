"""Processes of this machine that do the accounts' work, and end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

# A terminal sends them to all processes of a group, but what becomes of a run is for its first process to say.
_NOT_FOR_WORKERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class _Killed(SpawnProcess):
    """A process that ignores SIGTERM, so that to terminate it is to kill it."""

    terminate = SpawnProcess.kill


class _Context(SpawnContext):
    # A fork would copy threads and locks in the middle of their work.
    Process = _Killed


class _Processes(Executor):
    """A pool of processes that is made anew where one of them was killed: what was under way fails, and no more."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._pool = _pool()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it in a process."""
        with self._mutex, _unheard():  # A process is started when there is work for it.
            try:
                return self._pool.submit(fn, *args, **kwargs)
            except BrokenProcessPool:
                self._pool = _pool()
                return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _pool() -> ProcessPoolExecutor:
    resource_tracker.ensure_running()
    return ProcessPoolExecutor(os.cpu_count(), mp_context=_Context(), initializer=_work_for_parent)


@contextmanager
def _unheard() -> Iterator[None]:
    """Block the signals in this thread, so that a process that it starts is born without them, and hears none."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_WORKERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _work_for_parent() -> None:
    """Hear no signals in this process, and end it with the one that started it, however that ends."""
    for number in _NOT_FOR_WORKERS:
        signal.signal(number, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None  # it was spawned

    def end() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=end, name="parent", daemon=True).start()


@contextmanager
def processes() -> Iterator[Executor]:
    """Yield a pool of processes of this machine; it is ended at once where what is done with it fails."""
    pool = _Processes()
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
