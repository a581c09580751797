"""What a session needs beside `sts:AssumeRole`, on both sides, where trust conditions demand what is sent with it.

Whoever sends a source identity needs `sts:SetSourceIdentity`, whoever sends tags `sts:TagSession`, in the trust policy
and in a policy of the caller's (facts sheet 6).
"""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.policy.case import fold
from reconciler.policy.conditions import Conditions
from reconciler.policy.document import PolicyDocument

ASSUME = "sts:AssumeRole"
SET_SOURCE_IDENTITY = "sts:SetSourceIdentity"
TAG_SESSION = "sts:TagSession"

REQUEST_TAG = "aws:requesttag"
"""The condition key of a tag that is sent, in lower case; the tag's own key stands behind a slash."""

_NEEDED_FOR = {
    "sts:sourceidentity": SET_SOURCE_IDENTITY,
    REQUEST_TAG: TAG_SESSION,
    "aws:tagkeys": TAG_SESSION,
    "sts:transitivetagkeys": TAG_SESSION,
}


def further_actions(conditions: Conditions) -> tuple[str, ...]:
    """Return what both sides have to allow beside `sts:AssumeRole`, so that the conditions can be met; sorted."""
    keys = {fold(key).split("/", 1)[0] for block in conditions.values() for key in block}
    return tuple(sorted({_NEEDED_FOR[key] for key in keys & _NEEDED_FOR.keys()}))


def further_resources(*documents: PolicyDocument) -> Mapping[str, frozenset[str]]:
    """Return by each such action the roles on which caller policies allow it."""
    found: dict[str, frozenset[str]] = {}
    for document in documents:
        for action in _named_in(document):
            roles = (
                role
                for statement in document.statements()
                if fold(action) in map(fold, statement.get("Action", ()))
                for role in statement.get("Resource", ())
            )
            found[action] = found.get(action, frozenset()) | frozenset(roles)
    return found


def named_actions(trust_policy: PolicyDocument) -> frozenset[str]:
    """Return which of these actions a trust policy names."""
    named = {fold(action) for statement in trust_policy.statements() for action in statement.get("Action", ())}
    return frozenset(action for action in _named_in(trust_policy) if fold(action) in named)


def _named_in(document: PolicyDocument) -> tuple[str, ...]:
    """Return which of these actions may stand in a document: few have any, and it takes long to look at thousands."""
    text = fold(document.written)
    return tuple(action for action in (SET_SOURCE_IDENTITY, TAG_SESSION) if fold(action) in text)
