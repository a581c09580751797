"""People behind IAM Identity Center and jobs with a token, against the strict AWS: planned, applied, assumed, imported."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, counted, writes
from tests.conftest import Run

FOLDER = "/aws-reserved/sso.amazonaws.com/"
ROLE_ARN = f"arn:aws:iam::{TARGET}:role/Reader"
GITHUB = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{TARGET}:oidc-provider/{GITHUB}"
PEOPLE = {"account": "dev", "permission_sets": ["Data"]}
JOBS = {"oidc": {"provider": GITHUB, "subject": "repo:acme/app:ref:refs/heads/main"}}
READ = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def document(*statements: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


ALICE_ASSUMES = document(
    {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{SOURCE}:user/alice"}, "Action": "sts:AssumeRole"}
)
MAY_ASSUME = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE_ARN})


def manifest(folder: Path, *callers: Any, **more: Any) -> Path:
    grants = {
        f"reader{number or ''}": {
            "from": who,
            "to": {"account": "storage", "role": f"Reader{number or ''}"},
            "permissions": [{"actions": "s3:GetObject", "resources": "arn:aws:s3:::b/*"}],
            **more,
        }
        for number, who in enumerate(callers)
    }
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "grants": grants,
    }
    path = folder / "m.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def assign(sandbox: Sandbox, name: str, *, region: str = "", allows: dict[str, Any] | None = MAY_ASSUME) -> str:
    """Make the role of a permission set, as which alice signs in; return its ARN."""
    role, path = f"AWSReservedSSO_{name}_0123456789abcdef", FOLDER + (f"{region}/" if region else "")
    sandbox.strict.add_protected_role(SOURCE, role, path, ALICE_ASSUMES, allows=allows)
    iam = root_client(sandbox, "iam", SOURCE)
    anything = document({"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"})
    iam.put_user_policy(UserName="alice", PolicyName="sign-in", PolicyDocument=json.dumps(anything))
    sandbox.recorder.take()
    return f"arn:aws:iam::{SOURCE}:role{path}{role}"


def assumes(scenario: Scenario, set_role: str) -> bool:
    session = scenario.assume("alice", set_role)
    sts = scenario.client("sts", session)
    try:
        sts.assume_role(RoleArn=ROLE_ARN, RoleSessionName="Data")
    except sts.exceptions.ClientError as error:
        if error.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True


@pytest.mark.parametrize("region", ["", "eu-central-1"])
def test_who_has_the_permission_set_gets_in_and_nobody_with_another_one_does(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, region: str
) -> None:
    theirs, others = (assign(sandbox, name, region=region) for name in ("Data", "Data_Engineer"))
    applied = xgrant("apply", manifest(tmp_path, PEOPLE), "--auto-approve")
    assert (applied.code, "XG23" in applied.out) == (0, False)
    # The set itself says that it may, so nothing is left to be noted; and nothing was written in the source account.
    assert [call.account for call in writes(sandbox.recorder.take())] == [TARGET] * 2
    sandbox.enforce(on=True)
    assert assumes(scenario, theirs)
    assert not assumes(scenario, others)


def test_a_group_beside_a_permission_set_lets_in_its_users_and_no_other_permission_set(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    theirs, others = (assign(sandbox, name) for name in ("Data", "Other"))
    path = manifest(tmp_path, {**PEOPLE, "groups": ["developers"]})
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert xgrant("plan", path, "--detailed-exitcode").code == 0
    sandbox.enforce(on=True)
    assert scenario.assume("alice", ROLE_ARN)
    assert assumes(scenario, theirs)
    assert not assumes(scenario, others)


def test_the_plan_says_what_has_to_stand_in_the_permission_set_until_it_does_and_stays_empty(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = manifest(tmp_path, PEOPLE)
    planned = xgrant("plan", path)
    assert planned.code == 0
    assert "warning XG231 account dev has no role of the permission set Data" in planned.out
    assert f"note XG230 the permission set Data of account dev ({SOURCE}) is not seen to allow" in planned.out
    assert f'"Resource": "{ROLE_ARN}"' in planned.out
    assert xgrant("apply", path, "--auto-approve").code == 0
    again = xgrant("plan", path, "--detailed-exitcode")
    assert (again.code, "XG230" in again.out, "No changes" in again.out) == (0, True, True)
    assert xgrant("drift", path).code == 0
    assign(sandbox, "Data")
    assert "XG23" not in xgrant("plan", path, "--detailed-exitcode").out


def test_permission_sets_stand_beside_others_and_drift_of_either_statement_is_repaired(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = manifest(tmp_path, {**PEOPLE, "users": ["alice"]})
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert xgrant("plan", path, "--detailed-exitcode").code == 0
    iam = root_client(sandbox, "iam", TARGET)
    loose = iam.get_role(RoleName="Reader")["Role"]["AssumeRolePolicyDocument"]
    text = json.dumps(loose).replace("?" * 16, "*")
    iam.update_assume_role_policy(RoleName="Reader", PolicyDocument=text)
    found = xgrant("plan", path, "--detailed-exitcode")
    assert (found.code, "AWSReservedSSO_Data_*" in found.out) == (2, True)
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert xgrant("plan", path, "--detailed-exitcode").code == 0
    assert xgrant("destroy", path, "--auto-approve").code == 0
    assert xgrant("plan", path, "--destroy", "--detailed-exitcode").code == 0


def test_jobs_with_a_token_are_planned_applied_found_changed_and_taken_back(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = manifest(tmp_path, JOBS)
    warned = xgrant("plan", path, "-o", tmp_path / "plan.json")
    assert f"warning XG232 storage/role/Reader: account storage has no identity provider {GITHUB}" in warned.out
    iam = root_client(sandbox, "iam", TARGET)
    iam.create_open_id_connect_provider(Url=f"https://{GITHUB}", ClientIDList=["sts.amazonaws.com"])
    # What the reviewed plan warned of was done since.
    applied = xgrant("apply", tmp_path / "plan.json", path)
    assert (applied.code, "XG23" in applied.out) == (0, False)
    assert xgrant("plan", path, "--detailed-exitcode").code == 0
    trust = iam.get_role(RoleName="Reader")["Role"]["AssumeRolePolicyDocument"]
    text = json.dumps(trust).replace("acme/app:ref:refs/heads/main", "evil/app:ref:refs/heads/main")
    iam.update_assume_role_policy(RoleName="Reader", PolicyDocument=text)
    found = xgrant("drift", path)
    assert (found.code, "repo:evil/app:ref:refs/heads/main" in found.out) == (2, True)
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert xgrant("drift", path).code == 0
    assert xgrant("destroy", path, "--auto-approve").out.endswith("Destroy: 0 created, 0 updated, 1 deleted.\n")


def test_providers_are_listed_once_and_only_in_accounts_where_a_role_is_to_trust_one(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    for callers, calls in (([PEOPLE], 0), ([PEOPLE, JOBS, JOBS], 1)):
        path = manifest(tmp_path, *callers)
        sandbox.recorder.take()
        xgrant("plan", path)
        made = sandbox.recorder.take()
        assert counted(made)["ListOpenIDConnectProviders"] == calls
        assert all(call.account == TARGET for call in made if call.operation == "ListOpenIDConnectProviders")
    sandbox.recorder.take()
    xgrant("plan", path, "--destroy")
    assert counted(sandbox.recorder.take())["ListOpenIDConnectProviders"] == 0


@pytest.mark.parametrize("callers", [PEOPLE, JOBS], ids=["people", "jobs"])
def test_a_reviewed_plan_of_such_callers_is_applied(
    scenario: Scenario, xgrant: Run, tmp_path: Path, callers: dict[str, Any]
) -> None:
    path, file = manifest(tmp_path, callers), tmp_path / "plan.json"
    assert xgrant("plan", path, "-o", file).code == 0
    assert "XG23" in xgrant("show", file).out
    assert xgrant("apply", file, path).code == 0
    assert xgrant("plan", path, "--detailed-exitcode").code == 0


def sets_trust(*patterns: str, **more: Any) -> dict[str, Any]:
    condition = {"ArnLike": {"aws:PrincipalArn": list(patterns)}, **more}
    root = f"arn:aws:iam::{SOURCE}:root"
    return {"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole", "Condition": condition}


def job_trust(**condition: Any) -> dict[str, Any]:
    action = "sts:AssumeRoleWithWebIdentity"
    return {"Effect": "Allow", "Principal": {"Federated": PROVIDER}, "Action": action, "Condition": condition}


EXACT = [f"arn:aws:iam::{SOURCE}:role{FOLDER}{region}AWSReservedSSO_Data_{'?' * 16}" for region in ("", "*/")]
LOOSE = [pattern.replace("?" * 16, "*") for pattern in EXACT]
AUD, SUB = {f"{GITHUB}:aud": "sts.amazonaws.com"}, {f"{GITHUB}:sub": "repo:acme/app:ref:refs/heads/main"}
USER = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{SOURCE}:user/bob"}, "Action": "sts:AssumeRole"}

BY_HAND: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "People": (document(sets_trust(*EXACT)), PEOPLE),
    "PeopleOfTheVendor": (
        document(sets_trust(*EXACT, StringEquals={"sts:ExternalId": "abc"})), PEOPLE,
    ),
    "PeopleAndBob": (document(sets_trust(*EXACT), USER), {**PEOPLE, "users": ["bob"]}),
    "Loosely": (document(sets_trust(*LOOSE)), {"account": "dev", "entire_account": True}),
    "Jobs": (
        document(job_trust(StringEquals={**AUD, **SUB})),
        {"oidc": {**JOBS["oidc"], "audience": "sts.amazonaws.com"}},
    ),
    "JobsOfAllBranches": (
        document(job_trust(StringEquals=AUD, StringLike={f"{GITHUB}:sub": "repo:acme/app:*"})),
        {"oidc": {"provider": GITHUB, "audience": "sts.amazonaws.com", "subject": "repo:acme/app:*"}},
    ),
}  # fmt: skip

LEFT: dict[str, tuple[dict[str, Any], str]] = {
    "Anybody": (document(job_trust(StringEquals=AUD)), f"once each, {GITHUB}:aud under StringEquals"),
    "NoWildcard": (document(job_trust(StringEquals=AUD, StringLike=SUB)), "write StringEquals, which means the same"),
    "RootBesideSets": (
        document(sets_trust(*EXACT), {**USER, "Principal": {"AWS": f"arn:aws:iam::{SOURCE}:root"}}),
        "so these narrow nothing",
    ),
    "AnyRepository": (
        document(job_trust(StringEquals=AUD, StringLike={f"{GITHUB}:sub": "repo:acme/*"})),
        "more than one repository",
    ),
    "NarrowedTwice": (document(sets_trust(*EXACT), {**USER, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}), "several statements"),
}  # fmt: skip


def test_roles_made_by_hand_for_such_callers_are_imported_where_a_grant_says_the_same(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    iam = root_client(sandbox, "iam", TARGET)
    for name, (trust, _) in {**BY_HAND, **LEFT}.items():
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        iam.put_role_policy(RoleName=name, PolicyName="read", PolicyDocument=json.dumps(document(READ)))
    folder = tmp_path / "manifests"
    folder.mkdir()
    manifest(folder)
    result = xgrant("import", folder, "--account", "storage", "--output", folder / "imported.yaml")
    assert result.code == 0, result.err
    imported = {grant["to"]["role"]: grant["from"] for grant in grants_of(folder / "imported.yaml").values()}
    assert imported == {name: said for name, (_, said) in BY_HAND.items()}
    for name, (_, reason) in LEFT.items():
        (line,) = [line for line in result.err.splitlines() if f" {name}:" in line]
        assert reason in line
    applied = xgrant("apply", folder, "--auto-approve")
    assert (applied.code, f"{len(BY_HAND)} adopted" in applied.out) == (0, True), applied.out
    assert xgrant("plan", folder, "--detailed-exitcode").code == 0


def grants_of(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))["grants"]
    return found
