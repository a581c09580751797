"""What was made by hand is imported, adopted with nothing but marks, and then planned without a change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.sandbox.scenario import RECONCILER, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, counted, writes
from tests.conftest import Run

VENDOR = "555555555555"
ALICE, BOB = f"arn:aws:iam::{SOURCE}:user/alice", f"arn:aws:iam::{SOURCE}:user/bob"
DEPLOYER = f"arn:aws:iam::{SOURCE}:role/ci/deployer"
ROOT, VENDOR_ROOT = f"arn:aws:iam::{SOURCE}:root", f"arn:aws:iam::{VENDOR}:root"
OWN, BOUNDARY = f"arn:aws:iam::{TARGET}:policy/own", f"arn:aws:iam::{TARGET}:policy/limits/boundary"
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}
SECRET = "agreed-with-the-vendor"

ACCESS = {"access": {"assume_role": {"name": "xgrant-reconciler"}}}
BASE = {
    "version": 1,
    "stack": "platform",
    "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
    "defaults": ACCESS,
}


def trust(
    principal: Any = ALICE, *, action: Any = "sts:AssumeRole", version: Any = "2012-10-17", **condition: Any
) -> dict[str, Any]:
    named = principal if isinstance(principal, dict) else {"AWS": principal}
    statement = {"Effect": "Allow", "Principal": named, "Action": action}
    return {"Version": version, "Statement": [statement | ({"Condition": condition} if condition else {})]}


def document(*statements: Any, version: str = "2012-10-17") -> Any:
    return {"Version": version, "Statement": list(statements)}


def role(trusted: Any = None, *, inline: Any = None, attached: tuple[str, ...] = (), **create: Any) -> dict[str, Any]:
    policies = {"read": document(READ)} if inline is None else inline
    return {"trust": trusted or trust(), "inline": policies, "attached": attached, "create": create}


ANYBODY = document({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"})

SHAPES: Mapping[str, dict[str, Any]] = {
    "Plain": role(),
    "NumberTwo": role(trust([ALICE, BOB])),
    "by-role": role(trust(DEPLOYER)),
    "User.And@Role": role(trust([ALICE, DEPLOYER])),
    "Group": role(trust(ROOT)),
    "GroupByAccountId": role(trust(SOURCE)),
    "GroupAndUser": role(trust([ROOT, BOB])),
    "WholeAccount": role(trust(ROOT)),
    "Vendor": role(trust(VENDOR_ROOT, StringEquals={"sts:ExternalId": SECRET})),
    "VendorsRole": role(trust(f"arn:aws:iam::{VENDOR}:role/path/of/theirs")),
    "OtherVendor": role(trust("arn:aws:iam::666666666666:root")),
    "AtAPath": role(Path="/team/data/"),
    "Described": role(Description="what: it's for, \u00e4 & #1 - \n second line"),
    "DescribedLikeNumber": role(Description="012"),
    "DescribedLikeBoolean": role(Description="yes"),
    "Long": role(MaxSessionDuration=43200),
    "NinetyMinutes": role(MaxSessionDuration=5400),
    "Bounded": role(PermissionsBoundary=BOUNDARY),
    "Tagged": role(Tags=[{"Key": k, "Value": v} for k, v in (("team", "data"), ("Cost Center", "0042"), ("e", ""))]),
    "Attached": role(inline={}, attached=(OWN,)),
    "AttachedAndInline": role(attached=(OWN,)),
    "SeveralInline": role(inline={"a": document(READ), "b": document({**READ, "Sid": "Second"}), "c@e": document(READ)}),
    "NamedAsOurs": role(inline={"xgrant-permissions": document(READ)}),
    "StatementAlone": role(inline={"read": {"Version": "2012-10-17", "Statement": READ}}),
    "OldTrust": role(trust(version="2008-10-17")),
    "ManyActions": role(inline={"read": document({**READ, "Action": ["S3:getobject", "s3:List*"], "Resource": "*"})}),
    "Deny": role(inline={"read": document(READ, {**READ, "Effect": "Deny", "Action": "s3:Get*"})}),
    "Not": role(inline={"read": document({"Effect": "Allow", "NotAction": ["iam:*", "kms:*", "organizations:*", "sts:*"], "NotResource": "arn:aws:s3:::x"})}),
    "Conditions": role(
        inline={"read": document({**READ, "Condition": {"Bool": {"aws:SecureTransport": "true"}, "NumericLessThan": {"s3:max-keys": ["10"]}}})}
    ),
    "Variables": role(inline={"read": document({**READ, "Resource": "arn:aws:s3:::b/${aws:username}/*"})}),
    "Mfa": role(trust(Bool={"aws:MultiFactorAuthPresent": "true"})),
    "ExternalId": role(trust(StringEquals={"sts:ExternalId": SECRET})),
    "TwoExternalIds": role(trust(StringEquals={"sts:ExternalId": ["one-id", "other-id"]})),
    "Organization": role(trust(ROOT, StringEquals={"aws:PrincipalOrgID": "o-abcdefghij"})),
    "Network": role(trust(IpAddress={"aws:SourceIp": ["203.0.113.0/24", "198.51.100.7"]})),
    "TagsOfPrincipal": role(
        trust(**{"ForAnyValue:StringLike": {"aws:PrincipalTag/team": ["a*", "b"]}}, StringEquals={"sts:ExternalId": SECRET})
    ),
    "CallerSaysMore": role(trust(BOB)),
    "CallerSaysNothing": role(trust(BOB)),
    "TwoPoliciesOfOneCaller": role(),
    "Y": role(Description="null"),
}  # fmt: skip
"""Roles of many shapes, all of which a manifest can express."""

LEFT = {
    "Service": (role(trust({"AWS": ALICE, "Service": "ec2.amazonaws.com"})), "a service or an identity provider too"),
    "Statements": (role(document(*trust()["Statement"], *trust(BOB)["Statement"])), "several statements"),
    "TwoAccounts": (role(trust([ALICE, VENDOR_ROOT])), "principals of several accounts"),
    "Anybody": (role(ANYBODY), "trusts everybody"),
    "Everybody": (role(trust("*", StringEquals={"aws:PrincipalOrgID": "o-abcdefghij"})), "trusts everybody"),
    "SessionTags": (role(trust(action=["sts:AssumeRole", "sts:TagSession"])), "another action than sts:AssumeRole"),
    "RootAndUser": (role(trust([ROOT, ALICE])), "a whole account and names principals of it too"),
    "Nothing": (role(inline={}), "the grant permits nothing"),
    "Seconds": (role(MaxSessionDuration=3601), "no whole minutes"),
    "OtherStack": (role(Tags=[{"Key": "xgrant:stack", "Value": "other"}]), "belongs to the stack other"),
    "MfaOfARole": (role(trust(DEPLOYER, Bool={"aws:MultiFactorAuthPresent": "true"})), "can never meet this"),
}
"""Roles that a manifest cannot express, and what is said of each."""


def arn_of(name: str, made: Mapping[str, Any]) -> str:
    return f"arn:aws:iam::{TARGET}:role{made['create'].get('Path', '/')}{name}"


def opening(*resources: str) -> str:
    found = resources[0] if len(resources) == 1 else list(resources)
    return json.dumps(document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": found}))


def make(sandbox: Sandbox, roles: Mapping[str, dict[str, Any]], *, callers: bool = True) -> None:
    """Make roles, and the policies of their callers, as somebody does by hand."""
    source, target = root_client(sandbox, "iam", SOURCE), root_client(sandbox, "iam", TARGET)
    allow = json.dumps(document({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}))
    target.create_policy(PolicyName="own", PolicyDocument=allow)
    target.create_policy(PolicyName="boundary", Path="/limits/", PolicyDocument=allow)
    ec2 = document({"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"})
    root_client(sandbox, "iam", VENDOR).create_role(
        RoleName="theirs", Path="/path/of/", AssumeRolePolicyDocument=json.dumps(ec2)
    )
    source.create_role(RoleName="deployer", Path="/ci/", AssumeRolePolicyDocument=json.dumps(ec2))
    for number, (name, made) in enumerate(roles.items()):
        target.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(made["trust"]), **made["create"])
        for policy, content in made["inline"].items():
            target.put_role_policy(RoleName=name, PolicyName=policy, PolicyDocument=json.dumps(content))
        for arn in made["attached"]:
            target.attach_role_policy(RoleName=name, PolicyArn=arn)
        if callers and not name.startswith(("Caller", "Whole", "Organization", "RootAnd")):
            let_in(source, f"assume-{number}", made["trust"], opening(arn_of(name, made)))
    if "CallerSaysMore" in roles:
        both = opening(arn_of("CallerSaysMore", roles["CallerSaysMore"]), f"arn:aws:iam::{TARGET}:role/other")
        source.put_user_policy(UserName="bob", PolicyName="several-roles", PolicyDocument=both)
        again = opening(arn_of("TwoPoliciesOfOneCaller", roles["TwoPoliciesOfOneCaller"]))
        source.put_user_policy(UserName="alice", PolicyName="zz-once-more", PolicyDocument=again)


def let_in(iam: Any, policy: str, trusted: Any, text: str) -> None:
    whom = trusted["Statement"][0]["Principal"]
    named = [] if whom == "*" else whom.get("AWS", [])
    for principal in [named] if isinstance(named, str) else named:
        if principal in (ALICE, BOB):
            iam.put_user_policy(UserName=principal.rsplit("/", 1)[1], PolicyName=policy, PolicyDocument=text)
        elif principal == DEPLOYER:
            iam.put_role_policy(RoleName="deployer", PolicyName=policy, PolicyDocument=text)
        elif principal in (ROOT, SOURCE):
            iam.put_group_policy(GroupName="developers", PolicyName=policy, PolicyDocument=text)


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "base.yaml").write_text(json.dumps(BASE), encoding="utf-8")
    return folder


def changes(xgrant: Run, folder: Path) -> list[dict[str, Any]]:
    result = xgrant("plan", folder, "--format", "json")
    assert result.code == 0, result.out + result.err
    found: list[dict[str, Any]] = json.loads(result.out)["resource_changes"]
    return found


# In three parts, since the policies of all callers together are more than a user may carry.
@pytest.mark.parametrize("part", range(3))
def test_forty_roles_of_many_shapes_are_imported_and_their_plan_writes_nothing_but_marks(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path, part: int
) -> None:
    assert len(SHAPES) == 40
    last = {name: made for name, made in SHAPES.items() if "Caller" in name}
    some = dict(list(SHAPES.items())[part::3])
    shapes = {name: made for name, made in some.items() if name not in last} | (last if part == 2 else {})
    make(sandbox, shapes)
    result = xgrant("import", "--account", "storage", manifests, "--output", manifests / "imported.yaml")
    assert result.code == 0, result.err
    assert f"{len(shapes)} imported, 1 not" in result.err, result.err
    assert "not imported: the role xgrant-reconciler" in result.err
    assert xgrant("validate", manifests).code == 0

    found = changes(xgrant, manifests)
    assert {change["name"] for change in found if change["type"] == "role"} == set(shapes)
    for change in found:
        what = change["change"]
        assert (what["actions"], bool(what["reason"])) == (["update"], True), change
        if change["type"] == "role":
            assert what["attributes"] == ["tags"], change
            assert set(what["after"]["tags"]) - set(what["before"]["tags"]) == {"xgrant:stack", "xgrant:grant"}
            assert what["after"]["tags"].items() >= what["before"]["tags"].items()
        else:
            assert set(what["attributes"]) - {"beside"} == {"name"}, change
            assert what["before"]["document"] == what["after"]["document"]

    applied = xgrant("apply", "--auto-approve", manifests)
    assert applied.code == 0, applied.out + applied.err
    assert f"Apply: {len(found)} adopted, 0 created, 0 updated, 0 deleted." in applied.out
    assert changes(xgrant, manifests) == []


def test_an_adoption_leaves_every_document_as_it_was_and_only_renames_callers_policies(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"]})
    source, target = root_client(sandbox, "iam", SOURCE), root_client(sandbox, "iam", TARGET)
    xgrant("import", "--account", "storage", "--role", "Plain", manifests, "--output", manifests / "imported.yaml")
    before = target.get_role(RoleName="Plain")["Role"]
    sandbox.recorder.take()
    assert xgrant("apply", "--auto-approve", manifests).code == 0
    called = [call.operation for call in sandbox.recorder.take()]
    writes = [operation for operation in called if not operation.startswith(("Get", "List", "Assume"))]
    assert sorted(writes) == ["DeleteUserPolicy", "PutUserPolicy", "TagRole"]
    after = target.get_role(RoleName="Plain")["Role"]
    unmarked = [{key: role[key] for key in ("Arn", "AssumeRolePolicyDocument", "RoleId")} for role in (before, after)]
    assert unmarked[0] == unmarked[1]
    assert source.list_user_policies(UserName="alice")["PolicyNames"] == ["xgrant.platform.plain"]


def test_what_a_manifest_cannot_express_is_left_with_a_reason_in_the_file_and_on_stderr(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"], **{name: made for name, (made, _) in LEFT.items()}})
    result = xgrant("import", "--account", "storage", manifests)
    assert result.code == 0, result.err
    for name, (_, reason) in LEFT.items():
        (line,) = [line for line in result.err.splitlines() if f"the role {name}:" in line]
        assert reason in line
        (line,) = [line for line in result.out.splitlines() if line.startswith(f"# not imported: the role {name}:")]
        assert reason in line
    assert list(yaml.safe_load(result.out)["grants"]) == ["plain"]


def test_what_is_not_taken_over_of_callers_is_said(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    names = ("CallerSaysMore", "CallerSaysNothing", "TwoPoliciesOfOneCaller")
    make(sandbox, {name: SHAPES[name] for name in names})
    result = xgrant("import", "--account", "storage", manifests)
    assert (
        "callersaysmore: the policy several-roles of user bob allows sts:AssumeRole on this role and stays as it is"
        in result.err
    )
    assert "callersaysnothing: caller_policy is none: no inline policy of user bob says just" in result.err
    assert "zz-once-more" not in result.err  # It says the same, and goes.
    grants = yaml.safe_load(result.out)["grants"]
    assert [grants[name.lower()]["caller_policy"] for name in names] == ["none", "none", "inline"]
    assert (
        "  # the policy several-roles of user bob allows sts:AssumeRole on this role and stays as it is" in result.out
    )


def test_defaults_that_a_grant_cannot_decline_leave_the_role_with_a_reason(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"]})
    base = {**BASE, "defaults": {**ACCESS, "tags": {"team": "x"}}}
    (manifests / "base.yaml").write_text(json.dumps(base), encoding="utf-8")
    result = xgrant("import", "--account", "storage", "--role", "Plain", manifests)
    assert (result.code, result.out) == (1, "")
    assert "the role Plain: defaults would give it other tags (team); take them out of `defaults` while" in result.err


def test_an_external_id_stands_in_the_manifest_and_in_no_plan(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {name: SHAPES[name] for name in ("ExternalId", "Vendor", "TagsOfPrincipal")})
    result = xgrant("import", "--account", "storage", manifests, "--output", manifests / "imported.yaml")
    assert SECRET not in result.out + result.err
    assert (manifests / "imported.yaml").read_text().count(SECRET) == 3
    for form in ("text", "json"):
        assert SECRET not in xgrant("plan", manifests, "--format", form).out


def test_a_role_that_is_imported_already_is_not_imported_again(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"]})
    by_name = ("import", "--account", "storage", "--role", "Plain", manifests)
    xgrant(*by_name, "--output", manifests / "imported.yaml")
    again = xgrant(*by_name)
    assert again.code == 1
    assert "the grant plain declares it already" in again.err
    assert xgrant("apply", "--auto-approve", manifests).code == 0
    assert "belongs to this stack already" in xgrant(*by_name).err
    assert "the role Plain" not in xgrant("import", "--account", "storage", manifests).err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--account", "nowhere"], "nowhere is no managed account of the manifests (managed: dev, storage)"),
        (["--account", "storage", "--role", "None"], "account storage has no role None"),
        (["--account", "storage", "--output", "base.yaml"], "base.yaml exists; name a new file"),
        ([], "the following arguments are required: --account"),
    ],
)
def test_an_import_of_what_is_not_there_is_wrong_usage(
    scenario: Scenario, xgrant: Run, manifests: Path, arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(manifests)
    before = (manifests / "base.yaml").read_text()
    result = xgrant("import", ".", *arguments)
    assert result.code == 64
    assert says in result.err
    assert (manifests / "base.yaml").read_text() == before
    assert [file.name for file in manifests.iterdir()] == ["base.yaml"]


def test_two_roles_whose_names_make_one_name_of_a_grant_are_told_apart(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"a.b": role(), "a_b": role(), "---": role()}, callers=False)
    out = xgrant("import", "--account", "storage", manifests).out
    assert sorted(yaml.safe_load(out)["grants"]) == ["a-b", "a-b-2", "role"]


def with_sids(made: dict[str, Any]) -> dict[str, Any]:
    (statement,) = made["trust"]["Statement"]
    return {**made, "trust": {**made["trust"], "Statement": [{"Sid": "Statement1", **statement}]}}


def test_sids_that_the_console_writes_hinder_no_import_and_no_adoption_and_are_no_drift(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": with_sids(SHAPES["Plain"])}, callers=False)
    source, target = root_client(sandbox, "iam", SOURCE), root_client(sandbox, "iam", TARGET)
    opens = json.loads(opening(arn_of("Plain", SHAPES["Plain"])))
    opens["Statement"][0]["Sid"] = "VisualEditor0"
    source.put_user_policy(UserName="alice", PolicyName="by-hand", PolicyDocument=json.dumps(opens))
    result = xgrant("import", "--account", "storage", manifests, "--output", manifests / "imported.yaml")
    assert "1 imported, 1 not" in result.err
    found = {change["address"]: change["change"]["attributes"] for change in changes(xgrant, manifests)}
    assert found == {"storage/role/Plain": ["tags"], "dev/user/alice/caller-policy/plain": ["name"]}
    assert xgrant("apply", "--auto-approve", manifests).code == 0
    assert changes(xgrant, manifests) == []
    source.put_user_policy(UserName="alice", PolicyName="xgrant.platform.plain", PolicyDocument=json.dumps(opens))
    assert xgrant("drift", manifests).code == 0
    trusted = target.get_role(RoleName="Plain")["Role"]["AssumeRolePolicyDocument"]
    assert "Statement1" in json.dumps(trusted)


def test_a_sid_of_a_permissions_policy_counts_as_before(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": role(inline={"read": document({**READ, "Sid": "One"})})})
    xgrant("import", "--account", "storage", manifests, "--output", manifests / "imported.yaml")
    assert "Sid: One" in (manifests / "imported.yaml").read_text()
    assert xgrant("apply", "--auto-approve", manifests).code == 0
    iam = root_client(sandbox, "iam", TARGET)
    other = json.dumps(document({**READ, "Sid": "Two"}))
    iam.put_role_policy(RoleName="Plain", PolicyName="read", PolicyDocument=other)
    assert xgrant("drift", manifests).code == 2


def test_mfa_by_default_is_declined_for_a_role_without_it_and_stops_no_other_role(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    names = ("Plain", "by-role", "Mfa", "Group")
    make(sandbox, {**{name: SHAPES[name] for name in names}, "MfaOfARole": LEFT["MfaOfARole"][0]})
    base = {**BASE, "defaults": {**ACCESS, "require": {"mfa": True}}}
    (manifests / "base.yaml").write_text(json.dumps(base), encoding="utf-8")
    result = xgrant("import", "--account", "storage", manifests, "--output", manifests / "imported.yaml")
    assert (result.code, "4 imported, 2 not" in result.err) == (0, True), result.err
    assert "the role MfaOfARole: a manifest cannot say it: the role deployer can never meet this" in result.err
    grants = yaml.safe_load((manifests / "imported.yaml").read_text())["grants"]
    assert {name: grant["require"]["mfa"] for name, grant in grants.items()} == {
        "plain": False, "by-role": False, "mfa": True, "group": False,
    }  # fmt: skip
    for change in changes(xgrant, manifests):
        assert change["change"]["attributes"] in (["tags"], ["name"]), change


def test_whatever_defaults_do_to_a_role_leaves_that_role_and_imports_the_others(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    full = [{"Key": f"k{n}", "Value": "v"} for n in range(48)]
    roles = {
        "Full": role(Tags=full),
        "Open": role(),
        "Ids": role(trust(StringEquals={"sts:ExternalId": ["one-id", "other-id"]})),
        "Right": role(trust(StringEquals={"sts:ExternalId": SECRET}), Tags=[{"Key": "team", "Value": "x"}]),
    }
    make(sandbox, roles, callers=False)
    base = {**BASE, "defaults": {**ACCESS, "tags": {"team": "x"}, "require": {"external_id": "by-default"}}}
    (manifests / "base.yaml").write_text(json.dumps(base), encoding="utf-8")
    result = xgrant("import", "--account", "storage", manifests)
    assert (result.code, list(yaml.safe_load(result.out)["grants"])) == (0, ["right"]), result.err
    for name, reason in (
        ("Full", "a manifest cannot say it: a role has at most 50 tags and xgrant needs 2 of them; this grant has 49"),
        ("Open", "a manifest cannot say the same of its trust_policy"),
        ("Ids", "a manifest cannot say it: `require` demands StringEquals sts:ExternalId already"),
    ):
        assert f"the role {name}: {reason}" in result.err


def test_an_account_whose_name_would_be_taken_gets_another(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Vendor": SHAPES["Vendor"]}, callers=False)
    accounts = {**BASE["accounts"], f"account-{VENDOR}": {"id": "666666666666", "managed": False}}  # type: ignore[dict-item]
    (manifests / "base.yaml").write_text(json.dumps({**BASE, "accounts": accounts}), encoding="utf-8")
    out = xgrant("import", "--account", "storage", manifests).out
    assert list(yaml.safe_load(out)["accounts"]) == [f"account-{VENDOR}-2"]


def test_the_comments_of_an_import_say_what_is_so(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"], "Other": role(trust(BOB))}, callers=False)
    iam = root_client(sandbox, "iam", SOURCE)
    plain = arn_of("Plain", SHAPES["Plain"])
    iam.put_user_policy(UserName="alice", PolicyName="xgrant.other.x", PolicyDocument=opening(plain))
    wide = json.dumps(document({"Effect": "Allow", "Action": "sts:*", "Resource": f"arn:aws:iam::{TARGET}:role/P*"}))
    iam.put_group_policy(GroupName="developers", PolicyName="wide", PolicyDocument=wide)
    iam.put_user_policy(UserName="bob", PolicyName="multi", PolicyDocument=opening(plain, f"{plain}s"))
    result = xgrant("import", "--account", "storage", manifests)
    notes = [line for line in result.err.splitlines() if "the grant " in line]
    assert notes == [
        ("xgrant: the grant other: caller_policy is none: no inline policy of user bob says just that this role may be "
        "assumed"),
        ("xgrant: the grant plain: caller_policy is none: the policy xgrant.other.x of user alice is named as a stack's "
        "own caller policy is"),
        ("xgrant: the grant plain: the policy wide of group developers allows sts:AssumeRole on this role, by a wildcard, "
        "and stays as it is"),
    ]  # fmt: skip


def test_an_import_is_the_same_text_whatever_order_aws_answers_in(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    one = {
        "StringLike": {"aws:PrincipalTag/b": "x", "aws:PrincipalTag/a": "y"},
        "IpAddress": {"aws:SourceIp": "10.0.0.0/8"},
    }
    other = {operator: dict(reversed(list(one[operator].items()))) for operator in reversed(one)}
    made = role(trust([ALICE, BOB], **one))
    make(sandbox, {"Plain": made})
    first = xgrant("import", "--account", "storage", manifests).out
    root_client(sandbox, "iam", TARGET).update_assume_role_policy(
        RoleName="Plain", PolicyDocument=json.dumps(trust([BOB, ALICE], **other))
    )
    assert xgrant("import", "--account", "storage", manifests).out == first


def test_a_folder_that_cannot_be_written_is_said_before_aws_is_asked(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    file = manifests / "none" / "imported.yaml"
    sandbox.recorder.take()
    result = xgrant("import", "--account", "storage", manifests, "--output", file)
    says = f"--output: {file}: there is no directory {file.parent}; make it, or name a file elsewhere"
    assert (result.code, says in result.err, sandbox.recorder.take()) == (64, True, [])
    assert xgrant("import", "--account", "storage", manifests, "--output", "").code == 64


def test_a_file_that_cannot_be_written_is_named_as_it_was_asked_for(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"]})
    file = manifests / ("x" * 252)
    result = xgrant("import", "--account", "storage", manifests, "--output", file)
    assert (result.code, result.err) == (
        1, f"xgrant: --output: {file} cannot be written: File name too long; make room or name a file elsewhere\n",
    )  # fmt: skip


def test_an_import_of_nothing_says_that_no_file_was_written(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    file = manifests / "imported.yaml"
    result = xgrant("import", "--account", "storage", manifests, "--output", file)
    assert result.err.splitlines()[-1] == f"0 imported, 1 not; {file} was not written"
    assert not file.exists()


# Giving back what was adopted


def test_a_role_without_its_tag_is_left_as_it_is_and_only_its_caller_policies_go(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"]})
    source, target = root_client(sandbox, "iam", SOURCE), root_client(sandbox, "iam", TARGET)
    xgrant("import", "--account", "storage", manifests, "--output", manifests / "imported.yaml")
    assert xgrant("apply", "--auto-approve", manifests).code == 0
    destroyed = json.loads(xgrant("plan", "--destroy", manifests, "--format", "json").out)["resource_changes"]
    assert {change["address"] for change in destroyed} == {
        "storage/role/Plain", "dev/user/alice/caller-policy/plain",
    }  # fmt: skip

    target.untag_role(RoleName="Plain", TagKeys=["xgrant:stack"])
    (manifests / "imported.yaml").unlink()
    source.put_user_policy(
        UserName="alice", PolicyName="mine", PolicyDocument=opening(arn_of("Plain", SHAPES["Plain"]))
    )
    (change,) = changes(xgrant, manifests)
    assert (change["address"], change["change"]["action"]) == ("dev/user/alice/caller-policy/plain", "delete")
    sandbox.recorder.take()
    assert xgrant("apply", "--auto-approve", manifests).code == 0
    writes = [c.operation for c in sandbox.recorder.take() if not c.operation.startswith(("Get", "List", "Assume"))]
    assert writes == ["DeleteUserPolicy"]
    assert target.list_role_policies(RoleName="Plain")["PolicyNames"] == ["read"]
    assert source.list_user_policies(UserName="alice")["PolicyNames"] == ["mine"]


def unreadable(sandbox: Sandbox, account: str) -> None:
    root_client(sandbox, "iam", account).delete_role_policy(RoleName=RECONCILER, PolicyName="reconcile")
    sandbox.enforce(on=True)


@pytest.mark.parametrize("named", [(), ("--role", "Plain")])
def test_an_account_that_cannot_be_read_is_not_imported_in_silence(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path, named: tuple[str, ...]
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"]})
    unreadable(sandbox, TARGET)
    result = xgrant("import", "--account", "storage", manifests, *named)
    assert (result.code, result.out) == (1, "")
    assert "account storage: GetAccountAuthorizationDetails: AccessDenied" in result.err


def test_a_role_whose_callers_cannot_be_read_is_left_with_that_reason(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"], "Group": SHAPES["Group"], "Vendor": SHAPES["Vendor"]})
    unreadable(sandbox, SOURCE)
    result = xgrant("import", "--account", "storage", manifests)
    assert result.code == 1
    for name in ("Plain", "Group"):
        assert f"the role {name}: its callers are not known: account dev could not be read" in result.err
    assert "xgrant: account dev: GetAccountAuthorizationDetails: AccessDenied" in result.err
    assert list(yaml.safe_load(result.out)["grants"]) == ["vendor"]


def test_an_adoption_that_was_cut_short_is_finished_by_the_next_apply(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, manifests: Path
) -> None:
    make(sandbox, {"Plain": SHAPES["Plain"]})
    source = root_client(sandbox, "iam", SOURCE)
    xgrant("import", "--account", "storage", "--role", "Plain", manifests, "--output", manifests / "imported.yaml")
    deny = document({"Effect": "Deny", "Action": "iam:DeleteUserPolicy", "Resource": "*"})
    source.put_role_policy(RoleName=RECONCILER, PolicyName="deny", PolicyDocument=json.dumps(deny))
    sandbox.enforce(on=True)
    assert xgrant("apply", "--auto-approve", manifests).code == 6
    sandbox.enforce(on=False)
    assert set(source.list_user_policies(UserName="alice")["PolicyNames"]) == {"assume-0", "xgrant.platform.plain"}
    (left,) = changes(xgrant, manifests)
    assert (left["change"]["action"], left["change"]["attributes"]) == ("update", ["beside"])
    assert "because made by hand and saying no more, assume-0 goes with it" in xgrant("plan", manifests).out
    assert xgrant("drift", manifests).code == 2
    sandbox.recorder.take()
    assert xgrant("apply", "--auto-approve", manifests).code == 0
    assert counted(writes(sandbox.recorder.take())) == {"DeleteUserPolicy": 1}
    assert source.list_user_policies(UserName="alice")["PolicyNames"] == ["xgrant.platform.plain"]
    assert changes(xgrant, manifests) == []
