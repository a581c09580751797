"""The accounts' work done elsewhere, by any `concurrent.futures.Executor`: processes of this machine, or Dask.

A request holds no credentials: who does the work has its own, from where it runs. But it holds external ids, so it
goes only where those may be known.
"""

from __future__ import annotations

import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor as Pool
from concurrent.futures import Future, as_completed
from dataclasses import replace
from pathlib import Path
from typing import Any

from reconciler.applier import Executor
from reconciler.clock import monotonic
from reconciler.errors import StoreError
from reconciler.events import Notice
from reconciler.locking import read_lock
from reconciler.model import Account, ManagedPolicy, Plan, Result, Role, Status, Step
from reconciler.pipeline.guarded import Guarded
from reconciler.policy.arn import account_of
from reconciler.ports import Store
from reconciler.principals import arns_by_id
from reconciler.shards import HeldLock, ShardRequest, ShardResult

_RUNS = 2
"""Runs whose connections are kept: the one that is under way, and one before it that may still come to its end."""

_LOCK_KNOWN = 5.0
"""Seconds for which a lock that was seen to hold is not looked at again; it can be taken over after sixty."""


class Elsewhere:
    """Sends requests to an executor, and tells here what was told there."""

    def __init__(self, pool: Pool, notify: Callable[[Notice], None]) -> None:
        self._pool = pool
        self._notify = notify
        self._run = uuid.uuid4().hex
        self._made: frozenset[object] = frozenset()
        self._mutex = threading.Lock()

    def read(self, requests: Iterable[ShardRequest]) -> Iterator[ShardResult]:
        """Do all requests and yield each result as it comes; see `reconciler.shards.Work`."""
        waiting = {self._submit(request): request for request in requests}
        try:
            for future in as_completed(waiting):
                yield self._result(future, waiting[future])
        finally:
            for future in waiting:
                future.cancel()

    def steps(
        self, plan: Plan, accounts: Mapping[str, Account], lock: Callable[[Account], HeldLock]
    ) -> Callable[[Step], Result]:
        """Return what executes a step of a plan elsewhere, and waits for it."""
        from reconciler.aws import slim

        ids: dict[str, dict[str, str]] = {}
        for key, arn in arns_by_id(plan.live.facts).items():
            ids.setdefault(account_of(arn), {})[key] = arn

        def execute(step: Step) -> Result:
            account = slim(accounts[step.change.address.account])
            trusted = {account_of(arn) for arn in _trusted(step)}
            request = ShardRequest(
                self._run, plan.stack, account, step=step, made=self._made & _about(step), lock=lock(account),
                ids={key: arn for account_id in sorted(trusted) for key, arn in ids.get(account_id, {}).items()},
            )  # fmt: skip
            done = self._result(self._submit(request), request)
            with self._mutex:
                self._made |= done.made
            return done.result or Result(Status.FAILED, done.error)

        return execute

    def _submit(self, request: ShardRequest) -> Future[ShardResult]:
        return self._pool.submit(reconcile, replace(request, run=self._run))

    def _result(self, future: Future[ShardResult], request: ShardRequest) -> ShardResult:
        name = request.account.name
        try:
            result = future.result()
        except Exception as error:  # noqa: BLE001 - whatever an executor raises that lost its worker: it is said
            what = f"{type(error).__name__}: {error}"
            return ShardResult(name, f"account {name}: who was to do the work did not end it: {what}; run it again")
        for notice in result.notices:
            self._notify(notice)
        return result


def reconcile(request: ShardRequest) -> ShardResult:
    """Do the work of one account, wherever this is called; all that it needs is in the request and the environment.

    A request may be done twice, also at the same time as one that was given up: what it finds done it leaves. Never
    raises an XgrantError: what goes wrong is in the result.
    """
    # boto3 takes long to import, and the way here leads through the pipeline.
    from reconciler.aws import AwsWriter, do_reading

    connections = _connections(request)
    with _TOLD.collecting() as notices:
        if request.step is None:
            result = do_reading(request, connections)
        else:
            memory = connections.retries.memory
            memory.learn(request.made)
            before = memory.known()
            writer = AwsWriter(connections, {request.account.name: request.account}, request.stack)
            guarded = Guarded(writer, _Watch(request.lock).lost if request.lock else str)
            done = Executor(request.ids, guarded, again=True).execute(request.step)
            result = ShardResult(request.account.name, result=done, made=memory.known() - before)
    return replace(result, notices=tuple(notices))


class _Told(threading.local):
    """What is told in this thread."""

    notices: list[Notice] | None = None

    def collecting(self) -> _Collecting:
        return _Collecting(self)

    def tell(self, notice: Notice) -> None:
        if self.notices is not None:
            self.notices.append(notice)


class _Collecting:
    def __init__(self, told: _Told) -> None:
        self._told = told

    def __enter__(self) -> list[Notice]:
        self._told.notices = []
        return self._told.notices

    def __exit__(self, *_: object) -> None:
        self._told.notices = None


_TOLD = _Told()
_KEPT: OrderedDict[tuple[str, str], Any] = OrderedDict()
_KEPT_LOCK = threading.Lock()


def _connections(request: ShardRequest) -> Any:
    """Return this process's connections of the run."""
    from reconciler.aws import Connections

    key = (request.run, request.stack)
    with _KEPT_LOCK:
        found = _KEPT.pop(key, None) or Connections(request.stack, _TOLD.tell)
        _KEPT[key] = found
        while len(_KEPT) > _RUNS:
            _KEPT.popitem(last=False)
    return found


class _Watch:
    """Looks whether a lock is still the run's, since the run itself may have ended without a word."""

    def __init__(self, lock: HeldLock) -> None:
        self._lock = lock
        self._store: Store | None = None
        self._known = float("-inf")

    def lost(self) -> str:
        """Return why nothing may be written any more; nothing while it may."""
        if monotonic() - self._known < _LOCK_KNOWN:
            return ""
        try:
            self._store = self._store or _store(self._lock.store)
            asked = monotonic()
            entry = self._store.read(self._lock.key)
            where = f"{self._store.place}: {self._lock.key}"
            if entry is None:
                return f"{where} is not there; whoever works elsewhere needs a store that it can reach, like s3://"
            lock = read_lock(entry.content, where)
        except StoreError as error:
            return f"whether the lock still holds is not known: {error}"
        if lock.id != self._lock.id or lock.released:
            return "the lock is no longer this run's"
        self._known = asked
        return ""


def _store(place: str) -> Store:
    if place.startswith("s3://"):
        from reconciler.aws.store import S3Store

        return S3Store(place)
    from reconciler.store import FileStore

    return FileStore(Path(place))


def _roles(step: Step) -> Iterator[Role]:
    yield from (found for found in (step.change.before, step.change.after) if isinstance(found, Role))


def _trusted(step: Step) -> Iterator[str]:
    for role in _roles(step):
        yield from role.trust_policy.aws_principals()


def _about(step: Step) -> set[object]:
    """Return what a step is about, as `aws.retry.Memory` calls it."""
    change = step.change
    account = change.address.account
    found: set[object] = {*_trusted(step)}
    for place in (change.address, change.removed_address()):
        found.add((account, place.name if place.holder is None else place.holder[1]))
    for resource in (change.before, change.after):
        if isinstance(resource, Role):
            found |= {resource.arn, *resource.managed_policies}
        elif isinstance(resource, ManagedPolicy):
            found |= {resource.arn, *((account, holder.split("/", 1)[1]) for holder in resource.attached_to)}
            found.add((account, resource.arn.rpartition(":")[2]))
    return found
