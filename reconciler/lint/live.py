"""Guardrails that need to see what AWS has: what others wrote beside the grants, and what grants open together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from reconciler.lint.reach import is_everything
from reconciler.lint.rule import Breach, Rule
from reconciler.lint.statements import matches
from reconciler.model import Address, CallerPolicy, Level, ManagedPolicy, Plan, Role, Spot
from reconciler.policy.arn import account_of, covers, is_pattern, root_arn
from reconciler.policy.document import PolicyDocument
from reconciler.policy.permission_sets import patterns_in

_ASSUME = "sts:AssumeRole"
_FROM = Spot(("from",))


def _caller_policy_broader(plan: Plan) -> Iterator[Breach]:
    """Yield each policy made by hand by which a caller of a grant may assume its role, and others beside it."""
    for address, wanted in sorted(plan.desired.items(), key=lambda item: str(item[0])):
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
    """Yield each role that a role opens which an account that is not managed may assume."""
    roles = {a: found for a, found in {**plan.live.state, **plan.desired}.items() if isinstance(found, Role)}
    ours = {facts.account.id for facts in plan.live.facts.values() if facts.account.managed}
    names = {facts.account.id: facts.account.name for facts in plan.live.facts.values()}
    entered: dict[Address, str] = {}
    for address, role in roles.items():
        outside = sorted({account_of(arn) for arn in role.trust_policy.aws_principals()} - ours - {""})
        if outside and account_of(role.arn) in ours:
            entered[address] = names.get(outside[0], outside[0])
    if not entered:
        return
    for first, outsider in sorted(entered.items(), key=lambda item: str(item[0])):
        allowed = [*_documents(plan, first, roles[first])]
        for second, role in sorted(roles.items(), key=lambda item: str(item[0])):
            if (
                second not in entered
                and _trusts(role, roles[first])
                and any(d.names(_ASSUME, role.arn) for d in allowed)
            ):
                message = f"{outsider}, which is not managed here, reaches {second} in two steps, by the role {first}"
                yield Breach(message, _FROM, role.grant, second)


def _documents(plan: Plan, address: Address, role: Role) -> Iterator[PolicyDocument]:
    """Yield the permissions of a role, as far as the stack knows them: its own, and what it gets as a caller."""
    yield from role.inline_policies.values()
    holder = f"role/{address.name}".casefold()
    for other, found in {**plan.live.state, **plan.desired}.items():
        if other.account != address.account:
            continue
        if isinstance(found, ManagedPolicy):
            attached = {name.casefold() for name in found.attached_to}
            if found.arn in role.managed_policies or holder in attached:
                yield found.document
        elif isinstance(found, CallerPolicy) and _is_held_by(other, holder):
            yield found.document


def _is_held_by(address: Address, holder: str) -> bool:
    return address.holder is not None and "/".join(address.holder).casefold() == holder


def _trusts(role: Role, other: Role) -> bool:
    """Return whether a trust policy lets in another role, as far as its principals and aws:PrincipalArn say."""
    account_id = account_of(other.arn)
    partition = other.arn.split(":", 2)[1]
    for statement in role.trust_policy.statements():
        principal = statement.get("Principal")
        named = principal.get("AWS", ()) if isinstance(principal, Mapping) else ()
        whole = root_arn(partition, account_id) in named or account_id in named
        patterns = patterns_in(statement.get("Condition", {}))
        if statement.get("Effect") == "Allow" and (
            other.arn in named or (whole and (not patterns or any(covers(one, other.arn) for one in patterns)))
        ):
            return True
    return False


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
        "It may be what was agreed; only roles of the stack are seen.",
        of_plan=_two_hops,
    ),
)  # fmt: skip
"""The guardrails of this file."""
