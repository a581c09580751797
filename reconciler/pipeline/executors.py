"""Executors that do the accounts' work: this process's threads unless something else is asked for."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

from reconciler.errors import UsageError, XgrantError
from reconciler.events import Notice
from reconciler.pipeline.shards import Elsewhere

EXECUTORS = ("threads", "processes", "dask")


@contextmanager
def elsewhere(kind: str, scheduler: str | None, notify: Callable[[Notice], None]) -> Iterator[Elsewhere | None]:
    """Yield who does the accounts' work; None for the threads of this process.

    `scheduler` is the address of Dask's, like `tcp://host:8786`. `notify` is told here what was told there.

    Raises:
        UsageError: Dask has no scheduler, or is not installed.
        XgrantError: the scheduler cannot be reached.

    """
    if (kind == "dask") != (scheduler is not None):
        raise UsageError("--executor dask needs --scheduler, the address of a Dask scheduler; nothing else takes it")
    if kind == "threads":
        yield None
        return
    made = _dask(scheduler) if scheduler else _processes()
    with made as pool:
        yield Elsewhere(pool, notify)


@contextmanager
def _processes() -> Iterator[Executor]:
    # A fork would copy threads and locks in the middle of their work.
    pool = ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn"))
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


@contextmanager
def _dask(scheduler: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise UsageError("Dask is not installed; it needs an extra: pip install 'xgrant[dask]'") from None
    try:
        client: Any = Client(scheduler, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise XgrantError(f"the Dask scheduler {scheduler} cannot be reached: {error}; mend --scheduler") from None
    with client:
        # Not pure: what was asked of an account before is no answer now.
        yield client.get_executor(pure=False)
