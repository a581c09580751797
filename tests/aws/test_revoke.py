"""`xgrant revoke` ends the sessions of a role as the console does; plan leaves that alone and shows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from reconciler.policy.document import PolicyDocument
from reconciler.policy.shapes import ended_before, ending_sessions
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, counted, writes
from tests.aws.strict_support import policy
from tests.aws.test_validity import Time, listed, session
from tests.conftest import Run
from tests.snapshots import once

GRANT = f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "{SOURCE}"}}
  storage: {{id: "{TARGET}"}}
  vendor: {{id: "555555555555", managed: false}}
defaults:
  access: {{assume_role: {{name: xgrant-reconciler}}}}
grants:
  reader:
    from: {{account: dev, users: [alice]}}
    to: {{account: storage, role: Reader}}
    permissions: [{{actions: "s3:*", resources: "*"}}]
  other:
    from: {{account: storage, roles: [Reader]}}
    to: {{account: dev, role: Other}}
    permissions: [{{actions: "s3:*", resources: "*"}}]
  theirs:
    from: {{account: dev, users: [alice]}}
    to: {{account: vendor, role: Theirs}}
"""
NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    found = Time(monkeypatch)
    found.becomes(NOW)
    return found


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "grants.yaml"
    path.write_text(GRANT)
    return path


@once
def made(sandbox: Sandbox, xgrant: Run, manifest: Path) -> None:
    assert xgrant("apply", manifest, "--auto-approve", "--no-verify").code == 0


@pytest.fixture
def applied(scenario: Scenario, sandbox: Sandbox, manifest: Path, time: Time, xgrant: Run) -> Scenario:
    made(sandbox, xgrant, manifest)
    return scenario


@pytest.fixture
def iam(applied: Scenario, sandbox: Sandbox) -> Any:
    return root_client(sandbox, "iam", TARGET)


def standing(iam: Any) -> Any:
    return iam.get_role_policy(RoleName="Reader", PolicyName="AWSRevokeOlderSessions")["PolicyDocument"]


def test_the_document_is_the_console_s_letter_for_letter() -> None:
    """User guide, "Revoking IAM role temporary security credentials"."""
    assert ending_sessions(1393632000).data() == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny",
                "Action": ["*"],
                "Resource": ["*"],
                "Condition": {"DateLessThan": {"aws:TokenIssueTime": "2014-03-01T00:00:00Z"}},
            }
        ],
    }


def test_sessions_from_before_end_and_later_ones_do_not(
    applied: Scenario, iam: Any, sandbox: Sandbox, manifest: Path, time: Time, xgrant: Run
) -> None:
    sandbox.enforce(on=True)
    old = session(applied)
    assert listed(applied, old) == ""
    sandbox.enforce(on=False)
    sandbox.recorder.take()
    done = xgrant("revoke", "reader", "--manifest", manifest, "--auto-approve")
    assert (done.code, done.out.splitlines()[-1]) == (0, "Revoke: 0 created, 1 updated, 0 deleted.")
    assert "its sessions that were issued before this is written are denied everything" in done.out
    assert "note XG244" in done.out
    assert counted(writes(sandbox.recorder.take())) == {"PutRolePolicy": 1}
    assert PolicyDocument.read(standing(iam)) == ending_sessions(int(NOW.timestamp()) + 1)
    sandbox.enforce(on=True)
    time.becomes(NOW, 1)
    assert listed(applied, old) == "AccessDenied"
    assert listed(applied, session(applied)) == ""


def test_plan_leaves_it_alone_and_shows_until_when(applied: Scenario, manifest: Path, xgrant: Run) -> None:
    assert xgrant("revoke", "reader", "--manifest", manifest, "--auto-approve").code == 0
    planned = xgrant("plan", manifest, "--detailed-exitcode")
    assert planned.code == 0
    assert "the sessions from before 2030-01-01T12:00:01Z of the role Reader were ended" in planned.out
    history = xgrant("history", manifest)
    assert "revoke  done" in history.out
    assert xgrant("destroy", manifest, "--auto-approve").code == 0


def test_a_later_moment_moves_it_and_an_earlier_one_does_nothing(
    applied: Scenario, iam: Any, sandbox: Sandbox, manifest: Path, time: Time, xgrant: Run
) -> None:
    revoke = ("revoke", "reader", "--manifest", manifest, "--auto-approve", "--before")
    assert xgrant(*revoke, "2030-01-01T10:00+01:00").code == 0
    sandbox.recorder.take()
    earlier = xgrant(*revoke, "2030-01-01")
    assert (earlier.code, earlier.out) == (
        0, "Nothing to do: all sessions from before 2030-01-01T00:00:00Z are ended already.\n"
    )  # fmt: skip
    assert not counted(writes(sandbox.recorder.take()))
    assert "until now those before 2030-01-01T09:00:00Z are" in xgrant(*revoke, "2030-01-01T11:00:00Z").out
    assert PolicyDocument.read(standing(iam)) == ending_sessions(int(NOW.timestamp()) - 3600)


def test_what_the_console_wrote_to_the_millisecond_is_understood(
    applied: Scenario, iam: Any, manifest: Path, xgrant: Run
) -> None:
    written = {"DateLessThan": {"aws:TokenIssueTime": "2029-12-31T10:20:30.123Z"}}
    document = policy(Effect="Deny", Action=["*"], Resource=["*"], Condition=written)
    iam.put_role_policy(RoleName="Reader", PolicyName="AWSRevokeOlderSessions", PolicyDocument=document)
    assert "from before 2029-12-31T10:20:30Z of the role" in xgrant("plan", manifest).out


