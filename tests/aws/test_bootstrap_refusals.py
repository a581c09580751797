"""What the roles of the templates cannot do, whoever has them: each known way to become more than they are is shut."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reconciler.bootstrap import templates
from reconciler.bootstrap.jobs import gitlab
from reconciler.sandbox.scenario import SOURCE, TARGET, Credentials, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from tests.aws.bootstrap_attempts import (
    ADMIN,
    ANYBODY,
    ASSUMED,
    ATTEMPTS,
    BOUNDARY,
    IN_OPS,
    IN_SOURCE,
    LINE,
    OF_REVIEWS,
    OF_STORE,
    ROOT,
    Attempt,
    attacked,
    create,
)
from tests.aws.bootstrap_support import (
    ALLOW_ALL,
    BUCKET,
    OPS,
    PULL_REQUEST,
    SUBJECT,
    assumed,
    client,
    deploy,
    member_session,
    options,
    role_session,
    session,
    token,
    trusting,
)
from tests.aws.strict_support import policy


@pytest.fixture
def scenario(sandbox: Sandbox) -> Scenario:
    return attacked(sandbox)


def refused(call: Callable[[], object]) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    # moto refuses what the policy of a bucket denies without a body, so that the client has no code but the status.
    assert caught.value.response["Error"]["Code"] in ("AccessDenied", "403")


@pytest.mark.parametrize(("account", "attempts"), [(TARGET, ATTEMPTS), (SOURCE, IN_SOURCE), (OPS, IN_OPS)])
def test_a_stolen_writing_role_cannot_become_more_than_it_is(
    scenario: Scenario, sandbox: Sandbox, account: str, attempts: list[Attempt]
) -> None:
    sandbox.enforce(on=True)
    iam = client(sandbox, member_session(sandbox, "xgrant-writer", account))
    if account == TARGET:
        create()(iam)  # What it can do, so that the others are refused for what is other in them.
    if account == SOURCE:
        iam.put_group_policy(GroupName="developers", PolicyName="p", PolicyDocument=policy())
    for what, attempt in attempts:
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
        ("Others", lambda iam: iam.put_role_policy(RoleName="theirs", PolicyName="p", PolicyDocument=ALLOW_ALL)),
        ("Marks", lambda iam: iam.untag_role(RoleName="own", TagKeys=["XGRANT:stack"])),
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
        ("xgrant-ci-apply", token(SUBJECT, ref="refs/heads/feature")),
        ("xgrant-ci-apply", token(SUBJECT, ref="refs/pull/7/merge")),
        ("xgrant-ci-apply", token(SUBJECT, ref="refs/tags/main")),
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


def test_of_gitlab_only_a_protected_branch_is_trusted_to_apply(scenario: Scenario, sandbox: Sandbox) -> None:
    root_client(sandbox, "cloudformation", OPS).delete_stack(StackName="xgrant-oidc")
    (oidc,) = templates(("oidc",), options(jobs=gitlab("acme/iam", "main")))
    deploy(sandbox, OPS, oidc)
    sandbox.enforce(on=True)
    of_gitlab = {"audience": "https://gitlab.com", "host": "gitlab.com", "ref": "main"}
    subject = "project_path:acme/iam:ref_type:branch:ref:main"
    session(sandbox, "xgrant-ci-apply", token(subject, ref_protected="true", **of_gitlab))
    session(sandbox, "xgrant-ci-plan", token(f"{subject}-not", **of_gitlab))
    for jwt in (
        token(subject, ref_protected="false", **of_gitlab),
        token(subject, **of_gitlab),
        token(f"{subject}-not", ref_protected="true", **of_gitlab),
    ):
        refused(lambda jwt=jwt: session(sandbox, "xgrant-ci-apply", jwt))  # type: ignore[misc]


@pytest.mark.parametrize(("role", "wanted"), ASSUMED)
def test_a_role_can_be_no_other_than_it_is_meant_to_be(
    scenario: Scenario, sandbox: Sandbox, role: str, wanted: str
) -> None:
    sandbox.enforce(on=True)
    refused(lambda: assumed(sandbox, role_session(sandbox, role), f"arn:aws:iam::{wanted}", "of-the-hub"))


def test_jobs_reach_nothing_but_the_store_and_change_no_history(scenario: Scenario, sandbox: Sandbox) -> None:
    sandbox.enforce(on=True)
    s3 = client(sandbox, role_session(sandbox, "xgrant-ci-apply"), "s3")
    s3.list_objects_v2(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="xgrant/locks/platform", Body=b"")
    s3.put_object(Bucket=BUCKET, Key=LINE.replace("1.jsonl", "2.jsonl"), Body=b"line", IfNoneMatch="*")
    for _, attempt in OF_STORE:
        refused(lambda attempt=attempt: attempt(s3))  # type: ignore[misc]
    planning = client(sandbox, role_session(sandbox, "xgrant-ci-plan"), "s3")
    planning.list_objects_v2(Bucket=BUCKET)
    for _, attempt in OF_REVIEWS:
        refused(lambda attempt=attempt: attempt(planning))  # type: ignore[misc]


def test_who_may_do_everything_in_the_account_of_the_hub_is_not_trusted_as_a_hub_and_deletes_no_history(
    scenario: Scenario, sandbox: Sandbox
) -> None:
    admin = root_client(sandbox, "iam", OPS)
    admin.create_user(UserName="boss")
    admin.put_user_policy(UserName="boss", PolicyName="all", PolicyDocument=ALLOW_ALL)
    made = admin.create_access_key(UserName="boss")["AccessKey"]
    boss = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    sandbox.enforce(on=True)
    for wanted in (f"{TARGET}:role/xgrant-writer", f"{TARGET}:role/xgrant-reader", f"{OPS}:role/xgrant-hub-apply"):
        refused(lambda wanted=wanted: assumed(sandbox, boss, f"arn:aws:iam::{wanted}", "of-the-hub"))  # type: ignore[misc]
    refused(lambda: client(sandbox, boss, "s3").delete_object(Bucket=BUCKET, Key=LINE))


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
    assert kept["history"]["NoncurrentVersionExpiration"]["NoncurrentDays"] == 30
    for name in ("locks", "steps", "doctor"):
        assert "Expiration" not in kept[name]
    assert kept["markers"]["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    statements = json.loads(s3.get_bucket_policy(Bucket=BUCKET)["Policy"])["Statement"]
    assert [(one["Sid"], one["Effect"]) for one in statements] == [
        ("PlainHttp", "Deny"), ("HistoryOnce", "Deny"), ("HistoryStays", "Deny")
    ]  # fmt: skip
    assert statements[0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
