"""Ending the sessions of a grant's roles. It is no difference between manifests and AWS, so it is in no other plan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from reconciler.policy.shapes import ended_before, ending_sessions
from reconciler.policy.sizes import quota, size
from reconciler.ports import Reader
from reconciler.use import Use

if TYPE_CHECKING:
    from reconciler.aws import AwsRevoker


def aws_revoker(manifest: Manifest, notify: Callable[[Notice], None]) -> AwsRevoker:
    """Return what ends sessions in the manifest's accounts."""
    from reconciler.aws import AwsRevoker, Connections

    return AwsRevoker(Connections(manifest.stack, notify), manifest.accounts, manifest.stack)


def plan_revocation(manifest: Manifest, uses: Sequence[Use], before: int, reader: Reader) -> Plan:
    """Return the plan that ends the sessions of these roles that were issued before a moment.

    A role that ends those of a later moment already is left out: the moment only moves forward.

    Raises:
        UsageError: a role is in an account that is not managed.
        XgrantError: a role is not there, or is not the stack's, or its account could not be read.

    """
    for use in uses:
        if not use.target.managed:
            raise UsageError(f"account {use.target.name} is not managed here: its owner ends the sessions of its roles")
    slots = frozenset(role_address(use.grant).slot() for use in uses)
    accounts = {use.target.name: use.target for use in uses}
    live = reader.read(Scope(manifest.stack, tuple(accounts.values()), slots))
    found = (_change(manifest.stack, use, before, live) for use in uses)
    changes = tuple(change for change in found if change is not None)
    findings = [*_too_long(changes, before, live), *([_what_goes_on()] if changes else [])]
    return Plan(
        manifest.stack, live.state, live, changes, tuple(Step(change, Verb.WRITE) for change in changes),
        findings=tuple(findings), fingerprint=fingerprint(map(essence, changes)),
    )  # fmt: skip


def revoking(revoker: AwsRevoker, before: int) -> Callable[[Turn], Callable[[Step], Result]]:
    """Return what makes, of a turn, what executes the steps of such a plan."""

    def of_turn(turn: Turn) -> Callable[[Step], Result]:
        def execute(step: Step) -> Result:
            with revoker.step(turn.refusal) as calls:
                try:
                    revoker.end_sessions(step.change.address, before)
                except XgrantError as error:
                    return Result(Status.FAILED, str(error), tuple(calls))
                return Result(Status.DONE, calls=tuple(calls))

        return execute

    return of_turn


def _change(stack: str, use: Use, before: int, live: Live) -> Change | None:
    address = role_address(use.grant)
    if error := live.facts[address.account].error:
        raise XgrantError(error)
    role = next((role for place, role in live.state.items() if place.slot() == address.slot()), None)
    if not isinstance(role, Role):
        raise XgrantError(f"{address} is not there, so it has no sessions")
    if not owned_by(role.tags, stack):
        raise XgrantError(
            f"{address} is not of the stack {stack}, so it is left alone; whoever owns it ends its sessions, in the "
            "IAM console with the role's `Revoke sessions`"
        )
    standing = None if role.sessions_revoked is None else ended_before(role.sessions_revoked)
    if standing is not None and standing >= before:
        return None
    reason = f"its sessions that were issued before {instant_text(before)} are denied everything"
    if standing is not None:
        reason += f"; until now those before {instant_text(standing)} are"
    elif role.sessions_revoked is not None:
        reason += f"; its policy {REVOKED_SESSIONS_POLICY}, which says it in another way, is written anew"
    return Change(address, Action.UPDATE, role.grant, role, role, ("sessions_revoked",), reason=reason)


def _too_long(changes: Sequence[Change], before: int, live: Live) -> list[Finding]:
    found: list[Finding] = []
    for change in changes:
        facts = live.facts[change.address.account]
        allowed = quota(facts.summary, "RolePolicySizeQuota")
        carried = facts.carried.get((PrincipalKind.ROLE, change.address.name.casefold()))
        standing = {} if carried is None else carried.inline
        total = sum({**standing, REVOKED_SESSIONS_POLICY: size(ending_sessions(before))}.values())
        if total > allowed:
            found.append(_finding(
                "XG220", Severity.ERROR,
                f"the inline policies would have {total:,} characters; AWS allows {allowed:,}",
                "replace the role, with `xgrant rotate`: that ends all its sessions", change.address, change.grant,
            ))  # fmt: skip
    return found


def _what_goes_on() -> Finding:
    return _finding(
        "XG244", Severity.NOTE,
        "it takes AWS a moment; and it does not end sessions of other roles that were assumed with those sessions, "
        "which last an hour at most",
        "whoever may assume the role still can: to end that, change the grant and apply; revoke the sessions of the "
        "roles that trust this one, too",
    )  # fmt: skip


def _finding(
    rule: str, severity: Severity, message: str, way_out: str, address: Address | None = None, grant: str = ""
) -> Finding:
    return Finding(rule=rule, severity=severity, message=message, way_out=way_out, address=address, grant=grant)
