"""Ending the sessions of a grant's roles. It is no difference between manifests and AWS, so it is in no other plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.desired import role_address
from reconciler.errors import UsageError, XgrantError
from reconciler.events import Notice
from reconciler.model import (
    Action,
    Address,
    Change,
    Finding,
    Live,
    Manifest,
    Plan,
    PrincipalKind,
    Result,
    Role,
    Scope,
    Severity,
    Status,
    Step,
    Verb,
    essence,
    fingerprint,
)
from reconciler.ownership import REVOKED_SESSIONS_POLICY, owned_by
from reconciler.pipeline.turns import Turn
from reconciler.policy.instants import instant_text
from reconciler.policy.shapes import also_ending, ended_before
from reconciler.policy.sizes import quota, size
from reconciler.ports import Reader
from reconciler.use import Use

if TYPE_CHECKING:
    from reconciler.aws import AwsRevoker


def aws_revoker(manifest: Manifest, notify: Callable[[Notice], None]) -> AwsRevoker:
    """Return what ends sessions in the manifest's accounts."""
    from reconciler.aws import AwsRevoker, Connections

    return AwsRevoker(Connections(manifest.stack, notify), manifest.accounts, manifest.stack)


def plan_revocation(
    manifest: Manifest, uses: Sequence[Use], before: int | None, reader: Reader, *, now: datetime
) -> Plan:
    """Return the plan that ends the sessions of these roles that were issued before a moment, or, by None, all.

    The moment only moves forward: nothing is done for a role that ends those of a later one already. What keeps a role
    from being written is a finding, and keeps no other: a revocation is made in haste, for many accounts.

    Raises:
        UsageError: every role is in an account that is not managed.
        XgrantError: of no role sessions can be ended: none is there, the stack's, and in an account that can be read.

    """
    managed = [use for use in uses if use.target.managed]
    if not managed:
        raise UsageError(_not_managed(uses[0]))
    slots = frozenset(role_address(use.grant).slot() for use in managed)
    accounts = {use.target.name: use.target for use in managed}
    live = reader.read(Scope(manifest.stack, tuple(accounts.values()), slots))
    wrong = {role_address(use.grant): (use, _in_the_way(manifest.stack, use, live)) for use in uses}
    wrong = {address: found for address, found in wrong.items() if found[1]}
    if len(wrong) == len(uses):
        raise XgrantError("\n".join(why for _, why in wrong.values()))
    moment = all_until(now) if before is None else before
    found = (
        _change(use, moment, live, all_issued=before is None) for use in uses if role_address(use.grant) not in wrong
    )
    changes = tuple(change for change in found if change is not None)
    crowded = _too_long(changes, moment, live)
    if len(crowded) < len(changes):
        changes = tuple(change for change in changes if change.address not in crowded)
        crowded = {address: replace(finding, severity=Severity.WARNING) for address, finding in crowded.items()}
    left_out = [_left_out(address, use, why) for address, (use, why) in wrong.items()]
    findings = [*left_out, *crowded.values(), *([_what_goes_on()] if changes else [])]
    return Plan(
        manifest.stack, live.state, live, changes, tuple(Step(change, Verb.WRITE) for change in changes),
        findings=tuple(findings), fingerprint=fingerprint(map(essence, changes)), left_out=(*wrong, *crowded),
    )  # fmt: skip


def all_until(now: datetime) -> int:
    """Return the moment before which all sessions were issued by now."""
    # A session says in whole seconds when it was issued: those of this very second are meant, too.
    return int(now.timestamp()) + 1


def revoking(
    revoker: AwsRevoker, before: int | None, now: Callable[[], datetime]
) -> Callable[[Turn], Callable[[Step], Result]]:
    """Return what makes, of a turn, what executes the steps of such a plan.

    Without a moment it is that of each write: reading, asking and waiting for locks take time, in which others get in.
    """

    def of_turn(turn: Turn) -> Callable[[Step], Result]:
        def execute(step: Step) -> Result:
            with revoker.step(turn.refusal) as calls:
                try:
                    revoker.end_sessions(step.change.address, before, now=all_until(now()))
                except XgrantError as error:
                    return Result(Status.FAILED, str(error), tuple(calls))
                return Result(Status.DONE, calls=tuple(calls))

        return execute

    return of_turn


