"""Reads one resource by its name, just before it is written: the bulk reads of its plan are minutes old by then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from reconciler.aws.apart import default_document, foreign_caller_policies
from reconciler.aws.reader import role_of, tags_of
from reconciler.model import Address, CallerPolicy, ManagedPolicy, PrincipalKind, Resource, Role
from reconciler.ownership import caller_policy_name, owned_by, pack_of_arn, parse_caller_policy_name
from reconciler.policy.document import PolicyDocument
from reconciler.policy.shapes import opens_some_of

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

T = TypeVar("T")


def read_one(iam: IAMClient, address: Address, like: Resource, stack: str) -> Resource | None:
    """Return what stands at an address, or None. `like` is what is expected there: its kind, its ARN, its names.

    Of those beside a caller policy, the ones are found that say no more than `like` does.
    """
    match like:
        case Role():
            return read_role(iam, address.name, stack)
        case CallerPolicy():
            return _read_caller_policy(iam, address, like, stack)
        case ManagedPolicy():
            return read_managed_policy(iam, like, stack)


def _read_caller_policy(iam: IAMClient, address: Address, like: CallerPolicy, stack: str) -> CallerPolicy | None:
    def document(name: str) -> PolicyDocument | None:
        found = unless_missing(lambda: _caller_document(iam, address, name))
        return None if found is None else PolicyDocument.read(found).without_sids()

    standing = document(like.name or caller_policy_name(stack, address.name))
    if standing is None:
        return None
    others = {name: document(name) for name in like.beside}
    beside = tuple(
        name
        for name, other in others.items()
        if other is not None and opens_some_of(other, like.document, like.document.resources())
    )
    return CallerPolicy(address.name, standing, name=like.name, beside=beside)


def unless_missing(call: Callable[[], T]) -> T | None:
    """Return what the call returns; None where the thing does not exist."""
    try:
        return call()
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchEntity":
            return None
        raise


def read_role(iam: IAMClient, name: str, stack: str) -> Role | None:
    """Return a role with all that hangs on it, as the bulk reads do; None if it is not there.

    Only GetRole says that. What hangs on the role may go while it is read: then ClientError NoSuchEntity, and nothing
    is known.
    """
    role: Mapping[str, Any] | None = unless_missing(lambda: iam.get_role(RoleName=name)["Role"])
    if role is None:
        return None
    attached = iam.get_paginator("list_attached_role_policies").paginate(RoleName=name)
    inline = iam.get_paginator("list_role_policies").paginate(RoleName=name)
    profiles = iam.get_paginator("list_instance_profiles_for_role").paginate(RoleName=name)
    policies = [
        {"PolicyName": policy, "PolicyDocument": _role_document(iam, name, policy)}
        for page in inline
        for policy in page["PolicyNames"]
        # Those of the stack are resources of their own, and may be many.
        if (parse_caller_policy_name(policy) or ("",))[0] != stack
    ]
    found = {
        **role,
        "RolePolicyList": policies,
        "AttachedManagedPolicies": [policy for page in attached for policy in page["AttachedPolicies"]],
        "InstanceProfileList": [profile for page in profiles for profile in page["InstanceProfiles"]],
    }
    arns = [policy["PolicyArn"] for policy in found["AttachedManagedPolicies"]]
    packs = [_in_force(iam, arn) for arn in arns if (pack_of_arn(arn) or (stack,))[0] != stack]
    return role_of(found, found, stack, foreign_caller_policies(found, packs, stack))


def _in_force(iam: IAMClient, arn: str) -> Mapping[str, Any]:
    """Return what a managed policy says, in the form of the bulk reads."""
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    return {"Arn": arn, "PolicyVersionList": [{"Document": document, "IsDefaultVersion": True}]}


def read_managed_policy(iam: IAMClient, like: ManagedPolicy, stack: str) -> ManagedPolicy | None:
    """Return a customer managed policy of the stack; None if GetPolicy says that it is not there."""
    policy = unless_missing(lambda: iam.get_policy(PolicyArn=like.arn)["Policy"])
    if policy is None:
        return None
    document = PolicyDocument.read(default_document(_in_force(iam, like.arn)))
    if not like.grant:
        document = document.without_sids()
    holders = set()
    for page in iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=like.arn):
        holders |= {f"user/{user['UserName']}" for user in page["PolicyUsers"]}
        holders |= {f"group/{group['GroupName']}" for group in page["PolicyGroups"]}
        holders |= {f"role/{role['RoleName']}" for role in page["PolicyRoles"]}
    if like.grant:
        # The stack's own roles say themselves that they have their permissions by it.
        unexpected = sorted(holder for holder in holders - like.attached_to if holder.startswith("role/"))
        holders -= {holder for holder in unexpected if _is_ours(iam, holder.removeprefix("role/"), stack)}
    return ManagedPolicy(like.grant, policy["Arn"], policy["Path"], document, frozenset(holders))


def _is_ours(iam: IAMClient, role: str, stack: str) -> bool:
    found = unless_missing(lambda: iam.get_role(RoleName=role)["Role"])
    return found is not None and owned_by(tags_of(found), stack)


def _role_document(iam: IAMClient, role: str, policy: str) -> Any:
    return iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]


def _caller_document(iam: IAMClient, address: Address, policy: str) -> Any:
    assert address.holder is not None  # every caller policy has one
    kind, name = address.holder
    match kind:
        case PrincipalKind.USER:
            return iam.get_user_policy(UserName=name, PolicyName=policy)["PolicyDocument"]
        case PrincipalKind.GROUP:
            return iam.get_group_policy(GroupName=name, PolicyName=policy)["PolicyDocument"]
    return _role_document(iam, name, policy)
