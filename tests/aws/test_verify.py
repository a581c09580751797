"""Are the doors that a grant means open, and only as far as meant? Asked over HTTP, as a person would."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.cli import main
from reconciler.data import data_path
from reconciler.sandbox.scenario import CLEARED, RECONCILER, SOURCE, TARGET, Scenario, root_client, seed
from reconciler.sandbox.server import Sandbox
from tests.aws.strict_support import policy, trust
from tests.conftest import EXAMPLE, Run
from tests.snapshots import once

ROLE = "CrossAccountS3ReadRole"
ROLE_ARN = f"arn:aws:iam::{TARGET}:role/xgrant/{ROLE}"
PERMISSIONS = "xgrant-permissions"
CALLER_POLICY = "xgrant.platform.shared-bucket-read"
BUCKET = ["arn:aws:s3:::my-shared-bucket", "arn:aws:s3:::my-shared-bucket/*"]
ALL_BUT_IAM = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}]}
)
MFA = """\
version: 1
stack: platform
grants:
  with-mfa:
    from: {account: dev, users: [alice]}
    to: {account: storage}
    permissions: [{actions: "sqs:*", resources: "arn:aws:sqs:us-east-1:987654321098:q"}]
    require: {mfa: true}
"""


def _applied(sandbox: Sandbox) -> Scenario:
    scenario = seed(sandbox)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in scenario.environment().items():
            patch.setenv(name, value)
        Path("more.yaml").write_text(MFA)
        assert main(["apply", str(EXAMPLE), "more.yaml", "--auto-approve", "--no-verify"]) == 0
    return scenario


_once = once(_applied)


@dataclass
class World:
    """Who may do what, and the command."""

    sandbox: Sandbox
    run: Run

    def iam(self, account: str = TARGET) -> Any:
        return root_client(self.sandbox, "iam", account)

    def break_(self, how: Callable[[World], object]) -> None:
        self.sandbox.enforce(on=False)
        how(self)
        self.sandbox.enforce(on=True)

    def doors(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        result = self.run("verify", "shared-bucket-read", *words, "--manifest", EXAMPLE, "--format", "json")
        data = json.loads(result.out)
        schema = json.loads(data_path("schemas/verification.schema.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(data)
        assert result.code == code, result.out + result.err
        found: list[dict[str, Any]] = data["doors"]
        return found


@pytest.fixture
def world(sandbox: Sandbox, xgrant: Run, monkeypatch: pytest.MonkeyPatch) -> World:
    """The example, applied; everybody's keys are profiles, and permissions and trust are checked."""
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    scenario = _once(sandbox)
    for name, value in scenario.environment().items():
        monkeypatch.setenv(name, value)
    lines = (
        f"[{name}]\naws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
        for name, keys in scenario.users.items()
    )
    Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text("".join(lines))
    sandbox.enforce(on=True)
    return World(sandbox, xgrant)


def without_simulator(world: World) -> None:
    for account in (SOURCE, TARGET):
        denied = policy(Effect="Deny", Action="iam:SimulatePrincipalPolicy")
        world.iam(account).put_role_policy(RoleName=RECONCILER, PolicyName="less", PolicyDocument=denied)


def test_alice_is_in_bob_is_out_and_a_write_is_refused(world: World) -> None:
    alice, bob = world.doors("--as", "alice", "--as", "bob")
    assert (alice["who"], alice["verdict"], alice["ways"]) == (
        "dev/group/developers",
        "open",
        ["session", "simulation"],
    )
    assert (bob["who"], bob["verdict"], bob["ways"]) == (
        f"arn:aws:iam::{SOURCE}:user/bob", "refused as meant", ["session"],
    )  # fmt: skip
    found = {(check["action"], check["allowed"], check["way"]) for check in alice["checks"]}
    assert found == {
        ("s3:ListBucket", True, "session"), ("s3:GetObject", True, "session"), ("s3:PutObject", False, "simulation"),
        ("s3:GetObject", False, "simulation"),
    }  # fmt: skip


