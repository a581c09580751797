"""XG224: a grant names a managed policy or a permissions boundary that does not exist."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Finding, ManagedPolicy, Plan, Role, Severity


def policy_missing(plan: Plan) -> Iterator[Finding]:
    """Yield an error for each such policy of a role in an account that was read (NoSuchEntity, facts sheet 3.1)."""
    made = {resource.arn for resource in plan.desired.values() if isinstance(resource, ManagedPolicy)}
    for address, wanted in sorted(plan.desired.items(), key=lambda item: str(item[0])):
        known = plan.live.facts[address.account].policies
        if not isinstance(wanted, Role) or known is None:
            continue
        named = [("managed policy", arn) for arn in sorted(wanted.managed_policies)]
        if wanted.permissions_boundary:
            named.append(("permissions boundary", wanted.permissions_boundary))
        for what, arn in named:
            if arn not in known and arn not in made:
                yield Finding(
                    rule="XG224",
                    severity=Severity.ERROR,
                    message=f"the {what} {arn} does not exist in account {address.account}",
                    way_out="create it first, or mend its ARN: the name and the path before it, in their exact case",
                    address=address,
                    grant=wanted.grant,
                )
