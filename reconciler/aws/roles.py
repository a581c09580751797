"""Writes roles, with all that hangs on them: no more calls than the difference needs, in an order that is safe."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from reconciler.aws.managed import unless_gone
from reconciler.aws.single import read_role
from reconciler.model import Role
from reconciler.ownership import REVOKED_SESSIONS_POLICY, ROTATED_TAG
from reconciler.policy.document import PolicyDocument
from reconciler.policy.instants import instant_text
from reconciler.policy.sizes import size
from reconciler.ports import Toward

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient
    from types_boto3_iam.type_defs import TagTypeDef


class _Standing:
    """The role as it is, call by call; before each call it is told what the role will be."""

    def __init__(self, role: Role, toward: Toward) -> None:
        self.role = role
        self._toward = toward

    def becomes(self, **parts: Any) -> None:
        """Note what the next call changes."""
        self.role = replace(self.role, **parts)
        self._toward(self.role)


def create_role(
    iam: IAMClient, name: str, role: Role, toward: Toward, *, stack: str, was_made: Callable[[ClientError], bool]
) -> Role:
    """Make a role with everything that CreateRole takes; return it, bare of policies.

    `was_made` says of an error whether a first try, whose answer was lost, may have made it.
    """
    bare = replace(role, inline_policies={}, managed_policies=frozenset(), instance_profiles=frozenset())
    boundary = {"PermissionsBoundary": role.permissions_boundary} if role.permissions_boundary else {}
    toward(bare)
    try:
        iam.create_role(
            RoleName=name,
            Path=role.path,
            AssumeRolePolicyDocument=role.trust_policy.written,
            Description=role.description,
            MaxSessionDuration=role.max_session_duration,
            Tags=tag_list({**role.tags, **_rotation(role)}),
            **boundary,
        )
    except ClientError as error:
        # Then it is marked as ours, and bare.
        if not was_made(error) or read_role(iam, name, stack) != bare:
            raise
    return bare


def update_role(iam: IAMClient, name: str, before: Role, after: Role, toward: Toward) -> None:
    """Bring the role from one to the other.

    First whatever takes away, then who is let in, then whatever gives. So that nobody meets permissions that were not
    meant for them, at any moment or where a call fails, a policy that changes together with the trust policy or the
    boundary is deleted first and put anew. A boundary that is exchanged comes before the trust policy. Tags come last,
    so that a role whose update was cut short is marked as before.
    """
    standing = _Standing(before, toward)
    old, new = before.permissions_boundary, after.permissions_boundary
    if old is None and new is not None:
        standing.becomes(permissions_boundary=new)
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=new)
    inline = set(before.inline_policies) - set(after.inline_policies)
    if (after.trust_policy, new) != (before.trust_policy, old):
        inline |= {key for key, policy in before.inline_policies.items() if after.inline_policies.get(key) != policy}
    profiles, managed = before.instance_profiles, before.managed_policies
    _take_away(iam, name, standing, profiles - after.instance_profiles, managed - after.managed_policies, inline)

    if old is not None and new is not None and new != old:
        standing.becomes(permissions_boundary=new)
        iam.put_role_permissions_boundary(RoleName=name, PermissionsBoundary=new)
    if after.trust_policy != before.trust_policy:
        standing.becomes(trust_policy=after.trust_policy)
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=after.trust_policy.written)
    if (after.description, after.max_session_duration) != (before.description, before.max_session_duration):
        # Both, always: UpdateRole's documentation says that a duration that is not sent falls back to one hour
        # (facts sheet 3.1).
        standing.becomes(description=after.description, max_session_duration=after.max_session_duration)
        iam.update_role(RoleName=name, Description=after.description, MaxSessionDuration=after.max_session_duration)

    _give(iam, name, standing, before, after)
    if old is not None and new is None:
        standing.becomes(permissions_boundary=None)
        unless_gone(lambda: iam.delete_role_permissions_boundary(RoleName=name))
    _retag(iam, name, standing, after)


def delete_role(iam: IAMClient, name: str, role: Role, toward: Toward) -> None:
    """Delete a role after all that the plan showed on it; what was hung on it since makes AWS refuse."""
    inline = [*role.inline_policies, *([REVOKED_SESSIONS_POLICY] if role.sessions_revoked else [])]
    _take_away(iam, name, _Standing(role, toward), role.instance_profiles, role.managed_policies, inline)
    toward(None)
    unless_gone(lambda: iam.delete_role(RoleName=name))


def tag_list(tags: Mapping[str, str]) -> list[TagTypeDef]:
    """Return tags as IAM takes them, in order of their keys."""
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


def _rotation(role: Role) -> dict[str, str]:
    """Return the tag that says that a role is rotated now; none where it is not."""
    return {} if role.rotated is None else {ROTATED_TAG: instant_text(role.rotated)}


def _take_away(
    iam: IAMClient,
    name: str,
    standing: _Standing,
    profiles: Iterable[str],
    managed: Iterable[str],
    inline: Iterable[str],
) -> None:
    for profile in sorted(profiles):
        standing.becomes(instance_profiles=standing.role.instance_profiles - {profile})
        unless_gone(
            lambda p=profile: iam.remove_role_from_instance_profile(  # type: ignore[misc]
                InstanceProfileName=p, RoleName=name
            )
        )
    for arn in sorted(managed):
        standing.becomes(managed_policies=standing.role.managed_policies - {arn})
        unless_gone(lambda a=arn: iam.detach_role_policy(RoleName=name, PolicyArn=a))  # type: ignore[misc]
    for policy in sorted(inline):
        kept = {key: document for key, document in standing.role.inline_policies.items() if key != policy}
        standing.becomes(inline_policies=kept)
        unless_gone(lambda p=policy: iam.delete_role_policy(RoleName=name, PolicyName=p))  # type: ignore[misc]


def _give(iam: IAMClient, name: str, standing: _Standing, before: Role, after: Role) -> None:
    # Those that shrink first: so they never need more room than before or after (facts sheet 1.3, inline total).
    for policy, document in sorted(after.inline_policies.items(), key=lambda item: (_growth(before, *item), item[0])):
        if standing.role.inline_policies.get(policy) != document:
            standing.becomes(inline_policies={**standing.role.inline_policies, policy: document})
            iam.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=document.written)
    for arn in sorted(after.managed_policies - before.managed_policies):
        standing.becomes(managed_policies=standing.role.managed_policies | {arn})
        iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def _growth(before: Role, policy: str, document: PolicyDocument) -> int:
    standing = before.inline_policies.get(policy)
    return size(document) - (size(standing) if standing is not None else 0)


def _retag(iam: IAMClient, name: str, standing: _Standing, after: Role) -> None:
    before = standing.role.tags
    # IAM ignores the case of keys on roles: a key that is only spelt anew has to go before it comes (facts sheet 1.2).
    if gone := sorted(set(before) - set(after.tags)):
        standing.becomes(tags={key: value for key, value in before.items() if key not in gone})
        unless_gone(lambda: iam.untag_role(RoleName=name, TagKeys=gone))
    rotation = {} if after.rotated == standing.role.rotated else _rotation(after)
    if new := {key: value for key, value in after.tags.items() if before.get(key) != value} | rotation:
        # Whose it is, is said by a tag.
        standing.becomes(tags=dict(after.tags), grant=after.grant)
        iam.tag_role(RoleName=name, Tags=tag_list(new))
