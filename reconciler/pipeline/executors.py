"""Executors that do the accounts' work: this process's threads unless something else is asked for."""

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

from reconciler.errors import UsageError, XgrantError
from reconciler.events import Notice
from reconciler.pipeline.shards import Elsewhere

_SCHEDULER_ANSWERS = 10.0
_WORKERS_COME = 30.0
"""Seconds in which Dask's scheduler has to answer, and to have a worker."""

# A terminal sends them to all processes of a group, but what becomes of a run is for its first process to say.
_NOT_FOR_WORKERS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def elsewhere(kind: str, scheduler: str | None, notify: Callable[[Notice], None]) -> Iterator[Elsewhere | None]:
    """Yield who does the accounts' work; None for the threads of this process.

    `scheduler` is the address of Dask's, like `tcp://host:8786`. `notify` is told here what was told there.

    Raises:
        UsageError: Dask has no scheduler, or is not installed, or the address is none.
        XgrantError: the scheduler cannot be reached, or has no workers.

    """
    if (kind == "dask") != (scheduler is not None) or scheduler == "":
        raise UsageError("--executor dask needs --scheduler, the address of a Dask scheduler; nothing else takes it")
    if kind == "threads":
        yield None
        return
    made = _processes() if scheduler is None else _dask(scheduler)
    with made as pool:
        yield Elsewhere(pool, notify)


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
        with self._mutex:
            try:
                return self._pool.submit(fn, *args, **kwargs)
            except BrokenProcessPool:
                self._pool = _pool()
                return self._pool.submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes."""
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _pool() -> ProcessPoolExecutor:
    # One that is started later would begin without the mask: the first work starts them all, and it is none.
    resource_tracker.ensure_running()
    pool = ProcessPoolExecutor(os.cpu_count(), mp_context=_Context(), initializer=_work_for_parent)
    if not hasattr(signal, "pthread_sigmask"):
        return pool
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _NOT_FOR_WORKERS)
    try:
        pool.submit(int)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pool


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
def _processes() -> Iterator[Executor]:
    pool = _Processes()
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
    _check_address(scheduler)
    try:
        client: Any = Client(scheduler, set_as_default=False, timeout=_SCHEDULER_ANSWERS)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise XgrantError(f"the Dask scheduler {scheduler} cannot be reached: {error}; mend --scheduler") from None
    with client:
        try:
            client.wait_for_workers(1, timeout=_WORKERS_COME)
        except TimeoutError:
            raise XgrantError(f"the Dask scheduler {scheduler} has no workers; start some, and run again") from None
        # Not pure: what was asked of an account before is no answer now.
        yield client.get_executor(pure=False)


def _check_address(scheduler: str) -> None:
    """Raise UsageError for an address by which Dask would only fail later, and hang at the end of the process."""
    from distributed.comm.addressing import parse_address, parse_host_port
    from distributed.comm.registry import get_backend
    from distributed.security import Security

    try:
        scheme, rest = parse_address(scheduler, strict=True)
        get_backend(scheme)
        if scheme in ("tcp", "tls"):
            parse_host_port(rest)
    except ValueError as error:
        raise UsageError(f"--scheduler {scheduler}: {error}; an address is like tls://host:8786") from None
    if scheme == "tls" and Security().get_connection_args("client")["ssl_context"] is None:  # type: ignore[no-untyped-call]
        raise UsageError(
            f"--scheduler {scheduler}: Dask has no certificates for TLS; put them under distributed.comm.tls in its "
            "configuration"
        )
