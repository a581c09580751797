"""`xgrant audit` against CloudTrail over HTTP: pages, its pace, accounts that deny, and what nobody uses."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from reconciler.sandbox.scenario import PERMISSIONS, RECONCILER, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import holders
from reconciler.sandbox.trail import History
from tests.conftest import EXAMPLE, Clock, Run
from tests.snapshots import once
from tests.trail import Record, assumed, refused, session, user

NAME = "CrossAccountS3ReadRole"
ROLE = f"arn:aws:iam::{TARGET}:role/xgrant/{NAME}"
HERE = ("--region", "us-east-1")


@pytest.fixture
def history(scenario: Scenario, sandbox: Sandbox, clock: Clock) -> History:
    """CloudTrail of the seeded sandbox, by the clock that xgrant waits by; nothing is in it yet."""
    sandbox.history.clock = clock.monotonic
    return sandbox.history


@once
def _apply(sandbox: Sandbox, xgrant: Run) -> None:
    """Apply the example to the seeded sandbox."""
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0


@pytest.fixture
def applied(scenario: Scenario, sandbox: Sandbox, clock: Clock, xgrant: Run) -> History:
    """CloudTrail of the sandbox with the example applied, by the clock that xgrant waits by; nothing is in it yet."""
    _apply(sandbox, xgrant)
    sandbox.history.clear()
    sandbox.history.clock = clock.monotonic
    sandbox.recorder.take()
    return sandbox.history


def ago(days: float = 1) -> str:
    return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"


def known(who: Record, name: str) -> Record:
    """Return a user's identity with the id that the sandbox has for it."""
    return {**who, "principalId": holders(SOURCE, "User")[name].id}


def callers(out: str) -> dict[str, Any]:
    (grant,) = json.loads(out)["grants"]
    return {caller["caller"]: caller for caller in grant["callers"]}


