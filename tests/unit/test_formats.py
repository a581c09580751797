"""The formats for pipelines: what GitHub and GitLab show at the lines of a change, and what they count."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Place, Problem
from reconciler.model import Action, Change, Finding, Plan, Role, Severity
from reconciler.pipeline.main_job import Request
from reconciler.pipeline.plan_files import write_plan_file
from reconciler.render.github import finding_commands, problem_commands
from reconciler.render.gitlab import findings_report, problems_report, terraform_report
from reconciler.render.markdown.plan import plan_markdown
from reconciler.render.sarif import sarif
from tests.conftest import Run
from tests.support import desired_of, grant_yaml, load_text, manifest_yaml, plan_for, role_at
from tests.unit.test_lint_command import DENIED, SARIF

CREATED, EXPIRES = datetime(2030, 1, 1, tzinfo=UTC), datetime(2030, 1, 2, tzinfo=UTC)

CODE_QUALITY = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "required": ["path", "lines"],
                "properties": {"path": {"pattern": "^(?!\\./)."}, "lines": {"required": ["begin"]}},
            },
        },
    },
}
"""What GitLab demands of a report ("Code Quality report format")."""


def finding(message: str = "every action is allowed", **fields: Any) -> Finding:
    given: dict[str, Any] = {"grant": "reader", "place": Place("./m/a.yaml", 3, 5), **fields}
    return Finding("XG104", given.pop("severity", Severity.ERROR), message, "name the actions", **given)


@pytest.mark.parametrize(
    ("one", "command"),
    [
        (finding(), "::error file=m/a.yaml,line=3,col=5,title=XG104::reader: every action is allowed%0AWhat to do: name the actions"),
        (finding(severity=Severity.WARNING), "::warning file=m/a.yaml,line=3,col=5,title=XG104::reader: every"),
        (finding(severity=Severity.NOTE, grant=""), "::notice file=m/a.yaml,line=3,col=5,title=XG104::every"),
        (finding(place=None), "::error file=any.yaml,line=1,col=1,title=XG104::reader"),
        (finding("100% a,b::c"), "::error file=m/a.yaml,line=3,col=5,title=XG104::reader: 100%25 a,b::c%0A"),
        (finding(place=Place("a,b:c%.yaml", 1, 1)), "::error file=a%2Cb%3Ac%25.yaml,line=1,col=1,title=XG104::"),
        (finding("a\n::set-env name=x::y"), r"::error file=m/a.yaml,line=3,col=5,title=XG104::reader: a\u000a::set-env"),
    ],
)  # fmt: skip
def test_a_finding_is_a_workflow_command_at_its_line(one: Finding, command: str) -> None:
    assert finding_commands([one], "any.yaml").startswith(command)


@given(st.text(), st.text(min_size=1), st.text())
def test_hostile_text_makes_no_second_command_and_no_further_property(message: str, file: str, code: str) -> None:
    line = problem_commands([Problem(code, message, Place(file, 7, 8))])
    assert line.count("\n") == 1
    properties = line.removeprefix("::error ").partition("::")[0].split(",")
    assert [one.partition("=")[0] for one in properties] == ["file", "line", "col", "title"]


def test_a_problem_is_an_error_at_its_line() -> None:
    problem = Problem("XG024", "there is no account prod; name one", Place("m.yaml", 9, 2))
    assert problem_commands([problem]) == (
        "::error file=m.yaml,line=9,col=2,title=XG024::there is no account prod; name one\n"
    )


def test_a_code_quality_report_has_what_gitlab_demands_and_tells_equal_findings_apart() -> None:
    findings = [
        finding(),
        finding(),
        finding(place=Place("m/a.yaml", 9, 1)),
        finding(place=None, severity=Severity.NOTE),
    ]
    report = json.loads(findings_report(findings, "any.yaml"))
    jsonschema.validate(report, CODE_QUALITY)
    assert len({one["fingerprint"] for one in report}) == len(findings)
    assert [(one["location"]["path"], one["location"]["lines"]["begin"], one["severity"]) for one in report] == [
        ("any.yaml", 1, "minor"), ("m/a.yaml", 3, "critical"), ("m/a.yaml", 3, "critical"), ("m/a.yaml", 9, "critical"),
    ]  # fmt: skip


def test_the_fingerprint_of_a_finding_stays_when_its_line_moves() -> None:
    reports = [json.loads(findings_report([finding(place=Place("a.yaml", line, 1))])) for line in (1, 99)]
    assert len({report[0]["fingerprint"] for report in reports}) == 1


def test_problems_are_blockers_of_a_code_quality_report() -> None:
    report = json.loads(problems_report([Problem("XG024", "no\nsuch", Place("m.yaml", 9, 2))]))
    jsonschema.validate(report, CODE_QUALITY)
    assert (report[0]["severity"], report[0]["description"]) == ("blocker", r"no\u000asuch")


def test_the_terraform_report_counts_a_replacement_twice_and_what_is_adopted_as_an_update(tmp_path: Path) -> None:
    role = desired_of(load_text(tmp_path, manifest_yaml(grant_yaml())))[role_at("storage", "reader")]
    assert isinstance(role, Role)
    changes = [Change(role_at("storage", str(n)), action, "g", role, role) for n, action in enumerate(Action)]
    assert json.loads(terraform_report(changes)) == {"create": 2, "update": 2, "delete": 2}
    assert json.loads(terraform_report([])) == {"create": 0, "update": 0, "delete": 0}


def test_sarif_says_something_of_each_rule_and_nothing_of_what_is_not_to_be_done() -> None:
    log = json.loads(sarif([Finding("XG203", Severity.NOTE, "the owner has to allow it", "")], (), version="0"))
    (rule,), (result,) = log["runs"][0]["tool"]["driver"]["rules"], log["runs"][0]["results"]
    assert rule["shortDescription"]["text"] == "XG203 of xgrant"
    assert rule["fullDescription"]["text"].startswith("What a plan or the reading of manifests found")
    assert result["message"]["text"] == "the owner has to allow it"


def test_sarif_has_no_link_of_a_finding_that_looks_like_one() -> None:
    log = json.loads(sarif([finding("see [this](https://evil.example)")], (), version="0"))
    assert "](" not in log["runs"][0]["results"][0]["message"]["text"]


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "grants.yaml").write_text(manifest_yaml(DENIED), encoding="utf-8")
    return folder


@pytest.mark.parametrize("command", ["lint", "validate"])
def test_what_is_denied_is_an_error_at_its_line_and_the_exit_code_stays(
    xgrant: Run, manifests: Path, command: str
) -> None:
    result = xgrant(command, "--format", "github")
    assert result.code == 3
    denied = [line for line in result.out.splitlines() if line.startswith("::error")]
    assert denied[0].startswith("::error file=manifests/grants.yaml,line=11,col=29,title=XG104::reader: every action")


@pytest.mark.parametrize("command", ["lint", "validate"])
def test_problems_of_manifests_are_annotations_and_told_on_stderr_too(
    xgrant: Run, manifests: Path, command: str
) -> None:
    (manifests / "grants.yaml").write_text("version: 1\nstack: platform\naccounts: {a: {id: 12}}\n")
    result = xgrant(command, "--format", "github")
    assert (result.code, result.out.count("::error file=manifests/grants.yaml,line=")) == (3, result.out.count("\n"))
    assert "problem" in result.err
    report = json.loads(xgrant(command, "--format", "gitlab").out)
    jsonschema.validate(report, CODE_QUALITY)
    assert {one["severity"] for one in report} == {"blocker"}


@pytest.mark.parametrize(("form", "nothing"), [("github", ""), ("gitlab", "[]\n")])
def test_where_nothing_is_wrong_validate_prints_nothing_that_is_an_annotation(
    xgrant: Run, manifests: Path, form: str, nothing: str
) -> None:
    (manifests / "grants.yaml").write_text(manifest_yaml(grant_yaml()))
    result = xgrant("validate", "--format", form)
    assert (result.code, result.out) == (0, nothing)
    assert result.err.startswith("valid: stack platform")


GRANT_LINE = 8


def written(folder: Path, manifest_text: str) -> Plan:
    """Write a plan file with a finding of a place, one of none, and one of no grant either; return the plan."""
    manifest = load_text(folder, manifest_text)
    found = plan_for(manifest, {})
    nowhere = replace(finding("nowhere", place=None), grant="")
    plan = replace(found, findings=(*found.findings, finding(), finding("somewhere", place=None), nowhere))
    write_plan_file(
        plan, Request(manifest, frozenset(["reader"])), str(folder / "plan.json"), paths=["manifests"],
        created_at=CREATED, expires_at=EXPIRES,
    )  # fmt: skip
    return plan


@pytest.mark.parametrize(("form", "hidden"), [("markdown", False), ("github", True), ("gitlab", True)])
def test_show_prints_the_comment_of_a_plan_file(
    xgrant: Run, tmp_path: Path, manifests: Path, form: str, hidden: bool
) -> None:
    plan = written(tmp_path, manifest_yaml(grant_yaml()))
    shown = plan_markdown(plan, wanted=True, limit=None, hidden=hidden, scope="only reader")
    assert xgrant("show", "plan.json", "--format", form).out == shown
    assert xgrant("show", "plan.json", "--format", form, "--expand").code == 0


def test_show_as_sarif_puts_what_has_no_place_at_its_grant_or_else_at_the_first_manifest(
    xgrant: Run, tmp_path: Path, manifests: Path
) -> None:
    written(tmp_path, manifest_yaml(grant_yaml()))
    log = json.loads(xgrant("show", "plan.json", "--format", "sarif").out)
    jsonschema.Draft7Validator(SARIF).validate(log)
    places = [one["locations"][0]["physicalLocation"] for one in log["runs"][0]["results"]]
    assert {(one["artifactLocation"]["uri"], one["region"]["startLine"]) for one in places} == {
        ("manifests/grants.yaml", GRANT_LINE), ("manifests/grants.yaml", 1), ("m/a.yaml", 3),
    }  # fmt: skip
    (manifests / "z.yaml").write_text((manifests / "grants.yaml").read_text())
    (manifests / "grants.yaml").write_text("version: 1\n")
    log = json.loads(xgrant("show", "plan.json", "--format", "sarif").out)
    jsonschema.Draft7Validator(SARIF).validate(log)
    places = [one["locations"][0]["physicalLocation"] for one in log["runs"][0]["results"]]
    assert {(one["artifactLocation"]["uri"], one["region"]["startLine"]) for one in places} == {
        ("manifests/z.yaml", GRANT_LINE), ("manifests/grants.yaml", 1), ("m/a.yaml", 3),
    }  # fmt: skip
    (manifests / "z.yaml").unlink()
    (manifests / "grants.yaml").unlink()
    assert '"uri": "manifests"' in xgrant("show", "plan.json", "--format", "sarif").out


def test_show_as_commands_of_github_puts_findings_where_sarif_does(
    xgrant: Run, tmp_path: Path, manifests: Path
) -> None:
    written(tmp_path, manifest_yaml(grant_yaml()))
    lines = xgrant("show", "plan.json", "--format", "github-commands").out.splitlines()
    assert {re.sub(r",col=.*", "", line.partition(" ")[2]) for line in lines} == {
        f"file=manifests/grants.yaml,line={GRANT_LINE}", "file=manifests/grants.yaml,line=1", "file=m/a.yaml,line=3",
    }  # fmt: skip
    assert all(line.startswith(("::error ", "::warning ", "::notice ")) for line in lines)


def test_show_as_a_report_of_gitlab_counts_the_changes(xgrant: Run, tmp_path: Path) -> None:
    written(tmp_path, manifest_yaml(grant_yaml()))
    assert xgrant("show", "plan.json", "--format", "gitlab-report").out == '{"create": 2, "update": 0, "delete": 0}\n'
