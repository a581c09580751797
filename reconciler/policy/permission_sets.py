"""The roles of IAM Identity Center, and how a trust policy names those of one permission set.

Identity Center makes a role in each account that a permission set is assigned to, and makes it anew, under another
name, when the assignment is remade (facts sheet 3.4). So a trust policy names the account and narrows it by the pattern
of the role's ARN.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from reconciler.policy.canonical import canonical_key
from reconciler.policy.case import fold
from reconciler.policy.document import PolicyDocument

OPERATOR, KEY = "ArnLike", "aws:PrincipalArn"
"""Under which condition a trust policy has the patterns."""

# AWS's suffix has sixteen characters: the 64 of a role's name are AWSReservedSSO_, the 32 that the name of a permission
# set may have, _ and these. A star in their place would let the role of the set Data_Engineer pass for one of Data.
_SUFFIX = "?" * 16

_FOLDER = "role/aws-reserved/sso.amazonaws.com"
_SET = r"([A-Za-z0-9_+=,.@-]{1,32})"
_NAME = re.compile(_SET)
_PATTERN = re.compile(rf"arn:([a-z-]+):iam::(\d{{12}}):{re.escape(_FOLDER)}(/\*)?/AWSReservedSSO_{_SET}_\?{{16}}")
_ROLE = re.compile(
    rf"arn:[a-z-]+:iam::\d{{12}}:{re.escape(_FOLDER)}(?:/[a-z0-9-]+)?/AWSReservedSSO_{_SET}_[0-9A-Za-z]{{16}}"
)
_ROLE_NAME = re.compile(rf"(?:.*/)?AWSReservedSSO_{_SET}_[0-9A-Za-z]{{16}}")


def permission_set_error(name: str) -> str | None:
    """Say why a text cannot be the name of a permission set, or None (Identity Center API, PermissionSetName)."""
    if meant := permission_set_meant(name):
        return f"name the permission set and not its role, whose name AWS changes: {meant}"
    if _NAME.fullmatch(name) is None:
        return "a permission set's name has 1 to 32 letters, digits and _+=,.@-"
    return None


def role_patterns(partition: str, account_id: str, name: str) -> tuple[str, str]:
    """Return the ARN patterns of the roles that a permission set has in an account, and of no other.

    There are two: with a Region in the path, and without one where Identity Center is in us-east-1 (facts sheet 3.4).
    Nobody but AWS makes roles below that path.
    """
    folder = f"arn:{partition}:iam::{account_id}:{_FOLDER}"
    role = f"AWSReservedSSO_{name}_{_SUFFIX}"
    return f"{folder}/*/{role}", f"{folder}/{role}"


def permission_set_of(role_arn: str) -> str | None:
    """Return the permission set whose role this is; None of any other role."""
    match = _ROLE.fullmatch(role_arn)
    return match.group(1) if match else None


def permission_set_meant(role: str) -> str | None:
    """Return the permission set that somebody means who writes the name of a role, with or without a path or an ARN."""
    match = _ROLE_NAME.fullmatch(role)
    return match.group(1) if match else None


def named_by(patterns: Iterable[str]) -> frozenset[tuple[str, str]] | None:
    """Return the permission sets, each with the id of its account, that just these patterns name.

    None where a pattern is of another form, or stands without its twin.
    """
    patterns = set(patterns)
    found: set[tuple[str, str]] = set()
    expected: set[str] = set()
    for pattern in patterns:
        match = _PATTERN.fullmatch(pattern)
        if match is None:
            return None
        found.add((match.group(2), match.group(4)))
        expected.update(role_patterns(match.group(1), match.group(2), match.group(4)))
    return frozenset(found) if patterns == expected else None


def patterns_in(conditions: Mapping[str, Mapping[str, list[str]]]) -> list[str]:
    """Return the patterns by which a condition block narrows who the caller is; none if it does not."""
    return [
        value
        for operator, keys in conditions.items()
        for key, values in keys.items()
        for value in values
        if fold(operator) == fold(OPERATOR) and canonical_key(key) == fold(KEY)
    ]


def trusted_sets(trust_policy: PolicyDocument) -> frozenset[tuple[str, str]]:
    """Return the permission sets, each with the id of its account, that a trust policy lets in by their patterns."""
    if '"Condition"' not in trust_policy.written:
        return frozenset()  # Most have none, and it takes long to look at thousands.
    return frozenset(
        found
        for statement in trust_policy.statements()
        if statement.get("Effect") == "Allow"
        for found in named_by(patterns_in(statement.get("Condition", {}))) or ()
    )
