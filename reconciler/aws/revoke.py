"""Ends the sessions of a role, as the IAM console does: by an inline policy that denies them everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from email.utils import parsedate_to_datetime
from typing import Any

from reconciler.aws.errors import aws_errors
from reconciler.aws.reader import tags_of
from reconciler.aws.sessions import Connections
from reconciler.aws.single import unless_missing
from reconciler.errors import StaleError
from reconciler.model import Account, Address, ApiCall
from reconciler.ownership import REVOKED_SESSIONS_POLICY, owned_by
from reconciler.policy.document import PolicyDocument
from reconciler.policy.shapes import also_ending, ended_before


class AwsRevoker:
    """Ends sessions of the roles of one stack."""

    def __init__(self, connections: Connections, accounts: Mapping[str, Account], stack: str) -> None:
        self._connections = connections
        self._accounts = accounts
        self._stack = stack

    def step(self, forbidden: Callable[[], str] = str) -> AbstractContextManager[list[ApiCall]]:
        """Begin a step; see `ports.Writer`."""
        return self._connections.retries.step(forbidden)

    def end_sessions(self, address: Address, before: int | None, *, now: int) -> None:
        """Deny everything to the sessions of a role that were issued before a moment; without one, before now.

        That is the later of `now` and what AWS says with its answer, by whose clock sessions are issued. Where the role
        says so of a later moment already, that stays, and so does what it says in another way.

        Raises:
            StaleError: the role is gone, or is no longer the stack's; nothing is written.
            AwsError: AWS refuses.

        """
        with self._connections.client(self._accounts[address.account]) as iam, aws_errors(address.account, "write"):
            answer = unless_missing(lambda: iam.get_role(RoleName=address.name))
            role = None if answer is None else answer["Role"]
            if role is None or not owned_by(tags_of(role), self._stack):
                what = "is gone" if role is None else "is no longer the stack's"
                raise StaleError(f"{address} {what}; it is left alone")
            key = {"RoleName": address.name, "PolicyName": REVOKED_SESSIONS_POLICY}
            read = unless_missing(lambda: iam.get_role_policy(**key))
            moment = max(now, _time_of(read or answer)) if before is None else before
            standing = None if read is None else PolicyDocument.read(read["PolicyDocument"])
            ended = None if standing is None else ended_before(standing)
            if ended is None or ended < moment:
                iam.put_role_policy(**key, PolicyDocument=also_ending(standing, moment).written)


def _time_of(answer: Any) -> int:
    """Return the moment before which all sessions were issued when AWS gave this answer; 0 where it does not say."""
    stated = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    # It is written in whole seconds, cut off.
    return 0 if stated is None else int(parsedate_to_datetime(stated).timestamp()) + 1