def test_what_was_found_is_told_in_words_with_what_was_not_seen_and_no_credentials(world: World) -> None:
    result = world.run("verify", "--manifest", EXAMPLE, "--as", "alice", "--as", "bob", "--debug")
    assert result.code == 0
    lines = result.out.splitlines()
    assert lines[:2] == [
        "shared-bucket-read: dev/group/developers (profile alice): open, by session, simulation",
        "  granted and allowed: 2; not granted and refused: 2",
    ]
    assert "Not seen by simulation: policies of the organization (SCPs, RCPs)" in result.out
    assert lines[-1] == "2 doors: 1 open, 1 refused as meant."
    assert "AssumeRole" in result.err
    assert "ASIA" not in result.out + result.err


@pytest.mark.parametrize(
    ("prepare", "ways"),
    [(lambda _: None, ["simulation", "documents"]), (without_simulator, ["documents"])],
    ids=["simulation", "documents"],
)
def test_without_credentials_the_next_way_is_gone(
    world: World, prepare: Callable[[World], None], ways: list[str]
) -> None:
    world.break_(prepare)
    (door,) = world.doors()
    assert (door["verdict"], door["ways"]) == ("open", ways)
    assert [("AWS's simulator may not be asked" in note) for note in door["notes"]] == [True] * (
        2 if len(ways) == 1 else 0
    )


@dataclass(frozen=True)
class Case:
    """How something is broken, and what is to be found."""

    how: Callable[[World], object]
    verdict: str
    says: str
    side: str = ""


BROKEN = {
    "the caller policy is gone": Case(
        lambda w: w.iam(SOURCE).delete_group_policy(GroupName="developers", PolicyName=CALLER_POLICY),
        "closed", "sts:AssumeRole on the role", "caller",
    ),
    "the role trusts somebody else": Case(
        lambda w: w.iam().update_assume_role_policy(
            RoleName=ROLE, PolicyDocument=trust(f"arn:aws:iam::{SOURCE}:user/bob")
        ),
        "wider than meant", f"its trust policy names arn:aws:iam::{SOURCE}:user/bob", "trust",
    ),
    "the trust has a condition": Case(
        lambda w: w.iam().update_assume_role_policy(
            RoleName=ROLE, PolicyDocument=trust(Condition={"StringEquals": {"sts:ExternalId": "x"}})
        ),
        "wider than meant", "lets in on other conditions",
    ),
    "the role allows to write": Case(
        lambda w: w.iam().put_role_policy(
            RoleName=ROLE, PolicyName=PERMISSIONS, PolicyDocument=policy(Action="s3:*", Resource=BUCKET)
        ),
        "wider than meant", "it allows s3:* on arn:aws:s3:::my-shared-bucket/*",
    ),
    "the role has one policy more": Case(
        lambda w: w.iam().put_role_policy(
            RoleName=ROLE, PolicyName="more", PolicyDocument=ALL_BUT_IAM
        ),
        "wider than meant", "it allows all but what a statement names",
    ),
    "the role allows less": Case(
        lambda w: w.iam().put_role_policy(
            RoleName=ROLE, PolicyName=PERMISSIONS, PolicyDocument=policy(Action="s3:GetObject", Resource=BUCKET)
        ),
        "closed", "it does not allow s3:ListBucket on arn:aws:s3:::my-shared-bucket",
    ),
    "the role denies": Case(
        lambda w: w.iam().put_role_policy(
            RoleName=ROLE, PolicyName="less", PolicyDocument=policy(Effect="Deny", Action="s3:GetObject")
        ),
        "closed", "it has a denial that the manifest does not say",
    ),
    "the role is gone": Case(
        lambda w: (w.iam().delete_role_policy(RoleName=ROLE, PolicyName=PERMISSIONS), w.iam().delete_role(RoleName=ROLE)),
        "closed", "the role is not there", "trust",
    ),
}  # fmt: skip


