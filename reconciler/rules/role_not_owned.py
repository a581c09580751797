"""XG201: a role of the desired name exists and is not this stack's."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Action, Address, Finding, Kind, Plan, Role, Severity
from reconciler.ownership import GRANT_TAG, STACK_TAG, owns


def role_not_owned(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each desired role whose name somebody else's role has; IAM ignores the case of names."""
    foreign = {
        address.slot(): (address, resource)
        for address, resource in plan.live.state.items()
        if not owns(plan.stack, resource)
    }
    adopted = {change.address for change in plan.changes if change.action is Action.ADOPT}
    for address, wanted in sorted(plan.desired.items(), key=lambda item: str(item[0])):
        if address.kind is not Kind.ROLE or address.slot() not in foreign:
            continue
        standing, role = foreign[address.slot()]
        assert isinstance(role, Role)  # only a role can be in the state without being ours
        assert isinstance(wanted, Role)  # the address says so
        if address in adopted:
            continue
        owner = role.tags.get(STACK_TAG)
        whose = _whose(owner)
        yield Finding(
            rule="XG201",
            severity=Severity.ERROR,
            message=f"the role {standing.name} exists in account {address.account} and {whose}; it is left alone",
            way_out=(
                f"{_adoption(standing, role, wanted, owner)}give the grant another `to.role`, or delete that role "
                "yourself if nobody needs it; if it was this "
                f"stack's role, give it back its tags {STACK_TAG}={plan.stack} and {GRANT_TAG}={wanted.grant}; "
                "`--only` goes on with other grants meanwhile"
            ),
            address=address,
            grant=wanted.grant,
        )


def _whose(owner: str | None) -> str:
    if owner is None:
        return f"has no tag {STACK_TAG}, so no stack owns it"
    return f"belongs to the stack {owner}" if owner else f"has an empty tag {STACK_TAG}, so nobody knows whose it is"


def _adoption(standing: Address, role: Role, wanted: Role, owner: str | None) -> str:
    """Say what the grant has to say to take the role over; nothing where it cannot."""
    if owner is not None:
        return ""
    needs = [] if wanted.adopt else ["`adopt: true`"]
    if wanted.arn.rsplit("/", 1)[-1] != standing.name:
        needs.append(f"`to.role: {standing.name}`")
    if wanted.path != role.path:
        needs.append(f"`to.path: {role.path}`")
    return f"to take the role over as it stands, write {' and '.join(needs)} in the grant; else " if needs else ""
