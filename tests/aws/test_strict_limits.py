"""The strict AWS refuses names, tags, sizes and counts as AWS does, and takes the neighbour just inside (1.1-1.4)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from moto.iam.models import iam_backends

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
    ("MaxSessionDuration", 3600, "abc"),
    ("MaxSessionDuration", 3600, "3600.5"),
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
        ("create_user", {"UserName": "a+=,.@-_"}, {"UserName": "a b"}),
        ("create_user", {"UserName": "u"}, {"UserName": ""}),
        ("create_group", {"GroupName": "a+=,.@-_"}, {"GroupName": "a b"}),
        (
            "create_policy",
            {"PolicyName": "p", "Description": "\u2014" * 1000, "PolicyDocument": policy()},
            {"PolicyName": "p", "Description": "d" * 1001, "PolicyDocument": policy()},
        ),
        (
            "create_policy",
            {"PolicyName": "p", "PolicyDocument": policy().replace("s3", "s3")},
            {"PolicyName": "p", "PolicyDocument": policy(Sid="A").replace("A", "\u0416")},
        ),
        (
            "create_policy",
            {"PolicyName": "p", "PolicyDocument": policy() + " " * (131072 - len(policy()))},
            {"PolicyName": "p", "PolicyDocument": policy() + " " * (131073 - len(policy()))},
        ),
        (
            "create_role",
            {"RoleName": "r", "AssumeRolePolicyDocument": trust() + " " * (131072 - len(trust()))},
            {"RoleName": "r", "AssumeRolePolicyDocument": trust() + " " * (131073 - len(trust()))},
        ),
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
        ("ValidationError", _tags(k="a\u00a0b"), _tags(k="a\tb")),
        ("ValidationError", _tags(k="a b"), _tags(k="a\nb")),
        ("ValidationError", _tags(k=""), _tags(**{"": "v"})),
        ("InvalidInput", _tags(AWSome="v"), _tags(**{"AWS:x": "v"})),
        ("InvalidInput", _tags(awsome="v"), _tags(**{"aws:x": "v"})),
        ("InvalidInput", _tags(Owner="a", Other="b"), _tags(Owner="a", owner="b")),
    ],
)
def test_tags_of_a_role_are_checked(sandbox: Sandbox, code: str, good: Any, bad: Any) -> None:
    iam = iam_of(sandbox)
    refused(code, 400, lambda: iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(), Tags=bad))
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(), Tags=good)


def test_the_arn_of_a_policy_has_a_length(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_group(GroupName="g")
    for arn, code, status in (
        ("a" * 19, "ValidationError", 400), ("a" * 20, "NoSuchEntity", 404),
        ("a" * 2048, "NoSuchEntity", 404), ("a" * 2049, "ValidationError", 400),
    ):  # fmt: skip
        refused(code, status, lambda arn=arn: iam.attach_group_policy(GroupName="g", PolicyArn=arn))  # type: ignore[misc]


@pytest.mark.parametrize("name", ["a b", "u" * 129])
def test_a_user_is_asked_for_by_a_name_that_one_can_have(sandbox: Sandbox, name: str) -> None:
    refused("ValidationError", 400, lambda: iam_of(sandbox).get_user(UserName=name))


def test_a_policy_of_aws_that_does_not_exist_is_refused_where_aws_has_any(sandbox: Sandbox) -> None:
    iam, of_aws = iam_of(sandbox), "arn:aws:iam::aws:policy/"
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust())
    call = {"RoleName": "R", "PermissionsBoundary": f"{of_aws}Unknown"}
    iam.put_role_permissions_boundary(**call)
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy())["Policy"]["Arn"]
    policies = iam_backends[STORAGE]["aws"].managed_policies
    policies[f"{of_aws}Known"] = policies[arn]
    refused("NoSuchEntity", 404, lambda: iam.put_role_permissions_boundary(**call))
    iam.put_role_permissions_boundary(**{**call, "PermissionsBoundary": f"{of_aws}Known"})


Tagged = tuple[Callable[..., Any], Callable[..., Any], Callable[[], dict[str, str]]]


def _tagged(iam: Any, kind: str, tags: Any) -> Tagged:
    """Make a role, user or policy with tags; return how to tag and untag it and what its tags are."""
    more = {"role": {"AssumeRolePolicyDocument": trust()}, "policy": {"PolicyDocument": policy()}}.get(kind, {})
    made = getattr(iam, f"create_{kind}")(**{f"{kind.capitalize()}Name": "X"}, **more, Tags=tags)[kind.capitalize()]
    name = {"PolicyArn": made["Arn"]} if kind == "policy" else {f"{kind.capitalize()}Name": "X"}

    def shown() -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in getattr(iam, f"list_{kind}_tags")(**name)["Tags"]}

    return (
        lambda tags: getattr(iam, f"tag_{kind}")(**name, Tags=tags),
        lambda *keys: getattr(iam, f"untag_{kind}")(**name, TagKeys=list(keys)),
        shown,
    )


@pytest.mark.parametrize("kind", ["role", "user", "policy"])
def test_an_entity_holds_fifty_tags_over_several_calls(sandbox: Sandbox, kind: str) -> None:
    tag, untag, shown = _tagged(iam_of(sandbox), kind, _tags(**{f"k{i}": "" for i in range(49)}))
    tag(_tags(k1="overwrites", one="more"))
    refused("LimitExceeded", 409, lambda: tag(_tags(two="more")))
    untag("k1", "none")
    tag(_tags(two="more"))
    assert (len(shown()), shown()["two"]) == (50, "more")


@pytest.mark.parametrize("kind", ["role", "user"])
def test_the_case_of_a_tag_s_key_is_kept_and_otherwise_ignored(sandbox: Sandbox, kind: str) -> None:
    tag, untag, shown = _tagged(iam_of(sandbox), kind, _tags(Owner="a", other="c"))
    tag(_tags(owner="b"))
    assert shown() == {"Owner": "b", "other": "c"}
    untag("OWNER")
    assert shown() == {"other": "c"}


def test_the_case_of_the_key_of_a_managed_policy_s_tag_counts(sandbox: Sandbox) -> None:
    tag, untag, shown = _tagged(iam_of(sandbox), "policy", _tags(Owner="a", owner="b"))
    tag(_tags(OWNER="c"))
    assert shown() == {"Owner": "a", "owner": "b", "OWNER": "c"}
    untag("Owner")
    assert shown() == {"owner": "b", "OWNER": "c"}
    refused("InvalidInput", 400, lambda: tag([*_tags(x="a"), *_tags(x="b")]))


@pytest.mark.parametrize("kind", ["Role", "User", "Group"])
def test_names_are_unique_ignoring_case(sandbox: Sandbox, kind: str) -> None:
    iam = iam_of(sandbox)
    create = getattr(iam, f"create_{kind.lower()}")
    more = {"AssumeRolePolicyDocument": trust()} if kind == "Role" else {}
    create(**{f"{kind}Name": "Reader"}, **more)
    refused("EntityAlreadyExists", 409, lambda: create(**{f"{kind}Name": "READER"}, **more))
    create(**{f"{kind}Name": "Reader2"}, **more)


def test_names_of_instance_profiles_are_unique_ignoring_case(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_instance_profile(InstanceProfileName="P")
    refused("EntityAlreadyExists", 409, lambda: iam.create_instance_profile(InstanceProfileName="p"))
    iam.create_instance_profile(InstanceProfileName="p2")


def test_a_user_is_not_renamed_to_a_name_that_another_has(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    for name in ("one", "two"):
        iam.create_user(UserName=name)
    refused("EntityAlreadyExists", 409, lambda: iam.update_user(UserName="one", NewUserName="TWO"))
    iam.update_user(UserName="one", NewUserName="ONE")


def test_a_user_is_in_ten_groups_and_no_more(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_user(UserName="u")
    for i in range(11):
        iam.create_group(GroupName=f"g{i}")
    for i in (*range(10), 0):
        iam.add_user_to_group(UserName="u", GroupName=f"g{i}")
    message = refused("LimitExceeded", 409, lambda: iam.add_user_to_group(UserName="u", GroupName="g10"))
    assert message == "Cannot exceed quota for GroupsPerUser: 10"


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


def test_a_boundary_is_a_managed_policy_that_exists_and_is_not_deleted_meanwhile(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust())
    none = f"arn:aws:iam::{STORAGE}:policy/none"
    refused("NoSuchEntity", 404, lambda: iam.put_role_permissions_boundary(RoleName="R", PermissionsBoundary=none))
    arn = iam.create_policy(PolicyName="p", PolicyDocument=policy())["Policy"]["Arn"]
    iam.put_role_permissions_boundary(RoleName="R", PermissionsBoundary=arn)
    message = refused("DeleteConflict", 409, lambda: iam.delete_policy(PolicyArn=arn))
    assert message == "Cannot delete a policy attached to entities."
    iam.delete_role_permissions_boundary(RoleName="R")
    iam.delete_policy(PolicyArn=arn)


def test_tags_of_awss_own_are_not_taken_away(sandbox: Sandbox) -> None:
    iam = iam_of(sandbox)
    iam.create_role(RoleName="R", AssumeRolePolicyDocument=trust(), Tags=_tags(k="v"))
    refused("InvalidInput", 400, lambda: iam.untag_role(RoleName="R", TagKeys=["k", "AWS:x"]))
    iam.untag_role(RoleName="R", TagKeys=["k"])
