"""`--access-analyzer`: what AWS says of the documents stands among the findings, over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.faults import Fault, Kind
from tests.conftest import Clock, Run

HEAD = f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "{SOURCE}"}}
  storage: {{id: "{TARGET}"}}
defaults:
  access: {{assume_role: {{name: xgrant-reconciler}}}}
  tags: {{owner: data}}
grants:
  reader:
    description: Read
    from: {{account: dev, groups: [developers]}}
    to: {{account: storage}}
    permissions:
"""
SOON = f"{datetime.now(tz=UTC) + timedelta(days=30):%Y-%m-%d}"
LINE = HEAD.count("\n") + 1
ALLOW = '      - {{actions: {}, resources: "{}"}}\n'


@pytest.fixture
def manifests(tmp_path: Path, scenario: Scenario) -> Path:
    (tmp_path / "manifests").mkdir()
    return tmp_path


def write(folder: Path, *actions: str, resource: str = "arn:aws:s3:::b/*") -> None:
    (folder / "manifests" / "m.yaml").write_text(HEAD + "".join(ALLOW.format(one, resource) for one in actions))


def test_each_kind_of_finding_has_its_level_and_the_place_of_its_statement(manifests: Path, xgrant: Run) -> None:
    write(manifests, "s3:GetObject", "s3:InvalidThing", "s3:List*")
    refused = xgrant("plan", "--access-analyzer")
    assert refused.code == 3
    error = (
        f"error XG150 manifests/m.yaml:{LINE + 1}:10: storage/role/reader: INVALID_ACTION: The action s3:InvalidThing"
    )
    assert error in refused.out
    assert f"note XG150 manifests/m.yaml:{LINE + 2}:10: storage/role/reader: REDUNDANT_ACTION" in refused.out
    assert "what to do: see https://docs.aws.amazonaws.com/IAM/" in refused.out


def test_without_the_option_access_analyzer_is_not_asked(manifests: Path, xgrant: Run, sandbox: Sandbox) -> None:
    write(manifests, "s3:InvalidThing")
    sandbox.recorder.take()
    assert xgrant("plan").code == 0
    assert "access-analyzer" not in {call.service for call in sandbox.recorder.take()}


def test_findings_of_several_pages_are_all_there(manifests: Path, xgrant: Run, sandbox: Sandbox) -> None:
    write(manifests, "[" + ", ".join(f"s3:Invalid{number:03}" for number in range(230)) + "]")
    sandbox.recorder.take()
    assert xgrant("plan", "--access-analyzer").out.count("error XG150") == 230
    asked = [call for call in sandbox.recorder.take() if call.service == "access-analyzer"]
    assert len(asked) == 5  # The caller policy, the trust policy, and three pages of the permissions.


def test_throttling_is_waited_for(manifests: Path, xgrant: Run, sandbox: Sandbox, clock: Clock) -> None:
    write(manifests, "s3:InvalidThing")
    sandbox.strict.faults.add(Fault(Kind.THROTTLING, times=4, operation="ValidatePolicy"))
    sandbox.strict.faults.add(Fault(Kind.SERVICE_FAILURE, times=1, operation="ValidatePolicy"))
    began = clock.now
    assert "error XG150" in xgrant("plan", "--access-analyzer").out
    assert clock.now > began


def test_a_change_that_allows_more_is_named_and_one_that_allows_less_is_not(manifests: Path, xgrant: Run) -> None:
    write(manifests, "s3:GetObject")
    assert xgrant("apply", "--auto-approve").code == 0
    write(manifests, "s3:GetObject", "s3:PutObject")
    more = xgrant("plan", "--access-analyzer")
    assert more.code == 0
    assert (
        f"warning XG151 manifests/m.yaml:{LINE - 5}:3: storage/role/reader: more than AWS has now, in what it allows"
        in more.out
    )
    assert xgrant("apply", "--auto-approve").code == 0
    write(manifests, "s3:GetObject")
    assert "XG151" not in xgrant("plan", "--access-analyzer").out


def test_lint_asks_of_the_documents_of_the_manifests(manifests: Path, xgrant: Run) -> None:
    write(manifests, "s3:InvalidThing")
    found = xgrant("lint", "--access-analyzer")
    assert found.code == 3
    assert f"manifests/m.yaml:{LINE}:10: deny XG150 reader: INVALID_ACTION" in found.out


def test_levels_and_exceptions_of_a_team_count(manifests: Path, xgrant: Run) -> None:
    write(manifests, "s3:InvalidThing")
    (manifests / "policies").mkdir()
    for said, code in (
        ("rules: {XG150: {level: off}}", 0), ("rules: {XG150: {level: warn}}", 0),
        ("exceptions: [{rule: XG150, grant: reader, reason: why, owner: me, until: SOON}]", 0), ("rules: {}", 3),
    ):  # fmt: skip
        (manifests / "policies" / "team.yaml").write_text(f"version: 1\n{said.replace('SOON', SOON)}\n")
        assert xgrant("plan", "--access-analyzer").code == code, said


def test_what_access_analyzer_refuses_is_an_error_that_says_what_to_allow(
    manifests: Path, xgrant: Run, sandbox: Sandbox, clock: Clock
) -> None:
    write(manifests, "s3:GetObject")
    sandbox.strict.faults.add(Fault(Kind.THROTTLING, times=1000, operation="ValidatePolicy"))
    failed = xgrant("plan", "--access-analyzer")
    assert failed.code == 1
    assert "ValidatePolicy: ThrottlingException: Rate exceeded" in failed.err
