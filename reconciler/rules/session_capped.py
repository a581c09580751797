"""XG226: some of a grant's callers are roles, whose sessions end sooner than the grant says."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Change, Finding, Plan, PrincipalKind, Role, Severity
from reconciler.policy.permission_sets import trusted_sets

_CHAINED = 3600


def session_capped(plan: Plan) -> Iterator[Finding]:
    """Yield a warning for each changed role with long sessions that roles may assume: they get one hour at most.

    AWS caps the session of a caller who is a role's session himself (facts sheet 1.4, role chaining).
    """
    callers: dict[str, set[str]] = {}
    for address, wanted in plan.desired.items():
        if address.holder is not None and address.holder[0] is PrincipalKind.ROLE:
            callers.setdefault(wanted.grant, set()).add(address.holder[1])
        elif isinstance(wanted, Role):
            sets = {f"the permission set {name}" for _, name in trusted_sets(wanted.trust_policy)}
            callers.setdefault(wanted.grant, set()).update(sets)
    for change in plan.changes:
        if _long(change) and callers.get(change.grant):
            names = ", ".join(sorted(callers[change.grant]))
            yield Finding(
                rule="XG226",
                severity=Severity.WARNING,
                message=f"sessions of {names} last at most 1h, since roles that assume roles get no more",
                way_out="nothing, if the longer sessions are for the other callers of the grant",
                address=change.address,
                grant=change.grant,
            )


def _long(change: Change) -> bool:
    if not isinstance(change.after, Role) or change.after.max_session_duration <= _CHAINED:
        return False
    return not isinstance(change.before, Role) or "max_session_duration" in change.attributes
