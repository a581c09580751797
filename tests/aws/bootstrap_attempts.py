"""What is tried with the roles of the templates of a bootstrap, as somebody would who has stolen one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from reconciler.bootstrap import templates
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from tests.aws.bootstrap_support import ALLOW_ALL, BUCKET, OPS, bootstrap, deploy, trusting
from tests.conftest import seeded
from tests.snapshots import once

BOUNDARY = f"arn:aws:iam::{TARGET}:policy/xgrant-boundary"
OTHER = f"arn:aws:iam::{TARGET}:policy/other"
ADMIN = f"arn:aws:iam::{TARGET}:policy/administrator"
OURS, THEIRS = [{"Key": "xgrant:stack", "Value": "platform"}], [{"Key": "xgrant:stack", "Value": "theirs"}]
ROOT, SOURCE_ROOT = f"arn:aws:iam::{TARGET}:root", f"arn:aws:iam::{SOURCE}:root"
ANYBODY = trusting("*")


def _attacked(sandbox: Sandbox) -> Scenario:
    """Deploy the templates; make roles of the stack, of another one and of nobody, and people who have more."""
    scenario = seeded(sandbox)
    (member,) = templates(("member",), bootstrap(sandbox))
    # The account of the hub may be a managed one, too.
    deploy(sandbox, OPS, member)
    s3 = root_client(sandbox, "s3", OPS)
    s3.create_bucket(Bucket="other")
    for key in ("xgrant/history/platform/run/000001.jsonl", "elsewhere/x"):
        s3.put_object(Bucket=BUCKET, Key=key, Body=b"line", IfNoneMatch="*")
    for account in (SOURCE, TARGET):
        iam = root_client(sandbox, "iam", account)
        of_account = f"arn:aws:iam::{account}:policy/"
        for name, path in (
            ("other", "/"), ("administrator", "/"), ("theirs", "/xgrant/theirs/"), ("ours", "/xgrant/platform/"),
        ):  # fmt: skip
            iam.create_policy(PolicyName=name, Path=path, PolicyDocument=ALLOW_ALL)
        bounded = {"PermissionsBoundary": f"{of_account}xgrant-boundary"}
        for name, path, more in (
            ("own", "/xgrant/", {"Tags": OURS, **bounded}),
            ("second", "/xgrant/", {"Tags": OURS, **bounded}),
            ("unbounded", "/xgrant/", {"Tags": OURS}),
            ("theirs", "/xgrant/", {"Tags": THEIRS, **bounded}),
            ("outside", "/", {"Tags": OURS, **bounded}),
        ):
            iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trusting(SOURCE_ROOT), **more)
            iam.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=ALLOW_ALL)
        iam.create_group(GroupName="admins")
        iam.create_role(RoleName="deployer", Path="/ci/", AssumeRolePolicyDocument=trusting(SOURCE_ROOT))
        if account == TARGET:
            iam.create_group(GroupName="developers")
        iam.create_instance_profile(InstanceProfileName="machine")
    return scenario


attacked = once(_attacked)


def create(**more: Any) -> Callable[[Any], object]:
    said = {
        "RoleName": "new", "Path": "/xgrant/", "AssumeRolePolicyDocument": ANYBODY, "PermissionsBoundary": BOUNDARY,
        "Tags": OURS, **more,
    }  # fmt: skip
    return lambda iam: iam.create_role(**{key: value for key, value in said.items() if value is not None})


Attempt = tuple[str, Callable[[Any], object]]

ATTEMPTS: list[Attempt] = [
    ("a role without a boundary", create(PermissionsBoundary=None)),
    ("a role with another boundary", create(PermissionsBoundary=OTHER)),
    ("a role at another path", create(Path="/")),
    ("a role at a path that begins alike", create(Path="/xgrant-not/")),
    ("a role of another stack", create(Tags=THEIRS)),
    ("a role of no stack", create(Tags=None)),
    ("a new version of the boundary", lambda iam: iam.create_policy_version(
        PolicyArn=BOUNDARY, PolicyDocument=ALLOW_ALL, SetAsDefault=True)),
    ("another version of the boundary in force", lambda iam: iam.set_default_policy_version(
        PolicyArn=BOUNDARY, VersionId="v1")),
    ("a version of the boundary deleted", lambda iam: iam.delete_policy_version(PolicyArn=BOUNDARY, VersionId="v1")),
    ("the boundary deleted", lambda iam: iam.delete_policy(PolicyArn=BOUNDARY)),
    ("the boundary taken from a role", lambda iam: iam.delete_role_permissions_boundary(RoleName="own")),
    ("a role's boundary exchanged", lambda iam: iam.put_role_permissions_boundary(
        RoleName="own", PermissionsBoundary=OTHER)),
    ("permissions for a role without a boundary", lambda iam: iam.put_role_policy(
        RoleName="unbounded", PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("a policy attached to a role without a boundary", lambda iam: iam.attach_role_policy(
        RoleName="unbounded", PolicyArn=ADMIN)),
    ("others let into a role without a boundary", lambda iam: iam.update_assume_role_policy(
        RoleName="unbounded", PolicyDocument=ANYBODY)),
    ("a policy attached to itself", lambda iam: iam.attach_role_policy(RoleName="xgrant-writer", PolicyArn=ADMIN)),
    ("a policy put on itself", lambda iam: iam.put_role_policy(
        RoleName="xgrant-writer", PolicyName="more", PolicyDocument=ALLOW_ALL)),
    ("its own policy deleted", lambda iam: iam.delete_role_policy(RoleName="xgrant-writer", PolicyName="write")),
    ("its own trust policy", lambda iam: iam.update_assume_role_policy(
        RoleName="xgrant-writer", PolicyDocument=ANYBODY)),
    ("itself with longer sessions", lambda iam: iam.update_role(
        RoleName="xgrant-writer", Description="", MaxSessionDuration=43200)),
    ("itself marked as the stack's", lambda iam: iam.tag_role(RoleName="xgrant-writer", Tags=OURS)),
    ("a policy put on the reader", lambda iam: iam.put_role_policy(
        RoleName="xgrant-reader", PolicyName="more", PolicyDocument=ALLOW_ALL)),
    ("the reader opened", lambda iam: iam.update_assume_role_policy(RoleName="xgrant-reader", PolicyDocument=ANYBODY)),
    ("another stack's role marked as own", lambda iam: iam.tag_role(RoleName="theirs", Tags=OURS)),
    ("another stack's mark taken away", lambda iam: iam.untag_role(RoleName="theirs", TagKeys=["xgrant:stack"])),
    ("another stack's mark taken away in other letters", lambda iam: iam.untag_role(
        RoleName="theirs", TagKeys=["XGRANT:Stack"])),
    ("its own mark taken away", lambda iam: iam.untag_role(RoleName="own", TagKeys=["team", "xgrant:stack"])),
    ("its own mark taken away in other letters", lambda iam: iam.untag_role(RoleName="own", TagKeys=["Xgrant:STACK"])),
    ("an own role given to another stack", lambda iam: iam.tag_role(RoleName="own", Tags=THEIRS)),
    ("another stack's role opened", lambda iam: iam.update_assume_role_policy(
        RoleName="theirs", PolicyDocument=ANYBODY)),
    ("permissions for another stack's role", lambda iam: iam.put_role_policy(
        RoleName="theirs", PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("another stack's role stripped", lambda iam: iam.delete_role_policy(RoleName="theirs", PolicyName="all")),
    ("another stack's role deleted", lambda iam: iam.delete_role(RoleName="theirs")),
    ("a role of another path, though it has the mark", lambda iam: iam.put_role_policy(
        RoleName="outside", PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("a role of another path opened", lambda iam: iam.update_assume_role_policy(
        RoleName="outside", PolicyDocument=ANYBODY)),
    ("a role of another path tagged", lambda iam: iam.tag_role(RoleName="outside", Tags=OURS)),
    ("a role of another path stripped", lambda iam: iam.delete_role_policy(RoleName="outside", PolicyName="all")),
    ("a role of another path deleted", lambda iam: iam.delete_role(RoleName="outside")),
    ("a role with more tags of another stack", lambda iam: iam.tag_role(
        RoleName="theirs", Tags=[{"Key": "team", "Value": "admin"}])),
    ("a policy at another path", lambda iam: iam.create_policy(PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("another stack's policy", lambda iam: iam.create_policy_version(
        PolicyArn=f"arn:aws:iam::{TARGET}:policy/xgrant/theirs/theirs", PolicyDocument=ALLOW_ALL)),
    ("a policy on a group that is no caller", lambda iam: iam.put_group_policy(
        GroupName="admins", PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("a policy on a namesake of a caller of another account", lambda iam: iam.put_group_policy(
        GroupName="developers", PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("a policy on a role that would be a caller in another account", lambda iam: iam.put_role_policy(
        RoleName="deployer", PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("a role passed to a machine", lambda iam: iam.add_role_to_instance_profile(
        InstanceProfileName="machine", RoleName="own")),
    ("a role taken from a machine", lambda iam: iam.remove_role_from_instance_profile(
        InstanceProfileName="machine", RoleName="own")),
    ("a user", lambda iam: iam.create_user(UserName="new")),
    ("an access key", lambda iam: iam.create_access_key(UserName="storage-admin")),
    ("a password", lambda iam: iam.create_login_profile(UserName="storage-admin", Password="p" * 20)),
    ("a member of a group", lambda iam: iam.add_user_to_group(GroupName="admins", UserName="storage-admin")),
    ("a provider of tokens", lambda iam: iam.create_open_id_connect_provider(
        Url="https://evil.example", ThumbprintList=["0" * 40])),
]  # fmt: skip

IN_SOURCE: list[Attempt] = [
    ("a policy of others attached to a caller", lambda iam: iam.attach_group_policy(
        GroupName="developers", PolicyArn=f"arn:aws:iam::{SOURCE}:policy/administrator")),
    ("a policy of the stack attached to who is no caller", lambda iam: iam.attach_group_policy(
        GroupName="admins", PolicyArn=f"arn:aws:iam::{SOURCE}:policy/xgrant/platform/ours")),
    ("a policy on who is no caller", lambda iam: iam.put_group_policy(
        GroupName="admins", PolicyName="p", PolicyDocument=ALLOW_ALL)),
]  # fmt: skip
"""Those of the writing role where its callers are."""

IN_OPS: list[Attempt] = [
    (f"a policy put on {name}", lambda iam, name=name: iam.put_role_policy(
        RoleName=name, PolicyName="p", PolicyDocument=ALLOW_ALL))  # type: ignore[misc]
    for name in (
        "xgrant-reader", "xgrant-writer", "xgrant-hub-plan", "xgrant-hub-apply", "xgrant-ci-plan", "xgrant-ci-apply"
    )
]  # fmt: skip
"""And where the hubs and the roles of jobs are."""

LINE = "xgrant/history/platform/run/000001.jsonl"

OF_STORE: list[tuple[str, Callable[[Any], object]]] = [
    ("something outside of the store read", lambda s3: s3.get_object(Bucket=BUCKET, Key="elsewhere/x")),
    ("something outside of the store written", lambda s3: s3.put_object(Bucket=BUCKET, Key="elsewhere/y", Body=b"")),
    ("another bucket listed", lambda s3: s3.list_objects_v2(Bucket="other")),
    ("history written over", lambda s3: s3.put_object(Bucket=BUCKET, Key=LINE, Body=b"forged")),
    ("history written over on a condition", lambda s3: s3.put_object(
        Bucket=BUCKET, Key=LINE, Body=b"forged", IfMatch=s3.head_object(Bucket=BUCKET, Key=LINE)["ETag"])),
    ("history deleted", lambda s3: s3.delete_object(Bucket=BUCKET, Key=LINE)),
    ("the store opened", lambda s3: s3.delete_bucket_policy(Bucket=BUCKET)),
]  # fmt: skip
"""Those of the roles of jobs on the store."""

OF_REVIEWS: list[tuple[str, Callable[[Any], object]]] = [
    ("a review that may be there", lambda s3: s3.put_object(Bucket=BUCKET, Key="xgrant/reviews/x.json", Body=b"")),
    ("a line of history", lambda s3: s3.put_object(Bucket=BUCKET, Key="xgrant/history/x", Body=b"", IfNoneMatch="*")),
    ("a lock", lambda s3: s3.put_object(Bucket=BUCKET, Key="xgrant/locks/x", Body=b"", IfNoneMatch="*")),
]
"""Those of the role that plans, which may write reviews, each once."""

ASSUMED: list[tuple[str, str]] = [
    ("xgrant-ci-plan", f"{OPS}:role/xgrant-hub-apply"),
    ("xgrant-ci-plan", f"{TARGET}:role/xgrant-reader"),
    ("xgrant-ci-apply", f"{TARGET}:role/xgrant-writer"),
    ("xgrant-hub-plan", f"{TARGET}:role/xgrant-writer"),
    ("xgrant-hub-plan", f"{OPS}:role/xgrant-hub-apply"),
    ("xgrant-hub-apply", f"{TARGET}:role/xgrant-reader"),
]
"""Who tries to be whom, and may not."""
