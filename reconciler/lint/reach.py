"""How far actions and resources of a statement reach, whatever they are spelt like.

Nothing here looks at the text of a pattern: it is held against names that somebody could have given, or AWS has given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from reconciler.lint.statements import Statement, matches
from reconciler.policy.arn import covers, is_pattern
from reconciler.policy.case import fold
from reconciler.policy.demands import NAMES

GIVING = {
    "iam": (
        "iam:CreateUser", "iam:AttachRolePolicy", "iam:PutUserPolicy", "iam:CreatePolicyVersion",
        "iam:UpdateAssumeRolePolicy", "iam:PassRole",
    ),
    "organizations": (
        "organizations:AttachPolicy", "organizations:CreateAccount", "organizations:MoveAccount",
        "organizations:LeaveOrganization",
    ),
    "sts": ("sts:AssumeRole", "sts:TagSession", "sts:GetFederationToken", "sts:SetSourceIdentity"),
    "kms": ("kms:Decrypt", "kms:PutKeyPolicy", "kms:CreateGrant", "kms:ScheduleKeyDeletion"),
}  # fmt: skip
"""Services that give access, with actions of theirs that have so little in common that a pattern means all."""

_ANYTHING = (*(action for actions in GIVING.values() for action in actions), "s3:GetObject", "ec2:RunInstances")

_KINDS = ("", "role/", "user/", "group/", "policy/", "instance/", "key/", "document/", "function:", "project/")
"""What stands before a name in an ARN's last part."""


@lru_cache(maxsize=8192)
def is_any_action(pattern: str) -> bool:
    """Return whether an action of a policy stands for every action of AWS."""
    return is_pattern(pattern) and all(matches(pattern, action) for action in _ANYTHING)


@lru_cache(maxsize=8192)
def whole_service(pattern: str) -> str | None:
    """Return the service in `GIVING` of which an action of a policy stands for all; None of any other."""
    if not is_pattern(pattern) or is_any_action(pattern):
        return None
    return next((name for name, actions in GIVING.items() if all(matches(pattern, action) for action in actions)), None)


def left_open(statement: Statement, denied: Iterable[str] = ()) -> Iterator[str]:
    """Yield the services in `GIVING` of which the NotAction of a statement leaves some of these actions allowed.

    `denied` are actions that other statements deny whatever the resource and the request.
    """
    names = statement.values("NotAction")
    closed = [*names, *denied]
    for service, actions in GIVING.items():
        if names and not all(any(matches(name, action) for name in closed) for action in actions):
            yield service


def denied_outright(found: Iterable[Statement]) -> list[str]:
    """Return the actions that statements deny whatever the resource and the request."""
    outright = (one for one in found if not one.allows() and not one.conditions())
    return [
        action
        for statement in outright
        if any(is_everything(resource) for resource in statement.values("Resource"))
        for action in statement.values("Action")
    ]


def is_everything(resource: str, service: str = "") -> bool:
    """Return whether a resource covers all of a service: `*`, `arn:aws:s3:::*`, `arn:aws:iam::123456789012:?*`.

    Region and account do not count: all of one is everything, too.
    """
    return _reaches(resource, ("",), service)


def is_any(resource: str, *kinds: str, service: str = "") -> bool:
    """Return whether a resource covers all of one kind, like `role/`, whatever its name; of any kind if none is given.

    `...:role*`, `...:?ole/*` and `...:role/*a*` are any role, `...:role/ci-*` is not.
    """
    return _reaches(resource, kinds or _KINDS, service) or (not kinds and _names_nothing(resource, service))


def on_any(statement: Statement, *kinds: str, service: str = "") -> str | None:
    """Return the resource of a statement by which it is on any of a kind: one that is, or the first of NotResource.

    What NotResource names does not count: all that comes new is open. None where the statement is on some.
    """
    if named := statement.values("NotResource"):
        return named[0]
    if "Resource" not in statement.data:
        return "*"
    return next((one for one in statement.values("Resource") if is_any(one, *kinds, service=service)), None)


@lru_cache(maxsize=8192)
def _reaches(resource: str, kinds: tuple[str, ...], service: str) -> bool:
    if not is_pattern(resource):
        return False
    *parts, last = resource.split(":", 5)
    if service and len(parts) > 2 and not covers(fold(parts[2]), service):
        return False
    # Of an ARN's six parts a star may stand for several. Those before the last are taken as they come.
    rest = ["arn", "aws", service or "s3", "", "111122223333"][len(parts) :]
    if rest and (len(parts) > 2 or not service):
        rest[0] = re.split("[*?]", last)[0] or rest[0]
    return any(all(covers(last, ":".join([*rest, kind + name])) for name in NAMES) for kind in kinds)


def _names_nothing(resource: str, service: str) -> bool:
    """Return whether what stands behind the first colon or slash of an ARN's last part is any name."""
    parts = resource.split(":", 5)
    if len(parts) < 6 or (service and not covers(fold(parts[2]), service)):
        return False
    last = parts[5].replace(":", "/")
    return "/" in last and all(covers(last.split("/", 1)[1], name.replace("/", "")) for name in NAMES)
