"""What the roles of the templates cannot do, whoever has them: each known way to become more than they are is shut."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from tests.aws.bootstrap_support import (
    ALLOW_ALL,
    BUCKET,
    OPS,
    PULL_REQUEST,
    SUBJECT,
    assumed,
    bootstrap,
    client,
    member_session,
    session,
    token,
    trusting,
)
from tests.aws.strict_support import policy
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
    bootstrap(sandbox)
    for account in (SOURCE, TARGET):
        iam = root_client(sandbox, "iam", account)
        of_account = f"arn:aws:iam::{account}:policy/"
        for name, path in (("other", "/"), ("administrator", "/"), ("theirs", "/xgrant/theirs/")):
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
        iam.create_instance_profile(InstanceProfileName="machine")
    return scenario


attacked = once(_attacked)


@pytest.fixture
def scenario(sandbox: Sandbox) -> Scenario:
    return attacked(sandbox)


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
    ("an own role given to another stack", lambda iam: iam.tag_role(RoleName="own", Tags=THEIRS)),
    ("another stack's role opened", lambda iam: iam.update_assume_role_policy(
        RoleName="theirs", PolicyDocument=ANYBODY)),
    ("permissions for another stack's role", lambda iam: iam.put_role_policy(
        RoleName="theirs", PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("another stack's role deleted", lambda iam: iam.delete_role_policy(RoleName="theirs", PolicyName="all")),
    ("a role of another path, though it has the mark", lambda iam: iam.put_role_policy(
        RoleName="outside", PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("a role of another path opened", lambda iam: iam.update_assume_role_policy(
        RoleName="outside", PolicyDocument=ANYBODY)),
    ("a policy at another path", lambda iam: iam.create_policy(PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("another stack's policy", lambda iam: iam.create_policy_version(
        PolicyArn=f"arn:aws:iam::{TARGET}:policy/xgrant/theirs/theirs", PolicyDocument=ALLOW_ALL)),
    ("a policy on a group that is no caller", lambda iam: iam.put_group_policy(
        GroupName="admins", PolicyName="p", PolicyDocument=ALLOW_ALL)),
    ("a policy of others attached to a caller", lambda iam: iam.attach_group_policy(
        GroupName="developers", PolicyArn=ADMIN)),
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


def refused(call: Callable[[], object]) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_a_stolen_writing_role_cannot_become_more_than_it_is(scenario: Scenario, sandbox: Sandbox) -> None:
    sandbox.enforce(on=True)
    iam = client(sandbox, member_session(sandbox, "xgrant-writer"))
    create()(iam)  # What it can do, so that the others are refused for what is other in them.
    for what, attempt in ATTEMPTS:
        with pytest.raises(ClientError, match="AccessDenied") as caught:
            attempt(iam)
        assert "not authorized to perform: iam:" in str(caught.value), what


def test_the_reading_role_writes_nothing(scenario: Scenario, sandbox: Sandbox) -> None:
    sandbox.enforce(on=True)
    iam = client(sandbox, member_session(sandbox, "xgrant-reader"))
    iam.list_roles()
    for _, attempt in [*ATTEMPTS, ("", create()), ("", lambda iam: iam.delete_role(RoleName="own"))]:
        refused(lambda attempt=attempt: attempt(iam))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("sid", "attempt"),
    [
        ("Itself", lambda iam: iam.put_role_policy(RoleName="xgrant-writer", PolicyName="p", PolicyDocument=policy())),
        ("Itself", lambda iam: iam.update_assume_role_policy(RoleName="xgrant-reader", PolicyDocument=ANYBODY)),
        ("Itself", lambda iam: iam.create_policy_version(PolicyArn=BOUNDARY, PolicyDocument=ALLOW_ALL)),
        ("Boundaries", lambda iam: iam.delete_role_permissions_boundary(RoleName="own")),
        ("Unbounded", lambda iam: iam.attach_role_policy(RoleName="unbounded", PolicyArn=ADMIN)),
    ],
)
def test_a_denial_holds_whatever_somebody_attaches_to_the_writing_role_and_is_needed_for_that(
    scenario: Scenario, sandbox: Sandbox, sid: str, attempt: Callable[[Any], object]
) -> None:
    admin = root_client(sandbox, "iam", TARGET)
    admin.put_role_policy(RoleName="xgrant-writer", PolicyName="by-mistake", PolicyDocument=ALLOW_ALL)
    sandbox.enforce(on=True)
    iam = client(sandbox, member_session(sandbox, "xgrant-writer"))
    refused(lambda: attempt(iam))
    sandbox.enforce(on=False)
    document = deepcopy(admin.get_role_policy(RoleName="xgrant-writer", PolicyName="write")["PolicyDocument"])
    document["Statement"] = [each for each in document["Statement"] if each["Sid"] != sid]
    admin.put_role_policy(RoleName="xgrant-writer", PolicyName="write", PolicyDocument=json.dumps(document))
    sandbox.enforce(on=True)
    attempt(iam)


def test_a_granted_role_that_says_it_may_do_everything_is_held_by_the_boundary(
    scenario: Scenario, sandbox: Sandbox
) -> None:
    arn = f"arn:aws:iam::{TARGET}:role/"
    root_client(sandbox, "iam", SOURCE).put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=ALLOW_ALL)
    admin = root_client(sandbox, "iam", TARGET)
    for name in ("second", "outside"):
        admin.update_assume_role_policy(RoleName=name, PolicyDocument=trusting(ROOT))
    sandbox.enforce(on=True)
    keys = assumed(sandbox, scenario.users["alice"], f"{arn}xgrant/own")
    client(sandbox, keys, "s3").list_buckets()
    client(sandbox, keys).list_roles()
    assumed(sandbox, keys, f"{arn}xgrant/second")
    refused(lambda: assumed(sandbox, keys, f"{arn}outside"))
    iam = client(sandbox, keys)
    refused(lambda: iam.create_user(UserName="new"))
    refused(lambda: iam.put_role_policy(RoleName="own", PolicyName="p", PolicyDocument=ALLOW_ALL))
    refused(lambda: iam.delete_role_permissions_boundary(RoleName="own"))
    refused(lambda: iam.create_access_key(UserName="storage-admin"))


@pytest.mark.parametrize(
    ("role", "jwt"),
    [
        ("xgrant-ci-apply", token(PULL_REQUEST)),
        ("xgrant-ci-apply", token("repo:acme/iam:ref:refs/heads/main")),
        ("xgrant-ci-apply", token("repo:acme/iam:environment:staging")),
        ("xgrant-ci-apply", token("repo:evil/iam:environment:production")),
        ("xgrant-ci-apply", token(f"{SUBJECT}2")),
        ("xgrant-ci-apply", token(SUBJECT, audience="https://github.com/acme")),
        ("xgrant-ci-apply", token(SUBJECT, host="evil.example")),
        ("xgrant-ci-plan", token("repo:acme/iam:ref:refs/heads/feature")),
        ("xgrant-ci-plan", token("repo:evil/iam:pull_request")),
        ("xgrant-hub-apply", token(SUBJECT)),
    ],
)
def test_no_other_job_is_trusted(scenario: Scenario, sandbox: Sandbox, role: str, jwt: str) -> None:
    sandbox.enforce(on=True)
    refused(lambda: session(sandbox, role, jwt))


def test_a_job_of_a_pull_request_reaches_no_writing_role_and_writes_no_history(
    scenario: Scenario, sandbox: Sandbox
) -> None:
    sandbox.enforce(on=True)
    job = session(sandbox, "xgrant-ci-plan", token(PULL_REQUEST))
    hub = assumed(sandbox, job, f"arn:aws:iam::{OPS}:role/xgrant-hub-plan")
    for keys, arn in (
        (job, f"{OPS}:role/xgrant-hub-apply"),
        (job, f"{TARGET}:role/xgrant-reader"),
        (hub, f"{TARGET}:role/xgrant-writer"),
        (hub, f"{OPS}:role/xgrant-hub-apply"),
    ):
        refused(lambda keys=keys, arn=arn: assumed(sandbox, keys, f"arn:aws:iam::{arn}", "of-the-hub"))  # type: ignore[misc]
    s3 = client(sandbox, job, "s3")
    s3.list_objects_v2(Bucket=BUCKET)
    refused(lambda: s3.put_object(Bucket=BUCKET, Key="xgrant/history/x", Body=b""))
    refused(lambda: s3.put_object(Bucket=BUCKET, Key="xgrant/history/x", Body=b"", IfNoneMatch="*"))


def test_a_job_of_a_pull_request_writes_a_review_once_and_nobody_puts_another_in_its_place(
    scenario: Scenario, sandbox: Sandbox
) -> None:
    sandbox.enforce(on=True)
    s3 = client(sandbox, session(sandbox, "xgrant-ci-plan", token(PULL_REQUEST)), "s3")
    review = {"Bucket": BUCKET, "Key": "xgrant/reviews/platform/abc.json"}
    refused(lambda: s3.put_object(**review, Body=b"1"))
    s3.put_object(**review, Body=b"1", IfNoneMatch="*")
    refused(lambda: s3.put_object(**review, Body=b"2"))
    with pytest.raises(ClientError, match="PreconditionFailed"):
        s3.put_object(**review, Body=b"2", IfNoneMatch="*")
    refused(lambda: s3.delete_object(**review))
    assert s3.get_object(**review)["Body"].read() == b"1"


def test_a_hub_of_another_organization_or_without_the_external_id_is_not_trusted(
    scenario: Scenario, sandbox: Sandbox
) -> None:
    sandbox.enforce(on=True)
    hub = assumed(
        sandbox, session(sandbox, "xgrant-ci-apply", token(SUBJECT)), f"arn:aws:iam::{OPS}:role/xgrant-hub-apply"
    )
    writer = f"arn:aws:iam::{TARGET}:role/xgrant-writer"
    assumed(sandbox, hub, writer, "of-the-hub")
    refused(lambda: assumed(sandbox, hub, writer))
    sandbox.enforce(on=False)
    root_client(sandbox, "organizations", OPS).delete_organization()
    sandbox.enforce(on=True)
    refused(lambda: assumed(sandbox, hub, writer, "of-the-hub"))


def test_the_store_has_versions_and_a_policy_and_is_nobodys_from_outside(scenario: Scenario, sandbox: Sandbox) -> None:
    s3 = root_client(sandbox, "s3", OPS)
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    rules = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert all(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values())
    kept = {rule["ID"]: rule for rule in s3.get_bucket_lifecycle_configuration(Bucket=BUCKET)["Rules"]}
    assert kept["history"]["Expiration"]["Days"] == 2557
    assert "Expiration" not in kept["locks"]
    (statement,) = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
