"""Guardrails in front of AWS: what is denied is not applied, what is reviewed stays reviewed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import jsonschema
import pytest

from reconciler.data import data_path
from reconciler.sandbox.scenario import TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox, writes
from tests.conftest import EXAMPLE, Run

LONG = EXAMPLE.read_text().replace("    permissions:", "    session: {max_duration: 5h}\n    permissions:")
LINE = LONG.splitlines().index("    session: {max_duration: 5h}") + 1


@pytest.fixture
def manifests(tmp_path: Path, scenario: Scenario) -> Path:
    """A folder with the example, whose sessions are long, and one of policies beside it."""
    for name in ("manifests", "policies"):
        (tmp_path / name).mkdir()
    (tmp_path / "manifests" / "example.yaml").write_text(LONG)
    return tmp_path


def say(folder: Path, text: str) -> None:
    (folder / "policies" / "team.yaml").write_text(f"version: 1\n{text}\n")


def test_a_plan_shows_what_it_changes_and_a_team_may_deny_it(manifests: Path, xgrant: Run, sandbox: Sandbox) -> None:
    warned = xgrant("plan")
    assert warned.code == 0
    assert f"warning XG112 manifests/example.yaml:{LINE}:15: a session lasts up to 5h" in warned.out
    say(manifests, "rules: {XG112: {level: deny}}")
    sandbox.recorder.take()
    for command in (["plan"], ["apply", "--auto-approve"]):
        refused = xgrant(*command)
        assert (refused.code, "error XG112" in refused.out) == (3, True)
    assert [*writes(sandbox.recorder.take())] == []


def test_a_check_of_a_team_stops_apply(manifests: Path, xgrant: Run, sandbox: Sandbox) -> None:
    code = "import json, sys; sys.exit(' '.join(c['address'] for c in json.load(sys.stdin)['resource_changes']))"
    say(manifests, f'checks: [{{name: ours, run: [{sys.executable}, -c, "{code}"]}}]')
    sandbox.recorder.take()
    refused = xgrant("apply", "--auto-approve")
    assert refused.code == 3
    assert "error XG140 policies/team.yaml:2:10: ours: dev/group/developers/caller-policy" in refused.out
    assert [*writes(sandbox.recorder.take())] == []


ENDED = "exceptions: [{rule: XG112, grant: '*', reason: why, owner: me, until: 2020-01-01}]"


def test_an_exception_that_has_ended_stops_apply(manifests: Path, xgrant: Run, sandbox: Sandbox) -> None:
    say(manifests, ENDED)
    sandbox.recorder.take()
    refused = xgrant("apply", "--auto-approve")
    assert refused.code == 3
    assert "error XG063 policies/team.yaml:2:14: the exception of all grants from XG112 has ended" in refused.out
    assert [*writes(sandbox.recorder.take())] == []


def test_an_exception_that_has_ended_stops_no_way_out(manifests: Path, xgrant: Run) -> None:
    assert xgrant("apply", "--auto-approve").code == 0
    say(manifests, ENDED)
    assert xgrant("plan", "--destroy").code == 0
    assert xgrant("rotate", "shared-bucket-read", "--auto-approve").code == 0
    assert xgrant("destroy", "--auto-approve").code == 0


def test_a_reviewed_plan_is_applied_whatever_the_manifests_are_called_by(manifests: Path, xgrant: Run) -> None:
    assert xgrant("plan", "-o", "plan.json").code == 0
    written = json.loads((manifests / "plan.json").read_text())
    jsonschema.validate(written, json.loads(data_path("schemas/plan.schema.json").read_text()))
    (finding,) = [one for one in written["findings"] if one["rule"] == "XG112"]
    assert finding["place"] == {"file": "manifests/example.yaml", "line": LINE, "column": 15}
    assert f"manifests/example.yaml:{LINE}:15" in xgrant("show", "plan.json").out
    applied = xgrant("apply", "plan.json", manifests / "manifests")
    assert applied.code == 0, applied.err + applied.out


def test_a_rule_that_is_denied_since_the_review_makes_the_plan_stale(manifests: Path, xgrant: Run) -> None:
    assert xgrant("plan", "-o", "plan.json").code == 0
    say(manifests, "rules: {XG112: {level: deny}}")
    stale = xgrant("apply", "plan.json")
    assert stale.code == 4
    assert "XG112" in stale.out


def test_what_is_denied_can_still_be_destroyed(manifests: Path, xgrant: Run) -> None:
    assert xgrant("apply", "--auto-approve").code == 0
    say(manifests, "rules: {XG112: {level: deny}}")
    assert xgrant("plan", "--destroy").code == 0
    assert xgrant("destroy", "--auto-approve").code == 0


def test_the_plans_of_all_shards_say_once_what_each_found(manifests: Path, xgrant: Run) -> None:
    for number in (1, 2):
        assert xgrant("plan", "--shard", f"{number}/2", "-o", f"plan-{number}.json").code == 0
    merged = xgrant("merge", "plan-1.json", "plan-2.json", "-o", "plan.json")
    assert (merged.code, merged.out.count("XG112")) == (0, 1)
    assert xgrant("apply", "plan.json").code == 0


def test_a_managed_policy_of_the_account_is_judged_when_it_is_planned(
    manifests: Path, xgrant: Run, sandbox: Sandbox
) -> None:
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    iam = root_client(sandbox, "iam", TARGET)
    arn = iam.create_policy(PolicyName="all", PolicyDocument=json.dumps(everything))["Policy"]["Arn"]
    text = LONG.replace("    permissions:", f"    managed_policies: [{arn}]\n    permissions:")
    (manifests / "manifests" / "example.yaml").write_text(text)
    assert xgrant("validate").code == 0
    refused = xgrant("plan")
    assert refused.code == 3
    assert f"error XG104 manifests/example.yaml:{LINE + 1}:24: {arn}: every action of AWS is allowed" in refused.out
