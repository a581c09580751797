"""What manifests compile to."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from reconciler.manifest import load
from reconciler.model import CallerPolicy, Grant, Role
from reconciler.policy.document import PolicyDocument
from tests.conftest import EXAMPLE
from tests.pages import README, blocks, page
from tests.support import DEV, HEAD, STORAGE, allow, desired_of, document, grant_yaml, load_text, manifest_yaml, role_at

# The three documents of the job as it is done by hand.
PERMISSIONS = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"],
  "Resource": ["arn:aws:s3:::my-shared-bucket", "arn:aws:s3:::my-shared-bucket/*"]}]}"""
TRUST = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
  "Principal": {"AWS": "arn:aws:iam::123456789012:root"}, "Action": "sts:AssumeRole"}]}"""
CALLER = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
  "Resource": "arn:aws:iam::987654321098:role/xgrant/CrossAccountS3ReadRole"}]}"""


def one(folder: Path, head: str = HEAD, **parts: str) -> Grant:
    return load_text(folder, manifest_yaml(grant_yaml(**parts), head=head)).grants[0]


def one_role(folder: Path, head: str = HEAD, **parts: str) -> Role:
    manifest = load_text(folder, manifest_yaml(grant_yaml(**parts), head=head))
    role = desired_of(manifest)[role_at(manifest.grants[0].target, manifest.grants[0].role_name)]
    assert isinstance(role, Role)
    return role


def test_the_example_compiles_to_the_three_documents_to_the_letter() -> None:
    manifest = load([str(EXAMPLE)])
    state = desired_of(manifest)
    assert sorted(str(address) for address in state) == [
        "dev/group/developers/caller-policy/shared-bucket-read",
        "storage/role/CrossAccountS3ReadRole",
    ]
    role = state[role_at("storage", "CrossAccountS3ReadRole")]
    (caller,) = [resource for resource in state.values() if isinstance(resource, CallerPolicy)]
    assert isinstance(role, Role)
    assert json.loads(role.inline_policies["xgrant-permissions"].written) == json.loads(PERMISSIONS)
    assert json.loads(role.trust_policy.written) == json.loads(TRUST)
    assert json.loads(caller.document.written) == json.loads(CALLER)
    assert (role.path, role.max_session_duration) == ("/xgrant/", 3600)
    assert role.tags == {"team": "platform", "xgrant:stack": "platform", "xgrant:grant": "shared-bucket-read"}


WRITTEN = (README.read_text(encoding="utf-8"), page("manifests"), page("accounts"))
BLOCKS = [textwrap.dedent(block) for text in WRITTEN for block in blocks(text, "yaml")]
(POLICIES,) = blocks(page("guardrails"), "yaml")


GRANTS = {
    "quick start": {"shared-bucket-read"}, "reference": {"shared-bucket-read"},
    "other callers": {"investigate", "deploy"}, "many accounts": {"audit"},
    "organization": {"audit"}, "access": set[str](),
}  # fmt: skip


@pytest.mark.parametrize(("block", "grants"), list(zip(BLOCKS, GRANTS.values(), strict=True)), ids=GRANTS)
def test_the_manifests_of_the_docs_are_valid(tmp_path: Path, block: str, grants: set[str]) -> None:
    text = block if "version: 1" in block else f"version: 1\nstack: platform\n{block}"
    (tmp_path / "m.yaml").write_text(text, encoding="utf-8")
    manifest = load([str(tmp_path)])
    assert {*(grant.name for grant in manifest.grants), *manifest.unresolved} == grants


@pytest.mark.parametrize(
    ("principals", "trusted"),
    [
        ("groups: [developers]", [f"arn:aws:iam::{DEV}:root"]),
        ("entire_account: true", [f"arn:aws:iam::{DEV}:root"]),
        ("users: [alice, b/ob]", [f"arn:aws:iam::{DEV}:user/alice", f"arn:aws:iam::{DEV}:user/b/ob"]),
        ("roles: [ci/deployer]", [f"arn:aws:iam::{DEV}:role/ci/deployer"]),
        ("users: [alice], groups: [g]", [f"arn:aws:iam::{DEV}:root", f"arn:aws:iam::{DEV}:user/alice"]),
    ],
)
def test_the_trust_policy_names_exactly_who_may_come(tmp_path: Path, principals: str, trusted: list[str]) -> None:
    role = one_role(tmp_path, **{"from": f"{{account: dev, {principals}}}"})
    assert list(role.trust_policy.aws_principals()) == trusted


