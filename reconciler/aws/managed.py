"""Writes customer managed policies: their versions, and what they are attached to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, HTTPClientError

from reconciler import clock
from reconciler.aws.calls import in_doubt
from reconciler.aws.retry import delay
from reconciler.model import ManagedPolicy, PrincipalKind
from reconciler.policy.document import PolicyDocument
from reconciler.ports import Toward

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

_TRIES = 7
"""Over half a minute, by `retry.delay`."""

VERSIONS = 5
"""Versions of one managed policy (IAM quotas)."""


def update_managed_policy(iam: IAMClient, before: ManagedPolicy, after: ManagedPolicy, toward: Toward) -> None:
    """Detach it where it does not belong, write what it says as a new version, then attach it where it is missing."""
    policy = before
    for holder in sorted(before.attached_to - after.attached_to):
        policy = replace(policy, attached_to=policy.attached_to - {holder})
        toward(policy)
        unless_gone(lambda h=holder: _detach(iam, h, before.arn))  # type: ignore[misc]
    if before.document != after.document:
        policy = replace(policy, document=after.document)
        toward(policy)
        _put_version(iam, before.arn, after.document)
    for holder in sorted(after.attached_to - before.attached_to):
        policy = replace(policy, attached_to=policy.attached_to | {holder})
        toward(policy)
        _attach(iam, holder, before.arn)


def delete_managed_policy(iam: IAMClient, policy: ManagedPolicy, toward: Toward) -> None:
    """Detach the policy, delete its older versions, then itself (facts sheet 3.3); what is gone already is no error."""
    arn, holders = policy.arn, sorted(policy.attached_to)
    for index, holder in enumerate(holders, 1):
        toward(replace(policy, attached_to=frozenset(holders[index:])))
        unless_gone(lambda h=holder: _detach(iam, h, arn))  # type: ignore[misc]
    toward(replace(policy, attached_to=frozenset()))
    versions: list[str] = []
    unless_gone(lambda: versions.extend(_older_versions(iam, arn)))
    for version in versions:
        unless_gone(lambda v=version: iam.delete_policy_version(PolicyArn=arn, VersionId=v))  # type: ignore[misc]
    toward(None)
    unless_gone(lambda: iam.delete_policy(PolicyArn=arn))


def _put_version(iam: IAMClient, arn: str, wanted: PolicyDocument) -> None:
    """Make the version that is in force.

    After a try whose answer was lost, look before the next one: else two equal versions may stand (facts sheet 3.1).
    """
    for tries in range(1, _TRIES + 1):
        _make_room(iam, arn)
        try:
            iam.create_policy_version(PolicyArn=arn, PolicyDocument=wanted.written, SetAsDefault=True)
        except (ClientError, HTTPClientError) as error:
            if tries == _TRIES or not in_doubt(error):
                raise
            clock.sleep(delay(tries))
            if document_in_force(iam, arn) == wanted:
                return
        else:
            return


def document_in_force(iam: IAMClient, arn: str) -> PolicyDocument:
    """Return what the version of a managed policy says that is in force."""
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return PolicyDocument.read(iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"])


def unless_gone(call: Callable[[], object]) -> None:
    """Call; that the thing is gone already is no error."""
    try:
        call()
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise


def _make_room(iam: IAMClient, arn: str) -> None:
    """Delete the oldest versions where there is no room for one more (LimitExceeded, facts sheet 3.3)."""
    older = _older_versions(iam, arn)
    for version in older[: max(0, len(older) + 2 - VERSIONS)]:
        unless_gone(lambda v=version: iam.delete_policy_version(PolicyArn=arn, VersionId=v))  # type: ignore[misc]


def _older_versions(iam: IAMClient, arn: str) -> list[str]:
    """Return the ids of all versions but the one in force, oldest first: `v2` was made before `v10`."""
    pages = iam.get_paginator("list_policy_versions").paginate(PolicyArn=arn)
    found = [v["VersionId"] for page in pages for v in page["Versions"] if not v["IsDefaultVersion"]]
    return sorted(found, key=lambda version: int(version.removeprefix("v")))


def _attach(iam: IAMClient, holder: str, arn: str) -> None:
    kind, name = holder.split("/", 1)
    match PrincipalKind(kind):
        case PrincipalKind.USER:
            iam.attach_user_policy(UserName=name, PolicyArn=arn)
        case PrincipalKind.GROUP:
            iam.attach_group_policy(GroupName=name, PolicyArn=arn)
        case PrincipalKind.ROLE:
            iam.attach_role_policy(RoleName=name, PolicyArn=arn)


def _detach(iam: IAMClient, holder: str, arn: str) -> None:
    kind, name = holder.split("/", 1)
    match PrincipalKind(kind):
        case PrincipalKind.USER:
            iam.detach_user_policy(UserName=name, PolicyArn=arn)
        case PrincipalKind.GROUP:
            iam.detach_group_policy(GroupName=name, PolicyArn=arn)
        case PrincipalKind.ROLE:
            iam.detach_role_policy(RoleName=name, PolicyArn=arn)
