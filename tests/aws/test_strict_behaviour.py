"""The strict AWS pages, reorders, protects, checks trust policies and fails on demand (facts sheet 2.1, 3.3, 3.4, 4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError

from reconciler.sandbox.scenario import Credentials, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.faults import Fault, Kind
from tests.aws.strict_support import ROOT, iam_of, policy, refused, trust
from tests.support import DEV, STORAGE


@pytest.mark.parametrize("operation", ["list_roles", "get_account_authorization_details"])
def test_pages_hold_at_most_max_items_and_together_everything(sandbox: Sandbox, operation: str) -> None:
    iam = iam_of(sandbox)
    sandbox.strict.give_fewer()
    names = {f"Role{i}" for i in range(12)}
    for name in names:
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust())
    pages = list(iam.get_paginator(operation).paginate(PaginationConfig={"PageSize": 5}))
    key = "Roles" if operation == "list_roles" else "RoleDetailList"
    found = [role["RoleName"] for page in pages for role in page.get(key, [])]
    assert (sorted(found), len(pages) >= 3) == (sorted(names), True)
    assert all(len(page.get(key, [])) <= 5 for page in pages)
    refused("ValidationError", 400, lambda: getattr(iam, operation)(MaxItems=1001))
    refused("ValidationError", 400, lambda: getattr(iam, operation)(MaxItems=0))
    refused("ValidationError", 400, lambda: getattr(iam, operation)(Marker="none"))


def test_a_marker_is_good_for_the_call_and_the_account_that_it_was_given_to(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    for i in range(3):
        iam.create_group(GroupName=f"g{i}")
    marker = iam.list_groups(MaxItems=1)["Marker"]
    refused("ValidationError", 400, lambda: iam.list_roles(Marker=marker))
    refused("ValidationError", 400, lambda: iam_of(sandbox, DEV).list_groups(Marker=marker))
    for _ in range(2):
        assert len(iam.list_groups(Marker=marker)["Groups"]) == 2


def test_a_page_of_all_may_hold_fewer_than_asked_and_only_if_that_is_switched_on(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    for i in range(8):
        iam.create_group(GroupName=f"g{i}")

    def sizes() -> set[int]:
        pages = [iam.get_account_authorization_details(MaxItems=8) for _ in range(20)]
        return {len(page["GroupDetailList"]) for page in pages}

    assert sizes() == {8}
    sandbox.strict.give_fewer()
    assert min(sizes()) < 8


def test_what_hangs_on_a_role_or_policy_comes_in_pages(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy())["Policy"]["Arn"]
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust())
    iam.create_group(GroupName="g")
    for i in range(3):
        iam.put_role_policy(RoleName="R", PolicyName=f"p{i}", PolicyDocument=policy())
    iam.attach_role_policy(RoleName="R", PolicyArn=arn)
    iam.attach_group_policy(GroupName="g", PolicyArn=arn)

    def pages(operation: str, key: str, **name: str) -> list[int]:
        found = iam.get_paginator(operation).paginate(**name, PaginationConfig={"PageSize": 1})
        return [len(page.get(key, [])) for page in found]

    assert pages("list_role_policies", "PolicyNames", RoleName="R") == [1, 1, 1]
    assert sorted(pages("list_entities_for_policy", "PolicyRoles", PolicyArn=arn)) == [0, 1]
    assert sorted(pages("list_entities_for_policy", "PolicyGroups", PolicyArn=arn)) == [0, 1]


def test_lists_and_bulk_reads_come_in_orders_that_differ(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    for i in range(5):
        iam.create_group(GroupName=f"g{i}")
    one = [str([group["GroupName"] for group in iam.list_groups()["Groups"]]) for _ in range(10)]
    iam.create_user(UserName="u")
    pages = [iam.get_account_authorization_details(MaxItems=1) for _ in range(40)]
    assert len(set(one)) > 1
    assert {bool(page["UserDetailList"]) for page in pages} == {True, False}
    documents = [{"Sid": name, "Effect": "Allow", "Action": "s3:*", "Resource": "*"} for name in "ABC"]
    iam.put_group_policy(
        GroupName="g0", PolicyName="p", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": documents})
    )
    read = iam.get_group_policy(GroupName="g0", PolicyName="p")["PolicyDocument"]
    # Whether AWS keeps the order of statements is not known (facts sheet 4.5): here it is kept.
    assert [statement["Sid"] for statement in read["Statement"]] == ["A", "B", "C"]


def test_a_page_holds_a_hundred_if_nothing_is_asked(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    for i in range(101):
        iam.create_group(GroupName=f"g{i}")
    page = iam.get_account_authorization_details()
    assert (len(page["GroupDetailList"]), page["IsTruncated"]) == (100, True)


def test_orders_and_spellings_differ_between_reads(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    principals = [f"arn:aws:iam::{i}{'0' * 11}:root" for i in range(1, 6)]
    document = trust(principals, Condition={"StringEquals": {"sts:ExternalId": ["one"]}})
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=document)
    seen = [iam.get_role(RoleName="R")["Role"]["AssumeRolePolicyDocument"]["Statement"][0] for _ in range(20)]
    assert len({str(statement["Principal"]["AWS"]) for statement in seen}) > 1
    assert all(sorted(statement["Principal"]["AWS"]) == principals for statement in seen)
    external_ids = {str(statement["Condition"]["StringEquals"]["sts:ExternalId"]) for statement in seen}
    assert external_ids == {"one", "['one']"}


def test_bulk_reads_leave_out_what_aws_leaves_out(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    tags = [{"Key": "a", "Value": "b"}]
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(), Description="d", Tags=tags)
    listed = iam.list_roles()["Roles"][0]
    detail = iam.get_account_authorization_details()["RoleDetailList"][0]
    assert ("Tags" in listed, listed["Description"], listed["MaxSessionDuration"]) == (False, "d", 3600)
    assert (detail["Tags"], "Description" in detail, "MaxSessionDuration" in detail) == (tags, False, False)
    assert not {"PermissionsBoundary", "RoleLastUsed"} & set(listed)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy(), Description="d", Tags=tags)["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="R", PermissionsBoundary=arn)
    iam.create_user(UserName="u", Tags=tags)
    assert "PermissionsBoundary" not in iam.list_roles()["Roles"][0]
    assert "Tags" not in iam.list_users()["Users"][0]
    assert not {"Description", "Tags"} & set(iam.list_policies(Scope="Local")["Policies"][0])
    assert iam.get_policy(PolicyArn=arn)["Policy"]["Description"] == "d"


def test_update_role_without_a_duration_resets_it(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(), MaxSessionDuration=7200)
    iam.update_role(RoleName="R", Description="d")
    assert iam.get_role(RoleName="R")["Role"]["MaxSessionDuration"] == 3600


@pytest.mark.parametrize("kind", ["Role", "User", "Group"])
def test_what_has_policies_is_not_deleted(sandbox: Sandbox, kind: str) -> None:
    iam = iam_of(sandbox)
    name = {f"{kind}Name": "X"}
    verb = kind.lower()
    getattr(iam, f"create_{verb}")(**name, **({"AssumeRolePolicyDocument": trust()} if kind == "Role" else {}))
    getattr(iam, f"put_{verb}_policy")(**name, PolicyName="p", PolicyDocument=policy())
    delete = getattr(iam, f"delete_{verb}")
    assert refused("DeleteConflict", 409, lambda: delete(**name)) == "Cannot delete entity, must delete policies first."
    getattr(iam, f"delete_{verb}_policy")(**name, PolicyName="p")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy())["Policy"]["Arn"]
    getattr(iam, f"attach_{verb}_policy")(**name, PolicyArn=arn)
    message = refused("DeleteConflict", 409, lambda: delete(**name))
    assert message == "Cannot delete entity, must detach all policies first."
    message = refused("DeleteConflict", 409, lambda: iam.delete_policy(PolicyArn=arn))
    assert message == "Cannot delete a policy attached to entities."
    getattr(iam, f"detach_{verb}_policy")(**name, PolicyArn=arn)
    delete(**name)
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy())
    refused("DeleteConflict", 409, lambda: iam.delete_policy_version(PolicyArn=arn, VersionId="v1"))
    refused("DeleteConflict", 409, lambda: iam.delete_policy(PolicyArn=arn))
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)


def test_a_role_of_an_instance_profile_is_not_deleted(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust())
    iam.create_instance_profile(InstanceProfileName="P")
    iam.add_role_to_instance_profile(InstanceProfileName="P", RoleName="R")
    message = refused("DeleteConflict", 409, lambda: iam.delete_role(RoleName="R"))
    assert message == "Cannot delete entity, must remove roles from instance profile first."
    iam.remove_role_from_instance_profile(InstanceProfileName="P", RoleName="R")
    iam.delete_role(RoleName="R")


def test_users_with_keys_or_groups_and_groups_with_users_are_not_deleted(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_user(UserName="U")
    iam.create_group(GroupName="G")
    iam.add_user_to_group(UserName="U", GroupName="G")
    key = iam.create_access_key(UserName="U")["AccessKey"]["AccessKeyId"]
    refused("DeleteConflict", 409, lambda: iam.delete_group(GroupName="G"))
    refused("DeleteConflict", 409, lambda: iam.delete_user(UserName="U"))
    iam.remove_user_from_group(UserName="U", GroupName="G")
    refused("DeleteConflict", 409, lambda: iam.delete_user(UserName="U"))
    iam.delete_access_key(UserName="U", AccessKeyId=key)
    iam.delete_user(UserName="U")
    iam.delete_group(GroupName="G")


@pytest.mark.parametrize("path", ["/aws-reserved/x/", "/aws-service-role/x.amazonaws.com/"])
def test_only_aws_makes_roles_under_its_paths(sandbox: Sandbox, path: str) -> None:
    iam = iam_of(sandbox)
    refused("InvalidInput", 400, lambda: iam.create_role(RoleName="R", Path=path, AssumeRolePolicyDocument=trust()))
    iam.create_role(RoleName="R", Path="/aws/", AssumeRolePolicyDocument=trust())


@pytest.mark.parametrize("path", ["/aws-reserved/sso.amazonaws.com/", "/aws-service-role/x.amazonaws.com/"])
def test_roles_of_aws_are_not_modifiable(sandbox: Sandbox, path: str) -> None:
    iam = iam_of(sandbox)
    name = {"RoleName": "AWSReservedSSO_Admin_0123456789abcdef"}
    sandbox.strict.add_protected_role(STORAGE, name["RoleName"], path, {"Version": "2012-10-17", "Statement": []})
    for call in (
        lambda: iam.put_role_policy(**name, PolicyName="p", PolicyDocument=policy()),
        lambda: iam.update_role(**name, Description="x", MaxSessionDuration=3600),
        lambda: iam.update_assume_role_policy(**name, PolicyDocument=trust()),
        lambda: iam.delete_role(**name),
    ):
        assert f"protected role '{name['RoleName']}'" in refused("UnmodifiableEntity", 400, call)
    assert iam.get_role(**name)["Role"]["Path"] == path


@pytest.mark.parametrize(
    ("path", "open_to_all"),
    [
        ("/aws-reserved/sso.amazonaws.com/", False),
        ("/aws-reserved/x/", False),
        ("/aws-service-role/x.amazonaws.com/", True),
    ],
)
def test_only_tags_and_the_description_of_a_service_linked_role_may_change(
    sandbox: Sandbox, path: str, open_to_all: bool
) -> None:
    iam = iam_of(sandbox)
    sandbox.strict.add_protected_role(STORAGE, "R", path, {"Version": "2012-10-17", "Statement": []})
    calls: list[Callable[[], object]] = [
        lambda: iam.update_role(RoleName="R", Description="one"),
        lambda: iam.update_role_description(RoleName="R", Description="two"),
        lambda: iam.tag_role(RoleName="R", Tags=[{"Key": "a", "Value": "b"}]),
        lambda: iam.untag_role(RoleName="R", TagKeys=["a"]),
    ]
    for call in calls:
        if open_to_all:
            call()
        else:
            refused("UnmodifiableEntity", 400, call)
    description = iam.get_role(RoleName="R")["Role"]["Description"]
    assert description == ("two" if open_to_all else "made by AWS")


FAULTS: list[tuple[Kind, str, int]] = [
    (Kind.THROTTLING, "Throttling", 400),
    (Kind.SERVICE_FAILURE, "ServiceFailure", 500),
    (Kind.CONCURRENT_MODIFICATION, "ConcurrentModification", 409),
]


@pytest.mark.parametrize(("kind", "code", "status"), FAULTS)
def test_a_fault_strikes_the_calls_that_it_names_and_then_ends(
    sandbox: Sandbox, kind: Kind, code: str, status: int
) -> None:
    iam, elsewhere = iam_of(sandbox), iam_of(sandbox, DEV)
    sandbox.strict.faults.add(Fault(kind, times=2, operation="CreateGroup", account=STORAGE))
    elsewhere.create_group(GroupName="g")
    iam.list_groups()
    for _ in range(2):
        refused(code, status, lambda: iam.create_group(GroupName="g"))
    iam.create_group(GroupName="g")


@pytest.mark.parametrize(("kind", "made"), [(Kind.CUT_BEFORE, False), (Kind.CUT_AFTER, True)])
def test_a_connection_is_cut_before_or_after_the_effect(sandbox: Sandbox, kind: Kind, made: bool) -> None:
    iam = iam_of(sandbox)
    sandbox.strict.faults.add(Fault(kind))
    with pytest.raises(ConnectionClosedError):
        iam.create_group(GroupName="g")
    assert bool(iam.list_groups()["Groups"]) is made


def test_a_new_principal_is_valid_only_after_a_while(sandbox: Sandbox) -> None:
    iam, now = iam_of(sandbox), [0.0]
    sandbox.strict.faults.clock = lambda: now[0]
    sandbox.strict.faults.principal_delay = 2
    call = {"RoleName": "R", "AssumeRolePolicyDocument": trust(iam.create_user(UserName="u")["User"]["Arn"])}
    now[0] = 1.9
    assert "Invalid principal" in refused("MalformedPolicyDocument", 400, lambda: iam.create_role(**call))
    now[0] = 2
    iam.create_role(**call)


def test_a_new_role_and_a_new_policy_are_found_by_name_only_after_a_while(sandbox: Sandbox) -> None:
    iam, now = iam_of(sandbox), [0.0]
    sandbox.strict.faults.clock = lambda: now[0]
    sandbox.strict.faults.entity_delay = 2
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust())
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy())["Policy"]["Arn"]
    refused("NoSuchEntity", 404, lambda: iam.get_role(RoleName="R"))
    refused("NoSuchEntity", 404, lambda: iam.put_role_policy(RoleName="R", PolicyName="p", PolicyDocument=policy()))
    refused("NoSuchEntity", 404, lambda: iam.get_policy(PolicyArn=arn))
    now[0] = 2
    iam.attach_role_policy(RoleName="R", PolicyArn=arn)


def test_lists_show_an_account_for_a_while_as_it_was_before_it_was_written(sandbox: Sandbox) -> None:
    iam, now = iam_of(sandbox), [0.0]
    sandbox.strict.faults.clock = lambda: now[0]
    sandbox.strict.faults.list_delay = 2

    def shown() -> tuple[list[str], list[str]]:
        users = [user["UserName"] for user in iam.list_users()["Users"]]
        details = iam.get_account_authorization_details(Filter=["User"])["UserDetailList"]
        return users, [user["UserName"] for user in details]

    iam.create_user(UserName="u")
    now[0] = 2
    assert shown() == (["u"], ["u"])
    iam.delete_user(UserName="u")
    assert shown() == (["u"], ["u"])
    now[0] = 4
    assert shown() == ([], [])


ALICE = f"arn:aws:iam::{DEV}:user/alice"


def _two(principal: str, other: dict[str, Any]) -> str:
    document = json.loads(trust(principal))
    return json.dumps({**document, "Statement": [*document["Statement"], other]})


TRUSTS: list[tuple[str, dict[str, Any], bool]] = [
    (trust(ROOT), {}, True),
    (trust(ALICE), {}, True),
    (trust(f"arn:aws:iam::{DEV}:user/bob"), {}, False),
    (trust(STORAGE), {}, False),
    (trust(Condition={"StringEquals": {"sts:ExternalId": "canary"}}), {"ExternalId": "canary"}, True),
    (trust(Condition={"StringEquals": {"sts:ExternalId": "canary"}}), {"ExternalId": "other"}, False),
    (trust(Condition={"StringEquals": {"sts:ExternalId": "canary"}}), {}, False),
    (trust(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}), {}, False),
    (trust(Condition={"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{DEV}:user/a*"}}), {}, True),
    (trust(Condition={"StringEquals": {"aws:PrincipalOrgID": "o-1234567890"}}), {}, False),
    (_two(ROOT, {"Effect": "Deny", "Principal": "*", "Action": "sts:*"}), {}, False),
    (_two(ROOT, {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{DEV}:user/bob"}, "Action": "sts:*"}), {}, True),
    (_two(ROOT, {"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"}), {}, True),
    (
        _two(ROOT, {"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Condition": {"Null": {"aws:x": "true"}}}),
        {},
        False,
    ),
    (
        _two(
            ROOT,
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sts:*",
                "Condition": {"StringEquals": {"sts:ExternalId": "x"}},
            },
        ),
        {},
        True,
    ),
    (trust(Action="STS:assume*"), {}, True),
    (trust(Action="sts:TagSession"), {}, False),
    (trust(f"arn:aws:sts::{DEV}:assumed-role/xgrant-reconciler/session"), {}, False),
]


def _alice_may_assume(sandbox: Sandbox) -> None:
    allow = policy(Action="sts:AssumeRole", Resource=f"arn:aws:iam::{STORAGE}:role/R")
    root_client(sandbox, "iam", DEV).put_user_policy(UserName="alice", PolicyName="p", PolicyDocument=allow)


def _assume(scenario: Scenario, who: Credentials | str, **more: Any) -> None:
    arn = f"arn:aws:iam::{STORAGE}:role/R"
    scenario.client("sts", who).assume_role(RoleArn=arn, RoleSessionName="session", **more)


@pytest.mark.parametrize(("document", "more", "allowed"), TRUSTS)
def test_the_trust_policy_decides_who_assumes_a_role(
    scenario: Scenario, sandbox: Sandbox, document: str, more: dict[str, Any], allowed: bool
) -> None:
    root_client(sandbox, "iam", STORAGE).create_role(RoleName="R", AssumeRolePolicyDocument=document)
    _alice_may_assume(sandbox)
    sandbox.enforce(on=True)
    if allowed:
        _assume(scenario, "alice", **more)
    else:
        message = refused("AccessDenied", 403, lambda: _assume(scenario, "alice", **more))
        assert message.startswith(f"User: {ALICE} is not authorized to perform: sts:AssumeRole on resource: ")


def _longest(scenario: Scenario, sandbox: Sandbox, seconds: int) -> None:
    root_client(sandbox, "iam", STORAGE).create_role(
        RoleName="R", AssumeRolePolicyDocument=trust(), MaxSessionDuration=seconds
    )
    _alice_may_assume(sandbox)


def test_a_session_is_no_longer_than_its_role_allows(scenario: Scenario, sandbox: Sandbox) -> None:
    _longest(scenario, sandbox, 7200)
    _assume(scenario, "alice", DurationSeconds=7200)
    message = refused("ValidationError", 400, lambda: _assume(scenario, "alice", DurationSeconds=7201))
    assert message == "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    refused("ValidationError", 400, lambda: _assume(scenario, "alice", DurationSeconds=43201))


def test_a_session_of_a_role_gets_an_hour_of_another_role(scenario: Scenario, sandbox: Sandbox) -> None:
    _longest(scenario, sandbox, 7200)
    first = scenario.assume("operator", f"arn:aws:iam::{DEV}:role/xgrant-reconciler")
    _assume(scenario, first, DurationSeconds=3600)
    message = refused("ValidationError", 400, lambda: _assume(scenario, first, DurationSeconds=3601))
    assert message.endswith("exceeds the 1 hour session limit for roles assumed by role chaining")


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("RoleSessionName", "a+=,.@-_", "a b"),
        ("RoleSessionName", "s" * 64, "s" * 65),
        ("ExternalId", "a+=,.@:/-_", "a b"),
        ("ExternalId", "e" * 1224, "e" * 1225),
    ],
)
def test_a_parameter_of_a_session_has_an_alphabet_and_a_length(
    scenario: Scenario, sandbox: Sandbox, name: str, good: str, bad: str
) -> None:
    _longest(scenario, sandbox, 3600)
    call = {"RoleArn": f"arn:aws:iam::{STORAGE}:role/R", "RoleSessionName": "session"}
    sts = scenario.client("sts", "alice")
    refused("ValidationError", 400, lambda: sts.assume_role(**{**call, name: bad}))
    sts.assume_role(**{**call, name: good})


def test_a_recreated_namesake_does_not_regain_access(scenario: Scenario, sandbox: Sandbox) -> None:
    source, target = root_client(sandbox, "iam", DEV), root_client(sandbox, "iam", STORAGE)
    source.create_user(UserName="eve")
    document = trust(f"arn:aws:iam::{DEV}:user/eve")
    target.create_role(RoleName="R", AssumeRolePolicyDocument=document)
    source.delete_user(UserName="eve")
    source.create_user(UserName="eve")
    key = source.create_access_key(UserName="eve")["AccessKey"]
    allow = policy(Action="sts:AssumeRole", Resource="*")
    source.put_user_policy(UserName="eve", PolicyName="p", PolicyDocument=allow)
    eve = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    sandbox.enforce(on=True)
    refused("AccessDenied", 403, lambda: _assume(scenario, eve))
    sandbox.enforce(on=False)
    target.update_assume_role_policy(RoleName="R", PolicyDocument=document)
    sandbox.enforce(on=True)
    _assume(scenario, eve)


def test_a_role_that_trusts_a_user_of_its_own_account_lets_him_in(scenario: Scenario, sandbox: Sandbox) -> None:
    sandbox.enforce(on=True)
    scenario.assume("operator", f"arn:aws:iam::{DEV}:role/xgrant-reconciler")
    arn = f"arn:aws:iam::{DEV}:role/xgrant-reconciler"
    refused("AccessDenied", 403, lambda: scenario.assume("alice", arn))
