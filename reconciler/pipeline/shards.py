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
from contextlib import suppress
from dataclasses import replace
from typing import Any

from reconciler import __version__
from reconciler.applier import Executor
from reconciler.errors import StoreError
from reconciler.events import Notice
from reconciler.model import (
    Account,
    Action,
    Address,
    ManagedPolicy,
    Plan,
    Resource,
    Result,
    Role,
    Status,
    Step,
    Verb,
)
from reconciler.pipeline.fence import Begun, Fence, Fenced
from reconciler.policy.arn import account_of
from reconciler.ports import Writer
from reconciler.principals import arns_by_id
from reconciler.shards import HeldLock, ShardRequest, ShardResult

_RUNS = 2
"""Runs whose connections are kept: the one that is under way, and one before it that may still come to its end."""


class Elsewhere:
    """Sends requests to an executor, and tells here what was told there."""

    def __init__(self, pool: Pool, notify: Callable[[Notice], None]) -> None:
        self._pool = pool
        self._notify = notify
        self._run = uuid.uuid4().hex
        self._made: frozenset[object] = frozenset()
        self._taken: frozenset[object] = frozenset()
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
            about = _about(step)
            trusted = {account_of(arn) for arn in _trusted(step)}
            request = ShardRequest(
                self._run, plan.stack, account, step=step, made=self._made & about, taken=self._taken & about,
                lock=lock(account),
                ids={key: arn for account_id in sorted(trusted) for key, arn in ids.get(account_id, {}).items()},
            )  # fmt: skip
            done = self._result(self._submit(request), request)
            with self._mutex:
                self._made |= done.made
                self._taken |= done.taken
            return done.result or Result(Status.FAILED, done.error)

        return execute

    def _submit(self, request: ShardRequest) -> Future[ShardResult]:
        try:
            return self._pool.submit(reconcile, replace(request, run=self._run))
        except Exception as error:  # noqa: BLE001 - an executor without workers may refuse; it is said of the account
            refused: Future[ShardResult] = Future()
            refused.set_exception(error)
            return refused

    def _result(self, future: Future[ShardResult], request: ShardRequest) -> ShardResult:
        name = request.account.name
        try:
            error = future.exception()
        except Exception as cancelled:  # noqa: BLE001 - that of whatever executor it is
            error = cancelled
        if error is not None:
            # Also what is no Exception, like a worker's KeyboardInterrupt: this process is not meant by it.
            what = f"{type(error).__name__}: {error}"
            return ShardResult(name, f"account {name}: who was to do the work did not end it: {what}; run it again")
        result = future.result()
        for notice in result.notices:
            self._notify(notice)
        return result


def reconcile(request: ShardRequest) -> ShardResult:
    """Do the work of one account, wherever this is called; all that it needs is in the request and the environment.

    A request may be done twice, also at the same time as one that was given up: what it finds done it leaves. Never
    raises an XgrantError: what goes wrong is in the result.
    """
    name = request.account.name
    if request.version != __version__:
        return ShardResult(
            name,
            f"account {name}: this is xgrant {request.version}, and the worker has {__version__}; install the same "
            "version everywhere",
        )
    # boto3 takes long to import, and the way here leads through the pipeline.
    from reconciler.aws import do_reading

    connections = _connections(request)
    with _TOLD.collecting() as notices:
        if request.step is None:
            result = do_reading(request, connections)
        else:
            result = _with_memory(request, request.step, connections)
    return replace(result, notices=tuple(notices))


def _with_memory(request: ShardRequest, step: Step, connections: Any) -> ShardResult:
    """Execute a step, knowing what the run knows of what it is about; tell what is known then."""
    memory = connections.retries.memory
    # Nothing is planned for an account that the run could not read, so it has answered, though maybe not here.
    memory.learn(request.made, request.taken, answered=[request.account.name])
    try:
        done = _fenced(request, step, connections)
    except StoreError as error:
        done = Result(Status.FAILED, str(error))
    made, taken = memory.known(_about(step))
    return ShardResult(request.account.name, result=done, made=made, taken=taken)


def _fenced(request: ShardRequest, step: Step, connections: Any) -> Result:
    """Execute a step under its lock; StoreError where the store cannot keep that it begins."""
    from reconciler.aws import AwsWriter

    account, memory = request.account, connections.retries.memory
    writer: Writer = AwsWriter(connections, {account.name: account}, request.stack)

    def made(address: Address, found: Resource) -> None:
        if isinstance(found, Role | ManagedPolicy):
            memory.learn({found.arn, *([(account.name, address.name)] if isinstance(found, Role) else [])})

    if request.lock is None:
        return Executor(request.ids, writer, again=True, made=made).execute(step)
    fence = Fence(request.lock, request.stack, account, step)
    if why := fence.lost():
        return Result(Status.FAILED, f"not begun: {why}; plan again")
    begun = fence.begin()
    if begun is not Begun.FIRST:
        # Whoever began it did not tell from what it has taken something away.
        memory.learn(taken=_about(step))
    if begun is Begun.ENDED:
        if step.verb is not Verb.REMOVE and step.change.action in (Action.CREATE, Action.REPLACE):
            assert step.change.after is not None  # what is created
            made(step.change.address, step.change.after)
        return Result(Status.DONE)
    done = Executor(request.ids, Fenced(writer, fence), again=True, made=made).execute(step)
    if done.status is Status.DONE:
        # It is done, whether or not the store takes a note of it: whoever does it again looks first.
        with suppress(StoreError):
            fence.end()
    return done


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
