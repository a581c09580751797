"""What the policies of a user, group or role decide, its boundary included (facts sheet 6).

moto knows no boundary, takes an Allow whose condition is not met for a denial, and looks at no resource in IAM.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from reconciler.policy.case import fold
from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.documents import readable
from reconciler.sandbox.strict.evaluate import Asked, decide
from reconciler.sandbox.strict.principals import statements

ALLOWED, IMPLICIT, EXPLICIT = "allowed", "implicitDeny", "explicitDeny"
"""What the simulator of AWS says of a request."""

_Document = Mapping[str, Any]

_NOTHING: _Document = {"Statement": []}

# Each call asks for the same ones.
_read = lru_cache(maxsize=1024)(readable)


def decided(account: str, entity: Any, asked: Asked, session_policy: str | None = None) -> str:
    """Return what the policies of an entity of an account decide, within its boundary and that of a session."""
    answers = [decide(policies_of(account, entity), asked)]
    answers += [decide([bound], asked) for bound in _bounds(account, entity, session_policy)]
    if all(answers):
        return ALLOWED
    return EXPLICIT if False in answers else IMPLICIT


def policies_of(account: str, entity: Any) -> Iterator[_Document]:
    """Yield the policies of a user, group or role, those of a user's groups too."""
    groups = [group for group in accounts.holders(account, "Group").values() if entity in group.users]
    for holder in (entity, *groups):
        inline = (text if isinstance(text, str) else json.dumps(text) for text in holder.policies.values())
        for text in (*inline, *map(_in_force, holder.managed_policies.values())):
            if (document := _read(text)) is not None:
                yield document


def context_keys(account: str, entity: Any) -> set[str]:
    """Return the condition keys that the policies of an entity name, in lower case."""
    return {
        fold(key)
        for document in policies_of(account, entity)
        for statement in statements(document)
        for block in statement.get("Condition", {}).values()
        for key in block
    }


def _bounds(account: str, entity: Any, session_policy: str | None) -> Iterator[_Document]:
    """Yield the permissions boundary and the session policy, where there are some; one that is gone allows nothing."""
    if arn := getattr(entity, "permissions_boundary_arn", None):
        policy = accounts.backend(account).managed_policies.get(arn)
        yield (None if policy is None else _read(_in_force(policy))) or _NOTHING
    if session_policy:
        yield _read(session_policy) or _NOTHING


def _in_force(policy: Any) -> str:
    return next(str(version.document) for version in policy.versions if version.is_default)
