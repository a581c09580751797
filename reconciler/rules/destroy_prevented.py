"""XG210: a role whose grant says `prevent_destroy` would be deleted or replaced."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Action, Finding, Plan, Role, Severity
from reconciler.ownership import PREVENT_DESTROY_TAG


def destroy_prevented(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each deletion or replacement of such a role.

    The role itself says so by its tag, so that it holds too where the grant is no longer declared.
    """
    for change in plan.changes:
        roles = [role for role in (change.before, change.after) if isinstance(role, Role)]
        if change.action not in (Action.DELETE, Action.REPLACE):
            continue
        if any(role.tags.get(PREVENT_DESTROY_TAG) == "true" for role in roles):
            yield Finding(
                rule="XG210",
                severity=Severity.ERROR,
                message=(
                    f"the role {change.removed_address().name} would be {change.action}d, and prevent_destroy is on"
                ),
                way_out=(
                    "leave its grant, its name and its path as they were; or first apply the grant, otherwise "
                    "unchanged, with prevent_destroy: false, which takes the tag "
                    f"{PREVENT_DESTROY_TAG} from the role"
                ),
                address=change.address,
                grant=change.grant,
            )
