"""Whose access key it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.sts.models import sts_backends

from reconciler.sandbox.strict import accounts
from reconciler.sandbox.strict.wire import Request


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the ARN of the user or session, and the user or role behind it; None is one that is gone."""

    arn: str
    entity_arn: str
    account: str
    entity: Any
    session: Any = None

    @property
    def entity_id(self) -> str:
        """Return the unique id of the user or role; empty of one that is gone."""
        return "" if self.entity is None else str(self.entity.id)


def caller_of(request: Request) -> Caller | None:
    """Return who asks; None of a key that nobody has."""
    return caller_with_key(request.account, request.access_key)


def caller_with_key(account: str, access_key: str) -> Caller | None:
    """Return whose key it is in an account; None of one that nobody has."""
    session: Any = sts_backends[account]["aws"].get_assumed_role_from_access_key(access_key)
    if session is not None:
        role = accounts.principal_with_arn(session.role_arn)
        # A session ends with its role: a namesake is another one (facts sheet 3.3).
        same = role is not None and role.id == session.role_id
        return Caller(session.arn, session.role_arn, account, role if same else None, session)
    for user in accounts.holders(account, "User").values():
        if any(key.access_key_id == access_key for key in user.access_keys):
            return Caller(user.arn, user.arn, account, user)
    return None
