"""Each run leaves a record of what it did, whatever became of it, and no secret in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reconciler.aws.writer import AwsWriter
from reconciler.errors import AwsError, StoreError
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario
from reconciler.sandbox.server import Sandbox
from reconciler.store import FileStore
from tests.aws.test_hostile_text import HOSTILE, assert_harmless
from tests.conftest import EXAMPLE, Run
from tests.stores import Kept

CANARY = "canary-external-id"
SECRETIVE = f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "{SOURCE}"}}
  storage: {{id: "{TARGET}"}}
grants:
  reader:
    from: {{account: dev, users: [alice]}}
    to: {{account: storage, role: Reader}}
    permissions: [{{actions: "s3:GetObject", resources: "*"}}]
    require: {{external_id: "{CANARY}-1"}}
    trust_conditions: {{StringLike: {{"sts:externalid": "{CANARY}-2"}}}}
"""


@pytest.fixture
def manifest(kept: Kept, tmp_path: Path) -> Path:
    file = tmp_path / "m.yaml"
    file.write_text(EXAMPLE.read_text() + "\n" + kept.line)
    return file


def records(xgrant: Run, *arguments: str | Path) -> list[Any]:
    found: list[Any] = json.loads(xgrant("history", *arguments, "--format", "json").out)["records"]
    return found


