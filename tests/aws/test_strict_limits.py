"""The strict AWS refuses names, tags, sizes and counts as AWS does, and takes the neighbour just inside (1.1-1.4)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reconciler.sandbox.server import Sandbox
from tests.aws.strict_support import iam_of, policy, policy_of_size, refused, trust, trust_of_size
from tests.support import STORAGE

ROLE_PARAMETERS: list[tuple[str, Any, Any]] = [
    ("RoleName", "r" * 64, "r" * 65),
    ("RoleName", "a+=,.@-_", "a b"),
    ("RoleName", "plain", "päth"),
    ("Path", "/" + "p" * 510 + "/", "/" + "p" * 511 + "/"),
    ("Path", "/a/b/", "a/"),
    ("Description", "d" * 1000, "d" * 1001),
    ("Description", "Zürich", "an em dash \u2014"),
    ("Description", "a space", "a no-break\u00a0space"),
    ("MaxSessionDuration", 3600, 3599),
    ("MaxSessionDuration", 43200, 43201),
    ("AssumeRolePolicyDocument", trust(), trust().replace("Allow", "Allow\u2014")),
]


@pytest.mark.parametrize(("name", "good", "bad"), ROLE_PARAMETERS)
def test_a_parameter_of_a_role_has_an_alphabet_and_a_length(sandbox: Sandbox, name: str, good: Any, bad: Any) -> None:
    iam = iam_of(sandbox)
    other = {"RoleName": "Role", "AssumeRolePolicyDocument": trust().replace("\\u2014", "\u2014")}
    refused("ValidationError", 400, lambda: iam.create_role(**{**other, name: bad}))
    iam.create_role(**{**other, name: good})


@pytest.mark.parametrize(
    ("operation", "good", "bad"),
    [
        ("create_user", {"UserName": "u" * 64}, {"UserName": "u" * 65}),
        ("create_group", {"GroupName": "g" * 128}, {"GroupName": "g" * 129}),
        (
            "create_policy",
            {"PolicyName": "p" * 128, "PolicyDocument": policy()},
            {"PolicyName": "p" * 129, "PolicyDocument": policy()},
        ),
        (
            "create_policy",
            {"PolicyName": "p", "Path": "/a/", "PolicyDocument": policy()},
            {"PolicyName": "p", "Path": "/a*/", "PolicyDocument": policy()},
        ),
    ],
)
def test_other_names_have_their_own_lengths(sandbox: Sandbox, operation: str, good: Any, bad: Any) -> None:
    call = getattr(iam_of(sandbox), operation)
    refused("ValidationError", 400, lambda: call(**bad))
    call(**good)


def _tags(**tags: str) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]


@pytest.mark.parametrize(
    ("code", "good", "bad"),
    [
        ("ValidationError", _tags(**{f"k{i}": "" for i in range(50)}), _tags(**{f"k{i}": "" for i in range(51)})),
        ("ValidationError", _tags(**{"k" * 128: "v"}), _tags(**{"k" * 129: "v"})),
        ("ValidationError", _tags(k="v" * 256), _tags(k="v" * 257)),
        ("ValidationError", _tags(k="Zürich 8_.:/=+-@"), _tags(k="a,b")),
        ("InvalidInput", _tags(awsome="v"), _tags(**{"aws:x": "v"})),
        ("InvalidInput", _tags(Owner="a", Other="b"), _tags(Owner="a", owner="b")),
    ],
)
def test_tags_of_a_role_are_checked(sandbox: Sandbox, code: str, good: Any, bad: Any) -> None:
    iam = iam_of(sandbox)
    refused(code, 400, lambda: iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(), Tags=bad))
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(), Tags=good)


def test_tags_of_awss_own_are_not_taken_away(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(), Tags=_tags(k="v"))
    refused("InvalidInput", 400, lambda: iam.untag_role(RoleName="R", TagKeys=["k", "AWS:x"]))
    iam.untag_role(RoleName="R", TagKeys=["k"])


def test_a_role_holds_fifty_tags_over_several_calls(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    first = _tags(**{f"k{i}": "" for i in range(49)})
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(), Tags=first)
    iam.tag_role(RoleName="R", Tags=_tags(K1="overwrites", one="more"))
    refused("LimitExceeded", 409, lambda: iam.tag_role(RoleName="R", Tags=_tags(two="more")))


@pytest.mark.parametrize("kind", ["Role", "User", "Group"])
def test_names_are_unique_ignoring_case(sandbox: Sandbox, kind: str) -> None:
    iam = iam_of(sandbox)
    create = getattr(iam, f"create_{kind.lower()}")
    more = {"AssumeRolePolicyDocument": trust()} if kind == "Role" else {}
    create(**{f"{kind}Name": "Reader"}, **more)
    refused("EntityAlreadyExists", 409, lambda: create(**{f"{kind}Name": "READER"}, **more))
    create(**{f"{kind}Name": "Reader2"}, **more)


@pytest.mark.parametrize(("kind", "most"), [("role", 10240), ("user", 2048), ("group", 5120)])
def test_inline_policies_share_a_size_without_white_space(sandbox: Sandbox, kind: str, most: int) -> None:
    iam = iam_of(sandbox)
    name = {f"{kind.capitalize()}Name": "X"}
    getattr(iam, f"create_{kind}")(**name, **({"AssumeRolePolicyDocument": trust()} if kind == "role" else {}))
    put = getattr(iam, f"put_{kind}_policy")
    put(**name, PolicyName="a", PolicyDocument=policy_of_size(1000))
    too_big = policy_of_size(most - 999)
    message = refused("LimitExceeded", 409, lambda: put(**name, PolicyName="b", PolicyDocument=too_big))
    assert message == f"Maximum policy size of {most} bytes exceeded for {kind} X"
    put(**name, PolicyName="b", PolicyDocument=json.dumps(json.loads(policy_of_size(most - 1000)), indent=8))
    put(**name, PolicyName="a", PolicyDocument=policy_of_size(1000))


def test_a_trust_policy_has_a_size(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    big = trust_of_size(2049)
    message = refused("LimitExceeded", 409, lambda: iam.create_role(RoleName="R", AssumeRolePolicyDocument=big))
    assert message == "Cannot exceed quota for ACLSizePerRole: 2048"
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust_of_size(2048))
    refused("LimitExceeded", 409, lambda: iam.update_assume_role_policy(RoleName="R", PolicyDocument=big))


def test_a_managed_policy_has_a_size_and_five_versions(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    big = policy_of_size(6145)
    message = refused("LimitExceeded", 409, lambda: iam.create_policy(PolicyName="p", PolicyDocument=big))
    assert message == "Cannot exceed quota for PolicySize: 6144"
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy_of_size(6144))["Policy"]["Arn"]
    refused("LimitExceeded", 409, lambda: iam.create_policy_version(PolicyArn=arn, PolicyDocument=big))
    for _ in range(4):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy())
    refused("LimitExceeded", 409, lambda: iam.create_policy_version(PolicyArn=arn, PolicyDocument=policy()))


@pytest.mark.parametrize("kind", ["Role", "User", "Group"])
def test_ten_managed_policies_are_attached_and_no_more(sandbox: Sandbox, kind: str) -> None:
    iam = iam_of(sandbox)
    name = {f"{kind}Name": "X"}
    more = {"AssumeRolePolicyDocument": trust()} if kind == "Role" else {}
    getattr(iam, f"create_{kind.lower()}")(**name, **more)
    attach = getattr(iam, f"attach_{kind.lower()}_policy")
    arns = [iam.create_policy(PolicyName=f"p{i}", PolicyDocument=policy())["Policy"]["Arn"] for i in range(11)]
    for arn in arns[:10]:
        attach(**name, PolicyArn=arn)
    attach(**name, PolicyArn=arns[0])
    message = refused("LimitExceeded", 409, lambda: attach(**name, PolicyArn=arns[10]))
    assert message == f"Cannot exceed quota for PoliciesPer{kind}: 10"
    refused("NoSuchEntity", 404, lambda: attach(**name, PolicyArn=f"arn:aws:iam::{STORAGE}:policy/none"))


def test_the_quotas_are_those_that_the_account_summary_says(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    sandbox.strict.quotas[STORAGE] = {"AssumeRolePolicySizeQuota": 4096, "RolesQuota": 1}
    summary = iam.get_account_summary()["SummaryMap"]
    assert (summary["AssumeRolePolicySizeQuota"], summary["RolesQuota"]) == (4096, 1)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust_of_size(4096))
    refused("LimitExceeded", 409, lambda: iam.create_role(RoleName="S", AssumeRolePolicyDocument=trust()))


@pytest.mark.parametrize(
    ("quota", "operation", "parameters"),
    [
        ("UsersQuota", "create_user", {"UserName": "{}"}),
        ("GroupsQuota", "create_group", {"GroupName": "{}"}),
        ("RolesQuota", "create_role", {"RoleName": "{}", "AssumeRolePolicyDocument": trust()}),
        ("PoliciesQuota", "create_policy", {"PolicyName": "{}", "PolicyDocument": policy()}),
    ],
)
def test_an_account_holds_so_many_of_each(
    sandbox: Sandbox, quota: str, operation: str, parameters: dict[str, str]
) -> None:
    sandbox.strict.quotas[STORAGE] = {quota: 2}
    call = getattr(iam_of(sandbox), operation)

    def create(name: str) -> object:
        return call(**{key: name if value == "{}" else value for key, value in parameters.items()})

    create("one")
    create("two")
    assert refused("LimitExceeded", 409, lambda: create("three")).startswith("Cannot exceed quota for ")


def test_a_boundary_is_a_managed_policy_that_exists(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust())
    none = f"arn:aws:iam::{STORAGE}:policy/none"
    refused("NoSuchEntity", 404, lambda: iam.put_role_permissions_boundary(RoleName="R", PermissionsBoundary=none))
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy())["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="R", PermissionsBoundary=arn)