REFUSED = {
    "no such grant": (["redaer"], 64, "did you mean reader?"),
    "no role there": (["reader@dev"], 64, "it has one in storage"),
    "not managed": (["theirs"], 64, "account vendor is not managed here"),
    "to come": (["reader", "--before", "2030-01-01T12:00:01Z"], 64, "is not over yet"),
    "no time": (["reader", "--before", "yesterday"], 64, "--before: a date is written like 2026-12-31"),
    "no zone": (["reader", "--before", "2029-01-01T12:00"], 64, "a time needs its zone"),
}


@pytest.mark.parametrize(("arguments", "code", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_cannot_be_ended_is_refused(
    applied: Scenario, sandbox: Sandbox, manifest: Path, xgrant: Run, arguments: list[str], code: int, words: str
) -> None:
    sandbox.recorder.take()
    result = xgrant("revoke", *arguments, "--manifest", manifest, "--auto-approve")
    assert (result.code, words in result.err) == (code, True)
    assert not counted(writes(sandbox.recorder.take()))


def test_a_role_of_its_name_that_is_not_ours_is_left_alone(
    applied: Scenario, iam: Any, sandbox: Sandbox, manifest: Path, xgrant: Run
) -> None:
    iam.untag_role(RoleName="Reader", TagKeys=["xgrant:stack"])
    sandbox.recorder.take()
    result = xgrant("revoke", "reader", "--manifest", manifest, "--auto-approve")
    assert (result.code, "storage/role/Reader is not of the stack platform" in result.err) == (1, True)
    iam.untag_role(RoleName="Reader", TagKeys=["xgrant:grant"])
    assert not [call for call in writes(sandbox.recorder.take()) if call.operation != "UntagRole"]


def test_without_a_terminal_somebody_has_to_approve(applied: Scenario, manifest: Path, xgrant: Run) -> None:
    result = xgrant("revoke", "reader", "--manifest", manifest)
    assert (result.code, "--auto-approve" in result.err) == (64, True)


def test_a_role_without_room_for_it_is_an_error_before_anything_is_written(
    applied: Scenario, sandbox: Sandbox, manifest: Path, xgrant: Run
) -> None:
    sandbox.strict.quotas[TARGET] = {"RolePolicySizeQuota": 200}
    result = xgrant("revoke", "reader", "--manifest", manifest, "--auto-approve")
    assert (result.code, "error XG220 storage/role/Reader" in result.out) == (3, True)


def test_now_is_the_moment_of_the_write_and_not_that_of_the_command(
    applied: Scenario, iam: Any, manifest: Path, monkeypatch: pytest.MonkeyPatch, xgrant: Run
) -> None:
    """Reading, asking and waiting for locks take time, in which others get in."""
    minutes = count()
    monkeypatch.setattr("reconciler.commands.clock.now", lambda: NOW + timedelta(minutes=next(minutes)))
    assert xgrant("revoke", "reader", "--manifest", manifest, "--auto-approve").code == 0
    assert (ended_before(PolicyDocument.read(standing(iam))) or 0) == NOW.timestamp() + 121


def test_now_is_what_aws_says_where_the_clock_of_this_machine_is_behind(
    applied: Scenario, iam: Any, manifest: Path, time: Time, xgrant: Run
) -> None:
    time.becomes(datetime(2020, 1, 1, tzinfo=UTC))
    begun = datetime.now(UTC).timestamp()
    assert xgrant("revoke", "reader", "--manifest", manifest, "--auto-approve").code == 0
    assert (ended_before(PolicyDocument.read(standing(iam))) or 0) >= begun


def test_what_cannot_be_ended_keeps_no_other_from_it(applied: Scenario, iam: Any, manifest: Path, xgrant: Run) -> None:
    manifest.write_text(GRANT.replace("storage, role: Reader}", "[storage, vendor], role: Reader}"))
    done = xgrant("revoke", "reader", "--manifest", manifest, "--auto-approve")
    assert (done.code, "XG246 vendor/role/Reader" in done.out) == (6, True), done.out + done.err
    assert ended_before(PolicyDocument.read(standing(iam))) == NOW.timestamp() + 1
    again = xgrant("revoke", "reader", "--manifest", manifest, "--auto-approve")
    assert (again.code, "XG246 vendor/role/Reader" in again.err) == (6, True)
    assert "Nothing to do for the other roles" in again.out


def test_what_ends_later_sessions_in_another_way_stays(
    applied: Scenario, iam: Any, manifest: Path, xgrant: Run
) -> None:
    later = {"DateLessThanEquals": {"aws:TokenIssueTime": ["2030-01-01T11:59:59Z"]}}
    theirs = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": later}
    iam.put_role_policy(RoleName="Reader", PolicyName="AWSRevokeOlderSessions", PolicyDocument=policy(**theirs))
    for before in ("2029-01-01", "2029-02-01"):
        done = xgrant("revoke", "reader", "--manifest", manifest, "--auto-approve", "--before", before)
        assert (done.code, "in another way stays beside" in done.out) == (0, before == "2029-01-01")
    assert PolicyDocument.read(standing(iam)) == PolicyDocument.parse({
        "Version": "2012-10-17",
        "Statement": [theirs, *ending_sessions(int(datetime(2029, 2, 1, tzinfo=UTC).timestamp())).data()["Statement"]],
    })  # fmt: skip