def test_alice_who_got_in_and_bob_who_did_not_are_told_apart(
    applied: History, scenario: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    sandbox.enforce(on=True)
    scenario.assume("alice", ROLE)
    with pytest.raises(ClientError):
        scenario.assume("bob", ROLE)
    result = xgrant("audit", EXAMPLE, *HERE, "--format", "json")
    assert result.code == 0, result.err
    found = callers(result.out)
    alice, bob = found["user alice of dev"], found["user bob of dev"]
    assert (alice["sessions"]["number"], alice["standing"], alice["named_by"]) == (
        1,
        "named",
        ["group developers of dev"],
    )
    assert (bob["sessions"]["number"], bob["refused"]["number"]) == (0, 1)
    assert bob["refused"]["errors"][0]["code"] == "AccessDenied"
    assert json.loads(result.out)["looked_at"]["second_copies"] == 1


def test_every_page_is_read_at_no_more_than_two_calls_a_second(applied: History, xgrant: Run, tmp_path: Path) -> None:
    # One account, so that one waits at a time: the clock here moves for all who wait by it.
    manifest = tmp_path / "m.yaml"
    text = EXAMPLE.read_text(encoding="utf-8").replace(f'{{id: "{SOURCE}"', f'{{id: "{SOURCE}", managed: false')
    manifest.write_text(text, encoding="utf-8")
    applied.put(*(r for i in range(120) for r in assumed(user(), ROLE, ago(), ip=f"10.0.0.{i}")))
    applied.called.clear()
    result = xgrant("audit", manifest, *HERE, "--format", "json")
    (grant,) = json.loads(result.out)["grants"]
    assert grant["sessions"] == 120
    times = [at for account, _, at, good in applied.called if (account, good) == (TARGET, True)]
    assert len(applied.called) == len(times) == 5  # three pages of one name, one of each of the others
    assert all(third - first > 1 for first, third in zip(times, times[2:], strict=False))


def test_where_somebody_else_asks_too_the_calls_are_tried_again(applied: History, xgrant: Run, clock: Clock) -> None:
    applied.put(*assumed(known(user(), "alice"), ROLE, ago()))
    applied.called += [(SOURCE, "us-east-1", clock.now, True)] * 2
    result = xgrant("audit", EXAMPLE, *HERE)
    assert result.code == 0
    assert "LookupEvents: ThrottlingException; try 2" in result.err
    assert "user alice of dev" in result.out


def test_all_enabled_regions_of_all_managed_accounts_are_looked_at(applied: History, xgrant: Run) -> None:
    applied.put(*assumed(known(user(), "alice"), ROLE, ago(), region="eu-west-1"))
    applied.called.clear()
    result = xgrant("audit", EXAMPLE, "--format", "json")
    regions = json.loads(result.out)["looked_at"]["regions"]
    assert regions["dev"] == regions["storage"]
    assert {"us-east-1", "eu-west-1", "ap-southeast-2"} <= set(regions["dev"])
    # Many wait by one clock here and move it for each other, so that some come too early and are tried again.
    calls = Counter((account, region) for account, region, _, good in applied.called if good)
    assert calls == {(account, region): 3 for account in (SOURCE, TARGET) for region in regions["dev"]}
    assert callers(result.out)["user alice of dev"]["sessions"]["number"] == 1


def test_what_a_trail_keeps_no_longer_is_an_error_that_names_its_files(history: History, xgrant: Run) -> None:
    result = xgrant("audit", EXAMPLE, "--since", "91d")
    assert result.code == 64
    assert "90 days only" in result.err
    assert "--from-file" in result.err
    assert history.called == []
    assert xgrant("audit", EXAMPLE, *HERE, "--since", "90d").code == 0


def deny_audit(sandbox: Sandbox, *accounts: str) -> None:
    """Let accounts deny what only an audit asks for."""
    statements = [one for one in PERMISSIONS["Statement"] if one["Sid"] != "Audit"]
    document = json.dumps({**PERMISSIONS, "Statement": statements})
    for account in accounts:
        iam = root_client(sandbox, "iam", account)
        iam.put_role_policy(RoleName=RECONCILER, PolicyName="reconcile", PolicyDocument=document)
    sandbox.enforce(on=True)


def test_an_account_that_denies_is_left_out_and_named_and_the_other_counts(
    applied: History, sandbox: Sandbox, xgrant: Run
) -> None:
    applied.put(*assumed(known(user(), "alice"), ROLE, ago()))
    deny_audit(sandbox, SOURCE)
    result = xgrant("audit", EXAMPLE, *HERE)
    assert result.code == 6
    assert "xgrant: dev is left out: account dev: LookupEvents: AccessDeniedException" in result.err
    assert "allow cloudtrail:LookupEvents" in result.err
    # The copy of the target has no more than an id; the account of the callers, which was read, has its name.
    assert "user alice of dev" in result.out
    assert "Left out: dev: " in result.out


def test_an_account_that_does_not_tell_its_regions_is_named_with_what_to_allow(
    applied: History, sandbox: Sandbox, xgrant: Run
) -> None:
    deny_audit(sandbox, SOURCE)
    result = xgrant("audit", EXAMPLE)
    assert result.code == 6
    assert "allow ec2:DescribeRegions to the identity that xgrant uses in this account, or name --region" in result.err


def test_where_every_account_denies_there_is_no_report(applied: History, sandbox: Sandbox, xgrant: Run) -> None:
    deny_audit(sandbox, SOURCE, TARGET)
    result = xgrant("audit", EXAMPLE, *HERE)
    assert (result.code, result.out) == (1, "")
    assert "2 accounts (dev, storage): " in result.err
    assert "allow cloudtrail:LookupEvents" in result.err


def test_a_region_that_is_denied_is_named_and_the_others_count(applied: History, xgrant: Run) -> None:
    applied.put(*assumed(known(user(), "alice"), ROLE, ago()))
    applied.closed.add((SOURCE, "eu-west-1"))
    result = xgrant("audit", EXAMPLE, *HERE, "--region", "eu-west-1")
    assert result.code == 6
    assert "dev is left out in eu-west-1: " in result.err
    assert "user alice of dev" in result.out


def test_files_need_no_account_and_with_read_accounts_groups_are_known(
    applied: History, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    log = tmp_path / "log.json"
    log.write_text(json.dumps({"Records": assumed(user(), ROLE, ago())}), encoding="utf-8")
    sandbox.recorder.take()
    offline = xgrant("audit", EXAMPLE, "--from-file", log, "--format", "json")
    assert sandbox.recorder.take() == []
    online = xgrant("audit", EXAMPLE, "--from-file", log, "--read-accounts", "--format", "json")
    assert callers(offline.out)["user alice of dev"]["standing"] == "may be named"
    assert callers(online.out)["user alice of dev"]["standing"] == "named"
    assert applied.called == []


def test_the_last_use_of_the_role_stands_beside_the_events(applied: History, xgrant: Run) -> None:
    role = holders(TARGET, "Role")[NAME]
    role.last_used = datetime(2026, 1, 5, 12, 30)  # noqa: DTZ001 - as moto has it
    role.last_used_region = "eu-west-1"
    out = xgrant("audit", EXAMPLE, *HERE).out
    assert "credentials of the role last used 2026-01-05 12:30" in out


class TestUnused:
    @pytest.fixture
    def manifests(self, applied: History, tmp_path: Path) -> Path:  # noqa: ARG002 - its roles are
        """A repository with the example, whose role is older than all that is asked."""
        folder = tmp_path / "repository"
        folder.mkdir()
        shutil.copy(EXAMPLE, folder / "grants.yaml")
        subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
        age(TARGET, "Role", NAME)
        for name in ("alice", "bob"):
            age(SOURCE, "User", name)
        return folder

    def test_a_grant_that_nobody_uses_goes_by_a_patch_that_git_applies(self, manifests: Path, xgrant: Run) -> None:
        before = (manifests / "grants.yaml").read_bytes()
        result = xgrant("audit", manifests, "--unused", "60d", "--region", "us-east-1")
        assert result.code == 0, result.err
        assert (manifests / "grants.yaml").read_bytes() == before
        assert "the grant shared-bucket-read: its role was used never within 400 days" in result.err
        subprocess.run(["git", "apply"], cwd=manifests, input=result.out.encode(), check=True)
        valid = xgrant("validate", manifests)
        assert (valid.code, valid.out) == (0, "valid: stack platform, 0 grants, 2 accounts\n")

    def test_what_was_used_lately_leaves_nothing_to_patch(self, manifests: Path, applied: History, xgrant: Run) -> None:
        applied.put(*assumed(known(user(), "alice"), ROLE, ago(3)))
        result = xgrant("audit", manifests, *HERE, "--unused", "60d")
        assert (result.code, result.out) == (0, "")
        assert "Nothing is known to be unused since" in result.err

    def test_a_principal_that_no_event_shows_goes_only_where_all_regions_were_looked_at(
        self, manifests: Path, applied: History, xgrant: Run
    ) -> None:
        file = manifests / "grants.yaml"
        file.write_text(file.read_text().replace("groups: [developers]", "users: [alice, bob]"))
        assert xgrant("apply", manifests, "--auto-approve").code == 0
        applied.put(*assumed(known(user(), "alice"), ROLE, ago(3)))
        partly = xgrant("audit", manifests, "--unused", "60d", "--region", "us-east-1")
        assert partly.out == ""
        assert "not judged: shared-bucket-read: user bob: not all events of dev since" in partly.err
        whole = xgrant("audit", manifests, "--unused", "60d")
        assert "+      users: [alice]\n" in whole.out
        subprocess.run(["git", "apply"], cwd=manifests, input=whole.out.encode(), check=True)
        assert xgrant("validate", manifests).code == 0

    def test_a_role_that_is_younger_is_not_unused(self, manifests: Path, xgrant: Run) -> None:
        age(TARGET, "Role", NAME, days=30)
        result = xgrant("audit", manifests, *HERE, "--unused", "60d")
        assert result.out == ""
        assert "not judged: shared-bucket-read: the role in storage was made on" in result.err

    def test_an_account_that_could_not_be_read_is_exit_6(self, manifests: Path, sandbox: Sandbox, xgrant: Run) -> None:
        deny_audit(sandbox, SOURCE)
        assert xgrant("audit", manifests, *HERE, "--unused", "60d").code == 6


def age(account: str, kind: str, name: str, days: float = 300) -> None:
    """Let a user or role be older than it is."""
    made = datetime.now(UTC) - timedelta(days=days)
    holders(account, kind)[name].create_date = made.replace(tzinfo=None)


def test_a_session_of_a_session_is_written_down_as_chained(applied: History, xgrant: Run) -> None:
    applied.put(*assumed(session(), ROLE, ago()), refused(known(user("bob"), "bob"), ROLE, ago()))
    result = xgrant("audit", EXAMPLE, *HERE)
    assert result.code == 2
    assert "role deployer of dev (!)" in result.out
    assert "not-named: shared-bucket-read in storage: role deployer of dev: 1 session" in result.out


class TestEventHistory:
    """The sandbox refuses and pages as AWS does (facts sheet 8.2)."""

    ASSUMED = [{"AttributeKey": "EventName", "AttributeValue": "AssumeRole"}]  # noqa: RUF012

    @pytest.fixture
    def client(self, history: History, sandbox: Sandbox) -> Any:
        history.put(*(r for i in range(60) for r in assumed(user(), ROLE, ago(i + 1))))
        return raw_client(sandbox.url, TARGET)

    @pytest.mark.parametrize(
        ("asked", "code"),
        [
            ({"LookupAttributes": ASSUMED * 2}, "InvalidLookupAttributesException"),
            ({"MaxResults": 51}, "InvalidMaxResultsException"),
            ({"StartTime": 2_000_000_000, "EndTime": 1_000_000_000}, "InvalidTimeRangeException"),
            ({"NextToken": "guessed"}, "InvalidNextTokenException"),
        ],
        ids=lambda value: str(value)[:24],
    )
    def test_what_aws_refuses_is_refused(self, client: Any, asked: dict[str, Any], code: str) -> None:
        with pytest.raises(ClientError) as caught:
            client.lookup_events(**asked)
        assert caught.value.response["Error"]["Code"] == code

    def test_a_page_has_fifty_the_newest_first_and_its_token_is_good_for_the_same_request(
        self, client: Any, clock: Clock
    ) -> None:
        first = client.lookup_events(LookupAttributes=self.ASSUMED)
        times = [event["EventTime"] for event in first["Events"]]
        assert (len(times), times == sorted(times, reverse=True)) == (50, True)
        with pytest.raises(ClientError, match="InvalidNextToken"):
            client.lookup_events(NextToken=first["NextToken"])
        clock.now += 1
        rest = client.lookup_events(LookupAttributes=self.ASSUMED, NextToken=first["NextToken"])
        assert (len(rest["Events"]), "NextToken" in rest) == (10, False)

    def test_the_third_call_within_a_second_is_throttled(self, client: Any, clock: Clock) -> None:
        for _ in range(2):
            client.lookup_events()
        with pytest.raises(ClientError, match="ThrottlingException"):
            client.lookup_events()
        clock.now += 1
        client.lookup_events()


def raw_client(url: str, account: str) -> Any:
    """Return a client that acts as the root of an account, sends whatever it is given, and does not try again."""
    client = boto3.client(
        "cloudtrail", endpoint_url=url, region_name="us-east-1", aws_access_key_id="sandbox",
        aws_secret_access_key="sandbox",
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )  # fmt: skip
    client.meta.events.register(
        "before-call", lambda params, **_: params["headers"].update({"x-moto-account-id": account})
    )
    return client
