"""Whether the doors that grants mean are open, and only as far as meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """What is found of a door."""

    OPEN = "open"
    CLOSED = "closed"
    REFUSED = "refused as meant"
    WIDER = "wider than meant"
    UNKNOWN = "unknown"

    def as_meant(self) -> bool:
        """Return whether it is known to be as the manifest means it."""
        return self in (Verdict.OPEN, Verdict.REFUSED)


class Way(StrEnum):
    """How something was found out, the best way first."""

    SESSION = "session"
    SIMULATION = "simulation"
    DOCUMENTS = "documents"


UNSEEN = {
    Way.SESSION: "what resource policies give to others, and what conditions say of other addresses and times",
    Way.SIMULATION: "policies of the organization (SCPs, RCPs), resource policies and session policies",
    Way.DOCUMENTS: (
        "policies of the organization (SCPs, RCPs), resource policies, session policies, and AWS's own managed "
        "policies; of those whom a grant names, their permissions boundaries and further policies, too"
    ),
}
"""What a way cannot see (facts sheet 6)."""


class Decision(StrEnum):
    """What AWS's simulator says of a request: `EXPLICIT` where a Deny counts (IAM API reference, EvaluationResult)."""

    ALLOWED = "allowed"
    IMPLICIT = "implicitDeny"
    EXPLICIT = "explicitDeny"


@dataclass(frozen=True, slots=True)
class Probe:
    """A request that the role of a grant is to be allowed, or is not: no pattern."""

    action: str
    resource: str
    meant: bool


@dataclass(frozen=True, slots=True)
class Check:
    """What was found of a probe. `allowed` is None where that is not known, and `why` says so."""

    probe: Probe
    allowed: bool | None
    way: Way
    why: str = ""


@dataclass(frozen=True, slots=True)
class Side:
    """Whether one side lets in: the caller's, or the role's by its trust policy. `why` says what was found."""

    allowed: bool | None
    way: Way
    why: str = ""


@dataclass(frozen=True, slots=True)
class Door:
    """One role of a grant, and one who stands before it.

    `grant` is `GRANT` or `GRANT@account`, `who` a principal of the grant, like `dev/group/developers`, or an ARN, or
    `others of dev`, where policies of their own let in those of an account whom the grant does not name.
    `profile` is the one whose credentials were tried; `meant` says whether the grant lets them in. `wider` and
    `narrower` are what the documents of the role say beyond, and short of, the manifest. `notes` say why a better way
    was not gone.
    """

    grant: str
    who: str
    profile: str
    meant: bool
    caller: Side
    trust: Side
    checks: tuple[Check, ...] = ()
    wider: tuple[str, ...] = ()
    narrower: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def verdict(self) -> Verdict:
        """Return what all of it comes to; where nothing is known of all that was tried inside, it is not open."""
        inside = _both(self.caller.allowed, self.trust.allowed)
        if not self.meant:
            return {True: Verdict.WIDER, False: Verdict.REFUSED, None: Verdict.UNKNOWN}[inside]
        if self.wider or any(check.allowed and not check.probe.meant for check in self.checks):
            return Verdict.WIDER
        lacking = any(check.allowed is False and check.probe.meant for check in self.checks)
        if inside is False or lacking or self.narrower:
            return Verdict.CLOSED
        tried = [check.allowed for check in self.checks if check.probe.meant]
        return Verdict.OPEN if inside and (any(tried) or not tried) else Verdict.UNKNOWN

    def ways(self) -> tuple[Way, ...]:
        """Return the ways by which it was found, the best first."""
        used = {side.way for side in (self.caller, self.trust) if side.allowed is not None}
        used |= {check.way for check in self.checks if check.allowed is not None}
        return tuple(way for way in Way if way in used)


@dataclass(frozen=True, slots=True)
class Listed:
    """What is said once of several, and of whom or what it is said: there may be very many."""

    words: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verification:
    """The doors that were looked at, by account why it could not be read, and what else there is to know.

    `read` is how many accounts could be read.
    """

    doors: tuple[Door, ...]
    unread: dict[str, str] = field(default_factory=dict)
    notes: tuple[Listed, ...] = ()
    read: int = 0


def _both(one: bool | None, other: bool | None) -> bool | None:
    if one is False or other is False:
        return False
    return None if one is None or other is None else True
