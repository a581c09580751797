"""Principals that a trust policy names by their unique id instead of their ARN.

AWS keeps a user or role of a trust policy by its id, and shows the id in place of the ARN once that user or role is
deleted, for a moment also while it lives. One that is made anew under the same name has another id, and is not let
in until the trust policy is written again (facts sheet 4.4).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from reconciler.model import AccountFacts, Live, Resource, Role

_ID = re.compile(r"A(?:IDA|ROA)[A-Z0-9]{12,124}")


def arns_by_id(facts: Mapping[str, AccountFacts]) -> dict[str, str]:
    """Return the ARN of each user and role of the accounts that were read, by its id."""
    return {key: arn for known in facts.values() for key, arn in known.ids.items()}


def in_arns(resource: Resource, arns: Mapping[str, str]) -> Resource:
    """Return a resource whose trust policy, if it has one, names by ARN whom it named by a known id."""
    if not isinstance(resource, Role):
        return resource
    return replace(resource, trust_policy=resource.trust_policy.with_aws_principals(arns))


def in_arns_after(before: Resource | None, resource: Resource, arns: Mapping[str, str]) -> Resource:
    """Return a resource as `in_arns` does, but with the ids as they are that its trust policy is to be rid of.

    `before` is what it was before it was written for that: whoever it names by an id is made anew by now.
    """
    old = gone(before) if isinstance(before, Role) else ()
    return in_arns(resource, {key: arn for key, arn in arns.items() if key not in old} if old else arns)


def with_arns(live: Live) -> Live:
    """Return the live state with the ARN in place of each id that a user or role of a read account has today."""
    arns = arns_by_id(live.facts)
    return replace(live, state={address: in_arns(resource, arns) for address, resource in live.state.items()})


def gone(role: Role) -> tuple[str, ...]:
    """Return the ids in the trust policy of a role, after `with_arns`: nobody of a read account has them."""
    return tuple(name for name in role.trust_policy.aws_principals() if _ID.fullmatch(name))


def why(ids: tuple[str, ...]) -> str:
    """Say what it means that a trust policy names these ids, whichever accounts were read."""
    return (
        f"the trust policy names {', '.join(ids)}: no user or role of the accounts that were read has that id. One "
        "that was deleted and made anew is not let in until the trust policy is written again"
    )
