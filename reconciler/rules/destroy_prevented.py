"""XG210: a role whose grant says `prevent_destroy` would be deleted or replaced."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Action, Finding, Plan, Role, Severity
from reconciler.ownership import PREVENT_DESTROY_TAG


def destroy_prevented(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each deletion or replacement of such a role.

    The role itself says so by its tag, so that it holds too where the grant is no longer declared; and the manifest
    says so, whether or not the tag is on the role yet, or still.
    """
    declared = {address: role for address, role in plan.whole.desired.items() if isinstance(role, Role) and _kept(role)}
    names = {name for role in declared.values() for name in (role.grant, *role.moved_from)}
    slots = {address.slot() for address in declared}
    for change in plan.changes:
        before, gone = change.before, change.removed_address()
        if not isinstance(before, Role) or change.action not in (Action.DELETE, Action.REPLACE):
            continue
        if _kept(before) or before.grant in names or gone.slot() in slots or change.address.slot() in slots:
            yield Finding(
                rule="XG210",
                severity=Severity.ERROR,
                message=f"the role {gone.name} would be {change.action}d, and prevent_destroy is on",
                way_out=(
                    "leave its grant, its account, its name and its path as they were; or first apply the grant, "
                    "otherwise unchanged, with prevent_destroy: false, which takes the tag "
                    f"{PREVENT_DESTROY_TAG} from the role"
                ),
                address=change.address,
                grant=change.grant,
            )


def _kept(role: Role) -> bool:
    return role.tags.get(PREVENT_DESTROY_TAG) == "true"
