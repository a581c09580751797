"""Writes one resource at a time, with no more calls than the difference needs.

A new role is one CreateRole with everything that it takes, then its policies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from reconciler.aws.errors import aws_errors
from reconciler.aws.managed import (
    create_managed_policy,
    delete_managed_policy,
    unless_gone,
    update_managed_policy,
    was_repeated,
)
from reconciler.aws.sessions import Connections
from reconciler.aws.single import read_one, read_role
from reconciler.model import Account, Address, ApiCall, CallerPolicy, Kind, ManagedPolicy, PrincipalKind, Resource, Role
from reconciler.ownership import REVOKED_SESSIONS_POLICY, STACK_TAG, caller_policy_name
from reconciler.policy.document import PolicyDocument
from reconciler.policy.sizes import size

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_iam.type_defs import TagTypeDef

_Call = Callable[[], object]


class AwsWriter:
    """Writes the resources of one stack; see `ports.Writer`."""

    def __init__(self, connections: Connections, accounts: Mapping[str, Account], stack: str) -> None:
        self._connections = connections
        self._accounts = accounts
        self._stack = stack

    def write(self, address: Address, before: Resource | None, after: Resource) -> None:
        """Create or update; see `ports.Writer`."""
        iam = self._client(address)
        with aws_errors(address.account, "write"):
            if isinstance(after, ManagedPolicy):
                if isinstance(before, ManagedPolicy):
                    update_managed_policy(iam, before, after)
                else:
                    create_managed_policy(iam, address.name, after, _tag_list({STACK_TAG: self._stack}))
            elif isinstance(after, CallerPolicy):
                standing = before if isinstance(before, CallerPolicy) else None
                if standing is None or standing.name or standing.document != after.document:
                    _put_caller_policy(iam, address, self._policy_name(address), after)
                # Adopted: those made by hand have their successor, so nobody loses access.
                for name in _by_hand(standing):
                    _delete_caller_policy(iam, address, name)
            elif isinstance(before, Role):
                for call in _role_update(iam, address.name, before, after):
                    call()
            else:
                _create_role(iam, address.name, after, self._stack)

    def remove(self, address: Address, before: Resource) -> None:
        """Delete; see `ports.Writer`."""
        iam = self._client(address)
        with aws_errors(address.account, "remove"):
            if isinstance(before, Role):
                _delete_role(iam, address.name, before)
            elif isinstance(before, ManagedPolicy):
                delete_managed_policy(iam, before)
            else:
                for name in (*_by_hand(before), *([] if before.name else [self._policy_name(address)])):
                    _delete_caller_policy(iam, address, name)

    def standing(self, address: Address, like: Resource) -> Resource | None:
        """Read what stands at an address; see `ports.Writer`."""
        iam = self._client(address)
        with aws_errors(address.account, "read"):
            return read_one(iam, address, like, self._stack)

    def step(self, forbidden: Callable[[], str] = str) -> AbstractContextManager[list[ApiCall]]:
        """Begin a step; see `ports.Writer`."""
        return self._connections.retries.step(forbidden)

    def look_again(self) -> bool:
        """Wait where somebody else writes; see `ports.Writer`."""
        return self._connections.retries.look_again()

    def _client(self, address: Address) -> IAMClient:
        return self._connections.open([self._accounts[address.account]])[address.account]

    def _policy_name(self, address: Address) -> str:
        return caller_policy_name(self._stack, address.name)


def _create_role(iam: IAMClient, name: str, role: Role, stack: str) -> None:
    boundary = {"PermissionsBoundary": role.permissions_boundary} if role.permissions_boundary else {}
    try:
        iam.create_role(
            RoleName=name,
            Path=role.path,
            AssumeRolePolicyDocument=role.trust_policy.written,
            Description=role.description,
            MaxSessionDuration=role.max_session_duration,
            Tags=_tag_list(role.tags),
            **boundary,
        )
    except ClientError as error:
        # A first try whose answer was lost has made it: then it is marked as ours, and bare.
        bare = replace(role, inline_policies={}, managed_policies=frozenset())
        if not was_repeated(error) or read_role(iam, name, stack) != bare:
            raise
    for arn in sorted(role.managed_policies):
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    for policy, document in sorted(role.inline_policies.items()):
        iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document.written)


def _role_update(iam: IAMClient, name: str, before: Role, after: Role) -> Iterator[_Call]:
    """Yield the calls that bring the role from one to the other, each when the one before is done.

    First whatever takes away, then who is let in, then whatever gives. So that nobody meets permissions that were not
    meant for them, at any moment or where a call fails, a policy that changes together with the trust policy or the
    boundary is deleted first and put anew. A boundary that is exchanged comes before the trust policy. Tags come last,
    so that a role whose update was cut short is marked as before.
    """
    old, new = before.permissions_boundary, after.permissions_boundary
    if old is None and new is not None:
        yield lambda: iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=new)
    inline = set(before.inline_policies) - set(after.inline_policies)
    if (after.trust_policy, new) != (before.trust_policy, old):
        inline |= {key for key, policy in before.inline_policies.items() if after.inline_policies.get(key) != policy}
    profiles, managed = before.instance_profiles, before.managed_policies
    yield from _take_away(iam, name, profiles - after.instance_profiles, managed - after.managed_policies, inline)

    if old is not None and new is not None and new != old:
        yield lambda: iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=new)
    if after.trust_policy != before.trust_policy:
        yield lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=after.trust_policy.written)
    if (after.description, after.max_session_duration) != (before.description, before.max_session_duration):
        # Both, always: UpdateRole's documentation says that a duration that is not sent falls back to one hour
        # (facts sheet 3.1).
        yield lambda: iam.update_role(
            RoleName=name, Description=after.description, MaxSessionDuration=after.max_session_duration
        )

    yield from _give(iam, name, before, after)
    if old is not None and new is None:
        yield lambda: unless_gone(lambda: iam.delete_role_permissions_boundary(RoleName=name))
    yield from _retag(iam, name, before, after)


def _take_away(
    iam: IAMClient, name: str, profiles: Iterable[str], managed: Iterable[str], inline: Iterable[str]
) -> Iterator[_Call]:
    for profile in sorted(profiles):
        yield lambda p=profile: unless_gone(  # type: ignore[misc]
            lambda: iam.remove_role_from_instance_profile(InstanceProfileName=p, RoleName=name)
        )
    for arn in sorted(managed):
        yield lambda a=arn: unless_gone(  # type: ignore[misc]
            lambda: iam.detach_role_policy(RoleName=name, PolicyArn=a)
        )
    for policy in sorted(inline):
        yield lambda p=policy: unless_gone(  # type: ignore[misc]
            lambda: iam.delete_role_policy(RoleName=name, PolicyName=p)
        )


def _give(iam: IAMClient, name: str, before: Role, after: Role) -> Iterator[_Call]:
    # Those that shrink first: so they never need more room than before or after (facts sheet 1.3, inline total).
    for policy, document in sorted(after.inline_policies.items(), key=lambda item: (_growth(before, *item), item[0])):
        if before.inline_policies.get(policy) != document:
            yield lambda p=policy, d=document: iam.put_role_policy(  # type: ignore[misc]
                RoleName=name, PolicyName=p, PolicyDocument=d.written
            )
    for arn in sorted(after.managed_policies - before.managed_policies):
        yield lambda a=arn: iam.attach_role_policy(RoleName=name, PolicyArn=a)  # type: ignore[misc]


def _growth(before: Role, policy: str, document: PolicyDocument) -> int:
    standing = before.inline_policies.get(policy)
    return size(document) - (size(standing) if standing is not None else 0)


def _retag(iam: IAMClient, name: str, before: Role, after: Role) -> Iterator[_Call]:
    # IAM ignores the case of keys on roles: a key that is only spelt anew has to go before it comes (facts sheet 1.2).
    if gone := sorted(set(before.tags) - set(after.tags)):
        yield lambda: unless_gone(lambda: iam.untag_role(RoleName=name, TagKeys=gone))
    if new := {key: value for key, value in after.tags.items() if before.tags.get(key) != value}:
        yield lambda: iam.tag_role(RoleName=name, Tags=_tag_list(new))


def _delete_role(iam: IAMClient, name: str, role: Role) -> None:
    """Delete a role after all that the plan showed on it; what was hung on it since makes AWS refuse."""
    inline = [*role.inline_policies, *([REVOKED_SESSIONS_POLICY] if role.sessions_revoked else [])]
    for call in _take_away(iam, name, role.instance_profiles, role.managed_policies, inline):
        call()
    unless_gone(lambda: iam.delete_role(RoleName=name))


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


def _tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]
