"""`policies/`: where it is found, what may stand in it, and when an exception ends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.commands import clock
from reconciler.errors import ManifestError
from reconciler.lint import by_id
from reconciler.manifest.guardrails import load_policies
from reconciler.model import Level, Policies
from tests.conftest import EXAMPLE, Run
from tests.support import grant_yaml, manifest_yaml
from tests.unit.test_manifest import POLICIES

TODAY = "2026-06-15"
SOON = f"{datetime.now(tz=UTC) + timedelta(days=30):%Y-%m-%d}"
LONG = grant_yaml(description="Read", tags="{owner: data}", session="{max_duration: 5h}")
EXCEPTION = "{rule: XG112, grant: reader, reason: nightly job, owner: data, until: 2026-06-30}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    """A folder with manifests, and beside it one of policies."""
    for name in ("manifests", "policies"):
        (tmp_path / name).mkdir()
    (tmp_path / "manifests" / "grants.yaml").write_text(manifest_yaml(LONG))
    return tmp_path


def said(folder: Path, text: str, *, today: str = TODAY) -> Policies:
    (folder / "policies" / "team.yaml").write_text(text)
    return load_policies(["manifests"], rules=by_id(), today=today)


def problems(folder: Path, text: str, *, today: str = TODAY) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        said(folder, text, today=today)
    return [str(problem) for problem in caught.value.problems]


def test_levels_exceptions_and_checks_are_read_with_their_places(folder: Path) -> None:
    found = said(
        folder,
        f"version: 1\nrules: {{XG115: {{level: off}}, XG112: {{level: deny}}}}\nexceptions:\n- {EXCEPTION}\n"
        "checks:\n- {run: [./checks/names.py, '-'], level: warn, timeout: 5}\n- {run: [opa], name: ours}\n",
    )
    assert found.levels == {"XG115": Level.OFF, "XG112": Level.DENY}
    (exemption,) = found.exemptions
    assert (exemption.rule, exemption.grant, exemption.until) == ("XG112", "reader", "2026-06-30")
    assert str(exemption.place) == "policies/team.yaml:4:3"
    assert [(one.name, one.run, one.level, one.timeout) for one in found.checks] == [
        ("names.py", ("./checks/names.py", "-"), "warn", 5), ("ours", ("opa",), "deny", 60),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("rules: {}", "1:1: XG011 the key 'version' is missing", id="no version"),
        pytest.param("version: 2", "1:10: XG013 the version of the format of policies is 1", id="another version"),
        pytest.param("version: 1\nrule: {}", "2:1: XG010 unknown key 'rule'; did you mean rules?", id="unknown key"),
        pytest.param("version: 1\nrules: {XG999: {level: deny}}", "2:9: XG060 there is no guardrail XG999", id="unknown rule"),
        pytest.param("version: 1\nrules: {XG105: {level: error}}", "2:24: XG013 this has to be one of off, advice, warn, deny", id="unknown level"),
        pytest.param("version: 1\nrules: {XG105: deny}", "2:16: XG012 a rule is set like {level: deny}", id="level alone"),
        pytest.param("version: 1\nexceptions: [{rule: XG105, grant: a, owner: me, until: 2027-01-01}]", "2:14: XG011 the key 'reason' is missing", id="no reason"),
        pytest.param(f"version: 1\nexceptions: [{EXCEPTION.replace('2026-06-30', 'June')}]", "2:84: XG013 a day is written like", id="no day"),
        pytest.param(f"version: 1\nexceptions: [{EXCEPTION.replace('06-30', '06-31')}]", "2:84: XG062 there is no day 2026-06-31", id="no such day"),
        pytest.param(f"version: 1\nexceptions: [{EXCEPTION.replace('XG112', 'XG206')}]", "2:21: XG060 there is no guardrail XG206", id="exception from a finding of plans"),
        pytest.param("version: 1\nchecks: [{run: 'opa eval'}]", "2:16: XG012 a program and its arguments are a list", id="a line for a shell"),
        pytest.param("version: 1\nchecks: [{run: [opa], timeout: 0}]", "2:32: XG013 a timeout is 1 to 600 seconds", id="no time"),
        pytest.param("version: 1\nchecks: [{run: [opa], level: off}]", "2:30: XG013 this has to be one of advice, warn, deny", id="check that is off"),
        pytest.param("version: [", "XG002 the file is not YAML", id="no YAML"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_policies_is_said_with_its_place(folder: Path, text: str, message: str) -> None:
    (found,) = problems(folder, text + "\n")
    assert found.startswith("policies/team.yaml:")
    assert message in found


def test_a_rule_that_two_files_set_is_refused(folder: Path) -> None:
    (folder / "policies" / "a.yaml").write_text("version: 1\nrules: {XG105: {level: deny}}\n")
    (found,) = problems(folder, "version: 1\nrules: {XG105: {level: off}}\n")
    assert found == "policies/team.yaml:2:9: XG061 XG105 stands already at policies/a.yaml:2:9; keep one"


def test_an_exception_holds_on_its_last_day_and_not_on_the_next(folder: Path) -> None:
    text = f"version: 1\nexceptions: [{EXCEPTION}]\n"
    assert said(folder, text, today="2026-06-30").exemptions
    over = said(folder, text, today="2026-07-01")
    assert (over.exemptions, [one.rule for one in over.ended]) == ((), ["XG112"])


@pytest.mark.parametrize(("until", "right"), [("2027-06-16", True), ("2027-06-17", False), ("9999-12-31", False)])
def test_no_exception_is_for_longer_than_a_year(folder: Path, *, until: str, right: bool) -> None:
    text = f"version: 1\nexceptions: [{EXCEPTION.replace('2026-06-30', until)}]\n"
    if right:
        assert said(folder, text).exemptions
    else:
        (found,) = problems(folder, text)
        assert "team.yaml:2:84: XG064 an exception lasts at most 366 days; write 2027-06-16 or earlier" in found


@pytest.mark.parametrize("key", ["reason", "owner"])
def test_an_exception_says_in_words_why_and_who_answers_for_it(folder: Path, key: str) -> None:
    blank = EXCEPTION.replace("nightly job" if key == "reason" else "data,", "'    '" + "," * (key == "owner"))
    (found,) = problems(folder, f"version: 1\nexceptions: [{blank}]\n")
    assert f"XG013 say {'why' if key == 'reason' else 'who'}" in found


@pytest.mark.parametrize(("after", "code"), [(timedelta(0), 0), (timedelta(seconds=1), 3)], ids=["before", "after"])
def test_the_command_goes_by_the_clock_to_the_second(
    folder: Path, xgrant: Run, monkeypatch: pytest.MonkeyPatch, after: timedelta, code: int
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC) + after)
    (folder / "policies" / "team.yaml").write_text(f"version: 1\nexceptions: [{EXCEPTION}]\n")
    result = xgrant("lint")
    assert result.code == code
    assert ("deny XG063 the exception of reader from XG112 has ended on 2026-06-30" in result.out) is bool(code)
    assert "what to do: mend what it was for, or ask data whether it goes on" in result.out


@pytest.mark.parametrize(
    ("today", "when"),
    [
        (datetime(2026, 6, 15, 23, tzinfo=UTC), ""),
        (datetime(2026, 6, 16, tzinfo=UTC), "ends in 14 days, on 2026-06-30; after it"),
        (datetime(2026, 6, 29, tzinfo=UTC), "ends in 1 day, on 2026-06-30; after it"),
        (datetime(2026, 6, 30, 23, tzinfo=UTC), "ends today; after it"),
    ],
)
def test_an_exception_is_warned_of_before_it_ends_where_it_stands(
    folder: Path, xgrant: Run, monkeypatch: pytest.MonkeyPatch, today: datetime, when: str
) -> None:
    monkeypatch.setattr(clock, "now", lambda: today)
    (folder / "policies" / "team.yaml").write_text(f"version: 1\nexceptions: [{EXCEPTION}]\n")
    result = xgrant("lint", "--level", "warn")
    expected = f"policies/team.yaml:2:14: warn XG067 the exception of reader from XG112 {when}"
    assert (result.code, expected in result.out) == (0, bool(when))
    assert ("XG067" in result.out) is bool(when)


def test_an_exception_that_has_ended_of_a_grant_that_is_gone_stops_nothing(folder: Path, xgrant: Run) -> None:
    said(folder, f"version: 1\nexceptions: [{EXCEPTION.replace('reader', 'gone').replace('2026', '2020')}]\n")
    shown = xgrant("lint", "--level", "warn")
    assert shown.code == 0
    assert "policies/team.yaml:2:14: warn XG063" in shown.out
    assert "no grant gone is declared" in shown.out


@pytest.mark.parametrize("grant", ["reader", "'*'"])
def test_an_exception_lets_through_what_it_names(folder: Path, xgrant: Run, grant: str) -> None:
    said(folder, f"version: 1\nexceptions: [{EXCEPTION.replace('reader', grant).replace('2026-06-30', SOON)}]\n")
    assert xgrant("lint").out == "nothing found\n"


@pytest.mark.parametrize(
    ("changed", "whom"),
    [
        ({"reader": "writer"}, "no grant writer is declared"),
        ({"XG112": "XG105"}, "XG105 is not broken by the grant reader"),
        ({"XG112": "XG118", "reader": "'*'"}, "XG118 is not broken by any grant"),
        *(({"XG112": rule, "reader": "gone"}, "no grant gone is declared") for rule in ("XG121", "XG140", "XG150")),
    ],
)  # fmt: skip
def test_an_exception_that_is_for_nothing_is_a_warning_at_its_place(
    folder: Path, xgrant: Run, changed: dict[str, str], whom: str
) -> None:
    stated = EXCEPTION.replace("2026-06-30", SOON)
    for old, new in changed.items():
        stated = stated.replace(old, new)
    (folder / "policies" / "team.yaml").write_text(f"version: 1\nexceptions:\n- {stated}\n")
    shown = xgrant("lint")
    assert shown.code == 0
    assert "policies/team.yaml:3:3: warn XG131" in shown.out
    assert f"{whom}, so the exception is for nothing" in shown.out


def test_a_level_of_a_team_makes_a_warning_a_denial(folder: Path, xgrant: Run) -> None:
    assert xgrant("validate").code == 0
    said(folder, "version: 1\nrules: {XG112: {level: deny}}\n")
    result = xgrant("validate")
    assert (result.code, "manifests/grants.yaml" in result.err, "deny XG112" in result.err) == (3, True, True)


def test_policies_are_found_upwards_to_the_top_of_the_repository_and_not_above(tmp_path: Path) -> None:
    deep = tmp_path / "repo" / "aws" / "manifests"
    deep.mkdir(parents=True)
    (tmp_path / "policies" / "team.yaml").write_text("version: 1\nrules: {XG105: {level: deny}}\n")
    assert load_policies([str(deep)], rules=by_id(), today=TODAY) == Policies()
    (tmp_path / ".git").mkdir()
    assert load_policies([str(deep)], rules=by_id(), today=TODAY).levels
    (tmp_path / "repo" / ".git").write_text("gitdir: elsewhere\n")
    assert load_policies([str(deep)], rules=by_id(), today=TODAY) == Policies()


def test_policies_beside_a_manifest_file_count_and_a_folder_of_documents_does_not(folder: Path) -> None:
    beside = folder / "manifests" / "policies"
    beside.mkdir()
    (beside / "read.json").write_text('{"Version": "2012-10-17", "Statement": []}')
    said(folder, "version: 1\nrules: {XG105: {level: deny}}\n")
    assert load_policies(["manifests/grants.yaml"], rules=by_id(), today=TODAY).levels == {"XG105": "deny"}


@pytest.mark.parametrize("text", [POLICIES, (EXAMPLE.parents[1] / "examples" / "policies" / "team.yaml").read_text()])
def test_the_policies_of_the_readme_and_of_the_example_are_valid(folder: Path, text: str) -> None:
    found = said(folder, text)
    assert found.levels
    assert found.exemptions
    assert [one.name for one in found.checks] == ["production"]


RAISED = "version: 1\nrules: {XG112: {level: deny}}\n"


@pytest.fixture
def inner(folder: Path) -> Path:
    """A folder of policies nearer to manifests than the outer one of their repository."""
    (folder / ".git").mkdir()
    found = folder / "aws" / "policies"
    found.mkdir(parents=True)
    (folder / "policies" / "team.yaml").write_text(RAISED)
    return found


def loaded(inner: Path, text: str) -> Policies:
    (inner / "team.yaml").write_text(text)
    return load_policies(["aws/manifests"], rules=by_id(), today=TODAY)


def test_all_folders_up_to_the_top_of_the_repository_count(inner: Path) -> None:
    found = loaded(inner, "version: 1\nrules: {XG105: {level: deny}}\nchecks: [{run: [ours]}]\n")
    assert found.levels == {"XG112": "deny", "XG105": "deny"}
    assert found.folders == ("aws/policies", "policies")
    assert [one.folder for one in found.checks] == [str(inner.parent)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: {XG112: {level: warn}}", "XG112 is deny at policies/team.yaml:2:9"),
        ("rules: {XG104: {level: off}}", "XG104 is deny by itself"),
        ("rules: {XG105: {level: advice}}", "XG105 is warn by itself"),
        (f"exceptions: [{EXCEPTION}]", "XG112 is denied further out"),
        (f"exceptions: [{EXCEPTION.replace('XG112', 'XG107')}]", "XG107 is denied further out"),
        (f"exceptions: [{EXCEPTION.replace('XG112', 'XG140')}]", "XG140 is denied further out"),
    ],
)
def test_a_folder_further_in_lifts_nothing_that_is_set_further_out(inner: Path, text: str, message: str) -> None:
    with pytest.raises(ManifestError) as caught:
        loaded(inner, f"version: 1\n{text}\n")
    (problem,) = caught.value.problems
    assert str(problem).startswith("aws/policies/team.yaml:2:")
    assert f"XG065 {message}" in str(problem)


def test_a_folder_further_in_may_except_its_own_grants_from_what_only_warns(inner: Path) -> None:
    found = loaded(inner, f"version: 1\nexceptions: [{EXCEPTION.replace('XG112', 'XG108')}]\n")
    assert [one.rule for one in found.exemptions] == ["XG108"]


def test_where_a_link_leads_changes_no_policies(inner: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "aws" / "other" / "m"
    elsewhere.mkdir(parents=True)
    (inner.parent / "manifests").symlink_to(elsewhere)
    (elsewhere.parent / "policies").mkdir()
    (elsewhere.parent / "policies" / "x.yaml").write_text("version: 1\n")
    assert loaded(inner, "version: 1\n").folders == ("aws/policies", "policies")


def test_rules_in_a_folder_below_count(folder: Path) -> None:
    (folder / "policies" / "sub").mkdir()
    (folder / "policies" / "sub" / "team.yaml").write_text(RAISED)
    assert load_policies(["manifests"], rules=by_id(), today=TODAY).levels == {"XG112": "deny"}


@pytest.mark.parametrize("kind", ["dangling link", "another suffix", "a program"])
def test_a_folder_that_would_vanish_is_an_error(folder: Path, kind: str) -> None:
    policies = folder / "policies"
    match kind:
        case "dangling link":
            policies.rmdir()
            policies.symlink_to(folder / "nowhere")
        case "another suffix":
            (policies / "team.json").write_text('{"version": 1}')
        case _:
            (policies / "check.py").write_text("")
    with pytest.raises(ManifestError) as caught:
        load_policies(["manifests"], rules=by_id(), today=TODAY)
    (problem,) = caught.value.problems
    assert str(problem).startswith("policies:1:1: XG001 ")
    assert ("a link that leads nowhere" if kind == "dangling link" else "in files *.yaml, and there is none") in str(
        problem
    )


def test_manifests_that_are_held_to_different_folders_are_refused_together(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / name / "manifests").mkdir(parents=True)
    (folder / "b" / "policies").mkdir()
    (folder / "b" / "policies" / "x.yaml").write_text("version: 1\n")
    with pytest.raises(
        ManifestError, match=r"b/manifests:1:1: XG066 .* held to b/policies, and a/manifests to no folder"
    ):
        load_policies(["a/manifests", "b/manifests"], rules=by_id(), today=TODAY)
    both = load_policies(["a/manifests", "b/manifests"], rules=by_id(), today=TODAY, folder="b/policies")
    assert both.folders == ("b/policies",)


@pytest.mark.parametrize("command", ["validate", "lint"])
def test_a_command_says_which_folders_count(folder: Path, xgrant: Run, command: str) -> None:
    said(folder, "version: 1\n")
    assert xgrant(command).err == "Guardrails: policies\n"


def test_the_folder_that_is_named_is_the_one_that_counts_and_has_to_be_there(folder: Path, xgrant: Run) -> None:
    (folder / "central").mkdir()
    (folder / "central" / "team.yaml").write_text(RAISED)
    said(folder, "version: 1\nrules: {XG112: {level: off}}\n")
    held = xgrant("validate", "--policies", "central")
    assert (held.code, "Guardrails: central\n" in held.err, "deny XG112" in held.err) == (3, True, True)
    missing = xgrant("validate", "--policies", "nowhere")
    assert (missing.code, "nowhere:1:1: XG001 no such file or directory" in missing.err) == (3, True)


def test_sarif_is_written_of_what_is_wrong_with_policies(folder: Path, xgrant: Run) -> None:
    (folder / "policies" / "team.yaml").write_text("version: 2\n")
    result = xgrant("lint", "--format", "sarif")
    assert (result.code, "XG013" in result.err) == (3, True)
    (found,) = json.loads(result.out)["runs"][0]["results"]
    assert (found["ruleId"], found["level"]) == ("XG013", "error")
    assert found["locations"][0]["physicalLocation"]["region"]["startLine"] == 1
    data = json.loads(xgrant("lint", "--format", "json").out)
    assert [one["rule"] for one in data["findings"]] == ["XG013"]
