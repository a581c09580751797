"""`policies/`: where it is found, what may stand in it, and when an exception ends."""

from __future__ import annotations

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


def test_an_exception_holds_on_its_last_day_and_is_an_error_on_the_next(folder: Path) -> None:
    text = f"version: 1\nexceptions: [{EXCEPTION}]\n"
    assert said(folder, text, today="2026-06-30").exemptions
    (found,) = problems(folder, text, today="2026-07-01")
    assert found.startswith("policies/team.yaml:2:84: XG063 the exception of reader from XG112 has ended on 2026-06-30")
    assert "ask data" in found


@pytest.mark.parametrize(("after", "code"), [(timedelta(0), 0), (timedelta(seconds=1), 3)], ids=["before", "after"])
def test_the_command_goes_by_the_clock_to_the_second(
    folder: Path, xgrant: Run, monkeypatch: pytest.MonkeyPatch, after: timedelta, code: int
) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(2026, 6, 30, 23, 59, 59, tzinfo=UTC) + after)
    (folder / "policies" / "team.yaml").write_text(f"version: 1\nexceptions: [{EXCEPTION}]\n")
    result = xgrant("lint")
    assert result.code == code
    assert ("XG063" in result.err) is bool(code)


@pytest.mark.parametrize("grant", ["reader", "'*'"])
def test_an_exception_lets_through_what_it_names(folder: Path, xgrant: Run, grant: str) -> None:
    said(folder, f"version: 1\nexceptions: [{EXCEPTION.replace('reader', grant)}]\n")
    (folder / "policies" / "team.yaml").write_text(
        f"version: 1\nexceptions: [{EXCEPTION.replace('reader', grant).replace('2026', '2999')}]\n"
    )
    assert xgrant("lint").out == "nothing found\n"


@pytest.mark.parametrize(
    ("changed", "whom"),
    [({"reader": "writer"}, "the grant writer"), ({"XG112": "XG105"}, "the grant reader"), ({"XG112": "XG118", "reader": "'*'"}, "any grant")],
    ids=["another grant", "another rule", "all grants"],
)  # fmt: skip
def test_an_exception_that_is_for_nothing_is_a_warning_at_its_place(
    folder: Path, xgrant: Run, changed: dict[str, str], whom: str
) -> None:
    stated = EXCEPTION.replace("2026", "2999")
    for old, new in changed.items():
        stated = stated.replace(old, new)
    (folder / "policies" / "team.yaml").write_text(f"version: 1\nexceptions:\n- {stated}\n")
    shown = xgrant("lint")
    assert shown.code == 0
    assert "policies/team.yaml:3:3: warn XG131" in shown.out
    assert f"is not broken by {whom}" in shown.out


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
    (beside / "read.json").write_text("{}")
    said(folder, "version: 1\nrules: {XG105: {level: deny}}\n")
    assert load_policies(["manifests/grants.yaml"], rules=by_id(), today=TODAY).levels == {"XG105": "deny"}


@pytest.mark.parametrize("text", [POLICIES, (EXAMPLE.parents[1] / "examples" / "policies" / "team.yaml").read_text()])
def test_the_policies_of_the_readme_and_of_the_example_are_valid(folder: Path, text: str) -> None:
    found = said(folder, text)
    assert found.levels
    assert found.exemptions
    assert [one.name for one in found.checks] == ["production"]
