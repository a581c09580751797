"""Which step may begin when.

Accounts are written at the same time, and within one account as many steps as `parallelism` says; but never two that
touch the same user, group, role or policy: AWS would refuse one of them with ConcurrentModification.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from reconciler.model import ApiCall, Change, Event, ManagedPolicy, Status, Step, StepEnded, StepStarted

MAX_THREADS = 64
"""Steps at a time, over all accounts."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a step."""

    status: Status
    error: str = ""
    calls: tuple[ApiCall, ...] = ()


class Schedule:
    """The steps of one apply: which are free to begin, which are under way, what became of the others."""

    def __init__(
        self,
        steps: tuple[Step, ...],
        execute: Callable[[Step], Result],
        parallelism: int,
        on_event: Callable[[Event], None],
        stopped: Callable[[], str],
    ) -> None:
        self._steps = steps
        self._execute = execute
        self._parallelism = parallelism
        self._on_event = on_event
        self._stopped = stopped
        self._results: dict[int, Result] = {}
        self._running: dict[Future[Result], int] = {}
        self._free: dict[str, list[int]] = {}
        self._missing = [len(step.requires) for step in steps]
        self._needed_by: list[list[int]] = [[] for _ in steps]
        for index, step in enumerate(steps):
            for required in step.requires:
                self._needed_by[required].append(index)
            if not step.requires:
                self._set_free(index)

    def run(self) -> list[Result]:
        """Execute all steps; return what became of each, in their order."""
        accounts = {step.change.address.account for step in self._steps}
        threads = max(1, min(MAX_THREADS, len(accounts) * self._parallelism))
        with ThreadPoolExecutor(threads, "apply") as pool:
            self._begin(pool, threads)
            while self._running:
                done = wait(self._running, return_when=FIRST_COMPLETED).done
                for future in sorted(done, key=lambda ended: self._running[ended]):
                    self._end(self._running.pop(future), _result_of(future))
                self._begin(pool, threads)
        for index in range(len(self._steps)):
            if index not in self._results:
                self._end(index, Result(Status.SKIPPED, self._stopped()))
        return [self._results[index] for index in range(len(self._steps))]

    def _begin(self, pool: ThreadPoolExecutor, threads: int) -> None:
        """Begin what may begin, the first of the plan's order first."""
        busy = {key for index in self._running.values() for key in touched(self._steps[index].change)}
        for account in sorted(self._free):
            under_way = sum(self._account(index) == account for index in self._running.values())
            free, position = self._free[account], 0
            while position < len(free) and under_way < self._parallelism and len(self._running) < threads:
                if self._stopped():
                    return
                step = self._steps[free[position]]
                if busy & touched(step.change):
                    position += 1
                    continue
                index = free.pop(position)
                busy |= touched(step.change)
                under_way += 1
                self._on_event(StepStarted(step, index + 1, len(self._steps)))
                self._running[pool.submit(self._execute, step)] = index

    def _end(self, index: int, result: Result) -> None:
        """Note what became of a step; free what it was required for, or skip it if it is not done."""
        ended = [(index, result)]
        while ended:
            index, result = ended.pop()
            if index in self._results:
                continue
            self._results[index] = result
            step, total = self._steps[index], len(self._steps)
            self._on_event(StepEnded(step, index + 1, total, result.status, result.error, result.calls))
            for waiting in self._needed_by[index]:
                if result.status is not Status.DONE:
                    why = f"it needs {step.change.address}, which was not done"
                    ended.append((waiting, Result(Status.SKIPPED, why)))
                    continue
                self._missing[waiting] -= 1
                if not self._missing[waiting]:
                    self._set_free(waiting)

    def _set_free(self, index: int) -> None:
        insort(self._free.setdefault(self._account(index), []), index)

    def _account(self, index: int) -> str:
        return self._steps[index].change.address.account


def _result_of(future: Future[Result]) -> Result:
    """Return what became of a step; a mistake of xgrant itself fails it, and loses nothing of the others."""
    error = future.exception()
    if not isinstance(error, Exception):
        return future.result()
    what = f"internal error: {type(error).__name__}: {error}"
    return Result(Status.FAILED, f"{what}; this is a mistake in xgrant: please report it, and plan again")


def touched(change: Change) -> frozenset[tuple[str, str]]:
    """Return which users, groups, roles and policies a change writes, each with its account."""
    return frozenset((change.address.account, key) for key in _touched(change))


def _touched(change: Change) -> Iterator[str]:
    for address in (change.address, change.removed_address()):
        if address.holder is not None:
            yield f"{address.holder[0]}/{address.holder[1].casefold()}"
        else:
            yield f"{address.kind}/{address.name.casefold()}"
    for resource in (change.before, change.after):
        if isinstance(resource, ManagedPolicy):
            yield from (holder.casefold() for holder in resource.attached_to)
