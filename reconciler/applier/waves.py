"""Between two waves of an apply: what has ended is read back, and the next one begins only if little enough failed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from reconciler.applier.schedule import Schedule
from reconciler.model import CANARY, Address, Change, Event, Outcome, Plan, Result, Status, Step, WaveStarted

Verify = Callable[[tuple[Outcome, ...]], tuple[Outcome, ...]]
"""Reads back what was written; returns the outcomes in their order, those that AWS does not show so as such."""


class Waves:
    """The waves of one apply, and what became of the changes; a plan without a rollout is one wave.

    `stopped` says why no further step may begin, whatever the rollout allows.
    """

    def __init__(
        self, plan: Plan, schedule: Schedule, verify: Verify, on_event: Callable[[Event], None],
        stopped: Callable[[], str],
    ) -> None:  # fmt: skip
        self._plan = plan
        self._schedule = schedule
        self._verify = verify
        self._on_event = on_event
        self._stopped = stopped
        self._places: dict[Address, list[int]] = {}
        for place, step in enumerate(plan.steps):
            self._places.setdefault(step.change.address, []).append(place)
        self._outcomes: dict[Address, Outcome] = {}
        self._unlike = 0
        self._unverified: set[str] = set()

    def begins(self, wave: int) -> str:
        """Read back what the waves before this one have done; return why this one may not begin, nothing if it may."""
        self._settle()
        if not self._plan.waves:
            return ""
        # To read back takes a while.
        if why := self._stopped() or self._refusal(wave):
            return why
        self._on_event(WaveStarted(self._plan.waves[wave], wave + 1, len(self._plan.waves)))
        return ""

    def outcomes(self) -> tuple[Outcome, ...]:
        """Return what became of all changes, in the plan's order, once all steps have ended."""
        self._settle()
        return tuple(self._outcomes[change.address] for change in self._plan.changes)

    def _settle(self) -> None:
        """Read back the changes of which all steps have ended by now."""
        steps, results = self._schedule.steps, self._schedule.results
        written = tuple(
            _outcome(change, [(steps[place], results[place]) for place in self._places[change.address]])
            for change in self._plan.changes
            if change.address not in self._outcomes and all(place in results for place in self._places[change.address])
        )
        if not written:
            return
        for before, found in zip(written, self._verify(written), strict=True):
            self._outcomes[found.change.address] = found
            self._unlike += found.status is Status.FAILED and before.status is not Status.FAILED
            if found.status is Status.UNVERIFIED:
                self._unverified.add(found.change.address.account)

    def _refusal(self, wave: int) -> str:
        """Return why a wave may not begin after all that failed; nothing fails before the canary."""
        rollout, name = self._plan.rollout, self._plan.waves[wave].name
        assert rollout is not None  # else there were no waves
        failed = sum(result.status is Status.FAILED for result in self._schedule.results.values())
        untried = self._plan.untried()
        if name == CANARY or failed + self._unlike + len(self._unverified) + len(untried) < rollout.stop_on:
            return ""
        found = ", ".join(self._failures(failed, untried))
        again = "mend the cause and apply again, which begins with what is left of the canary"
        return (
            f"the rollout stopped before the wave {name}: {found} (stop_on: {rollout.stop_on}); "
            f"{self._plan.out_of_reach() or again}"
        )

    def _failures(self, failed: int, untried: tuple[str, ...]) -> Iterator[str]:
        if failed:
            yield f"{failed} step{'s' * (failed != 1)} failed"
        if self._unlike:
            yield f"{self._unlike} change{'s' * (self._unlike != 1)} not shown by AWS as written"
        if self._unverified:
            yield f"{', '.join(sorted(self._unverified))} not read back"
        if untried:
            yield f"{', '.join(untried)} of the canary could not be read"


def _outcome(change: Change, results: list[tuple[Step, Result]]) -> Outcome:
    for status in (Status.FAILED, Status.SKIPPED, Status.PARTLY):
        for step, found in results:
            if found.status is status:
                return Outcome(step.change if status is Status.PARTLY else change, status, found.error)
    return Outcome(change, Status.DONE)
