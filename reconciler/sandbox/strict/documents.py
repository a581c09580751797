"""The grammar of policy documents, as far as IAM checks it when one is written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reconciler.errors import PolicyError
from reconciler.policy.case import fold
from reconciler.policy.document import listed, loads_strict
from reconciler.policy.shape import check_shape
from reconciler.sandbox.strict.wire import RefusedError

_STATEMENT = {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource"} | {
    "Condition"
}
_PRINCIPALS = {"AWS", "Service", "Federated", "CanonicalUser"}
_SID = re.compile(r"[A-Za-z0-9]*")
_OPERATOR = re.compile(
    r"Null|(?:ForAllValues:|ForAnyValue:)?(?:"
    r"String(?:Not)?Equals(?:IgnoreCase)?|String(?:Not)?Like|Bool|BinaryEquals|(?:Not)?IpAddress"
    r"|(?:Numeric|Date)(?:(?:Not)?Equals|(?:Less|Greater)Than(?:Equals)?)|Arn(?:Not)?(?:Equals|Like)"
    r")(?:IfExists)?"
)
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


def check_trust(text: str) -> None:
    """Refuse what is no trust policy: it has a Principal, and neither NotPrincipal nor Resource (facts sheet 6).

    Raises:
        RefusedError: MalformedPolicyDocument, 400.

    """
    for statement in _statements(text):
        for name in ("Resource", "NotResource", "NotPrincipal"):
            if name in statement:
                raise _malformed(f"Has prohibited field {name}")
        _check_principal(statement)
        actions = listed(statement.get("Action", statement.get("NotAction")))
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


def _statements(text: str) -> list[Mapping[str, Any]]:
    try:
        document = loads_strict(text)
    except PolicyError as error:
        raise _malformed("This policy contains invalid Json") from error
    try:
        statements = check_shape(document)
    except PolicyError as error:
        raise _malformed(_SYNTAX) from error
    if not set(document) <= {"Version", "Id", "Statement"} or not statements:
        raise _malformed(_SYNTAX)
    if document.get("Version", "2008-10-17") not in ("2012-10-17", "2008-10-17"):
        raise _malformed(_SYNTAX)
    for statement in statements:
        _check_statement(statement)
    sids = [statement["Sid"] for statement in statements if statement.get("Sid")]
    if len(set(sids)) < len(sids):
        raise _malformed("Statement IDs (SID) in a single policy must be unique.")
    return statements


def _check_statement(statement: Mapping[str, Any]) -> None:
    if not set(statement) <= _STATEMENT or statement.get("Effect") not in ("Allow", "Deny"):
        raise _malformed(_SYNTAX)
    if not _SID.fullmatch(statement.get("Sid", "")):
        raise _malformed("Statement IDs (SID) must be alpha-numeric.")
    _exactly_one(statement, "Action", "NotAction")
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement:
            _check_strings(statement[name])
    for operator, block in statement.get("Condition", {}).items():
        if not _OPERATOR.fullmatch(operator) or not block or [] in block.values():
            raise _malformed(_SYNTAX)


def _check_principal(statement: Mapping[str, Any]) -> None:
    principal = statement.get("Principal")
    if principal is None:
        raise _malformed("Missing required field Principal")
    if principal == "*":
        return
    if not isinstance(principal, dict) or not principal or not set(principal) <= _PRINCIPALS:
        raise _malformed(_SYNTAX)
    for names in principal.values():
        _check_strings(names)


def _check_strings(values: object) -> None:
    """Refuse what is no string and no list of some."""
    if values == [] or not all(isinstance(value, str) for value in listed(values)):
        raise _malformed(_SYNTAX)


def _exactly_one(statement: Mapping[str, Any], one: str, other: str) -> None:
    if (one in statement) == (other in statement):
        raise _malformed(_SYNTAX if one in statement else f"Policy statement must contain {one.lower()}s.")


def _malformed(message: str) -> RefusedError:
    return RefusedError("MalformedPolicyDocument", message)
