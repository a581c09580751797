"""Roles that trust each other: none of them can be made with its trust policy before all the others are there.

AWS refuses a trust policy that names a role which does not exist (facts sheet 4.3). So each is made as a role that
nobody may assume, and gets its trust policy once all are made. What is cut short between the two is an update to the
next plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from reconciler.model import Action, Change, Role
from reconciler.policy.document import CURRENT_VERSION, PolicyDocument

_NOBODY = PolicyDocument.parse(
    {
        "Version": CURRENT_VERSION,
        # A trust policy needs a principal, and an explicit deny wins over whatever allows (facts sheet 6).
        "Statement": [{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)
_REASON = "it and other new roles trust each other: all are made for nobody to assume, then each is given its trust"


def without_circles(changes: tuple[Change, ...]) -> tuple[Change, ...]:
    """Return the changes with an interim for each role that is made and trusts, by whatever way round, itself."""
    made = made_roles(changes)
    trusted = {
        index: {made[arn] for arn in role.trust_policy.aws_principals() if arn in made}
        for arn, index in made.items()
        if isinstance(role := changes[index].after, Role)
    }
    turned = {index: set[int]() for index in trusted}
    for index, others in trusted.items():
        for other in others:
            turned[other].add(index)
    in_circles = _without_ends(_without_ends(set(trusted), trusted), turned)
    return tuple(_in_two_steps(change) if index in in_circles else change for index, change in enumerate(changes))


def made_roles(changes: tuple[Change, ...]) -> dict[str, int]:
    """Return by ARN the places of the roles that the changes make."""
    return {
        change.after.arn: index
        for index, change in enumerate(changes)
        if isinstance(change.after, Role) and change.action not in (Action.UPDATE, Action.ADOPT)
    }


def _without_ends(roles: set[int], leads_to: Mapping[int, set[int]]) -> set[int]:
    """Take away, again and again, what leads to nothing that is left."""
    left = roles
    while ends := {index for index in left if not leads_to[index] & left}:
        left = left - ends
    return left


def _in_two_steps(change: Change) -> Change:
    assert isinstance(change.after, Role)  # only roles are in circles
    reason = f"{change.reason}; {_REASON}" if change.reason else _REASON
    return replace(change, interim=replace(change.after, trust_policy=_NOBODY), reason=reason)
