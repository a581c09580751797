"""Executors that do the accounts' work: this process's threads unless something else is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from reconciler.errors import UsageError, XgrantError
from reconciler.events import Notice
from reconciler.pipeline.shards import Elsewhere
from reconciler.wording import INSTALL

_SCHEDULER_ANSWERS = 10.0
_WORKERS_COME = 30.0
"""Seconds in which Dask's scheduler has to answer, and to have a worker."""


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
    with _dask(scheduler) if scheduler is not None else _processes() as pool:
        yield Elsewhere(pool, notify)


def _processes() -> AbstractContextManager[Executor]:
    from reconciler.pipeline.processes import processes  # Few runs want them, and they take long to import.

    return processes()


@contextmanager
def _dask(scheduler: str) -> Iterator[Executor]:
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise UsageError(f"Dask is not installed; it needs an extra: {INSTALL.format('dask')}") from None
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
