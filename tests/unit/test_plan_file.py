"""Plan files: verified whatever the bytes are; what they say is shown as plan showed it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler import planfile
from reconciler.cli import parser
from reconciler.errors import PlanFileError, UnreadablePlanError, UsageError
from reconciler.manifest import load
from reconciler.model import Live, Role
from reconciler.pipeline.main_job import Request
from reconciler.pipeline.plan_files import read_plan_file, write_plan_file
from reconciler.planfile.contents import checksum
from reconciler.planfile.disk import write_private
from reconciler.planner import plan
from reconciler.policy.document import PolicyDocument
from reconciler.render.data import plan_data
from reconciler.render.escape import escape
from reconciler.render.markdown.plan import plan_markdown
from reconciler.render.text import Painter, text, text_of
from reconciler.rules import RULES
from tests.conftest import Run
from tests.support import (
    DEV,
    desired_of,
    facts_for,
    grant_yaml,
    live_from_json,
    load_text,
    manifest_yaml,
    plan_for,
    role_at,
)
from tests.test_cases import CASES

NOW = datetime(2030, 1, 1, tzinfo=UTC)
LATER = datetime(2030, 1, 2, tzinfo=UTC)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def sealed(data: Any) -> str:
    return planfile.sealed(
        data, paths=["m.yaml"], digest="0" * 64, only=frozenset(), destroy=False, created_at=NOW, expires_at=LATER
    )


def file_of(case: Path) -> tuple[str, str]:
    """Return the plan file of a golden case, and the text of its plan."""
    manifest = load([str(case / "manifest.yaml")])
    live = live_from_json(case / "live.json", manifest.accounts) if (case / "live.json").exists() else {}
    plan = plan_for(manifest, live)
    return sealed(plan_data(plan)), text(plan, Painter(colour=True))


FILES = [file_of(case)[0] for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_a_file_is_shown_as_its_plan_was(case: Path, tmp_path: Path) -> None:
    content, shown = file_of(case)
    (tmp_path / "plan.json").write_text(content)
    found = read_plan_file(str(tmp_path / "plan.json"))
    plan = found.plan
    brush, ids = Painter(colour=True), plan.account_ids()
    assert text_of(plan.changes, plan.findings, wanted=found.wanted(), painter=brush, ids=ids) == shown
    assert plan_markdown(plan, wanted=found.wanted(), limit=None, hidden=True) == (case / "plan.md").read_text("utf-8")


IDS = ["*", "a*", "a**", "x", "", "(hidden)", "(hidden 2)", "${aws:username}", "b ${x}", 1, True, "b"]
one_or_several = st.sampled_from(IDS) | st.lists(st.sampled_from(IDS), min_size=1, max_size=4)
blocks = st.dictionaries(
    st.sampled_from(["StringEquals", "StringLike", "ForAnyValue:StringLike", "Null"]),
    st.dictionaries(st.sampled_from(["sts:ExternalId", "aws:PrincipalTag/X"]), one_or_several, min_size=1),
    min_size=1,
)  # fmt: skip


def trust_of(*blocks: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    """Return a trust policy with a statement for each block of conditions."""
    return {
        "Version": version,
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": DEV}, "Action": "sts:AssumeRole", "Condition": block}
            for block in blocks
        ],
    }


trusts = st.builds(
    lambda version, conditions: trust_of(*conditions, version=version),
    st.sampled_from(["2012-10-17", "2008-10-17"]),
    st.lists(blocks, min_size=1, max_size=2),
)
IN_TWO_SPELLINGS = [
    {"StringLike": {"sts:ExternalId": "a**"}, "Null": {"sts:ExternalId": "b"}},
    {"StringLike": {"sts:ExternalId": "a*"}},
]


@given(trusts, trusts)
@example(trust_of({**IN_TWO_SPELLINGS[1], "Null": {"sts:ExternalId": "b"}}), trust_of(*IN_TWO_SPELLINGS))
def test_whatever_external_ids_there_are_the_file_that_is_written_is_read_and_shown_as_the_plan_was(
    tmp_path: Path, standing: Any, wanted: Any
) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    place = role_at("storage", "reader")
    role = desired_of(manifest)[place]
    assert isinstance(role, Role)
    before, after = (replace(role, trust_policy=PolicyDocument.read(trust)) for trust in (standing, wanted))
    found = plan({place: after}, Live({place: before}, facts_for(manifest)), stack="platform", rules=RULES)
    file = str(tmp_path / "plan.json")
    write_plan_file(found, Request(manifest), file, paths=["m.yaml"], created_at=NOW, expires_at=LATER)
    again = read_plan_file(file)
    assert text_of(again.plan.changes, again.plan.findings, wanted=again.wanted()) == text(found, expand=True)
    comments = [plan_markdown(one, wanted=True, limit=None, hidden=True) for one in (found, again.plan)]
    assert comments[0] == comments[1]


def test_a_file_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    found = plan_for(manifest, {})
    file = tmp_path / "plan.json"
    with pytest.raises(UnreadablePlanError, match="please report it"):
        write_plan_file(found, Request(manifest), str(file), paths=["m.yaml"], created_at=LATER, expires_at=NOW)
    assert not file.exists()


def refused_or_shown(content: bytes) -> None:
    """Read a file as show does; whatever is wrong is a PlanFileError, on no more than one line of sane length."""
    try:
        found = planfile.parse(content, "plan.json")
    except PlanFileError as error:
        said = str(error)
    else:
        plan_data(found.plan)
        said = text_of(found.plan.changes, found.plan.findings, wanted=found.wanted()).replace("\n", "")
        assert escape(said) == said
        return
    assert "\n" not in said
    assert len(said) < 600


@given(st.binary(max_size=200))
@example(b"")
@example(b"\xff\xfe{}")
@example(b'{"a": 1, "a": 2}')
@example(b"[" * 100_000)
@example(b'{"a":' * 100_000)
@example(b"1" * 10_000)
@example(b'{"format_version": "1.0", "x": 1e999}')
@example(b'{"format_version": "9' + b"9" * 6000 + b'.0"}')
@example(b'"\\ud800"')
@example(b"NaN")
def test_any_bytes_at_all_are_refused_with_a_message(content: bytes) -> None:
    refused_or_shown(content)


@given(ANYTHING)
def test_any_json_is_refused_with_a_message(data: Any) -> None:
    refused_or_shown(json.dumps(data).encode())
    if isinstance(data, dict):
        refused_or_shown(json.dumps({"format_version": "1.1", **data}).encode())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@given(st.data())
def test_anything_anywhere_in_a_file_with_a_fitting_checksum_is_refused_or_shown_escaped(data: st.DataObject) -> None:
    contents = json.loads(data.draw(st.sampled_from(FILES)))
    path = data.draw(st.sampled_from([place for place in places(contents) if place]))
    parent = contents
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = data.draw(ANYTHING | st.text("\x1b\x7f\u202e\u2028<b>@|\n", min_size=1))
    if isinstance(contents, dict):
        contents["checksum"] = checksum(contents)
    refused_or_shown(json.dumps(contents).encode())


@pytest.mark.parametrize(
    "edit",
    [
        lambda data: data["summary"].update(create=9),
        lambda data: data["summary"].update(refused=True),
        lambda data: data.update(complete=False),
        lambda data: data["accounts"].reverse(),
        lambda data: data["resource_changes"].append(data["resource_changes"][0]),
        lambda data: data["resource_changes"][0].update(name="other"),
        lambda data: data["resource_changes"][0].update(account="other"),
        lambda data: data["resource_changes"][0]["change"].update(actions=["delete"]),
        lambda data: data["resource_changes"][0]["change"].update(after_fingerprint=None),
        lambda data: data["resource_changes"][0]["change"].update(before_fingerprint="0" * 64),
        lambda data: data["resource_changes"][0].update(address="storage/role"),
    ],
)
def test_a_file_whose_parts_contradict_each_other_is_refused(tmp_path: Path, edit: Any) -> None:
    (case,) = [case for case in CASES if case.name == "create"]
    contents = json.loads(file_of(case)[0])
    edit(contents)
    contents["checksum"] = checksum(contents)
    (tmp_path / "plan.json").write_text(json.dumps(contents))
    with pytest.raises(PlanFileError):
        read_plan_file(str(tmp_path / "plan.json"))


@pytest.mark.parametrize("name", ["nowhere/plan.json", "folder", "a\x00b.json"])
def test_a_file_that_cannot_be_read_is_named_with_what_to_do(tmp_path: Path, name: str, xgrant: Run) -> None:
    (tmp_path / "folder").mkdir()
    result = xgrant("show", tmp_path / name)
    assert (result.code, "the plan file cannot be read" in result.err) == (3, True)


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "plan.json").mkdir()
    with pytest.raises(UsageError, match=r"plan\.json exists and is a link, a directory or a device"):
        write_private(str(tmp_path / "plan.json"), "text")
    assert [path.name for path in tmp_path.iterdir()] == ["plan.json"]


@pytest.mark.parametrize(
    "period",
    ["0h", "24", "h", "1w", "-1h", "1.5h", "999999d", "\u0661h", "", "366d", "8760h1s", "30m1h", "0h0m", "9" * 5000],
)
def test_a_period_that_is_none_is_told_the_form_and_the_maximum(xgrant: Run, period: str) -> None:
    result = xgrant("plan", "-o", "x.json", f"--expires={period}")
    assert (result.code, "like 24h or 1h30m, and at most 365d; this is" in result.err) == (64, True)


@pytest.mark.parametrize(
    ("period", "seconds"), [("90s", 90), ("1h30m", 5400), ("1d1h1m1s", 90061), ("365d", 31536000), ("24h", 86400)]
)
def test_a_period_has_days_hours_minutes_and_seconds(period: str, seconds: int) -> None:
    assert parser().parse_args(["plan", "-o", "x.json", "--expires", period]).expires == seconds


@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--expires", "1h"],
        ["plan", "--accept", "XG201"],
        ["apply", "--auto-approve", "--accept", "all"],
        ["show"],
    ],
)
def test_options_that_make_no_sense_are_wrong_usage(xgrant: Run, arguments: list[str]) -> None:
    assert xgrant(*arguments).code == 64


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["apply", "m.yaml", "plan.json"], "plan.json: the plan file comes first: xgrant apply plan.json m.yaml"),
        (["apply", "m.yaml", "plan.json", "--auto-approve"], "the plan file comes first"),
        (["apply", "plan.jsn", "m.yaml"], "plan.jsn: this is a plan file; apply takes one as the first PATH"),
        (["destroy", "plan.json"], "plan.json: this is a plan file; a reviewed one of `xgrant plan --destroy`"),
    ],
)
def test_a_plan_file_where_none_belongs_is_told_before_anybody_is_asked(
    xgrant: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("plan.json", "plan.jsn"):
        (tmp_path / name).write_text('{"format_version": "1.2"}')
    (tmp_path / "m.yaml").write_text("version: 1\n")
    result = xgrant(*words)
    assert (result.code, says in result.err) == (64, True), result.err


def test_the_name_of_a_plan_file_ends_in_whatever_case(xgrant: Run, tmp_path: Path) -> None:
    (tmp_path / "PLAN.JSON").write_text('{"format_version": "1.2"}')
    result = xgrant("apply", tmp_path / "PLAN.JSON")
    assert (result.code, "PLAN.JSON: the file is not as a plan file has it" in result.err) == (3, True), result.err


def test_a_number_of_thousands_of_digits_shows_no_advice_for_programmers(xgrant: Run, tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('{"format_version": ' + "9" * 5000 + "}")
    result = xgrant("show", file)
    says = f"xgrant: {file}: not JSON: a number of 5,000 digits; plan again with `xgrant plan -o`\n"
    assert (result.code, result.err) == (3, says)


def reviewed(*entries: dict[str, Any], findings: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"resource_changes": list(entries), "findings": list(findings), "fingerprint": "0" * 64}


def entry(place: str, after: str | None, replaces: str | None = None) -> dict[str, Any]:
    return {"address": place, "change": {"action": "replace", "after_fingerprint": after, "replaces": replaces}}


NOTE = {"rule": "XG203", "severity": "note", "acceptable": False, "message": "attach this"}
WARNING = {**NOTE, "rule": "XG232", "severity": "warning"}
ERROR = {**NOTE, "rule": "XG202", "severity": "error"}
OTHER_NOTE = {**NOTE, "message": "attach that"}
LIMIT = {"rule": "XG206", "severity": "error", "acceptable": True, "message": "too many"}


@pytest.mark.parametrize(
    ("old", "new", "holds"),
    [
        ((NOTE,), (NOTE,), True),
        ((), (NOTE,), False),
        ((), (WARNING,), False),
        ((), (ERROR,), False),
        # Somebody has done what they said.
        ((NOTE,), (), True),
        ((WARNING,), (), True),
        # It was refused, so nobody has approved it.
        ((ERROR,), (), False),
        ((NOTE,), (OTHER_NOTE,), False),
        ((NOTE, WARNING), (WARNING,), True),
        ((LIMIT,), (), True),
        ((), (LIMIT,), True),
    ],
)
def test_a_plan_with_other_findings_is_not_the_one_that_was_reviewed(
    old: tuple[dict[str, Any], ...], new: tuple[dict[str, Any], ...], holds: bool
) -> None:
    assert planfile.bind(reviewed(findings=old), reviewed(findings=new), {}).holds() is holds


def test_once_a_part_is_done_a_finding_may_be_gone_and_none_may_be_new() -> None:
    done = entry("storage/role/reader", "1" * 64)
    standing = {"storage/role/reader": "1" * 64}
    assert planfile.bind(reviewed(done, findings=(NOTE,)), reviewed(), standing).holds()
    assert not planfile.bind(reviewed(done), reviewed(findings=(NOTE,)), standing).holds()


@pytest.mark.parametrize(
    ("standing", "done"),
    [
        ({"storage/role/new": "1" * 64}, True),
        ({"storage/role/new": "2" * 64}, False),
        ({"storage/role/new": "1" * 64, "storage/role/old": "3" * 64}, False),
        ({}, False),
    ],
)
def test_a_replacement_is_done_once_the_new_one_stands_and_the_old_one_is_gone(
    standing: dict[str, str], done: bool
) -> None:
    found = planfile.bind(reviewed(entry("storage/role/new", "1" * 64, "storage/role/old")), reviewed(), standing)
    assert (bool(found.done), bool(found.gone)) == (done, not done)
