"""XG203: a part of a grant lies in somebody else's account; it says what they have to do there."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Address, Finding, Plan, PrincipalKind, Resource, Role, Severity


def other_side(plan: Plan) -> Iterator[Finding]:
    """Yield a note with the documents for each desired resource of an account that is not managed."""
    for address, wanted in sorted(plan.desired.items(), key=lambda item: str(item[0])):
        account = plan.live.facts[address.account].account
        if not account.managed:
            yield _note(address, wanted, f"{account.name} ({account.id})")


def _note(address: Address, wanted: Resource, account: str) -> Finding:
    if isinstance(wanted, Role):
        message = f"account {account} is not managed here: its owner makes the role {wanted.arn} like this" + _rest(
            wanted
        )
        documents = [("trust policy", wanted.trust_policy)]
        documents += [(f"inline policy {name}", policy) for name, policy in wanted.inline_policies.items()]
    else:
        assert address.holder is not None  # every caller policy has one
        kind, name = address.holder
        whom = "those who shall use the grant" if kind is PrincipalKind.ACCOUNT else f"the {kind} {name}"
        message = f"account {account} is not managed here: its owner attaches this policy to {whom}"
        documents = [("caller policy", wanted.document)]
    return Finding(
        rule="XG203",
        severity=Severity.NOTE,
        message=message,
        address=address,
        grant=wanted.grant,
        documents=tuple(documents),
    )


def _rest(role: Role) -> str:
    """Say what the documents do not."""
    parts = [f"sessions of at most {role.max_session_duration:,} seconds"]
    if role.managed_policies:
        parts.append(f"the managed policies {', '.join(sorted(role.managed_policies))}")
    if role.permissions_boundary:
        parts.append(f"the permissions boundary {role.permissions_boundary}")
    return f", with {', '.join(parts)}"
