"""Names, paths, descriptions, durations: alphabets and lengths (facts sheet 1.1, 1.4)."""

from __future__ import annotations

import re

from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.wire import RefusedError, Request

_NAME = r"[\w+=,.@-]+"
_PATH = r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)"
_POLICY_PATH = r"((/[A-Za-z0-9\.,\+@=_-]+)*)/"
_DESCRIPTION = r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*"
_DOCUMENT = r"[\u0009\u000A\u000D\u0020-\u00FF]+"

_Rule = tuple[str, int, int]
_PARAMETERS: dict[str, _Rule] = {
    "RoleName": (_NAME, 1, 64),
    "UserName": (_NAME, 1, 128),
    "GroupName": (_NAME, 1, 128),
    "PolicyName": (_NAME, 1, 128),
    "Path": (_PATH, 1, 512),
    "Description": (_DESCRIPTION, 0, 1000),
    "PolicyDocument": (_DOCUMENT, 1, 131072),
    "AssumeRolePolicyDocument": (_DOCUMENT, 1, 131072),
    "RoleSessionName": (r"[\w+=,.@-]*", 2, 64),
    "SourceIdentity": (r"[\w+=,.@-]*", 2, 64),
    "SerialNumber": (r"[\w+=/:,.@-]*", 9, 256),
    "TokenCode": (r"[\d]*", 6, 6),
    "ExternalId": (r"[\w+=,.@:\/-]*", 2, 1224),
    "NewUserName": (_NAME, 1, 64),
    "NewPath": (_PATH, 1, 512),
    "InstanceProfileName": (_NAME, 1, 128),
    "PolicyArn": (r"[\s\S]*", 20, 2048),
    "PermissionsBoundary": (r"[\s\S]*", 20, 2048),
}
_SPECIAL: dict[tuple[str, str], _Rule] = {
    ("CreateUser", "UserName"): (_NAME, 1, 64),
    ("CreatePolicy", "Path"): (_POLICY_PATH, 1, 512),
    ("CreatePolicy", "Description"): (r"[\s\S]*", 0, 1000),
}
_LONGEST = 43200


def check_parameters(request: Request) -> None:
    """Refuse a parameter out of its alphabet or length (facts sheet 1.1) or duration (1.4).

    Raises:
        RefusedError: ValidationError, 400.

    """
    for name, value in request.parameters.items():
        rule = _SPECIAL.get((request.operation, name)) or _PARAMETERS.get(name)
        if rule is not None:
            _check(name, value, rule)
    check_duration(request, "MaxSessionDuration", 3600)


def check_duration(request: Request, name: str, least: int) -> None:
    """Refuse a parameter that is no number of seconds from `least` to twelve hours.

    Raises:
        RefusedError: ValidationError, 400.

    """
    text = request.get(name)
    where = name[0].lower() + name[1:]
    if text is None:
        return
    if not re.fullmatch("[0-9]{1,9}", text):
        raise invalid(where, "Member must be an integer")
    if int(text) < least:
        raise invalid(where, f"Member must have value greater than or equal to {least}")
    if int(text) > _LONGEST:
        raise invalid(where, f"Member must have value less than or equal to {_LONGEST}")


def _check(name: str, value: str, rule: _Rule) -> None:
    pattern, least, most = rule
    where = name[0].lower() + name[1:]
    if len(value) < least:
        raise invalid(where, f"Member must have length greater than or equal to {least}")
    if len(value) > most:
        raise invalid(where, f"Member must have length less than or equal to {most}")
    # re.ASCII: AWS's \w is Java's, which has no letters but A to Z.
    if not re.fullmatch(pattern, value, re.ASCII):
        raise invalid(where, f"Member must satisfy regular expression pattern: {pattern}")


def invalid(where: str, constraint: str) -> RefusedError:
    """Return the error for a parameter out of its bounds: ValidationError, 400."""
    text = f"1 validation error detected: Value at '{where}' failed to satisfy constraint: {constraint}"
    return RefusedError("ValidationError", text)


def check_unique(request: Request) -> None:
    """Refuse a name that an entity of the account has, ignoring case (facts sheet 1.1).

    Raises:
        RefusedError: EntityAlreadyExists, 409.

    """
    kind = request.operation.removeprefix("Create")
    name, others = request.get(f"{kind}Name") or "", accounts.names(request.account, kind)
    if request.operation == "UpdateUser":
        kind, name = "User", request.get("NewUserName") or ""
        others = accounts.names(request.account, kind) - {request.get("UserName") or ""}
    if name.casefold() in {other.casefold() for other in others}:
        raise RefusedError("EntityAlreadyExists", f"{kind} with name {name} already exists.")
