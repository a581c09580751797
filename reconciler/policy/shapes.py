"""What a whole document does and nothing else, whatever it is called."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from reconciler.policy.canonical import CURRENT_VERSION, canonical_key
from reconciler.policy.case import fold
from reconciler.policy.document import PolicyDocument
from reconciler.policy.instants import instant_of, instant_text
from reconciler.policy.sessions import ASSUME, SET_SOURCE_IDENTITY, TAG_SESSION, further_resources

_ROLE = re.compile(r"arn:[a-z-]+:iam::\d{12}:role/[^*?$]+")
_ACTIONS = frozenset(map(fold, (ASSUME, SET_SOURCE_IDENTITY, TAG_SESSION)))
_ISSUED = "aws:tokenissuetime"


def only_assumes_roles(document: PolicyDocument) -> bool:
    """Return whether a document allows to assume roles that it names by their ARNs, and says no more than that.

    What is needed beside `sts:AssumeRole` for some of them may stand there, too.
    """
    statements = document.statements()
    return bool(statements) and all(
        not set(statement) - {"Sid", "Effect", "Action", "Resource", "Condition"}
        and statement.get("Effect") == "Allow"
        and bool(actions := {fold(action) for action in statement.get("Action", [])})
        and actions <= _ACTIONS
        and bool(named := statement.get("Resource", []))
        and all(_ROLE.fullmatch(resource) for resource in named)
        for statement in statements
    )


def opens_some_of(document: PolicyDocument, wanted: PolicyDocument, roles: Collection[str]) -> bool:
    """Return whether a document does nothing but allow to assume some of these roles, on no condition.

    What it allows beside that, `wanted` has to allow, too.
    """
    unconditional = not any("Condition" in statement for statement in document.statements())
    if not only_assumes_roles(document) or not unconditional or not {*document.resources()} <= {*roles}:
        return False
    known = further_resources(wanted)
    return all(named <= known.get(action, frozenset()) for action, named in further_resources(document).items())


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


def ending_sessions(before: int) -> PolicyDocument:
    """Return the document by which the IAM console ends sessions that were issued before a moment.

    User guide, "Revoking IAM role temporary security credentials".
    """
    statement = {
        "Effect": "Deny",
        "Action": ["*"],
        "Resource": ["*"],
        "Condition": {"DateLessThan": {"aws:TokenIssueTime": instant_text(before)}},
    }
    return PolicyDocument.parse({"Version": CURRENT_VERSION, "Statement": [statement]})


def also_ending(standing: PolicyDocument | None, before: int) -> PolicyDocument:
    """Return a document that ends sessions as `ending_sessions` does, and all that a standing one ends.

    What that says of an earlier moment in the console's way goes; what it says in another way stays beside. One that
    does not only end sessions is none of these, and is replaced.
    """
    if standing is None or not only_ends_sessions(standing):
        return ending_sessions(before)
    others = [one for one in standing.statements() if (ended := _ended_before(one)) is None or ended > before]
    return PolicyDocument.parse(
        {"Version": CURRENT_VERSION, "Statement": [*others, *ending_sessions(before).statements()]}
    )


def ended_before(document: PolicyDocument) -> int | None:
    """Return the latest moment before which a document ends all sessions as the console does; None where there is none.

    The console writes parts of a second, too; they are left out, so that the moment is not too late.
    """
    return max((ended for one in document.statements() if (ended := _ended_before(one)) is not None), default=None)


def _ended_before(statement: Mapping[str, Any]) -> int | None:
    if set(statement) != {"Effect", "Action", "Resource", "Condition"}:
        return None
    whole = [statement[element] for element in ("Effect", "Action", "Resource")] == ["Deny", ["*"], ["*"]]
    found = [
        (fold(operator), canonical_key(key).lower(), values)
        for operator, keys in statement["Condition"].items()
        for key, values in keys.items()
    ]
    if not whole or len(found) != 1 or found[0][:2] != ("datelessthan", _ISSUED) or len(found[0][2]) != 1:
        return None
    try:
        return instant_of(re.sub(r"\.\d+", "", found[0][2][0]))
    except ValueError:
        return None