def _not_managed(use: Use) -> str:
    return f"account {use.target.name} is not managed here: its owner ends the sessions of its roles"


def _standing(use: Use, live: Live) -> Role | None:
    slot = role_address(use.grant).slot()
    found = next((role for place, role in live.state.items() if place.slot() == slot), None)
    return found if isinstance(found, Role) else None


def _in_the_way(stack: str, use: Use, live: Live) -> str:
    """Return why the sessions of a role cannot be ended; nothing where they can."""
    address = role_address(use.grant)
    if not use.target.managed:
        return _not_managed(use)
    if error := live.facts[address.account].error:
        return error
    role = _standing(use, live)
    if role is None:
        return f"{address} is not there, so it has no sessions"
    if not owned_by(role.tags, stack):
        return (
            f"{address} is not of the stack {stack}, so it is left alone; whoever owns it ends its sessions, in the "
            "IAM console with the role's `Revoke sessions`"
        )
    return ""


def _left_out(address: Address, use: Use, why: str) -> Finding:
    return _finding(
        "XG246", Severity.WARNING, f"its sessions are not ended: {why}",
        "see to that; the others are ended meanwhile, and the same command does what is left", address, use.grant.name,
    )  # fmt: skip


def _change(use: Use, before: int, live: Live, *, all_issued: bool) -> Change | None:
    role = _standing(use, live)
    assert role is not None  # else it is left out
    standing = None if role.sessions_revoked is None else ended_before(role.sessions_revoked)
    if standing is not None and standing >= before:
        return None
    until = "this is written" if all_issued else instant_text(before)
    reason = f"its sessions that were issued before {until} are denied everything"
    if standing is not None:
        reason += f"; until now those before {instant_text(standing)} are"
    elif role.sessions_revoked is not None:
        reason += f"; what its policy {REVOKED_SESSIONS_POLICY} says in another way stays beside"
    address = role_address(use.grant)
    return Change(address, Action.UPDATE, role.grant, role, role, ("sessions_revoked",), reason=reason)


def _too_long(changes: Sequence[Change], before: int, live: Live) -> dict[Address, Finding]:
    found: dict[Address, Finding] = {}
    for change in changes:
        assert isinstance(change.before, Role)
        facts = live.facts[change.address.account]
        allowed = quota(facts.summary, "RolePolicySizeQuota")
        carried = facts.carried.get((PrincipalKind.ROLE, change.address.name.casefold()))
        standing = {} if carried is None else carried.inline
        total = sum(
            {**standing, REVOKED_SESSIONS_POLICY: size(also_ending(change.before.sessions_revoked, before))}.values()
        )
        if total > allowed:
            found[change.address] = _finding(
                "XG220", Severity.ERROR,
                f"the inline policies would have {total:,} characters; AWS allows {allowed:,}",
                "replace the role, with `xgrant rotate`: that ends all its sessions", change.address, change.grant,
            )  # fmt: skip
    return found


def _what_goes_on() -> Finding:
    return _finding(
        "XG244", Severity.NOTE,
        "it takes AWS a moment; and it does not end sessions of other roles that were assumed with those sessions, "
        "which last an hour at most, each, and may have assumed further ones",
        "whoever may assume the role still can: to end that, change the grant and apply; revoke the sessions of the "
        "roles that trust this one, too",
    )  # fmt: skip


def _finding(
    rule: str, severity: Severity, message: str, way_out: str, address: Address | None = None, grant: str = ""
) -> Finding:
    return Finding(rule=rule, severity=severity, message=message, way_out=way_out, address=address, grant=grant)
