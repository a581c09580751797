"""Names, paths, descriptions, durations, tags: alphabets and lengths (facts sheet 1.1, 1.2, 1.4)."""

from __future__ import annotations

import re

from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.wire import RefusedError, Request

_NAME = r"[\w+=,.@-]+"
_PATH = r"(\u002F)|(\u002F[\u0021-\u007E]+\u002F)"
_POLICY_PATH = r"((/[A-Za-z0-9\.,\+@=_-]+)*)/"
_DESCRIPTION = r"[\u0009\u000A\u000D\u0020-\u007E\u00A1-\u00FF]*"
_DOCUMENT = r"[\u0009\u000A\u000D\u0020-\u00FF]+"
# The characters of \p{L}\p{Z}\p{N}_.:/=+\-@: \w has \p{L}, \p{N} and the underscore, \s the separators.
_TAG = re.compile(r"[\w\s.:/=+\-@]*")
_TAGS_PER_ENTITY = 50

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
    "PolicyArn": (r"[\s\S]*", 20, 2048),
    "PermissionsBoundary": (r"[\s\S]*", 20, 2048),
}
_SPECIAL: dict[tuple[str, str], _Rule] = {
    ("CreateUser", "UserName"): (_NAME, 1, 64),
    ("CreatePolicy", "Path"): (_POLICY_PATH, 1, 512),
    ("CreatePolicy", "Description"): (r"[\s\S]*", 0, 1000),
}
_DURATION = range(3600, 43201)


def check_parameters(request: Request) -> None:
    """Refuse a parameter out of its alphabet or length (facts sheet 1.1) or duration (1.4).

    Raises:
        RefusedError: ValidationError, 400.

    """
    for name, value in request.parameters.items():
        rule = _SPECIAL.get((request.operation, name)) or _PARAMETERS.get(name)
        if rule is not None:
            _check(name, value, rule)
    duration = request.get("MaxSessionDuration")
    if duration is not None and int(duration) not in _DURATION:
        limit = "less than or equal to 43200" if int(duration) > 3600 else "greater than or equal to 3600"
        raise _invalid("maxSessionDuration", f"Member must have value {limit}")


def _check(name: str, value: str, rule: _Rule) -> None:
    pattern, least, most = rule
    where = name[0].lower() + name[1:]
    if len(value) < least:
        raise _invalid(where, f"Member must have length greater than or equal to {least}")
    if len(value) > most:
        raise _invalid(where, f"Member must have length less than or equal to {most}")
    # re.ASCII: AWS's \w is Java's, which has no letters but A to Z.
    if not re.fullmatch(pattern, value, re.ASCII):
        raise _invalid(where, f"Member must satisfy regular expression pattern: {pattern}")


def _invalid(where: str, constraint: str) -> RefusedError:
    text = f"1 validation error detected: Value at '{where}' failed to satisfy constraint: {constraint}"
    return RefusedError("ValidationError", text)


def check_tags(request: Request) -> None:
    """Refuse tags out of their rules (facts sheet 1.2): alphabet, length, count, `aws:`, keys that differ in case.

    Keys are compared ignoring case on roles and users only.

    Raises:
        RefusedError: ValidationError or InvalidInput, 400; LimitExceeded, 409.

    """
    tags = request.tags()
    if len(tags) > _TAGS_PER_ENTITY:
        raise _invalid("tags", f"Member must have length less than or equal to {_TAGS_PER_ENTITY}")
    folded = not request.operation.endswith("Policy")
    seen: set[str] = set()
    for number, (key, value) in enumerate(tags, 1):
        _check_tag(f"tags.{number}.member.key", key, 1, 128)
        _check_tag(f"tags.{number}.member.value", value, 0, 256)
        if key.lower().startswith("aws:"):
            raise _reserved(key)
        same = key.casefold() if folded else key
        if same in seen:
            note = " Please note that Tag keys are case insensitive." if folded else ""
            raise RefusedError("InvalidInput", f"Duplicate tag keys found.{note}")
        seen.add(same)
    for key in (value for name, value in request.parameters.items() if name.startswith("TagKeys.member.")):
        if key.lower().startswith("aws:"):
            raise _reserved(key)
    if request.operation == "TagRole":
        role = accounts.holders(request.account, "Role").get(request.get("RoleName") or "")
        if role is not None and len({tag["Key"].casefold() for tag in role.tags} | seen) > _TAGS_PER_ENTITY:
            raise RefusedError("LimitExceeded", f"The number of tags has reached the maximum limit: {_TAGS_PER_ENTITY}")


def _reserved(key: str) -> RefusedError:
    return RefusedError("InvalidInput", f"The tag key {key} begins with aws:, which is reserved for AWS.")


def _check_tag(where: str, text: str, least: int, most: int) -> None:
    if not least <= len(text) <= most:
        raise _invalid(where, f"Member must have length between {least} and {most}")
    if not _TAG.fullmatch(text):
        raise _invalid(where, r"Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]*")


def check_unique(request: Request) -> None:
    """Refuse a name that an entity of the account has, ignoring case (facts sheet 1.1).

    Raises:
        RefusedError: EntityAlreadyExists, 409.

    """
    kind = request.operation.removeprefix("Create")
    if kind not in ("Role", "User", "Group"):
        return
    name = request.get(f"{kind}Name") or ""
    if name.casefold() in {other.casefold() for other in accounts.holders(request.account, kind)}:
        raise RefusedError("EntityAlreadyExists", f"{kind} with name {name} already exists.")
