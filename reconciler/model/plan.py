"""What is to be changed, and what rules say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.errors import Place
from reconciler.model.declared import Grant, Limits, Rollout
from reconciler.model.live import Live
from reconciler.model.resources import Address, Resource, State, digest, resource_fingerprint
from reconciler.policy.document import PolicyDocument


class Action(StrEnum):
    """What a change does."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    ADOPT = "adopt"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` is what AWS has, `after` what it will have; None where there is nothing.

    `attributes` names the attributes that differ. `replaces` is the address that a replacement takes away, where
    it is not the same one. `reason` says in words why, where the attributes do not. `interim` is what an update has to
    bring about first, where a part of it must be gone before another change and a part must come after it; of a role
    that is made, what has to be there first for other roles to trust it. `withdrawn` are the ARNs of roles that are
    wanted, and that a caller policy of several grants opens no more: none of them has another name now.
    """

    address: Address
    action: Action
    grant: str
    before: Resource | None
    after: Resource | None
    attributes: tuple[str, ...] = ()
    replaces: Address | None = None
    reason: str = ""
    interim: Resource | None = None
    withdrawn: tuple[str, ...] = ()

    def removed_address(self) -> Address:
        """Return the address at which `before` stands."""
        return self.replaces or self.address


class Verb(StrEnum):
    """The parts that a change is made of: a replacement removes and writes; MAKE brings about a role's interim."""

    REMOVE = "remove"
    MAKE = "make"
    WRITE = "write"


@dataclass(frozen=True, slots=True)
class Step:
    """A part of a change, and the steps (by index in the plan) that must be done before it.

    `wave` is the place of its wave among those of the plan, counted from 0; all steps of the earlier ones have ended
    before it begins.
    """

    change: Change
    verb: Verb
    requires: tuple[int, ...] = ()
    wave: int = 0


CANARY = "canary"
"""The name of a rollout's first wave."""


@dataclass(frozen=True, slots=True)
class Wave:
    """A part of a rollout: what it is called, like `canary` or `10%`, and the accounts in which it changes something.

    One whose steps go in several waves is an account of each.
    """

    name: str
    accounts: tuple[str, ...]


class Severity(StrEnum):
    """What a finding does: an error stops the plan, a warning and a note only speak."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule says of a plan. `documents` are policies that the reader needs to see, by title.

    One that is `acceptable` no longer stops the plan once it is `accepted` by its rule's id. `place` is where the
    manifest says what it is about, if that is known.
    """

    rule: str
    severity: Severity
    message: str
    way_out: str = ""
    address: Address | None = None
    grant: str = ""
    documents: tuple[tuple[str, PolicyDocument], ...] = ()
    acceptable: bool = False
    accepted: bool = False
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    """All that is declared, and all that was read: what a plan is judged by where it sees a part, or destroys."""

    desired: State
    live: State


@dataclass(frozen=True, slots=True)
class Timing:
    """What a plan depends on of the time: when it is made, and the grants that are planned, expired ones included.

    `now` is that moment, `notice` are the seconds before a grant's end from which on that is said. `rotate` are the
    slots of roles that are to be made anew although nothing differs. `followers` are the names of grants that end with
    those whose roles are their only callers, before they say it themselves.
    """

    now: int = 0
    notice: int = 0
    grants: tuple[Grant, ...] = ()
    rotate: frozenset[tuple[str, ...]] = frozenset()
    followers: frozenset[str] = frozenset()

    def expired(self) -> tuple[Grant, ...]:
        """Return the grants of which nothing is wanted any more."""
        return tuple(grant for grant in self.grants if grant.expired(self.now))

    def named(self) -> tuple[Grant, ...]:
        """Return one grant of each name: those of several target accounts begin and end together."""
        return tuple({grant.name: grant for grant in self.grants}.values())


@dataclass(frozen=True, slots=True)
class Plan:
    """Changes, in order of grant and address; the steps that make them, in a safe order; findings; a fingerprint.

    The fingerprint is a digest of what will be changed into what: two plans with equal fingerprints do the same.
    `owned` is how many resources the stack owns, those included that are out of sight. Without a `rollout`, and for the
    plan of a shard, there are no `waves`. `waiting` are changes that are left out until the accounts that it names can
    be read; `left_out` are roles that a revocation leaves out, as findings say. A `part` is the plan of a shard, whose
    changes stand as they are found in each account: it has to be merged with the others.
    """

    stack: str
    desired: State
    live: Live
    changes: tuple[Change, ...] = ()
    steps: tuple[Step, ...] = ()
    findings: tuple[Finding, ...] = ()
    fingerprint: str = ""
    limits: Limits = Limits()  # noqa: RUF009 - frozen
    whole: Whole = Whole({}, {})
    owned: int = 0
    rollout: Rollout | None = None
    waves: tuple[Wave, ...] = ()
    waiting: Mapping[Address, str] = field(default_factory=dict)
    timing: Timing = Timing()
    part: bool = False
    left_out: tuple[Address, ...] = ()

    def count(self, action: Action) -> int:
        """Return how many changes have this action."""
        return sum(change.action is action for change in self.changes)

    def wanted(self) -> State:
        """Return what is desired in the accounts that are planned here."""
        if not self.part:
            return self.desired
        return {a: resource for a, resource in self.desired.items() if not self.live.facts[a.account].elsewhere}

    def account_ids(self) -> dict[str, str]:
        """Return the ids of all managed accounts, by their names."""
        return {name: facts.account.id for name, facts in self.live.facts.items() if facts.account.managed}

    def refused(self) -> bool:
        """Return whether a finding forbids to apply the plan."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def unread(self) -> tuple[str, ...]:
        """Return the names of the managed accounts that could not be read, in order."""
        return tuple(sorted(name for name, facts in self.live.facts.items() if facts.error and not facts.elsewhere))

    def untried(self) -> tuple[str, ...]:
        """Return the names of the accounts of the rollout's canary that could not be read, in order."""
        return tuple(name for name in self.unread() if self.rollout is not None and name in self.rollout.canary)

    def held_back(self) -> tuple[Wave, ...]:
        """Return the waves that will not begin, since too much of the canary could not be read."""
        if self.rollout is None or len(self.untried()) < self.rollout.stop_on:
            return ()
        return tuple(wave for wave in self.waves if wave.name != CANARY)

    def out_of_reach(self) -> str:
        """Return what to do where this plan will never go beyond the canary, however often it is applied; else nothing.

        So it is where what was reviewed leaves out accounts of the canary.
        """
        ways = [self.live.facts[name].way_out for name in self.untried()]
        return next(filter(None, ways), "") if self.held_back() else ""

    def complete(self) -> bool:
        """Return whether every managed account could be read, and nothing else is left out."""
        return not self.unread() and not self.left_out


Essence = tuple[str, str, str, str | None, str | None]
"""What a change does: address, action, the address that it removes, the fingerprints of what is and of what will be."""


def essence(change: Change) -> Essence:
    """Return what a change does, of which the fingerprint of a plan is made."""
    before, after = (None if found is None else resource_fingerprint(found) for found in (change.before, change.after))
    return str(change.address), change.action.value, str(change.removed_address()), before, after


def fingerprint(essences: Iterable[Essence]) -> str:
    """Return the SHA-256 digest, in hexadecimal, over what the changes of a plan do, in their order."""
    return digest([list(one) for one in essences])
