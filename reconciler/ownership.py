"""The marks by which a stack knows what it owns. Nothing without its mark is ever touched.

A role carries the tags `xgrant:stack` and `xgrant:grant`. A caller policy is an inline policy named
`xgrant.<stack>.<grant>`; stacks and grants have no dot in their names, so the name is read back without doubt.
A managed policy lies under the path `/xgrant/<stack>/`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from reconciler.model import PrincipalKind, Resource, Role
from reconciler.policy.document import PolicyDocument

STACK_TAG = "xgrant:stack"
GRANT_TAG = "xgrant:grant"
PREVENT_DESTROY_TAG = "xgrant:prevent-destroy"
ROTATED_TAG = "xgrant:rotated"
"""Says when a role, or its external id, was last rotated; not what is to be, so it is among no role's `tags`."""

RESERVED_TAG_PREFIX = "xgrant:"
INLINE_POLICY = "xgrant-permissions"
"""The name of the inline policy that holds a role's permissions."""

EXPIRY_POLICY = "xgrant-expiry"
"""The name of the inline policy that ends a role's sessions when its grant ends."""

REVOKED_SESSIONS_POLICY = "AWSRevokeOlderSessions"
"""Put by the console when somebody revokes a role's sessions; never drift (facts sheet 3.4)."""

_CALLER_POLICY = re.compile(r"xgrant\.([a-z0-9-]{1,32})\.([a-z0-9-]{1,64})")


def role_tags(stack: str, grant: str, *, prevent_destroy: bool = False) -> dict[str, str]:
    """Return the tags that mark a role as the stack's.

    That a role must not be deleted stands on the role too: it has to hold when its grant is no longer declared.
    """
    return {STACK_TAG: stack, GRANT_TAG: grant} | ({PREVENT_DESTROY_TAG: "true"} if prevent_destroy else {})


def caller_policy_name(stack: str, grant: str) -> str:
    """Return the name of a grant's inline policy on a source principal; at most 104 of IAM's 128 characters."""
    return f"xgrant.{stack}.{grant}"


def parse_caller_policy_name(name: str) -> tuple[str, str] | None:
    """Return the stack and the grant of a caller policy's name, or None if it is no such name."""
    match = _CALLER_POLICY.fullmatch(name)
    return (match.group(1), match.group(2)) if match else None


def stack_path(stack: str) -> str:
    """Return the path under which all managed policies of a stack lie."""
    return f"/xgrant/{stack}/"


def caller_pack_path(stack: str, kind: PrincipalKind, name: str) -> str:
    """Return the path of the managed caller policies of a principal, whose name is case-folded."""
    return f"{stack_path(stack)}callers/{kind}/{name}/"


def caller_pack_name(stack: str, kind: PrincipalKind, name: str, number: int) -> str:
    """Return the name of a principal's `number`th managed caller policy.

    It is unique in the account whatever the path (facts sheet 1.1), and a principal's name may be as long as IAM
    lets a policy's be: a digest stands for it.
    """
    return f"xgrant.{stack}.{sha256(f'{kind}/{name}'.encode()).hexdigest()[:12]}.{number}"


def parse_caller_pack(stack: str, path: str, name: str) -> tuple[PrincipalKind, str, int] | None:
    """Return of a managed caller policy whose it is and its number, or None if it is none of the stack."""
    match = re.fullmatch(re.escape(stack_path(stack)) + r"callers/(user|group|role)/([^/]+)/", path)
    number = re.search(r"\.([1-9][0-9]{0,3})$", name)
    if match is None or number is None:
        return None
    found = (PrincipalKind(match.group(1)), match.group(2), int(number.group(1)))
    return found if caller_pack_name(stack, *found) == name else None


def pack_of_arn(arn: str) -> tuple[str, PrincipalKind, str, int] | None:
    """Return of a managed caller policy the stack, whose it is and its number; None if it is none of any stack."""
    match = re.fullmatch(r"arn:[a-z-]+:iam::\d{12}:policy(/xgrant/([a-z0-9-]{1,32})/callers/.*/)([^/]+)", arn)
    if match is None:
        return None
    found = parse_caller_pack(match.group(2), match.group(1), match.group(3))
    return None if found is None else (match.group(2), *found)


def permissions_path(stack: str, grant: str) -> str:
    """Return the path of the managed policies that hold the permissions of a grant."""
    return f"{stack_path(stack)}permissions/{grant}/"


def permissions_name(stack: str, grant: str, document: PolicyDocument) -> str:
    """Return the name of such a policy: what it says is in its name, so that other permissions are another policy."""
    return f"xgrant.{stack}.{grant}.{sha256(document.canonical.encode()).hexdigest()[:12]}"


def parse_permissions_path(stack: str, path: str) -> str | None:
    """Return the grant whose permissions lie under a path, or None."""
    match = re.fullmatch(re.escape(stack_path(stack)) + r"permissions/([a-z0-9-]{1,64})/", path)
    return match.group(1) if match else None


def tags_as_read(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags of a user or role as they count here.

    IAM ignores the case of their keys, so a mark is one however it is spelt; those of AWS's own can be neither written
    nor taken away, and are left out (facts sheet 1.2).
    """
    folded = {key.lower() if key.lower().startswith(RESERVED_TAG_PREFIX) else key: tags[key] for key in tags}
    return {key: value for key, value in folded.items() if not key.lower().startswith("aws:")}


def marks_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Return of the tags of a role, as they are read, those that say whose it is."""
    return {key: tags[key] for key in (STACK_TAG, GRANT_TAG) if key in tags}


def owned_by(tags: Mapping[str, str], stack: str) -> bool:
    """Return whether a role with these tags belongs to the stack."""
    return tags.get(STACK_TAG) == stack


def owns(stack: str, resource: Resource) -> bool:
    """Return whether a resource of the live state belongs to the stack.

    A caller policy or a managed policy is in the state only if its name or its path says that it does.
    """
    return not isinstance(resource, Role) or owned_by(resource.tags, stack)
