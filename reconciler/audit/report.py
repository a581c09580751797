"""What an audit finds: of each role of each grant who used it, who was refused, and what should not have been."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.audit.named import Named, Standing, named
from reconciler.audit.tally import RoleKey, Seen, Tally
from reconciler.model import Account, AccountUse, Grant, Principal, RoleUse
from reconciler.use.conditions import demands_mfa

NOBODY_NAMED = "not-named"
WITHOUT_MFA = "without-mfa"
OUTSIDE = "outside-source-ip"
WITHOUT_EXTERNAL_ID = "without-external-id"


@dataclass(frozen=True, slots=True)
class Usage:
    """What was seen of one caller at one role, and how that caller stands to the grant."""

    seen: Seen
    named: Named


@dataclass(frozen=True, slots=True)
class RoleAudit:
    """One role of a grant. `use` is what the account says of it; None where that is not known, or it does not exist."""

    grant: Grant
    target: Account
    usages: tuple[Usage, ...]
    use: RoleUse | None = None
    read: bool = False

    def sessions(self) -> int:
        """Return how many sessions were seen."""
        return sum(usage.seen.got.number for usage in self.usages)

    def last_session(self) -> str:
        """Return when the last one began; empty if none was seen."""
        return max((usage.seen.got.last for usage in self.usages), default="")

    def of_an_earlier_role(self) -> int:
        """Return how many sessions were of a role that had the name before."""
        if self.use is None:
            return 0
        ids = (item for usage in self.usages for item in usage.seen.role_ids.items())
        return sum(number for role_id, number in ids if role_id and role_id != self.use.id)

    def unseen(self) -> tuple[Principal, ...]:
        """Return the principals of the grant of which no session was seen."""
        used = {p for usage in self.usages if usage.seen.got.number for p in usage.named.principals}
        return tuple(p for p in self.grant.principals if p not in used)


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """Sessions that should not have been: what is wrong with them, whose they are, of which role, and how many."""

    kind: str
    role: RoleAudit
    usage: Usage
    number: int
    message: str


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that could not be looked at, and why: an account, of which only these regions if any are named."""

    account: str
    regions: tuple[str, ...]
    error: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What was looked at: from when to when, in which regions of which accounts, or in how many files.

    `gaps` are what should have been, and could not. `broken` are files by name with what is wrong with each.
    """

    since: str
    until: str
    regions: Mapping[str, tuple[str, ...]]
    files: int = 0
    gaps: tuple[Gap, ...] = ()
    broken: tuple[tuple[str, str], ...] = ()
    broken_number: int = 0

    def with_gaps(self, gaps: tuple[Gap, ...]) -> Looked:
        """Return it with other gaps."""
        return replace(self, gaps=gaps)

    def complete(self) -> bool:
        """Return whether all was looked at that should have been."""
        return not self.gaps and not self.broken_number


@dataclass(frozen=True, slots=True)
class Audit:
    """All of it, in order of grant and target."""

    roles: tuple[RoleAudit, ...]
    findings: tuple[AuditFinding, ...]
    looked: Looked
    tally: Tally
    uses: Mapping[str, AccountUse]
    accounts: Mapping[str, Account]


def audit(
    grants: Sequence[Grant],
    accounts: Mapping[str, Account],
    tally: Tally,
    uses: Mapping[str, AccountUse],
    looked: Looked,
) -> Audit:
    """Return what was found. `uses` are by the manifest's names; of an account that was not read it says so."""
    arns = {key: arn for use in uses.values() for key, arn in use.arns.items()}
    roles = tuple(_role(grant, accounts, tally, uses, arns) for grant in grants)
    findings = tuple(finding for role in roles for finding in _findings(role))
    return Audit(roles, findings, looked, tally, uses, accounts)


def role_key(grant: Grant, accounts: Mapping[str, Account]) -> RoleKey:
    """Return by what events are joined to the role of a grant."""
    return accounts[grant.target].id, grant.role_name.casefold()


def _role(
    grant: Grant, accounts: Mapping[str, Account], tally: Tally, uses: Mapping[str, AccountUse], arns: Mapping[str, str]
) -> RoleAudit:
    usages = []
    for seen in tally.callers(role_key(grant, accounts)):
        if not seen.got.number + seen.refused.number:
            continue  # The other copy of an event named its caller otherwise.
        known = replace(seen, who=seen.who.resolved(arns))
        usages.append(Usage(known, named(known.who, grant, accounts, uses)))
    target = uses[grant.target]
    ordered = sorted(usages, key=lambda usage: (usage.seen.who.account, usage.seen.who.name, usage.seen.who.id))
    return RoleAudit(
        grant, accounts[grant.target], tuple(ordered), target.roles.get(grant.role_name.casefold()), target.read
    )


def _findings(role: RoleAudit) -> Iterator[AuditFinding]:
    mfa = demands_mfa(role.grant.conditions)
    for usage in role.usages:
        seen = usage.seen
        if seen.got.number and usage.named.standing is Standing.NOT:
            yield AuditFinding(NOBODY_NAMED, role, usage, seen.got.number, usage.named.why)
        if mfa and seen.mfa[False]:
            yield AuditFinding(WITHOUT_MFA, role, usage, seen.mfa[False], "the grant demands MFA")
        if seen.outside:
            message = "the address is none of the grant's source_ip"
            yield AuditFinding(OUTSIDE, role, usage, seen.outside, message)
        if seen.without_external_id:
            message = "the grant demands an external id, and none was sent"
            yield AuditFinding(WITHOUT_EXTERNAL_ID, role, usage, seen.without_external_id, message)
