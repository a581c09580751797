"""Who of an account may assume roles, of what GetAccountAuthorizationDetails answers."""

from __future__ import annotations

from typing import Any

from reconciler.aws.held import held
from reconciler.model import PrincipalKind
from tests.support import allow, document

ACCOUNT = "123456789012"
ROLE = "arn:aws:iam::987654321098:role/reader"


def said(*statements: dict[str, Any]) -> dict[str, Any]:
    return document(*statements).data()


def user(name: str = "bob", **parts: Any) -> dict[str, Any]:
    return {"UserName": name, "Path": "/", "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}", **parts}


def role(name: str, path: str, **parts: Any) -> dict[str, Any]:
    return {"RoleName": name, "Path": path, "Arn": f"arn:aws:iam::{ACCOUNT}:role{path}{name}", **parts}


def inline(name: str, *statements: dict[str, Any]) -> dict[str, Any]:
    return {"PolicyName": name, "PolicyDocument": said(*statements)}


def arn(name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:policy/{name}"


def attached(name: str, account: str = ACCOUNT) -> dict[str, Any]:
    return {"PolicyName": name, "PolicyArn": arn(name, account)}


def managed(name: str, *statements: dict[str, Any]) -> dict[str, Any]:
    versions = [{"VersionId": "v1", "IsDefaultVersion": True, "Document": said(*statements)}]
    return {"PolicyName": name, "Arn": arn(name), "PolicyVersionList": versions}


def details(**lists: Any) -> dict[str, Any]:
    return {"UserDetailList": [], "RoleDetailList": [], "GroupDetailList": [], "Policies": [], **lists}


def policies(answer: dict[str, Any]) -> dict[str, tuple[str, ...]]:
    """Return of each who has any the words of its policies with the roles that each allows."""
    return {
        name: tuple(f"{key.words()}: {', '.join(one.resources())}" for key, one in sorted(found.documents.items()))
        for (_, name), found in held(answer).items()
    }


def test_an_inline_policy_a_managed_one_and_those_of_groups_are_all_kept_though_they_have_one_name() -> None:
    statements = [allow("sts:AssumeRole", f"{ROLE}-{number}") for number in range(3)]
    answer = details(
        UserDetailList=[user(UserPolicyList=[inline("own", statements[0])], AttachedManagedPolicies=[attached("own")],
                             GroupList=["ops"])],
        GroupDetailList=[{"GroupName": "ops", "GroupPolicyList": [inline("own", statements[2])],
                          "AttachedManagedPolicies": [attached("own")]}],
        Policies=[managed("own", statements[1])],
    )  # fmt: skip
    assert policies(answer) == {
        "bob": (
            f"own: {ROLE}-0", f"own of group ops: {ROLE}-2", f"own (managed): {ROLE}-1",
            f"own (managed) of group ops: {ROLE}-1",
        )
    }  # fmt: skip


def test_roles_that_only_a_service_can_be_are_left_out() -> None:
    own = [inline("own", allow("sts:AssumeRole", ROLE))]
    paths = {"service": "/aws-service-role/support.amazonaws.com/", "ci": "/", "other": "/aws-service/"}
    roles = [role(name, path, RolePolicyList=own) for name, path in paths.items()]
    assert set(policies(details(RoleDetailList=roles))) == {"ci", "other"}


def test_who_has_nothing_about_sessions_is_left_out_and_denials_are_kept() -> None:
    denial = {**allow("sts:*"), "Effect": "Deny"}
    users = [
        user("al", UserPolicyList=[inline("s3", allow("s3:*"))]),
        user("bob", UserPolicyList=[inline("no", denial), inline("s3", allow("s3:*"))]),
        user("carol", UserPolicyList=[inline("source", allow("sts:SetSourceIdentity", ROLE))]),
        user("dan", UserPolicyList=[inline("tags", allow("sts:TagSession", ROLE))]),
    ]
    assert policies(details(UserDetailList=users)) == {
        "bob": ("no: *",), "carol": (f"source: {ROLE}",), "dan": (f"tags: {ROLE}",),
    }  # fmt: skip


def test_policies_of_aws_that_are_not_read_are_named_those_of_groups_too() -> None:
    answer = details(
        UserDetailList=[user(AttachedManagedPolicies=[attached("ReadOnly", "aws")], GroupList=["ops"],
                             PermissionsBoundary={"PermissionsBoundaryArn": arn("Power", "aws")})],
        GroupDetailList=[{"GroupName": "ops", "AttachedManagedPolicies": [attached("DenyAll", "aws")]}],
    )  # fmt: skip
    found = held(answer)[PrincipalKind.USER, "bob"]
    assert found.unread == {arn("ReadOnly", "aws"), arn("DenyAll", "aws")}
    assert (found.bound, found.boundary) == (arn("Power", "aws"), None)
    assert found.groups == {"ops"}


def test_a_boundary_of_the_account_is_read() -> None:
    bound = {"PermissionsBoundaryArn": arn("Bound")}
    answer = details(
        UserDetailList=[user(UserPolicyList=[inline("own", allow("sts:*"))], PermissionsBoundary=bound)],
        Policies=[managed("Bound", allow("s3:*"))],
    )
    assert held(answer)[PrincipalKind.USER, "bob"].boundary == document(allow("s3:*"))
