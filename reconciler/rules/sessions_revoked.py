"""XG229: somebody has ended the sessions of a role, by a policy that xgrant leaves where it is."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Finding, Plan, Role, Severity
from reconciler.ownership import REVOKED_SESSIONS_POLICY, owns
from reconciler.policy.instants import instant_text
from reconciler.policy.shapes import ended_before


def sessions_revoked(plan: Plan) -> Iterator[Finding]:
    """Yield a note for each role of the stack that carries the policy of the console (facts sheet 3.4)."""
    for address, role in sorted(plan.live.state.items(), key=lambda item: str(item[0])):
        if isinstance(role, Role) and role.sessions_revoked is not None and owns(plan.stack, role):
            before = ended_before(role.sessions_revoked)
            which = "the sessions" if before is None else f"the sessions from before {instant_text(before)}"
            yield Finding(
                rule="XG229",
                severity=Severity.NOTE,
                message=f"{which} of the role {address.name} were ended by its policy {REVOKED_SESSIONS_POLICY}",
                way_out="nothing; delete that policy yourself once no session from before its time can be alive",
                address=address,
                grant=role.grant,
            )
