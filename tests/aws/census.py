"""What stands in the accounts of the sandbox, read from behind it: for what must hold whatever xgrant is told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from reconciler.policy.document import canonical
from reconciler.sandbox.scenario import SOURCE, TARGET
from reconciler.sandbox.strict.accounts import backend, holders

ACCOUNTS = (SOURCE, TARGET)


def not_of(*stacks: str) -> dict[str, Any]:
    """Return all of both accounts that bears the mark of none of these stacks."""
    found: dict[str, Any] = {}
    for account in ACCOUNTS:
        for name, role in holders(account, "Role").items():
            if _tags(role).get("xgrant:stack") not in stacks:
                found[f"{account} role {name}"] = [
                    role.id, role.arn, role.description, str(role.max_session_duration), _tags(role),
                    _unmarked(role.policies, stacks), _attached(role, stacks), role.assume_role_policy_document,
                ]  # fmt: skip
        for kind in ("User", "Group"):
            for name, holder in holders(account, kind).items():
                found[f"{account} {kind} {name}"] = [
                    holder.id, _unmarked(holder.policies, stacks), _attached(holder, stacks)
                ]  # fmt: skip
        for arn, policy in backend(account).managed_policies.items():
            if ":iam::aws:" not in arn and not any(f":policy/xgrant/{stack}/" in arn for stack in stacks):
                found[arn] = [version.document for version in policy.versions]
    return found


def everything() -> dict[str, Any]:
    """Return all of both accounts, documents by what they say, without what depends on the way there.

    That are the ids that each new thing gets, and the versions of a policy that are no more in force.
    """
    found = {where: [_said(item) for item in held[1:]] for where, held in not_of().items() if " " in where}
    for account in ACCOUNTS:
        for arn, policy in backend(account).managed_policies.items():
            found[arn] = [_said(_in_force(policy))]
    return found


def _in_force(policy: Any) -> str:
    return next(str(version.document) for version in policy.versions if version.is_default)


def _said(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _said(value) for key, value in item.items()}
    return canonical(item) if isinstance(item, str) and item.startswith("{") else item


def doors_to_nowhere(stack: str) -> list[str]:
    """Return the caller policies of a stack that open a role which does not exist."""
    roles = {role.arn for account in ACCOUNTS for role in holders(account, "Role").values()}
    return sorted(f"{where} opens {arn}" for where, arn in _doors(stack) if arn not in roles)


def _doors(stack: str) -> Iterator[tuple[str, str]]:
    for account in ACCOUNTS:
        for kind in ("User", "Group", "Role"):
            for name, holder in holders(account, kind).items():
                documents = [text for policy, text in holder.policies.items() if policy.startswith(f"xgrant.{stack}.")]
                documents += [
                    _in_force(policy)
                    for arn, policy in holder.managed_policies.items()
                    if f":policy/xgrant/{stack}/callers/" in arn
                ]
                for text in documents:
                    statements = json.loads(text)["Statement"]
                    for statement in [statements] if isinstance(statements, dict) else statements:
                        resources = statement["Resource"]
                        for arn in [resources] if isinstance(resources, str) else resources:
                            yield f"{account} {kind} {name}", arn


def _tags(role: Any) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in role.tags}


def _unmarked(policies: Any, stacks: tuple[str, ...]) -> dict[str, str]:
    return {n: text for n, text in policies.items() if not any(n.startswith(f"xgrant.{stack}.") for stack in stacks)}


def _attached(holder: Any, stacks: tuple[str, ...]) -> list[str]:
    arns = holder.managed_policies
    return sorted(arn for arn in arns if not any(f":policy/xgrant/{stack}/" in arn for stack in stacks))
