"""Guardrails that need to see what AWS has: what others wrote beside the grants, and what grants open together."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.lint.hops import Allowed, Doors
from reconciler.lint.reach import is_everything
from reconciler.lint.rule import Breach, Rule
from reconciler.lint.statements import matches
from reconciler.model import Address, CallerPolicy, Level, Plan, Role, Spot
from reconciler.policy.arn import account_of, covers, is_pattern
from reconciler.policy.document import PolicyDocument

_ASSUME = "sts:AssumeRole"
_FROM = Spot(("from",))


def _caller_policy_broader(plan: Plan) -> Iterator[Breach]:
    """Yield each policy made by hand by which a caller of a grant may assume its role, and others beside it."""
    for address, wanted in sorted(plan.whole.desired.items(), key=lambda item: str(item[0])):
        facts = plan.live.facts.get(address.account)
        if not isinstance(wanted, CallerPolicy) or address.holder is None or facts is None:
            continue
        holder = (address.holder[0], address.holder[1].casefold())
        roles = wanted.document.resources()
        for name, document in sorted(facts.by_hand.get(holder, {}).items()):
            if wide := _wide(document, roles):
                message = (
                    f"the policy {name} on {address.holder[0]} {address.holder[1]}, which xgrant did not write, "
                    f"allows {_ASSUME} on {wide}, and not only on the role of the grant"
                )
                yield Breach(message, _FROM, wanted.grant, address)


def _wide(document: PolicyDocument, roles: tuple[str, ...]) -> str | None:
    for statement in document.statements():
        if statement.get("Effect") == "Allow" and any(matches(one, _ASSUME) for one in statement.get("Action", ())):
            for resource in statement.get("Resource", ()):
                if (is_everything(resource) or is_pattern(resource)) and any(covers(resource, role) for role in roles):
                    return str(resource)
    return None


def _two_hops(plan: Plan) -> Iterator[Breach]:
    """Yield each role that a role opens which an account that is not managed may assume.

    All that is declared counts, and all that AWS has, whatever part of it is planned.
    """
    state = {**plan.whole.live, **plan.whole.desired}
    roles = {address: found for address, found in state.items() if isinstance(found, Role)}
    ours = {facts.account.id for facts in plan.live.facts.values() if facts.account.managed}
    names = {facts.account.id: facts.account.name for facts in plan.live.facts.values()}
    entered: dict[Address, str] = {}
    for address, role in roles.items():
        outside = sorted({account_of(arn) for arn in role.trust_policy.aws_principals()} - ours - {""})
        if outside and account_of(role.arn) in ours:
            entered[address] = names.get(outside[0], outside[0])
    if not entered:
        return
    doors = Doors({address: role for address, role in roles.items() if address not in entered})
    allowed = Allowed(state, plan.live.facts)
    for first, outsider in sorted(entered.items(), key=lambda item: str(item[0])):
        documents = allowed.of(first, roles[first])
        for second in sorted(doors.open_to(roles[first].arn, documents), key=str):
            message = f"{outsider}, which is not managed here, reaches {second} in two steps, by the role {first}"
            yield Breach(message, _FROM, roles[second].grant, second, roles[first].grant)


RULES = (
    Rule(
        "XG120", Level.WARN, "a caller may assume more than the role",
        "A policy that somebody attached by hand opens more roles than the grant says, and stays when the grant goes.",
        "take it off the caller, or narrow it to the roles that it is for",
        "IAM user guide, Granting a user permissions to switch roles; Security best practices: least privilege",
        "What stands beside a grant may be meant, and is not the stack's to judge.",
        of_plan=_caller_policy_broader,
    ),
    Rule(
        "XG121", Level.WARN, "reached in two steps from an account that is not managed",
        "Somebody else's account gets in by a role that may assume this one, so this grant is theirs, too.",
        "take sts:AssumeRole on this role from the first one, or do not let it be a caller",
        "AWS STS API Reference, AssumeRole: role chaining",
        "It may be what was agreed; only roles of the stack are seen, of AWS's own policies only AdministratorAccess.",
        of_plan=_two_hops,
    ),
)  # fmt: skip
"""The guardrails of this file."""