@pytest.mark.parametrize("simulated", [True, False], ids=["simulation", "documents"])
@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN)
def test_a_door_that_is_not_as_meant_is_found_without_credentials(world: World, case: Case, simulated: bool) -> None:
    world.break_(case.how)
    if not simulated:
        world.break_(without_simulator)
    (door,) = world.doors(code=2)
    assert door["verdict"] == case.verdict
    assert case.says in json.dumps(door)
    if case.side:
        assert door[case.side]["allowed"] is False


def test_a_session_that_is_refused_is_told_with_the_side_that_refuses(world: World) -> None:
    world.break_(BROKEN["the caller policy is gone"].how)
    (alice,) = world.doors("--as", "alice", code=2)
    assert (alice["verdict"], alice["caller"]["allowed"], alice["trust"]["allowed"]) == ("closed", False, True)


def test_a_permission_that_the_session_lacks_is_found_by_trying(world: World) -> None:
    world.break_(BROKEN["the role allows less"].how)
    (alice,) = world.doors("--as", "alice", code=2)
    found = {(check["action"], check["allowed"], check["way"]) for check in alice["checks"] if check["meant"]}
    assert found == {("s3:ListBucket", False, "session"), ("s3:GetObject", True, "session")}


def test_somebody_whom_no_grant_names_and_who_gets_in_is_wider_than_meant(world: World) -> None:
    world.break_(
        lambda w: w.iam(SOURCE).put_user_policy(
            UserName="bob", PolicyName="own", PolicyDocument=policy(Action="sts:AssumeRole", Resource=ROLE_ARN)
        )
    )
    bob, rest = world.doors("--as", "bob", code=2)
    assert (bob["verdict"], bob["ways"], rest["verdict"]) == ("wider than meant", ["session"], "open")
    assert "it gets in, and is not meant to" in world.run("verify", "--manifest", EXAMPLE, "--as", "bob").out


def own_policy(world: World, **statement: Any) -> None:
    document = policy(**{"Action": "sts:AssumeRole", "Resource": "*", **statement})
    world.iam(SOURCE).put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=document)


def by_group(world: World) -> None:
    iam = world.iam(SOURCE)
    arn = iam.create_policy(PolicyName="Hop", PolicyDocument=policy(Action="sts:Assume*"))["Policy"]["Arn"]
    iam.create_group(GroupName="ops")
    iam.attach_group_policy(GroupName="ops", PolicyArn=arn)
    iam.add_user_to_group(GroupName="ops", UserName="bob")


def by_role(world: World) -> None:
    iam = world.iam(SOURCE)
    iam.create_role(RoleName="ci", AssumeRolePolicyDocument=trust())
    iam.put_role_policy(RoleName="ci", PolicyName="own", PolicyDocument=policy(Action="sts:*", Resource=ROLE_ARN))


OTHERS: dict[str, tuple[Callable[[World], object], str]] = {
    "an own policy": (own_policy, "user bob, by its policy own: gets in"),
    "a policy of a group": (by_group, "user bob, by its policy Hop of group ops: gets in"),
    "a role": (by_role, "role ci, by its policy own: gets in"),
}


@pytest.mark.parametrize(("how", "says"), OTHERS.values(), ids=OTHERS)
def test_others_of_an_account_that_is_trusted_as_a_whole_are_found_without_credentials(
    world: World, how: Callable[[World], object], says: str
) -> None:
    world.break_(how)
    rest, other = world.doors(code=2)
    assert (rest["verdict"], other["verdict"], other["who"]) == ("open", "wider than meant", "others of dev")
    assert (other["wider"], other["ways"]) == ([says], ["documents"])


