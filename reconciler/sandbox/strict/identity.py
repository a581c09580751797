"""What the policies of a user, group or role decide, its boundary included (facts sheet 6).

moto knows no boundary, and takes an Allow whose condition is not met for a denial.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.policy.case import fold
from reconciler.policy.document import listed
from reconciler.sandbox.sessions import dates_hold, without_dates
from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.conditions import like, met
from reconciler.sandbox.strict.documents import readable
from reconciler.sandbox.strict.principals import statements

ALLOWED, IMPLICIT, EXPLICIT = "allowed", "implicitDeny", "explicitDeny"
"""What the simulator of AWS says of a request."""

_Context = Mapping[str, str | None]


def decide(account: str, entity: Any, action: str, resource: str, context: _Context) -> str:
    """Return what the policies of an entity of an account decide; the keys of the context are in lower case."""
    decided = _decide(list(_policies(account, entity)), action, resource, context)
    boundary = getattr(entity, "permissions_boundary_arn", None)
    if decided is not ALLOWED or not boundary:
        return decided
    return _decide([_document_of(account, boundary)], action, resource, context)


def context_keys(account: str, entity: Any) -> set[str]:
    """Return the condition keys that the policies of an entity name, in lower case."""
    return {
        fold(key)
        for document in _policies(account, entity)
        for statement in statements(document)
        for block in statement.get("Condition", {}).values()
        for key in block
    }


def _policies(account: str, entity: Any) -> Iterator[Any]:
    texts = entity.policies.values()
    yield from (readable(text if isinstance(text, str) else json.dumps(text)) for text in texts)
    for arn in entity.managed_policies:
        yield _document_of(account, arn)
    if getattr(entity, "access_keys", None) is not None:  # A user has the policies of its groups, too.
        for group in accounts.backend(account).get_groups_for_user(entity.name):
            yield from _policies(account, group)


def _document_of(account: str, arn: str) -> Any:
    policy = accounts.backend(account).managed_policies.get(arn)
    found = [version.document for version in policy.versions if version.is_default] if policy else []
    return readable(found[0]) if found else None


def _decide(documents: list[Any], action: str, resource: str, context: _Context) -> str:
    answer = IMPLICIT
    for statement in (one for document in documents for one in statements(document)):
        deny = statement.get("Effect") == "Deny"
        if not _has(statement, "Action", fold(action), folded=True) or not _has(statement, "Resource", resource):
            continue
        condition = statement.get("Condition", {})
        if dates_hold(condition, None) and met(without_dates(condition), context, unknown=deny):
            if deny:
                return EXPLICIT
            answer = ALLOWED
    return answer


def _has(statement: Mapping[str, Any], element: str, value: str, *, folded: bool = False) -> bool:
    """Return whether an element, or its negation, has a value."""
    negated = f"Not{element}" in statement
    patterns = [str(one) for one in listed(statement.get(f"Not{element}" if negated else element, []))]
    return negated != any(like(value, fold(pattern) if folded else pattern) for pattern in patterns)
