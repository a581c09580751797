"""The strict AWS refuses documents that are no policies, and trust policies whose principals do not exist (4.3, 6)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.sandbox.scenario import Scenario
from reconciler.sandbox.server import Sandbox
from tests.aws.strict_support import ROOT, iam_of, refused, trust
from tests.support import DEV, STORAGE


def _document(*statements: Any, **more: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **more})


ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
NO_POLICIES = {
    "no JSON": "not json",
    "a list": "[]",
    "no statement": '{"Version": "2012-10-17"}',
    "another version": _document(ALLOW, Version="2020-01-01"),
    "an unknown element": _document(ALLOW, Extra=1),
    "an unknown element in a statement": _document({**ALLOW, "Extra": 1}),
    "no effect": _document({"Action": "s3:GetObject", "Resource": "*"}),
    "an effect in another case": _document({**ALLOW, "Effect": "allow"}),
    "no action": _document({"Effect": "Allow", "Resource": "*"}),
    "no resource": _document({"Effect": "Allow", "Action": "s3:GetObject"}),
    "both kinds of action": _document({**ALLOW, "NotAction": "s3:PutObject"}),
    "both kinds of resource": _document({**ALLOW, "NotResource": "*"}),
    "no action in the list": _document({**ALLOW, "Action": []}),
    "no resource in the list": _document({**ALLOW, "Resource": []}),
    "an action that is a number": _document({**ALLOW, "Action": 5}),
    "an action that is null": _document({**ALLOW, "Action": None}),
    "an operator without keys": _document({**ALLOW, "Condition": {"StringEquals": {}}}),
    "a key without values": _document({**ALLOW, "Condition": {"StringEquals": {"aws:x": []}}}),
    "a key with null": _document({**ALLOW, "Condition": {"StringEquals": {"aws:x": None}}}),
    "an operator that there is not": _document({**ALLOW, "Condition": {"StringIs": {"aws:x": "y"}}}),
    "a condition that is a list": _document({**ALLOW, "Condition": []}),
    "a key twice": _document(ALLOW).replace('"Effect"', '"Effect": "Deny", "Effect"'),
    "NaN": _document({**ALLOW, "Condition": {"NumericEquals": {"aws:x": float("nan")}}}),
    "a list five thousand deep": "[" * 5000,
    "a statement that is a list": _document([ALLOW]),
    "a Version that is a list": _document(ALLOW, Version=["2012-10-17"]),
    "a Sid twice": _document({**ALLOW, "Sid": "A"}, {**ALLOW, "Sid": "A"}),
    "a Sid with a dash": _document({**ALLOW, "Sid": "a-b"}),
    "a principal": _document({**ALLOW, "Principal": "*"}),
}


@pytest.mark.parametrize("text", NO_POLICIES.values(), ids=NO_POLICIES.keys())
def test_what_is_no_identity_policy_is_refused(sandbox: Sandbox, text: str) -> None:
    iam = iam_of(sandbox)
    iam.create_group(GroupName="g")
    put = {"GroupName": "g", "PolicyName": "p"}
    refused("MalformedPolicyDocument", 400, lambda: iam.put_group_policy(**put, PolicyDocument=text))
    refused("MalformedPolicyDocument", 400, lambda: iam.create_policy(PolicyName="p", PolicyDocument=text))
    other = {"Effect": "Deny", "NotAction": ["s3:*"], "NotResource": "*", "Condition": {"Null": {"aws:x": True}}}
    iam.put_group_policy(**put, PolicyDocument=_document({**ALLOW, "Sid": "A"}, {**other, "Sid": "B"}))


@pytest.mark.parametrize("head", [{"Version": "2012-10-17"}, {"Version": "2008-10-17"}, {}])
def test_both_versions_of_the_language_are_taken_and_the_older_is_the_default(sandbox: Sandbox, head: Any) -> None:
    iam = iam_of(sandbox)
    text = json.dumps({**head, "Statement": [ALLOW]})
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=text)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=text)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=text)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=json.dumps({**head, "Statement": [TRUST]}))
    iam.update_assume_role_policy(RoleName="R", PolicyDocument=json.dumps({**head, "Statement": [TRUST]}))
    found = iam.get_group_policy(GroupName="g", PolicyName="p")["PolicyDocument"]
    assert {key: value for key, value in found.items() if key != "Statement"} == head


TRUST = {"Effect": "Allow", "Principal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}
NO_TRUST = {
    "no JSON": "not json",
    "no principal": _document({"Effect": "Allow", "Action": "sts:AssumeRole"}),
    "an empty principal": _document({**TRUST, "Principal": {}}),
    "a principal that is a list": _document({**TRUST, "Principal": [ROOT]}),
    "a principal that is a name": _document({**TRUST, "Principal": ROOT}),
    "a principal that is null": _document({**TRUST, "Principal": None}),
    "an unknown kind of principal": _document({**TRUST, "Principal": {"Aws": ROOT}}),
    "nobody in the list": trust([]),
    "a principal's name that is a number": trust(int(DEV)),
    "a principal's name that is null": trust(None),
    "a principal's name in two lists": trust([[ROOT]]),
    "no action in the list": trust(Action=[]),
    "an operator without keys": trust(Condition={"StringEquals": {}}),
    "an operator that there is not": trust(Condition={"StringIs": {"aws:x": "y"}}),
    "a key twice": trust().replace('"Effect"', '"Effect": "Deny", "Effect"'),
    "a list five thousand deep": "[" * 5000,
    "a Sid with a dash": trust(Sid="a-b"),
    "a resource": trust(Resource="*"),
    "the opposite of a resource": trust(NotResource="*"),
    "NotPrincipal": trust(NotPrincipal={"AWS": ROOT}),
    "an action that is not STS's": trust().replace("sts:AssumeRole", "s3:GetObject"),
}


@pytest.mark.parametrize("text", NO_TRUST.values(), ids=NO_TRUST.keys())
def test_what_is_no_trust_policy_is_refused(sandbox: Sandbox, text: str) -> None:
    iam = iam_of(sandbox)
    refused("MalformedPolicyDocument", 400, lambda: iam.create_role(RoleName="R", AssumeRolePolicyDocument=text))
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust())
    refused("MalformedPolicyDocument", 400, lambda: iam.update_assume_role_policy(RoleName="R", PolicyDocument=text))


NOBODY = {
    "a user that does not exist": f"arn:aws:iam::{DEV}:user/nobody",
    "another case": f"arn:aws:iam::{DEV}:user/Alice",
    "another path": f"arn:aws:iam::{DEV}:user/team/alice",
    "a group": f"arn:aws:iam::{DEV}:group/developers",
    "a wildcard in a name": f"arn:aws:iam::{DEV}:user/ali*",
    "a role of an unknown account": "arn:aws:iam::222222222222:role/Any",
    "a session of a role that does not exist": f"arn:aws:sts::{DEV}:assumed-role/None/session",
    "a session in an unknown account": "arn:aws:sts::222222222222:assumed-role/xgrant-reconciler/session",
    "every session of a role": f"arn:aws:sts::{DEV}:assumed-role/xgrant-reconciler/*",
    "the root of a closed account": "arn:aws:iam::333333333333:root",
    "an id that nobody has": "AROAEXAMPLEEXAMPLE123",
    "no principal at all": "alice",
}


@pytest.mark.parametrize("principal", NOBODY.values(), ids=NOBODY.keys())
def test_a_principal_that_does_not_exist_is_refused(scenario: Scenario, sandbox: Sandbox, principal: str) -> None:
    sandbox.strict.trusts.closed.add("333333333333")
    iam = iam_of(sandbox)
    call = {"RoleName": "R", "AssumeRolePolicyDocument": trust([ROOT, principal])}
    message = refused("MalformedPolicyDocument", 400, lambda: iam.create_role(**call))
    assert message == f'Invalid principal in policy: "AWS":"{principal}"'


def test_principals_that_exist_are_taken(scenario: Scenario, sandbox: Sandbox) -> None:
    everybody = [
        f"arn:aws:iam::{DEV}:user/alice",
        f"arn:aws:iam::{STORAGE}:role/xgrant-reconciler",
        f"arn:aws:sts::{DEV}:assumed-role/xgrant-reconciler/session",
        "444444444444",
        "*",
    ]
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(everybody))
    others: tuple[Any, ...] = ("*", {"Service": "ec2.amazonaws.com", "Federated": ["cognito-identity.amazonaws.com"]})
    for principal in others:
        iam.update_assume_role_policy(RoleName="R", PolicyDocument=_document({**TRUST, "Principal": principal}))


def _principals(iam: Any) -> list[str]:
    found = iam.get_role(RoleName="R")["Role"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"]
    return sorted([found] if isinstance(found, str) else found)


def test_an_account_id_comes_back_as_the_root(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(DEV))
    assert _principals(iam) == [ROOT]


@pytest.mark.parametrize("kind", ["user", "role"])
def test_a_deleted_principal_turns_into_its_id_until_the_trust_is_written_again(sandbox: Sandbox, kind: str) -> None:
    source, target = iam_of(sandbox, DEV), iam_of(sandbox)
    create, delete = getattr(source, f"create_{kind}"), getattr(source, f"delete_{kind}")
    name = {f"{kind.capitalize()}Name": "caller"}
    more = {"AssumeRolePolicyDocument": trust()} if kind == "role" else {}
    first = create(**name, **more)[kind.capitalize()]
    unique_id = first[f"{kind.capitalize()}Id"]
    assert unique_id.startswith("AIDA" if kind == "user" else "AROA")
    target.create_role(RoleName="R", AssumeRolePolicyDocument=trust(first["Arn"]))
    assert _principals(target) == [first["Arn"]]
    delete(**name)
    assert _principals(target) == [unique_id]
    create(**name, **more)
    assert _principals(target) == [unique_id]
    literal = trust(unique_id)
    refused(
        "MalformedPolicyDocument", 400, lambda: target.update_assume_role_policy(RoleName="R", PolicyDocument=literal)
    )
    target.update_assume_role_policy(RoleName="R", PolicyDocument=trust(first["Arn"]))
    assert _principals(target) == [first["Arn"]]


def test_the_id_of_a_living_principal_comes_back_as_its_arn(sandbox: Sandbox) -> None:
    user = iam_of(sandbox, DEV).create_user(UserName="u")["User"]
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(user["UserId"]))
    assert _principals(iam) == [user["Arn"]]


def test_a_user_who_is_renamed_or_moved_is_shown_by_the_arn_of_today(sandbox: Sandbox) -> None:
    source, target = iam_of(sandbox, DEV), iam_of(sandbox)
    user = source.create_user(UserName="old")["User"]
    target.create_role(RoleName="R", AssumeRolePolicyDocument=trust(user["Arn"]))
    source.update_user(UserName="old", NewUserName="new", NewPath="/team/")
    assert _principals(target) == [f"arn:aws:iam::{DEV}:user/team/new"]
    source.create_user(UserName="old")
    assert _principals(target) == [f"arn:aws:iam::{DEV}:user/team/new"]
    source.delete_user(UserName="new")
    assert _principals(target) == [user["UserId"]]


def test_a_statement_without_a_list_comes_back_with_or_without_one(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    document = json.loads(trust())
    alone = json.dumps({**document, "Statement": document["Statement"][0]})
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=alone)
    seen = [iam.get_role(RoleName="R")["Role"]["AssumeRolePolicyDocument"]["Statement"] for _ in range(20)]
    assert {type(found) for found in seen} == {list, dict}


def test_a_planted_trust_policy_that_is_no_json_is_returned_as_it_is(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust())
    sandbox.strict.plant_trust(STORAGE, "R", "{broken")
    assert iam.get_role(RoleName="R")["Role"]["AssumeRolePolicyDocument"] == "%7Bbroken"
    iam.update_assume_role_policy(RoleName="R", PolicyDocument=trust())
