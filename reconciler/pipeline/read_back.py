"""What was written, read again: a change is done when AWS says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain, repeat

from reconciler import clock
from reconciler.errors import XgrantError
from reconciler.model import Change, Kind, Live, Manifest, Outcome, Plan, Scope, Status
from reconciler.ports import Reader
from reconciler.principals import arns_by_id, in_arns_after

PATIENCE = 120.0
"""Seconds after which AWS has to show what was written: it spreads a little later (facts sheet 4.1, 4.2)."""

_Error = tuple[Status, str]

_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


class ReadBack:
    """Reads the accounts that were written, in bulk, in as many parts as an apply has waves.

    `stopped` says why what differs is not read again any more.
    """

    def __init__(self, plan: Plan, manifest: Manifest, reader: Reader, *, stopped: Callable[[], str]) -> None:
        self._manifest = manifest
        self._reader = reader
        self._stopped = stopped
        # The ids of what this run has made are known once its account was read; its changes may be settled by then.
        self._arns = arns_by_id(plan.live.facts)

    def __call__(self, outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        """Return the outcomes, with those failed that read back differently.

        What differs is read again for `PATIENCE` seconds. Changes of an account that cannot be read are unverified.
        """
        done = (index for index, outcome in enumerate(outcomes) if outcome.status in (Status.DONE, Status.PARTLY))
        errors = dict.fromkeys(done, (Status.UNVERIFIED, ""))
        until = clock.monotonic() + PATIENCE
        pauses = chain(_PAUSES, repeat(_PAUSES[-1]))
        while errors:
            errors = self._unlike({index: outcomes[index].change for index in errors})
            left = until - clock.monotonic()
            if not errors or left <= 0:
                break
            clock.wait(min(next(pauses), left), self._stopped)
            if why := self._stopped():
                errors = dict.fromkeys(errors, (Status.UNVERIFIED, f"it was written, but not read back: {why}"))
                break
        return tuple(
            replace(outcome, status=errors[index][0], error=errors[index][1]) if index in errors else outcome
            for index, outcome in enumerate(outcomes)
        )

    def _unlike(self, changes: dict[int, Change]) -> dict[int, _Error]:
        """Return what is wrong with each change that AWS does not show as written; learn the ids that are read."""
        names = {change.address.account for change in changes.values()}
        slots = frozenset(
            address.slot()
            for change in changes.values()
            for address in (change.address, change.removed_address())
            if address.kind is Kind.ROLE
        )
        accounts = tuple(self._manifest.accounts[name] for name in sorted(names))
        try:
            live = self._reader.read(Scope(self._manifest.stack, accounts, slots), self._stopped)
        except XgrantError as error:
            return dict.fromkeys(changes, _unknown(str(error)))
        self._arns |= arns_by_id(live.facts)
        found = {index: _wrong(change, live, self._arns) for index, change in changes.items()}
        unlike = {index: (Status.FAILED, why) for index, why in found.items() if why}
        errors = {index: live.facts[change.address.account].error for index, change in changes.items()}
        unread = {index: _unknown(error) for index, error in errors.items() if error}
        return unlike | unread


def _unknown(why: str) -> _Error:
    return Status.UNVERIFIED, f"it was written, but cannot be read back: {why}"


def _wrong(change: Change, live: Live, arns: dict[str, str]) -> str:
    if live.facts[change.address.account].error:
        return ""
    gone = change.removed_address()
    if (change.after is None or gone.slot() != change.address.slot()) and gone in live.state:
        return f"{gone} was deleted, and AWS still shows it"
    if change.after is None:
        return ""
    found = live.state.get(change.address)
    if found is None:
        return "it was written, and AWS does not show it"
    found = in_arns_after(change.before, found, arns)
    if found == change.after:
        return ""
    old, new = change.after.attributes(), found.attributes()
    names = ", ".join(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))
    return f"it was written, and AWS shows another {names}; somebody may have changed it since"
