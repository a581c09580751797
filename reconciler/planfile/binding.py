"""Whether a plan made just now is the one that was reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.model import Severity

UNREADABLE, GUARDRAILS = "XG209", "XG1"

OF_THE_TIME = frozenset({"XG240", "XG241", "XG242", "XG243"})
"""Findings that come and go as time passes. What a grant's beginning or end changes, the changes say."""

Entry = Mapping[str, Any]
"""A change or a finding, as data."""


@dataclass(frozen=True, slots=True)
class Binding:
    """How a plan made now relates to the reviewed one; entries as data, in the order of their plan.

    `done` are reviewed changes that are missing because AWS is already as they wanted. `different` pairs a reviewed
    change with the one of now. `findings` are those that are new, and errors that are gone. `part` says that accounts
    were left out since the review. `rollout` are those of the two plans, if they differ.
    """

    done: tuple[Entry, ...]
    new: tuple[Entry, ...]
    gone: tuple[Entry, ...]
    different: tuple[tuple[Entry, Entry], ...]
    findings: tuple[Entry, ...]
    same_digest: bool
    part: bool = False
    rollout: tuple[Entry, Entry] | None = None

    def holds(self) -> bool:
        """Return whether all that is left to do was reviewed."""
        # Once a part is done, the digest of the rest is another; then every single change is compared instead.
        bound = self.same_digest or bool(self.done) or self.part
        return bound and not (self.new or self.gone or self.different or self.findings or self.rollout)


def bind(
    reviewed: Mapping[str, Any], current: Mapping[str, Any], standing: Mapping[str, str], *, part: bool = False
) -> Binding:
    """Compare the data of two plans; `standing` are the fingerprints of what is in AWS now, by address.

    `part` says that `reviewed` has no longer all that was reviewed, since accounts cannot be read now.
    """
    old = {entry["address"]: entry for entry in reviewed["resource_changes"]}
    new = {entry["address"]: entry for entry in current["resource_changes"]}
    missing = [entry for place, entry in old.items() if place not in new]
    done = tuple(entry for entry in missing if _is_done(entry, standing))
    rollouts = _rollout(reviewed), _rollout(current)
    return Binding(
        done=done,
        new=tuple(entry for place, entry in new.items() if place not in old),
        gone=tuple(entry for entry in missing if entry not in done),
        different=tuple(
            (old[place], entry)
            for place, entry in new.items()
            if place in old and _bound(old[place], part=part) != _bound(entry, part=part)
        ),
        findings=_findings(reviewed["findings"], current["findings"], partial=bool(done) or part),
        same_digest=reviewed["fingerprint"] == current["fingerprint"],
        part=part,
        # Where nothing is left to do, it goes in no waves.
        rollout=rollouts if new and rollouts[0] != rollouts[1] else None,
    )


def _rollout(data: Mapping[str, Any]) -> Entry:
    # Once a part is done, its waves are others.
    return {key: value for key, value in data.get("rollout", {}).items() if key != "waves"}


def _bound(entry: Entry, *, part: bool) -> Entry:
    """Return what of an entry is bound: not why it is done, where that tells of accounts that cannot be read now."""
    return {**entry, "change": {**entry["change"], "reason": ""}} if part else entry


def _is_done(entry: Entry, standing: Mapping[str, str]) -> bool:
    change = entry["change"]
    if change["replaces"] is not None and change["replaces"] in standing:
        return False
    return bool(standing.get(entry["address"]) == change["after_fingerprint"])


def _counts(entry: Entry) -> bool:
    """Return whether a finding has to be the one that was reviewed."""
    # What a guardrail says and does not deny is about manifests that do the same, and comes of a catalogue that grows.
    advice = entry["rule"].startswith(GUARDRAILS) and entry["severity"] != Severity.ERROR
    return not (entry["acceptable"] or entry["rule"] in {UNREADABLE, *OF_THE_TIME} or advice)


def _placeless(entry: Entry) -> Entry:
    # By which path the manifests are named is nothing to be reviewed.
    return {key: value for key, value in entry.items() if key != "place"}


def _findings(old: list[Entry], new: list[Entry], *, partial: bool) -> tuple[Entry, ...]:
    # Those that may be accepted count what is left to do; they stop or pass by what the command line accepts now.
    # That an account cannot be read is about reading, not about what is done.
    before, after = ([_placeless(entry) for entry in entries if _counts(entry)] for entries in (old, new))
    # A note or a warning goes when somebody does what it says. A plan with an error was refused, so nobody approved it.
    gone = () if partial else tuple(e for e in before if e["severity"] == Severity.ERROR and e not in after)
    return (*(entry for entry in after if entry not in before), *gone)
