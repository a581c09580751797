"""Rotation: roles that are made anew, so that all that hangs on their ids ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.desired import desired_state, role_address
from reconciler.errors import UsageError
from reconciler.model import Address, Change, Finding, Live, Manifest, Plan, Role, Scope, Severity
from reconciler.ownership import owned_by
from reconciler.pipeline.main_job import Request, make_plan
from reconciler.ports import Reader
from reconciler.use import Use, uses

_DUE = "XG243"


def due(manifest: Manifest, reader: Reader, *, now: datetime) -> tuple[Use, ...]:
    """Return the roles that are due for rotation, in order of grant and target."""
    plan = make_plan(Request(manifest), reader, now=now)
    slots = {found.address.slot() for found in plan.findings if found.rule == _DUE and found.address is not None}
    return tuple(use for use in uses(manifest) if role_address(use.grant).slot() in slots)


def plan_rotation(request: Request, reader: Reader, *, now: datetime) -> Plan:
    """Return the plan of a rotation, and of nothing else: what is beside it to be changed refuses it.

    It says who trusts a rotated role and is not let in again, as far as the managed accounts show it.
    """
    once = _Once(reader)
    pending = make_plan(replace(request, rotate=frozenset()), once, now=now)
    plan = make_plan(request, once, now=now)
    arns = {
        change.before.arn
        for change in plan.changes
        if change.address.slot() in request.rotate and isinstance(change.before, Role)
    }
    findings = [*(_pending(change) for change in pending.changes), *_shut(plan, arns)]
    if arns and not findings:
        findings = [_held_elsewhere(_foreign(request.manifest, arns, reader))]
    return replace(plan, findings=(*plan.findings, *findings))


@dataclass(slots=True)
class _Once:
    """A reader that reads a scope once: two plans of one moment are of the same."""

    reader: Reader
    before: list[tuple[Scope, Live]] = field(default_factory=list)

    def read(self, scope: Scope, stopped: Callable[[], str] = str) -> Live:
        live = next((live for known, live in self.before if known == scope), None)
        if live is None:
            live = self.reader.read(scope, stopped)
            self.before.append((scope, live))
        return live


def _pending(change: Change) -> Finding:
    return Finding(
        rule="XG247", severity=Severity.ERROR, address=change.address, grant=change.grant,
        message=f"beside its rotation, a change is to be made ({change.action}), which nobody asked for here",
        way_out="xgrant apply first, then rotate",
    )  # fmt: skip


def _shut(plan: Plan, arns: set[str]) -> Iterator[Finding]:
    """Yield an error for each role that would no longer let a rotated one in, since its account cannot be read."""
    for address, role in sorted(plan.whole.desired.items(), key=lambda item: str(item[0])):
        trusts = isinstance(role, Role) and arns & {*role.trust_policy.aws_principals()}
        if trusts and plan.live.facts[address.account].error:
            yield Finding(
                rule="XG248", severity=Severity.ERROR, address=address, grant=role.grant,
                message="it trusts a role that is to be rotated, and would shut it out: its account cannot be read "
                "now, so its trust policy cannot be written again",
                way_out="make the account readable, then rotate",
            )  # fmt: skip


def _foreign(manifest: Manifest, arns: set[str], reader: Reader) -> list[Address]:
    """Return the roles that are not the stack's and trust a role of these."""
    managed = tuple(account for account in manifest.accounts.values() if account.managed)
    whole = frozenset(account.name for account in managed)
    live = reader.read(Scope(manifest.stack, managed, frozenset(), whole=whole))
    return sorted(
        (
            address
            for address, role in live.state.items()
            if isinstance(role, Role)
            and not owned_by(role.tags, manifest.stack)
            and arns & {*role.trust_policy.aws_principals()}
        ),
        key=str,
    )


def _held_elsewhere(trusting: list[Address]) -> Finding:
    who = f": {', '.join(map(str, trusting))}" if trusting else ""
    return Finding(
        rule="XG249", severity=Severity.WARNING if trusting else Severity.NOTE,
        message=f"what is not this stack's and names the role as a principal, by its id, does not let it in again{who}",
        way_out="save those trust policies again afterwards, and policies of buckets, keys and the like that name it",
    )  # fmt: skip


def rotation(manifest: Manifest, found: Iterable[Use], *, now: datetime, accepted: frozenset[str]) -> Request:
    """Return the request for the plan that makes these roles anew; of all other grants only what that takes.

    Raises:
        UsageError: a grant has expired, or its role is in an account that is not managed.

    """
    rotated: dict[Address, str] = {}
    for use in found:
        if use.grant.expired(int(now.timestamp())):
            raise UsageError(f"the grant {use.grant.name} has expired: `xgrant apply` removes what it has")
        if not use.target.managed:
            raise UsageError(f"account {use.target.name} is not managed here: its owner rotates its roles")
        rotated[role_address(use.grant)] = use.role_arn
    desired = desired_state(manifest.grants, manifest.accounts, stack=manifest.stack)
    arns = {*rotated.values()}
    trusting = {
        role.grant
        for role in desired.values()
        if isinstance(role, Role) and arns & {*role.trust_policy.aws_principals()}
    }
    slots = frozenset(address.slot() for address in rotated)
    grants = frozenset(use.grant.name for use in uses(manifest) if role_address(use.grant).slot() in slots) | trusting
    return Request(manifest, grants, accepted=accepted, rotate=slots)