def test_whom_others_policies_let_in_on_conditions_is_unknown(world: World) -> None:
    world.break_(lambda w: own_policy(w, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    _, other = world.doors()
    assert (other["verdict"], other["notes"]) == ("unknown", ["user bob, by its policy own, on conditions: may get in"])


def test_whom_a_profile_of_is_tried_is_not_told_twice(world: World) -> None:
    world.break_(own_policy)
    assert [door["who"] for door in world.doors("--as", "bob", code=2)] == [
        f"arn:aws:iam::{SOURCE}:user/bob", "dev/group/developers",
    ]  # fmt: skip


def test_administrators_are_a_note_and_no_finding(world: World) -> None:
    result = world.run("verify", "--manifest", EXAMPLE)
    assert result.code == 0
    assert (
        "Note: administrators of dev get in, too, where a role trusts the whole account: user dev-admin." in result.out
    )


PLACE = ("    permissions:\n", "    require: {source_ip: [192.0.2.0/24]}\n    permissions:\n")


def test_a_session_that_is_refused_for_where_it_is_asked_from_leaves_the_door_unknown(world: World) -> None:
    with_denial(world, PLACE)
    result = world.run("verify", "--manifest", "denial.yaml", "--as", "alice")
    assert (result.code, "(profile alice): unknown" in result.out) == (0, True)
    assert "nobody can see from here whether it meets IpAddress aws:SourceIp: 192.0.2.0/24" in result.out
    world.break_(BROKEN["the caller policy is gone"].how)
    assert "(profile alice): closed" in world.run("verify", "--manifest", "denial.yaml", "--as", "alice").out


def test_all_that_a_trust_policy_has_become_wider_by_is_told(world: World) -> None:
    with_denial(
        world,
        ("    permissions:\n", "    require: {source_ip: [192.0.2.0/24], external_id: agreed}\n    permissions:\n"),
    )
    wide = trust([f"arn:aws:iam::{SOURCE}:root", f"arn:aws:iam::{TARGET}:root"],
                 Condition={"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}})  # fmt: skip
    world.break_(lambda w: w.iam().update_assume_role_policy(RoleName=ROLE, PolicyDocument=wide))
    result = world.run("verify", "--manifest", "denial.yaml")
    lacks = "  wider: its trust policy lacks the condition"
    assert [line for line in result.out.splitlines() if "wider:" in line] == [
        f"  wider: its trust policy names arn:aws:iam::{TARGET}:root",
        f"{lacks} IpAddress aws:SourceIp: 192.0.2.0/24 (it has IpAddress aws:SourceIp: 0.0.0.0/0)",
        f"{lacks} StringEquals sts:ExternalId: (hidden)",
    ]


def unreadable(world: World) -> None:
    for account in (SOURCE, TARGET):
        world.iam(account).delete_role_policy(RoleName=RECONCILER, PolicyName="reconcile")


def test_where_no_account_can_be_read_nothing_is_known(world: World) -> None:
    world.break_(unreadable)
    assert {door["verdict"] for door in world.doors(code=1)} == {"unknown"}
    told = world.run("verify", "--manifest", EXAMPLE)
    assert (told.out.count("AccessDenied"), told.err.count("AccessDenied")) == (2, 0)  # Once of each account.
    done = world.run("doctor", EXAMPLE)
    assert (done.code, "0 of 2 accounts looked at" in done.out) == (1, True)


def test_an_account_that_cannot_be_read_leaves_its_side_unknown(world: World) -> None:
    world.break_(lambda w: w.iam().update_assume_role_policy(RoleName=RECONCILER, PolicyDocument=trust()))
    world.break_(lambda w: w.iam().delete_role_policy(RoleName=RECONCILER, PolicyName="reconcile"))
    (door,) = world.doors(code=6)
    assert (door["verdict"], door["caller"]["allowed"], door["trust"]["allowed"]) == ("unknown", True, None)
    (alice,) = world.doors("--as", "alice", code=6)
    assert (alice["verdict"], alice["ways"]) == ("open", ["session"])
    assert {(check["action"], check["allowed"]) for check in alice["checks"]} == {
        ("s3:ListBucket", True), ("s3:GetObject", True),
    }  # fmt: skip
    assert any("what the role allows is not read" in note for note in alice["notes"])


@pytest.mark.parametrize(
    ("key", "says", "profiles"),
    [("expires", "the grant has expired at 2020-01-01T00:00:00Z", ["--as", "alice"]),
     ("starts", "the grant begins at 2099-01-01T00:00:00Z", [])],
)  # fmt: skip
def test_of_a_grant_that_is_not_in_force_nobody_is_meant_to_get_in(
    world: World, tmp_path: Path, key: str, says: str, profiles: list[str]
) -> None:
    day = says.rsplit(" ", 1)[-1][:10]
    timed = tmp_path / "timed.yaml"
    timed.write_text(EXAMPLE.read_text().replace("    description:", f'    {key}: "{day}"\n    description:', 1))
    result = world.run("verify", "--manifest", timed, *profiles)
    assert (result.code, says in result.out) == (2, True)
    assert "wider than meant" in result.out
    world.break_(BROKEN["the role is gone"].how)
    assert "refused as meant" in world.run("verify", "--manifest", timed, *profiles).out


def test_of_a_whole_account_its_own_policies_choose_who_gets_in(world: World, tmp_path: Path) -> None:
    whole = tmp_path / "whole.yaml"
    whole.write_text(EXAMPLE.read_text().replace("groups: [developers]", "entire_account: true"))
    world.sandbox.enforce(on=False)
    assert world.run("apply", whole, "--auto-approve", "--no-verify").code == 0
    own = policy(Action="sts:AssumeRole", Resource=ROLE_ARN)
    world.iam(SOURCE).put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=own)
    world.sandbox.enforce(on=True)
    result = world.run("verify", "--manifest", whole, "--as", "alice", "--as", "bob")
    user = f"shared-bucket-read: arn:aws:iam::{SOURCE}:user"
    assert f"{user}/alice (profile alice): refused as meant, by session, simulation" in result.out
    assert f"{user}/bob (profile bob): open, by session, simulation" in result.out
    assert "shared-bucket-read: dev/all: open, by simulation, documents" in result.out
    assert result.code == 0


CALLERS = """\
version: 1
stack: platform
grants:
  jobs:
    from: {oidc: {provider: token.actions.githubusercontent.com, subject: "repo:acme/site:ref:refs/heads/main"}}
    to: {account: storage}
    permissions: [{actions: s3:PutObject, resources: "arn:aws:s3:::site/*"}]
  sets:
    from: {account: dev, permission_sets: [Data]}
    to: {account: storage}
    permissions: [{actions: "sqs:*", resources: "*"}]
  elsewhere:
    from: {account: dev, users: [alice]}
    to: {account: vendor}
"""


def test_callers_of_other_kinds_and_accounts_of_others_are_looked_at_as_far_as_they_can_be(
    world: World, tmp_path: Path
) -> None:
    file = tmp_path / "callers.yaml"
    vendor = '  vendor: {id: "555555555555", managed: false}\n\ndefaults:'
    example = EXAMPLE.read_text().replace("\ndefaults:", vendor, 1)
    file.write_text(example + CALLERS.split("grants:\n", 1)[1])
    world.sandbox.enforce(on=False)
    document = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{TARGET}:role/xgrant/sets"}
        ],
    }
    world.sandbox.strict.add_protected_role(
        SOURCE, "AWSReservedSSO_Data_0123456789abcdef", "/aws-reserved/sso.amazonaws.com/", json.loads(trust()),
        allows=document,
    )  # fmt: skip
    assert world.run("apply", file, "--auto-approve", "--no-verify").code == 0
    world.sandbox.enforce(on=True)
    result = world.run("verify", "--manifest", file)
    assert "jobs: whoever has a token of token.actions.githubusercontent.com: open, by simulation" in result.out
    assert "sets: dev/permission set/Data: open, by simulation, documents" in result.out
    assert "elsewhere: dev/user/alice: unknown, by simulation\n  role's side: account vendor is not" in result.out
    assert result.code == 0
    refused = world.run("verify", "elsewhere", "--manifest", file, "--as", "alice")
    assert (refused.code, "this side does, or the organization" in refused.out) == (2, True)


UNTIL = ("    description:", '    expires: "2099-01-01"\n    description:')
FROM = (
    "    permissions:\n",
    """    permissions:
      - {effect: Deny, actions: "*", resources: "*", conditions: {StringEquals: {aws:SourceVpc: vpc-12345678}}}
""",
)
UNLESS_FROM = (FROM[0], FROM[1].replace("StringEquals", "StringNotEquals"))


def with_denial(world: World, denial: tuple[str, str]) -> None:
    Path("denial.yaml").write_text(EXAMPLE.read_text().replace(*denial, 1))
    world.sandbox.enforce(on=False)
    assert world.run("apply", "denial.yaml", "--auto-approve", "--no-verify").code == 0
    world.sandbox.enforce(on=True)


def test_a_grant_with_an_end_is_verified_as_others_are(world: World) -> None:
    with_denial(world, UNTIL)
    for profiles in ([], ["--as", "alice"]):
        result = world.run("verify", "--manifest", "denial.yaml", *profiles)
        assert (result.code, "granted and allowed: 2; not granted and refused: 2" in result.out) == (0, True)


@pytest.mark.parametrize("denial", [UNTIL, FROM], ids=["expires", "networks"])
def test_a_boundary_that_closes_a_door_is_found_where_the_grant_denies_all_on_conditions(
    world: World, denial: tuple[str, str]
) -> None:
    def bound(world: World) -> None:
        made = world.iam().create_policy(PolicyName="only-ec2", PolicyDocument=policy(Action="ec2:*"))
        world.iam().put_role_permissions_boundary(RoleName=ROLE, PermissionsBoundary=made["Policy"]["Arn"])

    with_denial(world, denial)
    world.break_(bound)
    result = world.run("verify", "--manifest", "denial.yaml")
    assert result.code == 2
    assert "granted and allowed: 0; not granted and refused: 2" in result.out
    assert "closed" in result.out


def test_where_the_own_denial_of_a_grant_may_be_what_refuses_nobody_knows_and_it_is_told(world: World) -> None:
    with_denial(world, UNLESS_FROM)
    result = world.run("verify", "--manifest", "denial.yaml")
    assert "shared-bucket-read: dev/group/developers: unknown" in result.out
    assert "not known (simulation, it hangs on conditions of a denial)" in result.out
    assert "note: the grant denies, on conditions, what it allows" in result.out


def test_a_grant_that_demands_mfa_is_looked_at_without_a_session(world: World) -> None:
    more = Path("more.yaml")
    more.write_text(MFA)
    result = world.run("verify", "with-mfa", "--manifest", EXAMPLE, "--manifest", more, "--as", "alice", "--as", "bob")
    assert result.code == 0
    assert "with-mfa: dev/user/alice (profile alice): open, by simulation, documents" in result.out
    assert "no session was tried: MFA missing" in result.out
    assert f"with-mfa: arn:aws:iam::{SOURCE}:user/bob (profile bob): refused as meant, by" in result.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["reader"], 64, "there is no grant reader"),
        (["shared-bucket-read@dev"], 64, "has no role in an account dev"),
        (["--as", "nobody"], 1, "name a profile that the AWS configuration files have"),
    ],
)
def test_what_cannot_be_verified_is_an_error(world: World, words: list[str], code: int, says: str) -> None:
    result = world.run("verify", *words, "--manifest", EXAMPLE)
    assert (result.code, result.out) == (code, "")
    assert says in result.err