def test_a_run_that_is_done_is_told_in_full(
    kept: Kept, manifest: Path, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_SHA", "a" * 40)
    monkeypatch.setenv("GITHUB_ACTOR", "octocat")
    plan = json.loads(xgrant("plan", manifest, "--format", "json").out)
    xgrant("apply", manifest, "--auto-approve")
    (listed,) = records(xgrant, manifest)
    assert "steps" not in listed
    record = json.loads(xgrant("history", listed["id"], manifest, "--format", "json").out)
    assert {**record, "steps": 0} == {**listed, "steps": 0}
    assert (record["stack"], record["verb"], record["outcome"]) == ("platform", "apply", "done")
    assert record["plan"] == plan["fingerprint"]
    assert record["counts"] == {"done": 2, "done in part": 0, "failed": 0, "skipped": 0}
    caller = record["caller"]
    assert caller["commit"] == "a" * 40
    assert caller["user"].endswith(" (octocat)")
    assert caller["command"] == f"xgrant apply {manifest} --auto-approve"
    assert caller["identity"] == f"arn:aws:iam::{SOURCE}:user/operator"
    role, policy = record["steps"]
    assert (role["address"], role["action"], role["verb"]) == ("storage/role/CrossAccountS3ReadRole", "create", "write")
    assert (role["status"], role["error"], policy["number"]) == ("done", "", 2)
    times = [record["started"], role["started"], role["ended"], policy["started"], policy["ended"], record["ended"]]
    assert times == sorted(times)
    text = xgrant("history", listed["id"], manifest).out
    assert f"identity: arn:aws:iam::{SOURCE}:user/operator\n" in text
    assert "[1/2] storage/role/CrossAccountS3ReadRole: create: done\n" in text


def test_the_newest_comes_first_and_older_ones_are_counted(kept: Kept, manifest: Path, xgrant: Run) -> None:
    xgrant("apply", manifest, "--auto-approve")
    xgrant("destroy", manifest, "--auto-approve")
    assert [record["verb"] for record in records(xgrant, manifest)] == ["destroy", "apply"]
    lines = xgrant("history", manifest, "--limit", "1").out.splitlines()
    assert ["destroy" in lines[0], lines[1]] == [True, "1 older: see them with --limit"]


def test_a_run_that_failed_says_where_and_why(
    kept: Kept, manifest: Path, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AwsError("storage", "CreateRole", "LimitExceeded", "no more roles", request_id="r-1")

    monkeypatch.setattr(AwsWriter, "write", refused)
    assert xgrant("apply", manifest, "--auto-approve").code == 6
    (record,) = records(xgrant, manifest)
    assert (record["outcome"], record["counts"]) == (
        "in part",
        {"done": 0, "done in part": 0, "failed": 1, "skipped": 1},
    )
    text = xgrant("history", record["id"], manifest).out
    assert "create: failed: account storage: CreateRole: LimitExceeded: no more roles (request r-1)\n" in text
    assert "create: skipped: it needs storage/role/CrossAccountS3ReadRole, which was not done\n" in text


def test_an_unknown_id_is_an_error(kept: Kept, manifest: Path, xgrant: Run) -> None:
    result = xgrant("history", "20260131T120000000Z-00000000", manifest)
    assert (result.code, "has no 20260131T120000000Z-00000000" in result.err) == (1, True)


def test_no_record_and_no_lock_holds_a_secret(
    scenario: Scenario, xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    keys = scenario.users["operator"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
    folder = tmp_path / f"{CANARY}-1"
    folder.mkdir()
    access = f'defaults: {{access: {{assume_role: {{name: xgrant-reconciler, external_id: "{CANARY}-3"}}}}}}\n'
    (folder / "m.yaml").write_text(SECRETIVE + access)

    def refused(*_: object) -> None:
        raise AwsError("storage", "CreateRole", "Odd", f"{CANARY}-1 {CANARY}-2 {CANARY}-3 {keys.access_key}")

    xgrant("apply", folder / "m.yaml", "--auto-approve")
    monkeypatch.setattr(AwsWriter, "write", refused)
    monkeypatch.setattr(AwsWriter, "remove", refused)
    assert xgrant("destroy", folder / "m.yaml", "--auto-approve").code == 6
    kept = b"".join(path.read_bytes() for path in (tmp_path / ".xgrant").rglob("*") if path.is_file())
    assert b"(hidden)" in kept
    assert b'"attributes"' in kept
    for secret in (CANARY, keys.access_key, keys.secret_key, "s3:GetObject", "Statement"):
        assert secret.encode() not in kept


def test_a_history_that_cannot_begin_stops_the_run_before_it_writes(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    (tmp_path / ".xgrant" / "history").mkdir(parents=True)
    (tmp_path / ".xgrant" / "history" / "platform").write_text("in the way")
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    assert (result.code, "cannot be used" in result.err) == (5, True)
    assert not [call for call in sandbox.recorder.take() if call.writes()]
    (tmp_path / ".xgrant" / "history" / "platform").unlink()
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0


def test_a_history_that_breaks_off_is_said_once_and_stops_nothing(
    scenario: Scenario, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = FileStore.append

    def full(store: FileStore, log: str, line: bytes) -> None:
        if b'"kind": "begin"' not in line:
            raise StoreError("no space left")
        append(store, log, line)

    monkeypatch.setattr(FileStore, "append", full)
    result = xgrant("apply", EXAMPLE, "--auto-approve", "--log-level", "warning")
    assert (result.code, result.err) == (
        0,
        "xgrant: the history of this run ends here, the run goes on: no space left\n",
    )
    (record,) = records(xgrant, EXAMPLE)
    assert record["outcome"] == "not ended"


def test_a_last_line_that_was_cut_off_is_tolerated_and_said(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    (log,) = (tmp_path / ".xgrant" / "history" / "platform").iterdir()
    log.write_bytes(log.read_bytes()[:-20])
    listed = xgrant("history", EXAMPLE).out
    assert "not ended (2 done of 2 steps); by " in listed
    assert "(1 line is damaged, as where the process was killed while it wrote)" in listed
    shown = xgrant("history", log.stem, EXAMPLE).out
    assert shown.endswith("1 line is damaged, as where the process was killed while it wrote\n")
    assert "[2/2]" in shown


def test_a_finished_record_with_rubbish_at_its_end_is_listed_as_it_is_shown(
    scenario: Scenario, xgrant: Run, tmp_path: Path
) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    (log,) = (tmp_path / ".xgrant" / "history" / "platform").iterdir()
    log.write_bytes(log.read_bytes() + b"rubbish\n")
    outcome = "done (2 done of 2 steps)"
    assert outcome in xgrant("history", EXAMPLE).out
    assert outcome in xgrant("history", log.stem, EXAMPLE).out


def test_a_record_is_found_by_the_beginning_of_its_id(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    (log,) = (tmp_path / ".xgrant" / "history" / "platform").iterdir()
    for beginning in (log.stem[:9], log.stem[:15], log.stem[:-1]):
        assert xgrant("history", beginning, EXAMPLE).out.startswith(f"id:       {log.stem}\n")
    missing = xgrant("history", "20200101T", EXAMPLE)
    assert (missing.code, "has no 20200101T" in missing.err) == (1, True)
    shutil.copy(log, log.with_name(f"{log.stem[:-1]}x.jsonl".replace("x", "0" if log.stem[-1] != "0" else "1")))
    several = xgrant("history", log.stem[:-1], EXAMPLE)
    assert (several.code, "2 records that begin with" in several.err) == (1, True)


def test_a_store_that_is_no_folder_is_an_error_for_every_command(
    scenario: Scenario, xgrant: Run, tmp_path: Path
) -> None:
    (tmp_path / ".xgrant").touch()
    for command in (["history"], ["unlock", "--id", "x"], ["apply", "--auto-approve"]):
        result = xgrant(command[0], EXAMPLE, *command[1:])
        assert (result.code, "cannot be used: Not a directory" in result.err) == (5, True), command


def test_what_is_no_record_at_all_is_shown_as_far_as_it_goes(scenario: Scenario, xgrant: Run, tmp_path: Path) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    folder = tmp_path / ".xgrant" / "history" / "platform"
    (log,) = folder.iterdir()
    (folder / "20270131T120000000Z-00000000.jsonl").write_bytes(b'\xff\n[]\n{"kind": "begin", "at": 1}\n7\n')
    (folder / "notes.jsonl").write_text("{}")
    shutil.copy(log, folder / "20270131T120000000Z-00000001.jsonl")
    shown = xgrant("history", "20270131T120000000Z-00000000", EXAMPLE)
    assert (shown.code, "4 lines are damaged" in shown.out) == (0, True)
    assert len(xgrant("history", EXAMPLE).out.splitlines()) == 3


@pytest.mark.parametrize("form", ["text", "json"])
def test_hostile_text_in_a_record_or_a_lock_is_shown_escaped(
    scenario: Scenario, xgrant: Run, tmp_path: Path, form: str
) -> None:
    xgrant("apply", EXAMPLE, "--auto-approve")
    folder = tmp_path / ".xgrant"
    (log,) = (folder / "history" / "platform").iterdir()
    keep = ("kind", "at", "format", "number")

    def hostile(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: hostile(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [*map(hostile, value), HOSTILE]
        return value + HOSTILE if isinstance(value, str) and key not in keep else value

    lines = [hostile(json.loads(line)) for line in log.read_text().splitlines()]
    for line in lines:
        if "calls" in line:
            line["calls"] = [{"operation": HOSTILE, "request_id": HOSTILE, "code": HOSTILE}]
        line["at"] += HOSTILE
    log.write_text("".join(json.dumps(line) + "\n" for line in lines))
    for arguments in ([EXAMPLE], [log.stem, EXAMPLE]):
        result = xgrant("history", *arguments, "--format", form)
        assert (result.code, "\\u202e" in result.out) == (0, True)
        assert "damaged, as" not in result.out
        assert_harmless(result)
    for lock in (folder / "locks" / "platform").iterdir():
        data = hostile(json.loads(lock.read_text())) | {"released": False}
        lock.write_text(json.dumps(data))
    for arguments in (["apply", EXAMPLE, "--auto-approve"], ["plan", EXAMPLE], ["unlock", "--id", HOSTILE, EXAMPLE]):
        result = xgrant(*arguments)
        assert "\\u202e" in result.err
        assert_harmless(result)
