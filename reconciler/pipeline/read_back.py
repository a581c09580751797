"""What was written, read again: a change is done when AWS says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import chain, repeat

from reconciler import clock
from reconciler.errors import XgrantError
from reconciler.model import Change, Kind, Live, Manifest, Outcome, Plan, Scope, Status
from reconciler.ports import Reader
from reconciler.principals import arns_by_id, in_arns

PATIENCE = 120.0
"""Seconds after which AWS has to show what was written: it spreads a little later (facts sheet 4.1, 4.2)."""

_Error = tuple[Status, str]

_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


def read_back(
    plan: Plan, outcomes: tuple[Outcome, ...], manifest: Manifest, reader: Reader, *, stopped: Callable[[], str]
) -> tuple[Outcome, ...]:
    """Read the accounts that were written, in bulk; return the outcomes, with those failed that read back differently.

    What differs is read again for `PATIENCE` seconds, until `stopped` says why not. Changes of an account that cannot
    be read are unverified.
    """
    done = (index for index, outcome in enumerate(outcomes) if outcome.status in (Status.DONE, Status.PARTLY))
    errors = dict.fromkeys(done, (Status.UNVERIFIED, ""))
    until = clock.monotonic() + PATIENCE
    pauses = chain(_PAUSES, repeat(_PAUSES[-1]))
    # The ids of what this run has made are known once its account was read; its changes may be settled by then.
    arns = arns_by_id(plan.live.facts)
    while errors:
        errors = _unlike({index: outcomes[index].change for index in errors}, manifest, reader, arns, stopped)
        left = until - clock.monotonic()
        if not errors or left <= 0:
            break
        clock.wait(min(next(pauses), left), stopped)
        if stopped():
            errors = dict.fromkeys(errors, (Status.UNVERIFIED, f"it was written, but not read back: {stopped()}"))
            break
    return tuple(
        replace(outcome, status=errors[index][0], error=errors[index][1]) if index in errors else outcome
        for index, outcome in enumerate(outcomes)
    )


def _unlike(
    changes: dict[int, Change], manifest: Manifest, reader: Reader, arns: dict[str, str], stopped: Callable[[], str]
) -> dict[int, _Error]:
    """Return what is wrong with each change that AWS does not show as it was written; add the ids that were read."""
    names = {change.address.account for change in changes.values()}
    slots = frozenset(
        address.slot()
        for change in changes.values()
        for address in (change.address, change.removed_address())
        if address.kind is Kind.ROLE
    )
    accounts = tuple(manifest.accounts[name] for name in sorted(names))
    try:
        live = reader.read(Scope(manifest.stack, accounts, slots), stopped)
    except XgrantError as error:
        return dict.fromkeys(changes, _unknown(str(error)))
    arns |= arns_by_id(live.facts)
    found = {index: _wrong(change, live, arns) for index, change in changes.items()}
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
    found = in_arns(found, arns)
    if found == change.after:
        return ""
    old, new = change.after.attributes(), found.attributes()
    names = ", ".join(sorted(name for name in {*old, *new} if old.get(name) != new.get(name)))
    return f"it was written, and AWS shows another {names}; somebody may have changed it since"
