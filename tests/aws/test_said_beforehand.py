"""Whatever the strict AWS refuses, the plan says before anything is written. Each row is a rule of AWS.

Left out is what moto refuses by itself and AWS is not known to: how it reads dates and times beyond their form; which
words begin the resources of IAM (`user/`, `role/`, ...), among which it has no `*`; that of S3 only access points have
a region. XG227 is the other way round: a second policy of one name, under another path, may be what AWS takes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.conftest import Run

ALLOW = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]})
Prepare = Callable[[Sandbox], object]


def nothing(sandbox: Sandbox) -> None:
    """Leave AWS as it is."""


def filled(holder: str, size: int) -> Prepare:
    """Put inline policies of so many characters on alice or developers by hand."""
    empty = len(json.dumps(json.loads(ALLOW), separators=(",", ":"))) + len("arn:aws:s3:::") - 1
    text = ALLOW.replace('"*"', f'"arn:aws:s3:::{"b" * (size - empty)}"')

    def prepare(sandbox: Sandbox) -> None:
        iam = root_client(sandbox, "iam", SOURCE)
        if holder == "alice":
            iam.put_user_policy(UserName=holder, PolicyName="by-hand", PolicyDocument=text)
        else:
            iam.put_group_policy(GroupName=holder, PolicyName="by-hand", PolicyDocument=text)

    return prepare


def roles_quota(sandbox: Sandbox) -> None:
    sandbox.strict.quotas[TARGET] = {"RolesQuota": 1}


def attached(sandbox: Sandbox) -> None:
    iam = root_client(sandbox, "iam", SOURCE)
    for number in range(10):
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=ALLOW)["Policy"]["Arn"]
        iam.attach_group_policy(GroupName="developers", PolicyArn=arn)


def namesake(sandbox: Sandbox) -> None:
    trust = ALLOW.replace("s3:*", "sts:AssumeRole").replace('"Resource": "*"', '"Principal": {"AWS": "*"}')
    root_client(sandbox, "iam", TARGET).create_role(RoleName="READER", AssumeRolePolicyDocument=trust)


def own_policies(sandbox: Sandbox) -> None:
    for number in range(11):
        root_client(sandbox, "iam", TARGET).create_policy(PolicyName=f"p{number}", PolicyDocument=ALLOW)


def policies_quota(sandbox: Sandbox) -> None:
    sandbox.strict.quotas[SOURCE] = {"PoliciesQuota": 0}


def attached_to_alice(sandbox: Sandbox) -> None:
    iam = root_client(sandbox, "iam", SOURCE)
    for number in range(10):
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=ALLOW)["Policy"]["Arn"]
        iam.attach_user_policy(UserName="alice", PolicyArn=arn)


def document(*statements: Any, **more: Any) -> dict[str, Any]:
    """Return the part of a grant that states a whole policy."""
    return {"policy": {"Version": "2012-10-17", "Statement": list(statements), **more}, "permissions": None}


def sized(size: int) -> dict[str, Any]:
    """Return a policy of about so many characters."""
    resources = [f"arn:aws:s3:::{'x' * 400}{number:04}" for number in range(size // 420)]
    return {"Version": "2012-10-17", "Statement": [{**STATEMENT, "Resource": resources}]}


STATEMENT: dict[str, Any] = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
DATE = {"Condition": {"DateLessThan": {"aws:CurrentTime": "yesterday"}}}
NO_JSON, KEY_TWICE = "not json", '{"Version": "2012-10-17", "Statement": [], "Statement": [{"Effect": "Allow"}]}'
USERS = [f"user-{number:04}-{'x' * 50}" for number in range(40)]


def many_users(sandbox: Sandbox) -> None:
    for name in USERS:
        root_client(sandbox, "iam", SOURCE).create_user(UserName=name)


GRANT: dict[str, Any] = {
    "from": {"account": "dev", "groups": ["developers"]},
    "to": {"account": "storage"},
    "permissions": [{"actions": "s3:GetObject", "resources": "*"}],
}
POLICY = f"arn:aws:iam::{TARGET}:policy"


@pytest.mark.parametrize(
    ("code", "changed", "prepare"),
    [
        pytest.param("XG029", {"to": {"account": "storage", "role": "a b"}}, nothing, id="role name: alphabet"),
        pytest.param("XG029", {"to": {"account": "storage", "role": "r" * 65}}, nothing, id="role name: length"),
        pytest.param("XG029", {"to": {"account": "storage", "path": "/a b/"}}, nothing, id="path: alphabet"),
        pytest.param("XG029", {"to": {"account": "storage", "path": f"/{'p' * 511}/"}}, nothing, id="path: length"),
        pytest.param("XG031", {"description": "an em dash \u2014"}, nothing, id="description: alphabet"),
        pytest.param("XG031", {"description": "d" * 1001}, nothing, id="description: length"),
        pytest.param("XG030", {"tags": {"a!": "b"}}, nothing, id="tag key: alphabet"),
        pytest.param("XG030", {"tags": {"k" * 129: "b"}}, nothing, id="tag key: length"),
        pytest.param("XG030", {"tags": {"a": "v" * 257}}, nothing, id="tag value: length"),
        pytest.param("XG030", {"tags": {"aws:a": "b"}}, nothing, id="tag key: reserved"),
        pytest.param("XG030", {"tags": {"Owner": "a", "owner": "b"}}, nothing, id="tag keys: case"),
        pytest.param("XG030", {"tags": {f"k{n}": "v" for n in range(49)}}, nothing, id="tags: number"),
        pytest.param("XG037", {"session": {"max_duration": "13h"}}, nothing, id="session: longest"),
        pytest.param("XG037", {"session": {"max_duration": "59m"}}, nothing, id="session: shortest"),
        pytest.param("XG027", {"permissions": [{"actions": "s3", "resources": "*"}]}, nothing, id="document: action"),
        pytest.param("XG028", {"permissions": [{"actions": "s3:*", "resources": "b"}]}, nothing, id="document: resource"),
        pytest.param(
            "XG033", {"permissions": [{"sid": "A", "actions": "s3:*", "resources": "*"}] * 2}, nothing,
            id="document: a Sid twice",
        ),
        pytest.param(
            "XG013", {"policy": {"Version": "2012-10-17", "Statement": []}, "permissions": None}, nothing,
            id="document: no statement",
        ),
        pytest.param("XG013", document({**STATEMENT, "Sid": "a-b"}), nothing, id="document: alphabet of a Sid"),
        pytest.param("XG010", document({**STATEMENT, "Extra": 1}), nothing, id="document: unknown element"),
        pytest.param("XG010", document(STATEMENT, Extra=1), nothing, id="document: unknown element beside statements"),
        pytest.param("XG013", document(STATEMENT, Version="2020-01-01"), nothing, id="document: other Version"),
        pytest.param("XG011", document({"Action": "s3:*", "Resource": "*"}), nothing, id="document: no Effect"),
        pytest.param("XG013", document({**STATEMENT, "Effect": "allow"}), nothing, id="document: case of Effect"),
        pytest.param("XG013", document({"Effect": "Allow", "Resource": "*"}), nothing, id="document: no Action"),
        pytest.param("XG013", document({"Effect": "Allow", "Action": "s3:*"}), nothing, id="document: no Resource"),
        pytest.param("XG013", document({**STATEMENT, "NotAction": "s3:*"}), nothing, id="document: Action and NotAction"),
        pytest.param("XG013", document({**STATEMENT, "NotResource": "*"}), nothing, id="document: Resource and NotResource"),
        pytest.param("XG013", document({**STATEMENT, "Action": []}), nothing, id="document: Action without actions"),
        pytest.param("XG010", document({**STATEMENT, "Principal": "*"}), nothing, id="document: Principal"),
        pytest.param(
            "XG013", document({**STATEMENT, "Condition": {"StringIs": {"aws:x": "y"}}}), nothing, id="document: operator"
        ),
        pytest.param(
            "XG013", document({**STATEMENT, "Condition": {"StringEquals": {}}}), nothing,
            id="document: operator without keys",
        ),
        pytest.param("XG034", document({**STATEMENT, **DATE}), nothing, id="document: date"),
        pytest.param(
            "XG034", {"trust_conditions": DATE["Condition"]}, nothing, id="trust conditions: date"
        ),
        pytest.param(
            "XG028", document({**STATEMENT, "Resource": "arn:aws:s3:us-east-1:123456789012:b"}), nothing,
            id="document: region of a bucket",
        ),
        pytest.param(
            "XG028", document({**STATEMENT, "Resource": "arn:aws:iam:us-east-1:123456789012:user/x"}), nothing,
            id="document: region of a user",
        ),
        pytest.param(
            "XG028", document({**STATEMENT, "Resource": "arn:aws-foo:s3:::b"}), nothing, id="document: partition"
        ),
        pytest.param("XG002", {"policy": {"file": "no.json"}, "permissions": None}, nothing, id="document: no JSON"),
        pytest.param("XG002", {"policy": {"file": "twice.json"}, "permissions": None}, nothing, id="document: a key twice"),
        pytest.param("XG041", {"to": {"account": "storage", "path": "/aws-service-role/x/"}}, nothing, id="service-linked"),
        pytest.param(
            "XG041", {"from": {"account": "dev", "roles": ["aws-service-role/x.amazonaws.com/X"]}}, nothing,
            id="service-linked caller",
        ),
        pytest.param(
            "XG041", {"from": {"account": "dev", "roles": ["aws-reserved/sso.amazonaws.com/AWSReservedSSO_X_0"]}}, nothing,
            id="caller of Identity Center",
        ),
        pytest.param("XG041", {"to": {"account": "storage", "role": "AWSReservedSSO_X_0"}}, nothing, id="Identity Center"),
        pytest.param("XG202", {"from": {"account": "dev", "users": ["nobody"]}}, nothing, id="principal: user"),
        pytest.param("XG202", {"from": {"account": "dev", "roles": ["nobody"]}}, nothing, id="principal: role"),
        pytest.param("XG202", {"from": {"account": "dev", "groups": ["nobody"]}}, nothing, id="principal: group"),
        pytest.param("XG202", {"from": {"account": "dev", "users": ["Alice"]}}, nothing, id="principal: case"),
        pytest.param("XG202", {"from": {"account": "dev", "users": ["x/alice"]}}, nothing, id="principal: path"),
        pytest.param("XG224", {"managed_policies": [f"{POLICY}/none"]}, nothing, id="managed policy: absent"),
        pytest.param("XG224", {"permissions_boundary": f"{POLICY}/none"}, nothing, id="boundary: absent"),
        pytest.param("XG201", {}, namesake, id="role name: case"),
        pytest.param("XG220", {}, filled("developers", 5100), id="inline policies of a group"),
        pytest.param(
            "XG220", {"from": {"account": "dev", "users": ["alice"]}}, filled("alice", 2040),
            id="inline policies of a user",
        ),
        pytest.param("XG221", {"from": {"account": "dev", "users": USERS}}, many_users, id="trust policy: size"),
        pytest.param(
            "XG222", {"managed_policies": [f"{POLICY}/p{n}" for n in range(11)]}, own_policies, id="attachments of a role"
        ),
        pytest.param("XG222", {"caller_policy": "managed"}, attached, id="attachments of a group"),
        pytest.param(
            "XG222", {"caller_policy": "managed", "from": {"account": "dev", "users": ["alice"]}}, attached_to_alice,
            id="attachments of a user",
        ),
        pytest.param(
            "XG220", {"inline_policies": {"a": sized(8000), "b": sized(3000)}, "permissions": None}, nothing,
            id="inline policies of a role",
        ),
        pytest.param(
            "XG220", document({"Effect": "Allow", "NotAction": [f"s3:A{n:05}" for n in range(1000)], "Resource": "*"}),
            nothing, id="managed policy: size",
        ),
        pytest.param("XG223", {}, roles_quota, id="roles of an account"),
        pytest.param("XG223", {"caller_policy": "managed"}, policies_quota, id="policies of an account"),
    ],
)  # fmt: skip
def test_the_plan_says_what_aws_would_refuse(
    scenario: Scenario,
    sandbox: Sandbox,
    xgrant: Run,
    tmp_path: Path,
    code: str,
    changed: dict[str, Any],
    prepare: Prepare,
) -> None:
    prepare(sandbox)
    sandbox.recorder.take()
    (tmp_path / "no.json").write_text(NO_JSON)
    (tmp_path / "twice.json").write_text(KEY_TWICE)
    grant = {key: value for key, value in {**GRANT, **changed}.items() if value is not None}
    assert_refused(xgrant, sandbox, manifest(tmp_path, {"reader": grant}), code)


@pytest.mark.parametrize(("users", "code", "said"), [(20, 0, False), (21, 0, True), (23, 3, True)])
def test_a_trust_policy_a_tenth_over_the_quota_is_only_warned_of(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, users: int, code: int, said: bool
) -> None:
    many_users(sandbox)
    file = manifest(tmp_path, {"reader": {**GRANT, "from": {"account": "dev", "users": USERS[:users]}}})
    result = xgrant("plan", file)
    assert (result.code, "XG221" in result.out) == (code, said)


def test_the_plan_says_that_a_policy_cannot_go_which_bounds_somebody(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    file = manifest(tmp_path, {"reader": {**GRANT, "caller_policy": "managed"}})
    assert xgrant("apply", file, "--auto-approve").code == 0
    iam = root_client(sandbox, "iam", SOURCE)
    (arn,) = [policy["Arn"] for policy in iam.list_policies(Scope="Local")["Policies"]]
    iam.put_role_permissions_boundary(RoleName="xgrant-reconciler", PermissionsBoundary=arn)
    sandbox.recorder.take()
    assert f"{arn} is the permissions boundary of role/xgrant-reconciler" in xgrant("plan", "--destroy", file).out
    assert_refused(xgrant, sandbox, manifest(tmp_path, {}), "XG228")
    iam.delete_role_permissions_boundary(RoleName="xgrant-reconciler")
    assert xgrant("apply", file, "--auto-approve").code == 0


def manifest(folder: Path, grants: dict[str, Any]) -> Path:
    file = folder / "m.yaml"
    file.write_text(
        json.dumps(
            {
                "version": 1,
                "stack": "platform",
                "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
                "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
                "grants": grants,
            }
        )
    )
    return file


def assert_refused(xgrant: Run, sandbox: Sandbox, file: Path, code: str) -> None:
    for command in (["plan"], ["apply", "--auto-approve"]):
        result = xgrant(*command, file)
        assert result.code == 3, result.out + result.err
        assert code in result.out + result.err
    assert list(writes(sandbox.recorder.take())) == []
