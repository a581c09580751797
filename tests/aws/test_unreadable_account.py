"""An account that cannot be read: it is left out, nothing opens in it, and the others are planned and applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.scenario import RECONCILER, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from reconciler.sandbox.strict.accounts import backend
from tests.aws.seeding import seed_auditors, seed_targets
from tests.conftest import EXAMPLE, Run


def shut(sandbox: Sandbox, account: str) -> None:
    """Let the account deny xgrant every call."""
    root_client(sandbox, "iam", account).delete_role_policy(RoleName=RECONCILER, PolicyName="reconcile")
    sandbox.enforce(on=True)


@pytest.fixture
def half_read(scenario: Scenario, sandbox: Sandbox) -> Scenario:
    """The target account denies every read."""
    shut(sandbox, TARGET)
    sandbox.recorder.take()
    return scenario


def test_it_is_named_with_why_and_nothing_is_opened_in_it(half_read: Scenario, xgrant: Run) -> None:
    result = xgrant("plan", EXAMPLE, "--detailed-exitcode")
    assert result.code == 6
    assert (
        "warning XG209 account storage is left out, and nothing new opens in it: it could not be read: " in result.out
    )
    assert "AccessDenied" in result.err
    assert "No changes in what could be read." in result.out
    assert result.out.endswith(
        "Plan: 0 to create, 0 to update, 0 to delete. Left out: 1 account that could not be read (storage).\n"
    )


def test_nothing_of_it_is_planned_for_deletion(half_read: Scenario, sandbox: Sandbox, xgrant: Run) -> None:
    sandbox.enforce(on=False)
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    sandbox.enforce(on=True)
    out = xgrant("plan", EXAMPLE, "--destroy").out
    assert "- dev/group/developers/caller-policy/shared-bucket-read" in out
    assert "storage/" not in out


@pytest.mark.parametrize("command", ["apply", "destroy"])
def test_where_nothing_can_be_done_nothing_is_written(
    half_read: Scenario, sandbox: Sandbox, xgrant: Run, command: str
) -> None:
    assert xgrant(command, EXAMPLE, "--auto-approve").code == 6
    assert list(writes(sandbox.recorder.take())) == []


def test_a_grant_that_may_live_in_it_is_not_called_unknown(half_read: Scenario, xgrant: Run) -> None:
    result = xgrant("plan", EXAMPLE, "--only", "taken-out-of-the-manifest")
    assert (result.code, "AccessDenied" in result.err) == (6, True)


def test_nobody_of_it_is_said_not_to_exist(scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path) -> None:
    manifest = tmp_path / "m.yaml"
    manifest.write_text(EXAMPLE.read_text(encoding="utf-8").replace("groups: [developers]", "users: [alice]"))
    assert xgrant("apply", manifest, "--auto-approve").code == 0
    shut(sandbox, SOURCE)
    result = xgrant("plan", manifest)
    assert (result.code, "XG209" in result.out, "XG202" in result.out) == (6, True, False)


def test_drift_says_that_it_could_not_be_compared(half_read: Scenario, xgrant: Run) -> None:
    result = xgrant("drift", EXAMPLE)
    assert result.code == 6
    assert "XG209" in result.out
    assert result.out.endswith("No drift in what could be compared; see above for the rest.\n")


ACCOUNTS = {f"w{index}": f"70000000000{index}" for index in range(1, 4)}


@pytest.fixture
def three(scenario: Scenario, sandbox: Sandbox) -> None:
    """Three target accounts of one group in dev."""
    seed_targets(ACCOUNTS.values())
    seed_auditors(sandbox)


def manifest(folder: Path, **more: Any) -> Path:
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"dev": {"id": SOURCE}, **{name: {"id": account} for name, account in ACCOUNTS.items()}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "grants": {
            "audit": {
                "from": {"account": "dev", "groups": ["auditors"]},
                "to": {"account": sorted(ACCOUNTS), "role": "Audit"},
                "permissions": [{"actions": ["s3:ListBucket"], "resources": ["*"]}],
                **more,
            }
        },
    }
    path = folder / "m.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def has_role() -> set[str]:
    """Return the accounts that have the role."""
    return {
        name for name, account in ACCOUNTS.items() if any(r.name == "Audit" for r in backend(account).roles.values())
    }


def opened() -> set[str]:
    """Return the accounts whose role the group may assume, whichever policies say so."""
    group = backend(SOURCE).get_group("auditors")
    texts = [
        *group.policies.values(),
        *(v.document for p in group.managed_policies.values() for v in p.versions if v.is_default),
    ]
    return {name for name, account in ACCOUNTS.items() if any(account in text for text in texts)}


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("kind", ["inline", "managed"])
def test_the_others_are_applied_and_the_next_apply_does_the_rest(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, kind: str
) -> None:
    more = {"caller_policy": "managed"} if kind == "managed" else {}
    path = manifest(tmp_path, **more)
    shut(sandbox, ACCOUNTS["w2"])
    result = xgrant("apply", path, "--auto-approve")
    assert result.code == 6
    assert result.out.endswith("3 created, 0 updated, 0 deleted. Left out: 1 account that could not be read (w2).\n"), (
        result.out
    )
    assert has_role() == opened() == {"w1", "w3"}
    sandbox.enforce(on=False)
    assert xgrant("apply", path, "--auto-approve").code == 0
    assert has_role() == opened() == {*ACCOUNTS}
    assert xgrant("plan", path, "--detailed-exitcode").code == 0


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("kind", ["inline", "managed"])
def test_what_stands_open_in_it_stays_open(sandbox: Sandbox, xgrant: Run, tmp_path: Path, kind: str) -> None:
    more = {"caller_policy": "managed"} if kind == "managed" else {}
    path = manifest(tmp_path, **more)
    assert xgrant("apply", path, "--auto-approve").code == 0
    shut(sandbox, ACCOUNTS["w2"])
    result = xgrant("plan", path)
    assert (result.code, "No changes in what could be read." in result.out) == (6, True)
    without = manifest(tmp_path, to={"account": ["w2", "w3"], "role": "Audit"}, **more)
    assert xgrant("apply", without, "--auto-approve").code == 6
    assert (opened(), has_role()) == ({"w2", "w3"}, {"w2", "w3"})


@pytest.mark.usefixtures("three")
def test_what_should_be_closed_to_it_is_closed(sandbox: Sandbox, xgrant: Run, tmp_path: Path) -> None:
    assert xgrant("apply", manifest(tmp_path), "--auto-approve").code == 0
    shut(sandbox, ACCOUNTS["w2"])
    assert (
        xgrant("apply", manifest(tmp_path, to={"account": ["w1", "w3"], "role": "Audit"}), "--auto-approve").code == 6
    )
    assert (opened(), has_role()) == ({"w1", "w3"}, {*ACCOUNTS})


@pytest.mark.usefixtures("three")
def test_a_reviewed_plan_that_left_it_out_leaves_it_out_when_it_is_applied(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path, file = manifest(tmp_path), tmp_path / "plan.json"
    shut(sandbox, ACCOUNTS["w2"])
    planned = xgrant("plan", path, "-o", file)
    assert xgrant("show", file).out == planned.out
    sandbox.enforce(on=False)
    result = xgrant("apply", file, path)
    assert (result.code, "(w2)" in result.out) == (6, True), result.err
    assert has_role() == opened() == {"w1", "w3"}
    # Whether something is left to do or not, it says whose fault that is, and which command reads the account again.
    assert "it leaves out 1 account that could not be read (w2), even when it can be read again." in planned.err
    anew = f"once it can be read, plan it and review that: xgrant plan -o {file} {path}\n"
    assert f"    what to do: {anew}" in result.out
    again = xgrant("apply", file, path)
    assert (again.code, again.err.splitlines(keepends=True)[-1]) == (
        6,
        f"xgrant: account w2 could not be read when the plan was reviewed, so the plan file leaves it out; {anew}",
    )


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("kind", ["inline", "managed"])
def test_an_account_that_fails_after_the_review_leaves_the_others_to_be_applied(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, kind: str
) -> None:
    more = {"caller_policy": "managed"} if kind == "managed" else {}
    path, file = manifest(tmp_path, **more), tmp_path / "plan.json"
    planned = xgrant("plan", path, "-o", file)
    assert planned.code == 0, planned.err
    shut(sandbox, ACCOUNTS["w2"])
    result = xgrant("apply", file, path)
    assert result.code == 6, result.err
    assert has_role() == opened() == {"w1", "w3"}
    sandbox.enforce(on=False)
    # What is left is a change of another kind: it has to be reviewed.
    assert xgrant("apply", file, path).code == 4


@pytest.mark.usefixtures("three")
def test_an_account_that_fails_after_the_review_lets_nothing_through_that_was_not_reviewed(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path, file = manifest(tmp_path), tmp_path / "plan.json"
    xgrant("plan", path, "-o", file)
    shut(sandbox, ACCOUNTS["w2"])
    changed = manifest(tmp_path, permissions=[{"actions": ["s3:*"], "resources": ["*"]}])
    sandbox.recorder.take()
    result = xgrant("apply", file, changed)
    assert (result.code, "different: create w1/role/Audit" in result.out) == (4, True)
    assert list(writes(sandbox.recorder.take())) == []


ADMINS = {"from": {"account": "dev", "groups": ["admins"]}}
MORE = [{"actions": ["s3:*"], "resources": ["*"]}]


def permitted(name: str = "w1") -> str:
    """Return what the role in an account permits."""
    (role,) = (role for role in backend(ACCOUNTS[name]).roles.values() if role.name == "Audit")
    return str(role.policies)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("reviewed", [False, True])
def test_a_role_is_not_made_larger_while_nobody_can_shut_out_who_must_not_come_in(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, reviewed: bool
) -> None:
    root_client(sandbox, "iam", SOURCE).create_group(GroupName="admins")
    assert xgrant("apply", manifest(tmp_path), "--auto-approve").code == 0
    second, file = manifest(tmp_path, **ADMINS, permissions=MORE), tmp_path / "plan.json"
    if reviewed:
        assert xgrant("plan", second, "-o", file).code == 0
    shut(sandbox, SOURCE)
    result = xgrant("apply", file, second) if reviewed else xgrant("apply", second, "--auto-approve")
    assert result.code == 6, result.err
    assert "role/Audit" in result.out
    assert "it stays as it is until dev can be read" in result.out
    assert "s3:*" not in permitted()
    sandbox.enforce(on=False)
    assert xgrant("apply", second, "--auto-approve").code == 0
    assert "s3:*" in permitted()


@pytest.mark.usefixtures("three")
def test_nobody_comes_in_by_a_door_that_was_left_when_its_role_went(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    root_client(sandbox, "iam", SOURCE).create_group(GroupName="admins")
    assert xgrant("apply", manifest(tmp_path), "--auto-approve").code == 0
    shut(sandbox, SOURCE)
    none, other = declaring(tmp_path, {}), {"to": {"account": sorted(ACCOUNTS), "role": "Audit"}, **ADMINS}
    assert xgrant("apply", none, "--auto-approve", "--accept", "XG207").code == 6
    admins = declaring(tmp_path, {"admins": {**other, "permissions": MORE}})
    result = xgrant("apply", admins, "--auto-approve")
    assert (result.code, "it stays as it is until dev can be read" in result.out) == (6, True)
    assert (opened(), has_role()) == ({*ACCOUNTS}, set())
    sandbox.enforce(on=False)
    assert xgrant("apply", admins, "--auto-approve").code == 0
    assert (opened(), has_role()) == (set(), {*ACCOUNTS})


def declaring(folder: Path, grants: dict[str, Any]) -> Path:
    """Return the manifest with these grants in the place of its own."""
    path = manifest(folder)
    data = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**data, "grants": grants}), encoding="utf-8")
    return path


BOT = {
    "from": {"account": "dev", "users": ["bot"]},
    "permissions": [{"actions": ["s3:ListBucket"], "resources": ["*"]}],
}


@pytest.mark.usefixtures("three")
def test_a_role_that_was_to_pass_to_another_grant_holds_up_nothing_else_of_a_reviewed_plan(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    root_client(sandbox, "iam", SOURCE).create_user(UserName="bot")
    audit, other = ({**BOT, "to": {"account": name, "role": role}} for name, role in (("w1", "Audit"), ("w2", "Other")))
    group = {**audit, "from": {"account": "dev", "groups": ["auditors"]}}
    assert xgrant("apply", declaring(tmp_path, {"first": group, "other": other}), "--auto-approve").code == 0
    path = declaring(tmp_path, {"second": group, "other": {**other, "description": "new"}})
    file = tmp_path / "plan.json"
    assert xgrant("plan", path, "-o", file).code == 0
    shut(sandbox, SOURCE)
    result = xgrant("apply", file, path, "--accept", "XG207")
    assert result.code == 6, result.err
    assert "1 updated" in result.out
    assert ("~ w2/role/Other" in result.out, "warning XG209 w1/role/Audit" in result.out) == (True, True)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("reviewed", [False, True])
def test_a_role_that_waits_keeps_what_it_carries(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, *, reviewed: bool
) -> None:
    def grants(role: str) -> dict[str, Any]:
        first = {**BOT, "from": {"account": "dev", "groups": ["auditors"]}, "to": {"account": "w1", "role": role}}
        second = {**BOT, "from": {"account": "w1", "roles": [role]}, "to": {"account": "w2", "role": "Deep"}}
        return {"first": first, "second": second}

    assert xgrant("apply", declaring(tmp_path, grants("Hop")), "--auto-approve").code == 0
    path, file = declaring(tmp_path, grants("Hop2")), tmp_path / "plan.json"
    assert xgrant("plan", path, "-o", file).code == 0
    shut(sandbox, SOURCE)
    sandbox.recorder.take()
    result = xgrant("apply", file, path) if reviewed else xgrant("apply", path, "--auto-approve")
    assert (result.code, list(writes(sandbox.recorder.take()))) == (6, []), result.err
    (hop,) = (role for role in backend(ACCOUNTS["w1"]).roles.values() if role.name.startswith("Hop"))
    assert (hop.name, [*hop.policies]) == ("Hop", ["xgrant-permissions", "xgrant.platform.second"])


@pytest.mark.usefixtures("three")
def test_what_does_not_concern_its_callers_is_changed(sandbox: Sandbox, xgrant: Run, tmp_path: Path) -> None:
    assert xgrant("apply", manifest(tmp_path), "--auto-approve").code == 0
    shut(sandbox, SOURCE)
    result = xgrant("apply", manifest(tmp_path, description="now described"), "--auto-approve")
    assert (result.code, "3 updated" in result.out) == (6, True)


@pytest.mark.usefixtures("three")
def test_a_role_that_is_wanted_no_more_goes_although_its_callers_cannot_be_read(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    assert xgrant("apply", manifest(tmp_path), "--auto-approve").code == 0
    shut(sandbox, SOURCE)
    assert xgrant("destroy", manifest(tmp_path), "--auto-approve").code == 6
    assert has_role() == set()


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("kind", ["inline", "managed"])
@pytest.mark.parametrize("targets", [["w2"], ["w1", "w2", "w3"]])
def test_who_waits_for_a_renamed_role_keeps_the_one_that_stands(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, kind: str, targets: list[str]
) -> None:
    more = {"caller_policy": "managed"} if kind == "managed" else {}
    assert (
        xgrant("apply", manifest(tmp_path, to={"account": targets, "role": "Audit"}, **more), "--auto-approve").code
        == 0
    )
    shut(sandbox, ACCOUNTS["w2"])
    renamed = manifest(tmp_path, to={"account": targets, "role": "Audit2"}, **more)
    assert xgrant("apply", renamed, "--auto-approve").code == 6
    assert opened() == {*targets}
    sandbox.enforce(on=False)
    assert xgrant("apply", renamed, "--auto-approve").code == 0
    assert xgrant("plan", renamed, "--detailed-exitcode").code == 0


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("targets", [["w2"], ["w1", "w2", "w3"]])
def test_after_the_review_nothing_is_closed_that_was_to_be_exchanged(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, targets: list[str]
) -> None:
    assert xgrant("apply", manifest(tmp_path, to={"account": targets, "role": "Audit"}), "--auto-approve").code == 0
    renamed, file = manifest(tmp_path, to={"account": targets, "role": "Audit2"}), tmp_path / "plan.json"
    assert xgrant("plan", renamed, "-o", file).code == 0
    shut(sandbox, ACCOUNTS["w2"])
    assert xgrant("apply", file, renamed).code == 6
    assert opened() == {*targets}


@pytest.mark.usefixtures("three")
def test_a_role_that_cannot_be_made_under_its_new_name_leaves_the_old_one_open(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    assert xgrant("apply", manifest(tmp_path), "--auto-approve").code == 0
    root_client(sandbox, "iam", ACCOUNTS["w2"]).put_role_policy(
        RoleName=RECONCILER, PolicyName="no-new-roles",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Deny", "Action": "iam:CreateRole", "Resource": "*"}}),
    )  # fmt: skip
    sandbox.enforce(on=True)
    renamed = manifest(tmp_path, to={"account": sorted(ACCOUNTS), "role": "Audit2"})
    assert xgrant("apply", renamed, "--auto-approve").code == 6
    assert (opened(), has_role()) == ({*ACCOUNTS}, {"w2"})


@pytest.mark.usefixtures("three")
def test_a_role_that_cannot_be_made_keeps_nobody_from_the_others(sandbox: Sandbox, xgrant: Run, tmp_path: Path) -> None:
    root_client(sandbox, "iam", ACCOUNTS["w2"]).put_role_policy(
        RoleName=RECONCILER, PolicyName="no-new-roles",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Deny", "Action": "iam:CreateRole", "Resource": "*"}}),
    )  # fmt: skip
    sandbox.enforce(on=True)
    path = manifest(tmp_path)
    result = xgrant("apply", path, "--auto-approve")
    assert result.code == 6
    assert "failed: w2/role/Audit: " in result.out
    assert (
        "done in part: dev/group/developers/caller-policy/audit: without w2/role/Audit, which was not done".replace(
            "developers", "auditors"
        )
        in result.out
    )
    assert has_role() == opened() == {"w1", "w3"}
    assert "~ dev/group/auditors/caller-policy/audit" in xgrant("plan", path).out
    assert "in part (2 done, 1 done in part, 1 failed of 4 steps)" in xgrant("history", path).out


@pytest.mark.usefixtures("three")
def test_what_a_reviewed_plan_left_out_is_told_when_all_else_is_done(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path, file = manifest(tmp_path), tmp_path / "plan.json"
    xgrant("plan", path, "-o", file)
    shut(sandbox, ACCOUNTS["w2"])
    assert [xgrant("apply", file, path).code for _ in range(2)] == [6, 6]
    assert "wants it, save in 1 account that could not be read (w2), left out.\n" in xgrant("apply", file, path).out
    (record,) = json.loads(xgrant("history", path, "--format", "json").out)["records"]
    assert (record["outcome"], record["unread"]) == ("in part", ["w2"])
    assert "in part (3 done of 3 steps; could not be read: w2); by" in xgrant("history", path).out


@pytest.mark.usefixtures("three")
def test_a_plan_that_is_another_by_the_time_of_the_yes_is_stale_although_an_account_is_left_out(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def approved(_: str) -> bool:
        shut(sandbox, ACCOUNTS["w2"])
        return True

    monkeypatch.setattr("reconciler.commands.apply.interactive", lambda: True)
    monkeypatch.setattr("reconciler.commands.apply._asked", approved)
    path = manifest(tmp_path)
    sandbox.recorder.take()
    assert xgrant("apply", path).code == 4
    assert has_role() == set()


@pytest.mark.usefixtures("three")
def test_a_caller_policy_that_is_written_whole_is_done_although_a_role_that_it_opens_is_not(
    sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = manifest(tmp_path)
    assert xgrant("apply", path, "--auto-approve").code == 0
    root_client(sandbox, "iam", ACCOUNTS["w2"]).put_role_policy(
        RoleName=RECONCILER, PolicyName="no-new-tags",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": {
            "Effect": "Deny", "Action": "iam:TagRole", "Resource": "*"}}),
    )  # fmt: skip
    sandbox.enforce(on=True)
    data = json.loads(path.read_text(encoding="utf-8"))
    data["grants"] = {"renamed": {**data["grants"]["audit"], "moved": [{"from": "audit"}]}}
    path.write_text(json.dumps(data), encoding="utf-8")
    result = xgrant("apply", path, "--auto-approve")
    assert (result.code, "failed: w2/role/Audit" in result.out, "in part" in result.out) == (6, True, False)
    assert opened() == {*ACCOUNTS}
