"""Writes one resource at a time, with no more calls than the difference needs.

A new role is one CreateRole with everything that it takes, then its policies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from reconciler.aws.errors import aws_errors
from reconciler.aws.managed import delete_managed_policy, document_in_force, unless_gone, update_managed_policy
from reconciler.aws.roles import create_role, delete_role, tag_list, update_role
from reconciler.aws.sessions import Connections
from reconciler.aws.single import read_one
from reconciler.errors import AwsError
from reconciler.model import Account, Address, ApiCall, CallerPolicy, Kind, ManagedPolicy, PrincipalKind, Resource, Role
from reconciler.ownership import STACK_TAG, caller_policy_name
from reconciler.ports import Toward

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient


class AwsWriter:
    """Writes the resources of one stack; see `ports.Writer`."""

    def __init__(self, connections: Connections, accounts: Mapping[str, Account], stack: str) -> None:
        self._connections = connections
        self._accounts = accounts
        self._stack = stack

    def write(self, address: Address, before: Resource | None, after: Resource, toward: Toward) -> None:
        """Create or update; see `ports.Writer`."""
        standing = before
        with self._client(address) as iam, aws_errors(address.account, "write"):
            match after:
                case ManagedPolicy():
                    if not isinstance(standing, ManagedPolicy):
                        standing = self._create_managed_policy(iam, address.name, after, toward)
                    update_managed_policy(iam, standing, after, toward)
                case CallerPolicy():
                    _write_caller_policy(iam, address, self._policy_name(address), before, after, toward)
                case Role():
                    if not isinstance(standing, Role):
                        standing = create_role(
                            iam, address.name, after, toward, stack=self._stack,
                            was_made=lambda error: self._was_made(error, "CreateRole", address.name),
                        )  # fmt: skip
                    update_role(iam, address.name, standing, after, toward)

    def remove(self, address: Address, before: Resource, toward: Toward) -> None:
        """Delete; see `ports.Writer`."""
        with self._client(address) as iam, aws_errors(address.account, "remove"):
            match before:
                case Role():
                    delete_role(iam, address.name, before, toward)
                case ManagedPolicy():
                    delete_managed_policy(iam, before, toward)
                case CallerPolicy():
                    own = () if before.name else (self._policy_name(address),)
                    _delete_caller_policies(iam, address, before, own, toward)

    def standing(self, address: Address, like: Resource) -> Resource | None:
        """Read what stands at an address; see `ports.Writer`."""
        with self._client(address) as iam, aws_errors(address.account, "read"):
            return read_one(iam, address, like, self._stack)

    def step(self, forbidden: Callable[[], str] = str) -> AbstractContextManager[list[ApiCall]]:
        """Begin a step; see `ports.Writer`."""
        return self._connections.retries.step(forbidden)

    def look_again(self, error: AwsError) -> bool:
        """Wait where somebody else writes; see `ports.Writer`."""
        return self._connections.retries.look_again(error.operation)

    def _client(self, address: Address) -> AbstractContextManager[IAMClient]:
        return self._connections.client(self._accounts[address.account])

    def _policy_name(self, address: Address) -> str:
        return caller_policy_name(self._stack, address.name)

    def _create_managed_policy(self, iam: IAMClient, name: str, policy: ManagedPolicy, toward: Toward) -> ManagedPolicy:
        """Make a managed policy; return it, attached to nothing."""
        bare = replace(policy, attached_to=frozenset())
        tags = tag_list({STACK_TAG: self._stack})
        toward(bare)
        try:
            iam.create_policy(PolicyName=name, Path=policy.path, PolicyDocument=policy.document.written, Tags=tags)
        except ClientError as error:
            # A first try whose answer was lost has made it: then it says what it should.
            if not self._was_made(error, "CreatePolicy", name) or document_in_force(iam, policy.arn) != policy.document:
                raise
        return bare

    def _was_made(self, error: ClientError, operation: str, name: str) -> bool:
        exists = error.response["Error"]["Code"] == "EntityAlreadyExists"
        return exists and self._connections.retries.sent_before(operation, name)


def _write_caller_policy(
    iam: IAMClient, address: Address, policy: str, before: Resource | None, after: CallerPolicy, toward: Toward
) -> None:
    standing = before if isinstance(before, CallerPolicy) else None
    by_hand = _by_hand(standing)
    if standing is None or standing.name or standing.document != after.document:
        toward(replace(after, beside=by_hand))
        _put_caller_policy(iam, address, policy, after)
    # Adopted: those made by hand have their successor, so nobody loses access.
    for index, name in enumerate(by_hand, 1):
        toward(replace(after, beside=by_hand[index:]))
        _delete_caller_policy(iam, address, name)


def _delete_caller_policies(
    iam: IAMClient, address: Address, before: CallerPolicy, own: tuple[str, ...], toward: Toward
) -> None:
    names = (*_by_hand(before), *own)
    for index, name in enumerate(names, 1):
        left = names[index:]
        by_hand = tuple(name for name in left if name not in own)
        # The stack's own goes last, and has no name of its own; without it the first one made by hand gives the name.
        named, beside = ("", by_hand) if own else (by_hand[0] if by_hand else "", by_hand[1:])
        toward(replace(before, name=named, beside=beside) if left else None)
        _delete_caller_policy(iam, address, name)


def _put_caller_policy(iam: IAMClient, address: Address, policy: str, wanted: CallerPolicy) -> None:
    kind, name = _holder(address)
    text = wanted.document.written
    match kind:
        case PrincipalKind.USER:
            iam.put_user_policy(UserName=name, PolicyName=policy, PolicyDocument=text)
        case PrincipalKind.GROUP:
            iam.put_group_policy(GroupName=name, PolicyName=policy, PolicyDocument=text)
        case PrincipalKind.ROLE:
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=text)


def _delete_caller_policy(iam: IAMClient, address: Address, policy: str) -> None:
    kind, name = _holder(address)
    match kind:
        case PrincipalKind.USER:
            unless_gone(lambda: iam.delete_user_policy(UserName=name, PolicyName=policy))
        case PrincipalKind.GROUP:
            unless_gone(lambda: iam.delete_group_policy(GroupName=name, PolicyName=policy))
        case PrincipalKind.ROLE:
            unless_gone(lambda: iam.delete_role_policy(RoleName=name, PolicyName=policy))


def _by_hand(policy: CallerPolicy | None) -> tuple[str, ...]:
    return () if policy is None else (*([policy.name] if policy.name else []), *policy.beside)


def _holder(address: Address) -> tuple[PrincipalKind, str]:
    assert address.kind is Kind.CALLER_POLICY  # the only kind that is left
    assert address.holder is not None  # every caller policy has one
    return address.holder
