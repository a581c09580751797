"""Which step may begin when.

Accounts are written at the same time, and within one account as many steps as `parallelism` says; but never two that
touch the same user, group, role or policy: AWS would refuse one of them with ConcurrentModification. And none before
all steps of earlier waves have ended.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace

from reconciler.model import Change, Event, ManagedPolicy, Result, Status, Step, StepEnded, StepStarted
from reconciler.wording import few

MAX_THREADS = 64
"""Steps at a time, over all accounts."""


class Schedule:
    """The steps of one apply: which are free to begin, which are under way, what became of the others.

    `without` says what can be done of a step although others that it requires are not done; None if nothing.
    """

    def __init__(
        self,
        steps: tuple[Step, ...],
        execute: Callable[[Step], Result],
        parallelism: int,
        on_event: Callable[[Event], None],
        stopped: Callable[[], str],
        without: Callable[[Step, list[Step]], Step | None] = lambda _step, _undone: None,
    ) -> None:
        self._steps = list(steps)
        self._without = without
        self._execute = execute
        self._parallelism = parallelism
        self._on_event = on_event
        self._stopped = stopped
        self._results: dict[int, Result] = {}
        self._running: dict[Future[Result], int] = {}
        self._free: dict[str, list[int]] = {}
        self._wave = -1
        self._later: dict[int, list[int]] = {step.wave: [] for step in steps}
        self._missing = [len(step.requires) for step in steps]
        self._undone: list[list[Step]] = [[] for _ in steps]
        self._parts = set[int]()
        self._needed_by: list[list[int]] = [[] for _ in steps]
        for index, step in enumerate(steps):
            for required in step.requires:
                self._needed_by[required].append(index)
            if not step.requires:
                self._set_free(index)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps in their order, those that could be done in part as they were executed."""
        return tuple(self._steps)

    @property
    def results(self) -> Mapping[int, Result]:
        """Return what became of the steps that have ended, by their places."""
        return self._results

    def run(self, begins: Callable[[int], str] = lambda _wave: "") -> list[Result]:
        """Execute all steps; return what became of each, in their order.

        `begins` is called before each wave, once all steps of the earlier ones have ended; it says why neither this
        wave nor a later one may begin, nothing if it may.
        """
        accounts = {step.change.address.account for step in self._steps}
        threads = max(1, min(MAX_THREADS, len(accounts) * self._parallelism))
        why = ""
        with ThreadPoolExecutor(threads, "apply") as pool:
            for wave in sorted(self._later):
                why = self._stopped() or begins(wave)
                if why:
                    break
                self._wave = wave
                for index in self._later[wave]:
                    self._set_free(index)
                self._run_wave(pool, threads)
        for index in range(len(self._steps)):
            if index not in self._results:
                # Whatever else it needs in vain.
                self._note(index, Result(Status.SKIPPED, self._stopped() or why))
        return [self._results[index] for index in range(len(self._steps))]

    def _run_wave(self, pool: ThreadPoolExecutor, threads: int) -> None:
        self._begin(pool, threads)
        while self._running:
            done = wait(self._running, return_when=FIRST_COMPLETED).done
            for future in sorted(done, key=lambda ended: self._running[ended]):
                self._end(self._running.pop(future), _result_of(future))
            self._begin(pool, threads)

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
        """Note what became of a step; free what waited for it, as far as that can be done."""
        ended = [(index, result)]
        while ended:
            index, result = ended.pop()
            if index in self._parts and result.status is Status.DONE:
                result = replace(result, status=Status.PARTLY, error=_missing(self._undone[index]))
            self._note(index, result)
            for waiting in self._needed_by[index]:
                self._missing[waiting] -= 1
                if result.status not in (Status.DONE, Status.PARTLY):
                    self._undone[waiting].append(self._steps[index])
                if self._missing[waiting]:
                    continue
                undone = self._undone[waiting]
                left = self._without(self._steps[waiting], undone) if undone else self._steps[waiting]
                if left is None:
                    why = f"it needs {undone[0].change.address}, which was not done"
                    ended.append((waiting, Result(Status.SKIPPED, why)))
                else:
                    if left != self._steps[waiting]:
                        self._parts.add(waiting)
                    self._steps[waiting] = left
                    self._set_free(waiting)

    def _note(self, index: int, result: Result) -> None:
        self._results[index] = result
        step, total = self._steps[index], len(self._steps)
        self._on_event(StepEnded(step, index + 1, total, result.status, result.error, result.calls))

    def _set_free(self, index: int) -> None:
        wave = self._steps[index].wave
        if wave > self._wave:
            self._later[wave].append(index)
        else:
            insort(self._free.setdefault(self._account(index), []), index)

    def _account(self, index: int) -> str:
        return self._steps[index].change.address.account


def _missing(undone: list[Step]) -> str:
    was = "was" if len(undone) == 1 else "were"
    return f"without {few([str(step.change.address) for step in undone])}, which {was} not done"


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
