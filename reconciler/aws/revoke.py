"""Ends the sessions of a role, as the IAM console does: by an inline policy that denies them everything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

from reconciler.aws.errors import aws_errors
from reconciler.aws.reader import tags_of
from reconciler.aws.sessions import Connections
from reconciler.aws.single import unless_missing
from reconciler.errors import StaleError
from reconciler.model import Account, Address, ApiCall
from reconciler.ownership import REVOKED_SESSIONS_POLICY, owned_by
from reconciler.policy.document import PolicyDocument
from reconciler.policy.shapes import ended_before, ending_sessions


class AwsRevoker:
    """Ends sessions of the roles of one stack."""

    def __init__(self, connections: Connections, accounts: Mapping[str, Account], stack: str) -> None:
        self._connections = connections
        self._accounts = accounts
        self._stack = stack

    def step(self, forbidden: Callable[[], str] = str) -> AbstractContextManager[list[ApiCall]]:
        """Begin a step; see `ports.Writer`."""
        return self._connections.retries.step(forbidden)

    def end_sessions(self, address: Address, before: int) -> None:
        """Deny everything to the sessions of a role that were issued before a moment.

        Where the role says so of a later moment already, that stays.

        Raises:
            StaleError: the role is gone, or is no longer the stack's; nothing is written.
            AwsError: AWS refuses.

        """
        with self._connections.client(self._accounts[address.account]) as iam, aws_errors(address.account, "write"):
            role = unless_missing(lambda: iam.get_role(RoleName=address.name)["Role"])
            if role is None or not owned_by(tags_of(role), self._stack):
                what = "is gone" if role is None else "is no longer the stack's"
                raise StaleError(f"{address} {what}; it is left alone")
            key = {"RoleName": address.name, "PolicyName": REVOKED_SESSIONS_POLICY}
            standing = unless_missing(lambda: iam.get_role_policy(**key)["PolicyDocument"])
            ended = None if standing is None else ended_before(PolicyDocument.read(standing))
            if ended is None or ended < before:
                iam.put_role_policy(**key, PolicyDocument=ending_sessions(before).written)
