"""The grammar of policy documents, as far as IAM checks it when one is written."""

from __future__ import annotations

import json
import re
from typing import Any

from reconciler.errors import PolicyError
from reconciler.policy.case import fold
from reconciler.policy.document import loads_strict
from reconciler.policy.shape import check_shape
from reconciler.sandbox.strict.wire import RefusedError

_STATEMENT = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource"} | {
    "Condition"
}
_SID = re.compile(r"[A-Za-z0-9]*")
_SYNTAX = "Syntax errors in policy."


def check_identity(text: str) -> None:
    """Refuse what is no policy for an identity: it names no principal.

    Raises:
        RefusedError: MalformedPolicyDocument, 400.

    """
    for statement in _statements(text):
        for name in ("Principal", "NotPrincipal"):
            if name in statement:
                raise _malformed(f"Policy document should not specify a principal. Has prohibited field {name}")
        _exactly_one(statement, "Resource", "NotResource")


def check_trust(text: str) -> None:
    """Refuse what is no trust policy: it has a Principal, and neither NotPrincipal nor Resource (facts sheet 6).

    Raises:
        RefusedError: MalformedPolicyDocument, 400.

    """
    for statement in _statements(text):
        for name in ("Resource", "NotResource", "NotPrincipal"):
            if name in statement:
                raise _malformed(f"Has prohibited field {name}")
        if "Principal" not in statement:
            raise _malformed("Missing required field Principal")
        actions = _list(statement.get("Action", statement.get("NotAction")))
        if not all(fold(action).startswith("sts:") for action in actions):
            raise _malformed("AssumeRole policy may only specify STS AssumeRole actions.")


def readable(text: str) -> dict[str, Any] | None:
    """Return the data of a document that AWS holds; None where it is no policy, however old, and stays as it is."""
    try:
        data: dict[str, Any] = loads_strict(text, spelt=True)
        check_shape(data)
    except PolicyError:
        return None
    return data


def _statements(text: str) -> list[dict[str, Any]]:
    try:
        document = json.loads(text)
    except ValueError as error:
        raise _malformed("This policy contains invalid Json") from error
    if not isinstance(document, dict) or not set(document) <= {"Version", "Id", "Statement"}:
        raise _malformed(_SYNTAX)
    if document.get("Version", "2008-10-17") not in ("2012-10-17", "2008-10-17"):
        raise _malformed(_SYNTAX)
    statements = document.get("Statement")
    if isinstance(statements, dict):
        statements = [statements]
    if not isinstance(statements, list) or not statements:
        raise _malformed(_SYNTAX)
    for statement in statements:
        _check_statement(statement)
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(sids)) < len(sids):
        raise _malformed("Statement IDs (SID) in a single policy must be unique.")
    return statements


def _check_statement(statement: Any) -> None:
    if not isinstance(statement, dict) or not set(statement) <= _STATEMENT:
        raise _malformed(_SYNTAX)
    if statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed(_SYNTAX)
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not _SID.fullmatch(sid):
        raise _malformed("Statement IDs (SID) must be alpha-numeric.")
    _exactly_one(statement, "Action", "NotAction")
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement and not all(isinstance(item, str) for item in _list(statement[name])):
            raise _malformed(_SYNTAX)
    condition = statement.get("Condition", {})
    if not isinstance(condition, dict) or not all(isinstance(block, dict) for block in condition.values()):
        raise _malformed(_SYNTAX)


def _exactly_one(statement: dict[str, Any], one: str, other: str) -> None:
    if (one in statement) == (other in statement):
        raise _malformed(_SYNTAX if one in statement else f"Policy statement must contain {one.lower()}s.")


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _malformed(message: str) -> RefusedError:
    return RefusedError("MalformedPolicyDocument", message)
