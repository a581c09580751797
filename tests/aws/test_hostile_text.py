"""Text that would steer a terminal reaches no output as it is, from AWS, from a plan file, or in an error."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moto.iam.models import iam_backends

from reconciler.planfile.contents import checksum
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario
from reconciler.sandbox.server import Sandbox
from tests.conftest import EXAMPLE, Result, Run

ROLE = "CrossAccountS3ReadRole"
HOSTILE = "\x1b[2J\x1b]0;t\x07\u202e\u2066\u200b\u2028\x85\x7f\r\n@team <script>alert(1)</script> | a | b | [x](http://x)\nerror"
# AWS answers in XML, which has no place for most control characters; in policy documents they come as JSON.
IN_XML = HOSTILE.replace("\x1b", "").replace("\x07", "")
FORBIDDEN = set("\x1b\x07\u202e\u2066\u200b\u2028\x85\x7f\r")


def assert_harmless(result: Result) -> None:
    for output in (result.out, result.err):
        assert not FORBIDDEN & set(output)
        # A line break of theirs begins no line of ours.
        assert not any(line.startswith(("@team", "error")) and "XG" not in line for line in output.splitlines())


@pytest.fixture
def hostile(scenario: Scenario, sandbox: Sandbox, xgrant: Run) -> Scenario:
    """The example, applied, with what no front door takes written behind AWS's back."""
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    backend: Any = iam_backends[TARGET]["aws"]
    role = next(role for role in backend.roles.values() if role.name == ROLE)
    role.description = IN_XML
    role.tags.append({"Key": IN_XML, "Value": IN_XML})
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Sid": HOSTILE, "Effect": "Allow", "Action": HOSTILE, "Resource": HOSTILE,
                       "Condition": {HOSTILE: {HOSTILE: HOSTILE}}}],
    }  # fmt: skip
    role.policies["hand\u202e"] = json.dumps(document)
    role.policies["broken"] = "{" + IN_XML
    role.assume_role_policy_document = json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": HOSTILE}}],
        }
    )
    sandbox.recorder.take()
    return scenario


@pytest.mark.parametrize("command", ["plan", "drift"])
@pytest.mark.parametrize("form", ["text", "json"])
def test_what_aws_holds_is_shown_escaped(hostile: Scenario, xgrant: Run, command: str, form: str) -> None:
    result = xgrant(command, EXAMPLE, "--format", form)
    assert (result.code, "\\u202e" in result.out) == (0 if command == "plan" else 2, True)
    assert_harmless(result)


def test_a_file_of_such_a_plan_is_shown_escaped_when_it_is_applied_too(
    hostile: Scenario, xgrant: Run, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    planned = xgrant("plan", EXAMPLE, "-o", file)
    for arguments in (["show", file], ["show", file, "--format", "json"]):
        shown = xgrant(*arguments)
        assert shown.code == 0
        assert_harmless(shown)
    assert xgrant("show", file).out == planned.out
    assert_harmless(applied := xgrant("apply", file, EXAMPLE))
    # Nothing of such a name can be deleted by its name: AWS refuses it, and apply says so.
    assert (applied.code, "inline policy hand\\u202e" in applied.out) == (6, True)


def test_what_changes_after_the_review_is_shown_escaped(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    file = tmp_path / "plan.json"
    xgrant("apply", EXAMPLE, "--auto-approve")
    role = next(role for role in iam_backends[TARGET]["aws"].roles.values() if role.name == ROLE)
    role.description = "one"
    xgrant("plan", EXAMPLE, "-o", file)
    role.description = IN_XML
    result = xgrant("apply", file, EXAMPLE)
    assert (result.code, "before.description" in result.out) == (4, True)
    assert_harmless(result)


def everywhere(value: Any) -> Any:
    """Put hostile text after every text of a change that the schema does not bind."""
    if isinstance(value, dict):
        return {key: everywhere(item) for key, item in value.items()}
    if isinstance(value, list):
        return [everywhere(item) for item in value]
    return value + HOSTILE.replace("/", "") if isinstance(value, str) else value


def hostile_values(data: Any) -> None:
    for entry in data["resource_changes"]:
        change = entry["change"]
        change["after"] = everywhere(change["after"])
        entry["grant"], change["reason"] = everywhere(entry["grant"]), everywhere("because")


def hostile_names(data: Any) -> None:
    text = HOSTILE.replace("/", "")
    for entry in data["resource_changes"]:
        entry["name"] += text
        entry["address"] += text


def hostile_finding(data: Any) -> None:
    data["findings"].append(
        {"rule": "XG202", "severity": "error", "message": HOSTILE, "way_out": HOSTILE, "address": None, "grant": HOSTILE,
         "documents": [{"title": HOSTILE, "document": {"Statement": [{"Effect": HOSTILE}]}}],
         "acceptable": False, "accepted": False}
    )  # fmt: skip
    data["summary"]["refused"] = True


def hostile_origin(data: Any) -> None:
    data["source"]["paths"] = [HOSTILE]
    data["source"]["digest"] = "0" * 64
    hostile_values(data)


def hostile_accounts(data: Any) -> None:
    data["accounts"].append({"name": "~" + HOSTILE, "id": SOURCE, "managed": True, "read": False, "error": HOSTILE})
    data["complete"] = False


@pytest.mark.parametrize("edit", [hostile_values, hostile_names, hostile_finding, hostile_origin, hostile_accounts])
def test_a_forged_plan_file_is_shown_escaped_and_not_applied(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path, edit: Callable[[Any], None]
) -> None:
    file = tmp_path / "plan.json"
    xgrant("plan", EXAMPLE, "-o", file)
    data = json.loads(file.read_text())
    edit(data)
    data["checksum"] = checksum(data)
    file.write_text(json.dumps(data))
    for arguments, code in (
        (["show", file], (0,)), (["show", file, "--format", "json"], (0,)), (["apply", file, EXAMPLE], (3, 4))
    ):  # fmt: skip
        result = xgrant(*arguments)
        assert result.code in code, result.err
        assert_harmless(result)


@pytest.mark.parametrize(
    "arguments",
    [
        ["show", "{}"], ["apply", "{}.json"], ["plan", "{}"], ["drift", "{}"], ["validate", "{}"], ["destroy", "{}", "--auto-approve"],
        ["plan", str(EXAMPLE), "--only", "{}"], ["plan", str(EXAMPLE), "--accept", "{}"],
        ["plan", str(EXAMPLE), "-o", "/nowhere{}/plan.json"], ["plan", "--expires", "{}"], ["{}"],
    ],
)  # fmt: skip
def test_an_error_about_hostile_arguments_is_escaped(scenario: Scenario, xgrant: Run, arguments: list[str]) -> None:
    result = xgrant(*(argument.replace("{}", HOSTILE.replace("/", "")) for argument in arguments))
    assert result.code in (1, 3, 64)
    assert_harmless(result)