@pytest.mark.parametrize(
    ("require", "condition"),
    [
        ("{mfa: true}", {"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        ("{external_id: abc}", {"StringEquals": {"sts:ExternalId": "abc"}}),
        ("{source_org: o-abcdefghij}", {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}),
        ("{source_ip: [203.0.113.0/24]}", {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
        (
            "{mfa: true, external_id: abc, source_org: o-abcdefghij}",
            {
                "Bool": {"aws:MultiFactorAuthPresent": "true"},
                "StringEquals": {"sts:ExternalId": "abc", "aws:PrincipalOrgID": "o-abcdefghij"},
            },
        ),
        ("{mfa: false}", None),
    ],
)
def test_every_requirement_is_a_condition_of_the_trust_policy(
    tmp_path: Path, require: str, condition: dict[str, object] | None
) -> None:
    (statement,) = one_role(tmp_path, require=require).trust_policy.data()["Statement"]
    assert statement.get("Condition") == condition


def test_trust_conditions_are_demanded_beside_the_requirements(tmp_path: Path) -> None:
    role = one_role(
        tmp_path,
        require="{external_id: abc}",
        trust_conditions='{StringEquals: {"aws:PrincipalTag/team": [a, b]}, Bool: {"aws:SecureTransport": true}}',
    )
    (statement,) = role.trust_policy.data()["Statement"]
    assert statement["Condition"] == {
        "StringEquals": {"sts:ExternalId": "abc", "aws:PrincipalTag/team": ["a", "b"]},
        "Bool": {"aws:SecureTransport": "true"},
    }


def test_a_requirement_of_the_defaults_is_kept_beside_the_grants_own(tmp_path: Path) -> None:
    head = HEAD + "defaults: {require: {mfa: true}}\n"
    (statement,) = one_role(tmp_path, head, require="{external_id: abc}").trust_policy.data()["Statement"]
    assert set(statement["Condition"]) == {"Bool", "StringEquals"}


def test_the_grants_own_value_wins_over_the_defaults_key_by_key(tmp_path: Path) -> None:
    head = HEAD + (
        f"defaults: {{path: /d/, session: {{max_duration: 2h}}, tags: {{a: d, b: d}}, require: {{mfa: true}},"
        f' permissions_boundary: "arn:aws:iam::{STORAGE}:policy/d"}}\n'
    )
    inherited = one(tmp_path, head)
    assert (inherited.role_path, inherited.max_session_duration) == ("/d/", 7200)
    assert inherited.permissions_boundary == f"arn:aws:iam::{STORAGE}:policy/d"
    own = one(
        tmp_path, head, to="{account: storage, path: /}", session="{max_duration: 1h30m}", tags="{b: g}",
        permissions_boundary="null", require="{mfa: false}",
    )  # fmt: skip
    assert (own.role_path, own.max_session_duration, own.permissions_boundary) == ("/", 5400, None)
    assert dict(own.tags) == {"a": "d", "b": "g"}
    assert own.conditions == {}


def test_the_role_has_the_grants_name_if_none_is_given(tmp_path: Path) -> None:
    assert one(tmp_path).role_name == "reader"


def test_the_short_form_has_every_element_of_a_statement(tmp_path: Path) -> None:
    grant = one(
        tmp_path,
        permissions="""[
          {sid: One, effect: Deny, not_actions: ["s3:*"], not_resources: ["arn:aws:s3:::b"],
           conditions: {StringLike: {"s3:prefix": ["a/*"]}}}]""",
    )
    assert grant.permissions is not None
    assert grant.permissions.data()["Statement"] == [
        {
            "Sid": "One", "Effect": "Deny", "NotAction": ["s3:*"], "NotResource": ["arn:aws:s3:::b"],
            "Condition": {"StringLike": {"s3:prefix": ["a/*"]}},
        }
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["inline", "file"])
def test_a_whole_policy_document_is_taken_as_it_is(tmp_path: Path, kind: str) -> None:
    text = json.dumps({"Version": "2012-10-17", "Statement": allow(["a:B"], Sid="X")})
    (tmp_path / "read.json").write_text(text)
    grant = one(tmp_path, permissions="", policy=text if kind == "inline" else "{file: read.json}")
    assert grant.permissions == PolicyDocument.parse(text)


def test_managed_policies_alone_are_enough(tmp_path: Path) -> None:
    role = one_role(tmp_path, permissions="", managed_policies="[arn:aws:iam::aws:policy/ReadOnlyAccess]")
    assert role.inline_policies == {}
    assert role.managed_policies == {"arn:aws:iam::aws:policy/ReadOnlyAccess"}


def test_words_that_old_yaml_takes_for_booleans_and_dates_stay_text(tmp_path: Path) -> None:
    grant = one(tmp_path, tags="{a: NO, b: on, c: 2026-12-31, d: '012'}", description="yes")
    assert dict(grant.tags) == {"a": "NO", "b": "on", "c": "2026-12-31", "d": "012"}
    assert grant.description == "yes"


def test_each_named_principal_carries_a_caller_policy(tmp_path: Path) -> None:
    manifest = load_text(
        tmp_path, manifest_yaml(grant_yaml(**{"from": "{account: dev, users: [u], groups: [g], roles: [p/r]}"}))
    )
    expected = document(
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{STORAGE}:role/reader"}
    )
    carried = {str(a): r.document for a, r in desired_of(manifest).items() if isinstance(r, CallerPolicy)}
    assert carried == {
        "dev/user/u/caller-policy/reader": expected,
        "dev/group/g/caller-policy/reader": expected,
        "dev/role/r/caller-policy/reader": expected,
    }


def test_an_entire_account_of_ours_carries_none(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(**{"from": "{account: dev, entire_account: true}"})))
    assert [address.kind for address in desired_of(manifest)] == ["role"]


def test_files_and_directories_make_one_manifest_each_file_once(tmp_path: Path) -> None:
    (tmp_path / "teams" / "a").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "accounts.yaml").write_text(HEAD)
    (tmp_path / "teams" / "a" / "x.yml").write_text("version: 1\ngrants:\n" + grant_yaml("x"))
    (tmp_path / "teams" / "y.yaml").write_text("version: 1\ngrants:\n" + grant_yaml("y"))
    (tmp_path / ".hidden" / "z.yaml").write_text("not: [read")
    (tmp_path / "notes.txt").write_text("not: [read")
    manifest = load([str(tmp_path), str(tmp_path / "teams"), str(tmp_path / "accounts.yaml")])
    assert [grant.name for grant in manifest.grants] == ["x", "y"]


def test_access_of_an_account_wins_over_the_defaults(tmp_path: Path) -> None:
    head = """\
version: 1
stack: platform
defaults: {access: {assume_role: {name: ops/xgrant, external_id: abc}}}
accounts:
  dev: {id: "123456789012"}
  storage: {id: "987654321098", profile: store}
"""
    accounts = load_text(tmp_path, head).accounts
    assert (accounts["dev"].access.role, accounts["dev"].access.external_id) == ("ops/xgrant", "abc")
    assert (accounts["storage"].access.profile, accounts["storage"].access.role) == ("store", None)
    assert "abc" not in repr(accounts)


def test_partitions_make_the_arns_and_may_not_differ(tmp_path: Path) -> None:
    head = HEAD.replace(f'"{DEV}"', f'"{DEV}", partition: aws-cn').replace(
        f'"{STORAGE}"', f'"{STORAGE}", partition: aws-cn'
    )
    role = one_role(tmp_path, head)
    assert role.arn == f"arn:aws-cn:iam::{STORAGE}:role/reader"
    assert role.trust_policy.aws_principals() == (f"arn:aws-cn:iam::{DEV}:root",)
    with pytest.raises(Exception, match="XG035"):
        one(tmp_path, HEAD.replace(f'"{DEV}"', f'"{DEV}", partition: aws-cn'))


def test_a_role_of_somebody_else_does_not_inherit_our_path_and_boundary(tmp_path: Path) -> None:
    head = HEAD + f'defaults: {{path: /d/, permissions_boundary: "arn:aws:iam::{STORAGE}:policy/d"}}\n'
    theirs = one(tmp_path, head, to="{account: vendor}", permissions="")
    assert (theirs.role_path, theirs.permissions_boundary) == ("/", None)


def test_a_grant_between_two_accounts_of_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="XG036"):
        one(tmp_path, HEAD.replace(f'"{DEV}"', f'"{DEV}", managed: false'), to="{account: vendor}")


def test_the_digest_is_of_all_files_policy_files_of_every_kind_included_and_not_of_where_they_lie(
    tmp_path: Path,
) -> None:
    named = "{one: {file: one.json}, two: {file: two.json}}"
    grants = (
        grant_yaml("a", permissions="", policy="{file: whole.json}"),
        grant_yaml("b", permissions="", inline_policies=named),
    )
    usual = dict.fromkeys(("whole.json", "one.json", "two.json"), document(allow()).written)
    usual["m.yaml"] = manifest_yaml(*grants)

    def digest(folder: str, **changed: str) -> str:
        (tmp_path / folder).mkdir()
        for name, content in {**usual, **changed}.items():
            (tmp_path / folder / name).write_text(content, encoding="utf-8")
        return load([str(tmp_path / folder)]).digest

    assert digest("here") == digest("there")
    other = document(allow("s3:ListBucket")).written
    changed = [digest(name, **{name: other}) for name in ("whole.json", "one.json", "two.json")]
    changed.append(digest("m", **{"m.yaml": usual["m.yaml"] + "# a comment\n"}))
    assert len({digest("once more"), *changed}) == 5
