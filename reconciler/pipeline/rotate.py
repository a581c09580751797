"""Rotation: roles that are made anew, so that all that hangs on their ids ends."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from reconciler.desired import desired_state, role_address
from reconciler.errors import UsageError
from reconciler.model import Address, Manifest, Role
from reconciler.pipeline.main_job import Request, make_plan
from reconciler.ports import Reader
from reconciler.use import Use, uses

_DUE = "XG243"


def due(manifest: Manifest, reader: Reader, *, now: datetime) -> tuple[Use, ...]:
    """Return the roles that are due for rotation, in order of grant and target."""
    plan = make_plan(Request(manifest), reader, now=now)
    slots = {found.address.slot() for found in plan.findings if found.rule == _DUE and found.address is not None}
    return tuple(use for use in uses(manifest) if role_address(use.grant).slot() in slots)


def rotation(manifest: Manifest, found: Iterable[Use], *, now: datetime, accepted: frozenset[str]) -> Request:
    """Return the request for the plan that makes these roles anew; of all other grants only what that takes.

    Raises:
        UsageError: a grant has expired, or its role is in an account that is not managed.

    """
    rotated: dict[Address, str] = {}
    for use in found:
        if use.grant.expired(int(now.timestamp())):
            raise UsageError(f"the grant {use.grant.name} has expired: `xgrant apply` removes what it has")
        if not use.target.managed:
            raise UsageError(f"account {use.target.name} is not managed here: its owner rotates its roles")
        rotated[role_address(use.grant)] = use.role_arn
    desired = desired_state(manifest.grants, manifest.accounts, stack=manifest.stack)
    arns = {*rotated.values()}
    trusting = {
        role.grant
        for role in desired.values()
        if isinstance(role, Role) and arns & {*role.trust_policy.aws_principals()}
    }
    slots = frozenset(address.slot() for address in rotated)
    grants = frozenset(use.grant.name for use in uses(manifest) if role_address(use.grant).slot() in slots) | trusting
    return Request(manifest, grants, accepted=accepted, rotate=slots)
