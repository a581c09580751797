"""A step that is executed again by another worker: it goes on from what stands, and takes nothing of anybody's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.manifest import load
from reconciler.model import Kind, Manifest, Result, Status, Step
from reconciler.pipeline import shards
from reconciler.pipeline.main_job import Request, aws_ports, make_plan
from reconciler.pipeline.shards import reconcile
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import backend
from reconciler.shards import ShardRequest
from tests.conftest import EXAMPLE, Run
from tests.support import NOW

ROLE = "CrossAccountS3ReadRole"
OPENS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{TARGET}:role/xgrant/{ROLE}"}
    ],
}


@pytest.fixture(autouse=True)
def another_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that keeps no connections to the sandbox of another test."""
    monkeypatch.setattr(shards, "_KEPT", type(shards._KEPT)())


def done(manifest: Manifest, step: Step, run: str = "run") -> Result:
    account = manifest.accounts[step.change.address.account]
    result = reconcile(ShardRequest(run, manifest.stack, account, step=step)).result
    assert result is not None
    return result


@pytest.fixture
def by_hand(scenario: Scenario, sandbox: Sandbox, tmp_path: Path) -> Manifest:
    """The example with callers who were given the role by hand, by three policies."""
    path = tmp_path / "adopt.yaml"
    path.write_text(EXAMPLE.read_text().replace("    from:", "    adopt: true\n    from:"), encoding="utf-8")
    iam = root_client(sandbox, "iam", SOURCE)
    for name in ("a", "b", "c"):
        iam.put_group_policy(GroupName="developers", PolicyName=name, PolicyDocument=json.dumps(OPENS))
    return load([str(path)])


def adoption(manifest: Manifest) -> Step:
    steps = make_plan(Request(manifest), aws_ports(manifest)[0], now=NOW).steps
    return next(step for step in steps if step.change.address.kind is Kind.CALLER_POLICY)


def policies(sandbox: Sandbox) -> list[str]:
    names: list[str] = root_client(sandbox, "iam", SOURCE).list_group_policies(GroupName="developers")["PolicyNames"]
    return sorted(names)


def test_a_role_that_was_taken_from_the_stack_after_the_plan_is_left_alone(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    manifest = load([str(EXAMPLE)])
    plan = make_plan(Request(manifest, destroy=True), aws_ports(manifest)[0], now=NOW)
    root_client(sandbox, "iam", TARGET).untag_role(RoleName=ROLE, TagKeys=["xgrant:stack", "xgrant:grant"])
    step = next(step for step in plan.steps if step.change.address.kind is Kind.ROLE)
    result = done(manifest, step)
    assert (result.status, "other tags; it is left alone" in result.error) == (Status.FAILED, True)
    assert ROLE in {role.name for role in backend(TARGET).roles.values()}


def test_a_policy_made_by_hand_is_taken_over_once(by_hand: Manifest, sandbox: Sandbox) -> None:
    step = adoption(by_hand)
    assert [done(by_hand, step).status, done(by_hand, step).status] == [Status.DONE, Status.DONE]
    assert policies(sandbox) == [f"xgrant.{by_hand.stack}.shared-bucket-read"]


@pytest.mark.parametrize("marked", [False, True])
def test_taking_over_several_goes_on_from_where_it_was_cut_short(
    by_hand: Manifest, sandbox: Sandbox, *, marked: bool
) -> None:
    iam = root_client(sandbox, "iam", SOURCE)
    own = {"PolicyName": f"xgrant.{by_hand.stack}.shared-bucket-read", "PolicyDocument": json.dumps(OPENS)}
    if marked:  # Before the plan; else in the middle of the step.
        iam.put_group_policy(GroupName="developers", **own)
    step = adoption(by_hand)
    iam.put_group_policy(GroupName="developers", **own)
    iam.delete_group_policy(GroupName="developers", PolicyName="a")
    result = done(by_hand, step)
    assert result.status is Status.DONE, result.error
    assert policies(sandbox) == [own["PolicyName"]]
