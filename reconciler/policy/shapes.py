"""What a whole document does and nothing else, whatever it is called."""

from __future__ import annotations

import re
from collections.abc import Collection

from reconciler.policy.canonical import canonical_key
from reconciler.policy.document import PolicyDocument

_ROLE = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/[^*?$]+")
_ISSUED = "aws:tokenissuetime"


def only_assumes_roles(document: PolicyDocument) -> bool:
    """Return whether a document allows to assume roles that it names by their ARNs, and says no more than that."""
    statements = document.statements()
    return bool(statements) and all(
        not set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
        and statement.get("Effect") == "Allow"
        and {action.lower() for action in statement.get("Action", [])} == {"sts:assumerole"}
        and bool(named := statement.get("Resource", []))
        and all(_ROLE.fullmatch(resource) for resource in named)
        for statement in statements
    )


def opens_some_of(document: PolicyDocument, roles: Collection[str]) -> bool:
    """Return whether a document does nothing but allow to assume some of these roles, on no condition."""
    unconditional = not any("Condition" in statement for statement in document.statements())
    return only_assumes_roles(document) and unconditional and {*document.resources()} <= {*roles}


def only_ends_sessions(document: PolicyDocument) -> bool:
    """Return whether a document denies by when a session was issued, and says no more (facts sheet 3.3)."""
    statements = document.statements()
    return bool(statements) and all(
        statement.get("Effect") == "Deny"
        and isinstance(condition := statement.get("Condition"), dict)
        and any(
            canonical_key(key).lower() == _ISSUED
            for keys in condition.values()
            if isinstance(keys, dict)
            for key in keys
        )
        for statement in statements
    )
