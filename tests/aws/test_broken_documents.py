"""Whatever stands where a policy document should, AWS hands it out as it is, and xgrant shows it as drift."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moto.iam.models import iam_backends

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from tests.conftest import EXAMPLE, Run

ROLE = "CrossAccountS3ReadRole"
ALLOW = '"Effect": "Allow", "Action": "sts:AssumeRole"'


def statement(rest: str) -> str:
    return f'{{"Version": "2012-10-17", "Statement": [{{{ALLOW}, {rest}}}]}}'


BROKEN = {
    "no JSON": "{broken",
    "nothing but percent signs": "%",
    "rubbish that looks percent-encoded": "%ff%fe{",
    "an empty text": "",
    "null": "null",
    "a number": "5",
    "a list": "[]",
    "a statement that is a number": '{"Statement": 5}',
    "a key twice": '{"Version": "2012-10-17", "Statement": [], "Statement": [{"Effect": "Deny"}]}',
    "a list three thousand deep": "[" * 3000,
    "nine hundred deep": statement(f'"Condition": {"[" * 900 + "]" * 900}'),
    "twenty-one deep": statement(f'"Extra": {"[" * 18 + "]" * 18}'),
    "a principal that is an object": statement('"Principal": {"AWS": [{"x": 1}]}'),
    "a principal that is null": statement('"Principal": {"AWS": null}'),
    "a principal that is a list": statement('"Principal": ["*"]'),
    "an action in a list in a list": '{"Statement": {"Effect": "Allow", "Action": [["sts:AssumeRole"]]}}',
    "an action that is null": '{"Statement": {"Effect": "Allow", "Action": null, "Resource": "*"}}',
    "a condition that is a list": statement('"Condition": [1]'),
    "a condition on an object": statement('"Condition": {"StringEquals": {"k:x": {"z": 1}}}'),
    "a Sid that is an object": statement('"Sid": {"a": 1}'),
    "a Version that is a list": '{"Version": ["x"], "Statement": []}',
    "NaN": statement('"Condition": {"NumericEquals": {"k:x": NaN}}'),
}


@pytest.fixture
def applied(scenario: Scenario, sandbox: Sandbox, xgrant: Run) -> Scenario:
    """The example, applied."""
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    sandbox.recorder.take()
    return scenario


def role() -> Any:
    return next(role for role in iam_backends[TARGET]["aws"].roles.values() if role.name == ROLE)


def plant_inline(sandbox: Sandbox, text: str) -> None:
    role().policies["xgrant-permissions"] = text


def plant_caller_policy(sandbox: Sandbox, text: str) -> None:
    group = iam_backends[SOURCE]["aws"].groups["developers"]
    group.policies["xgrant.platform.shared-bucket-read"] = text


def plant_trust(sandbox: Sandbox, text: str) -> None:
    sandbox.strict.plant_trust(TARGET, ROLE, text)


def assert_shown(xgrant: Run, text: str, attribute: str) -> None:
    drift = xgrant("drift", EXAMPLE, "--format", "json")
    assert drift.code == 2, (text[:80], drift.err)
    (change,) = [change for account in json.loads(drift.out)["accounts"] for change in account["changes"]]
    shown = [row["aws"] for row in change["differences"] if row["path"][0] == attribute and "aws" in row]
    assert {"Unreadable": [text]} in shown, change
    assert xgrant("plan", EXAMPLE, "--detailed-exitcode").code == 2


def test_a_broken_trust_policy_is_handed_out_as_it_is_and_shown_as_drift(
    applied: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    living = root_client(sandbox, "iam", SOURCE).get_user(UserName="alice")["User"]["UserId"]
    beside_an_id = statement(f'"Principal": {{"AWS": ["{living}", {{"x": 1}}]}}')
    for text in (*BROKEN.values(), beside_an_id):
        plant_trust(sandbox, text)
        assert_shown(xgrant, text, "trust_policy")
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    assert xgrant("plan", EXAMPLE, "--detailed-exitcode").code == 0


@pytest.mark.parametrize(("plant", "attribute"), [(plant_inline, "inline_policies"), (plant_caller_policy, "document")])
def test_a_broken_policy_is_shown_as_drift_and_mended(
    applied: Scenario, sandbox: Sandbox, xgrant: Run, plant: Callable[[Sandbox, str], None], attribute: str
) -> None:
    for name in ("no JSON", "a key twice", "nine hundred deep", "an action that is null"):
        plant(sandbox, BROKEN[name])
        assert_shown(xgrant, BROKEN[name], attribute)
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    assert xgrant("plan", EXAMPLE, "--detailed-exitcode").code == 0


def test_a_broken_policy_of_somebody_else_is_in_nobody_s_way(applied: Scenario, sandbox: Sandbox, xgrant: Run) -> None:
    backend: Any = iam_backends[TARGET]["aws"]
    other = next(role for role in backend.roles.values() if role.name != ROLE)
    for number, text in enumerate(BROKEN.values()):
        other.policies[f"p{number}"] = text
        iam_backends[SOURCE]["aws"].groups["developers"].policies[f"p{number}"] = text
    other.assume_role_policy_document = BROKEN["nine hundred deep"]
    assert xgrant("drift", EXAMPLE).code == 0


def test_an_element_that_aws_does_not_know_is_drift_with_its_value(
    applied: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    trust = json.loads(role().assume_role_policy_document)
    plant_trust(sandbox, json.dumps({**trust, "Unreadable": {"sts:ExternalId": "canary"}, "Extra\u202e": [1.5]}))
    for command in (
        ["drift", EXAMPLE],
        ["plan", EXAMPLE, "--detailed-exitcode"],
        ["plan", EXAMPLE, "-o", tmp_path / "p.json"],
    ):
        result = xgrant(*command)
        assert (result.code, "Extra\\u202e" in result.out, "canary" in result.out) == (
            0 if "-o" in command else 2, True, False,
        )  # fmt: skip
    assert "Unreadable: " in xgrant("show", tmp_path / "p.json").out
