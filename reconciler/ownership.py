"""The marks by which a stack knows what it owns. Nothing without its mark is ever touched.

A role carries the tags `xgrant:stack` and `xgrant:grant`. A caller policy is an inline policy named
`xgrant.<stack>.<grant>`; stacks and grants have no dot in their names, so the name is read back without doubt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from reconciler.model import CallerPolicy, Resource

STACK_TAG = "xgrant:stack"
GRANT_TAG = "xgrant:grant"
RESERVED_TAG_PREFIX = "xgrant:"
INLINE_POLICY = "xgrant-permissions"
"""The name of the inline policy that holds a role's permissions."""

REVOKED_SESSIONS_POLICY = "AWSRevokeOlderSessions"
"""Put by the console when somebody revokes a role's sessions; never drift (facts sheet 3.4)."""

_CALLER_POLICY = re.compile(r"xgrant\.([a-z0-9-]{1,32})\.([a-z0-9-]{1,64})")


def role_tags(stack: str, grant: str) -> dict[str, str]:
    """Return the tags that mark a role as the stack's."""
    return {STACK_TAG: stack, GRANT_TAG: grant}


def caller_policy_name(stack: str, grant: str) -> str:
    """Return the name of a grant's inline policy on a source principal; at most 104 of IAM's 128 characters."""
    return f"xgrant.{stack}.{grant}"


def parse_caller_policy_name(name: str) -> tuple[str, str] | None:
    """Return the stack and the grant of a caller policy's name, or None if it is no such name."""
    match = _CALLER_POLICY.fullmatch(name)
    return (match.group(1), match.group(2)) if match else None


def owned_by(tags: Mapping[str, str], stack: str) -> bool:
    """Return whether a role with these tags belongs to the stack."""
    return tags.get(STACK_TAG) == stack


def owns(stack: str, resource: Resource) -> bool:
    """Return whether a resource of the live state belongs to the stack.

    A caller policy is in the state only if its name says that it does.
    """
    return isinstance(resource, CallerPolicy) or owned_by(resource.tags, stack)
