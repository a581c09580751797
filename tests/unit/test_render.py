"""What people read: complete, escaped, and coloured only where that is wanted."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.applier import apply
from reconciler.model import Action, CallerPolicy, Change, Finding, Outcome, Plan, Role, Severity, Status
from reconciler.policy.document import PolicyDocument
from reconciler.render.changes import duration
from reconciler.render.data import plan_data, to_json
from reconciler.render.drift import drift_json, drift_text
from reconciler.render.escape import escape
from reconciler.render.outcomes import event_line, summary
from reconciler.render.statements import masked, paired
from reconciler.render.text import Painter, change_lines, text
from tests.support import (
    MemoryWriter,
    allow,
    desired_of,
    document,
    grant_yaml,
    load_text,
    manifest_yaml,
    plan_for,
    role_at,
)

arns = st.sampled_from(["a1", "b2", "c3", "d4"])

ROLE = role_at("storage", "reader")


def drifted(folder: Path, **changes: Any) -> Plan:
    manifest = load_text(folder, manifest_yaml(grant_yaml()))
    state = dict(desired_of(manifest))
    role = state[ROLE]
    assert isinstance(role, Role)
    state[ROLE] = replace(role, **changes)
    return plan_for(manifest, state)


@pytest.mark.parametrize(
    ("hostile", "shown"),
    [
        ("\x1b[2J", "\\u001b[2J"),
        ("a\nb\r", "a\\u000ab\\u000d"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U000e0041", "\\U000e0041"),
        ("Größe 日本", "Größe 日本"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_as_its_code(hostile: str, shown: str) -> None:
    assert escape(hostile) == shown


@given(st.text())
def test_escaped_text_has_no_character_that_cannot_be_seen(raw: str) -> None:
    assert all(character.isprintable() or character.isspace() for character in escape(raw))
    assert "\n" not in escape(raw)
    assert "\x1b" not in escape(raw)


@pytest.mark.parametrize("command", ["##[set-output name=approved]true", "##vso[task.setvariable variable=a]b"])
def test_text_of_aws_gives_the_log_of_a_pipeline_no_command(tmp_path: Path, command: str) -> None:
    plan = drifted(tmp_path, description=f"#{command}", tags={command: command})
    outcomes = [Outcome(change, Status.FAILED, command) for change in plan.changes]
    data, shown = to_json(plan), [text(plan), summary(outcomes), drift_text(plan, Painter()), drift_json(plan)]
    assert [one for one in (data, *shown) if re.search(r"##\w*\[", one)] == []
    assert json.loads(data) == plan_data(plan)


def test_text_of_aws_reaches_no_output_unescaped(tmp_path: Path) -> None:
    evil = "\x1b]0;owned\x07\u202e"
    plan = drifted(
        tmp_path,
        description=evil,
        tags={"xgrant:stack": "platform", "xgrant:grant": evil, evil: evil},
        inline_policies={evil: document(allow(evil, evil, Condition={evil: {evil: evil}}, Sid=evil))},
        managed_policies=frozenset([evil]),
        trust_policy=document({"Effect": evil, "Principal": {evil: evil}, "Action": evil}),
    )
    outcomes = [Outcome(change, Status.FAILED, evil) for change in plan.changes]
    for shown in (text(plan), summary(outcomes)):
        assert "\\u001b" in shown
        assert not {"\x1b", "\x07", "\u202e"} & set(shown)


@given(
    *[st.fixed_dictionaries({"managed": st.frozensets(arns), "resources": st.frozensets(arns, min_size=1),
                             "profiles": st.frozensets(arns), "tags": st.dictionaries(arns, arns)})] * 2
)  # fmt: skip
def test_every_difference_is_in_the_text_with_its_right_mark(old: dict[str, Any], new: dict[str, Any]) -> None:
    def role(parts: dict[str, Any]) -> Role:
        return Role(
            grant="g", arn="", path="/", trust_policy=document(), tags=parts["tags"],
            managed_policies=parts["managed"], instance_profiles=parts["profiles"],
            inline_policies={"p": document(allow("s3:A", sorted(parts["resources"]), Sid="S"))},
        )  # fmt: skip

    before, after = role(old), role(new)
    change = Change(ROLE, Action.UPDATE, "g", before, after)
    shown = {line.strip() for line in list(change_lines(change))[1:]}
    expected = set()
    for label, part in (("managed policy", "managed"), ("instance profile", "profiles"), ("Resource:", "resources")):
        expected |= {f"+ {label} {value}" for value in new[part] - old[part]}
        expected |= {f"- {label} {value}" for value in old[part] - new[part]}
    for key in {*old["tags"], *new["tags"]}:
        one, other = old["tags"].get(key), new["tags"].get(key)
        if one != other and one is None:
            expected.add(f'+ tag {key}: "{other}"')
        elif one != other and other is None:
            expected.add(f'- tag {key}: "{one}"')
        elif one != other:
            expected.add(f'~ tag {key}: "{one}" -> "{other}"')
    assert {line for line in shown if not line.startswith(("~ inline", "~ Allow"))} == expected


def test_an_attachment_that_takes_anothers_place_is_shown_too(tmp_path: Path) -> None:
    plan = drifted(tmp_path, managed_policies=frozenset(["arn:aws:iam::aws:policy/AdministratorAccess"]))
    manifest = load_text(
        tmp_path, manifest_yaml(grant_yaml(managed_policies="[arn:aws:iam::aws:policy/ReadOnlyAccess]"))
    )
    shown = text(plan_for(manifest, plan.live.state))
    assert "+ managed policy arn:aws:iam::aws:policy/ReadOnlyAccess" in shown
    assert "- managed policy arn:aws:iam::aws:policy/AdministratorAccess" in shown


@pytest.mark.parametrize("key", ["STS:ExternalId", "sts%3AExternalId", "sts:External\\u0049d"])
def test_a_document_that_cannot_be_read_shows_no_external_id(tmp_path: Path, key: str) -> None:
    raw = f'{{"Statement": [], "Statement": [{{"Condition": {{"StringEquals": {{"{key}": "canary"}}}}}}]}}'
    plan = drifted(tmp_path, trust_policy=PolicyDocument.read(raw))
    for shown in (text(plan), json.dumps(plan_data(plan))):
        assert "Unreadable" in shown
        assert "canary" not in shown


OPEN = {"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}
GUARDED = {
    "Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole",
    "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}, "StringEquals": {"a:b": "c", "d:e": "f"}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (OPEN, GUARDED, ["- Principal: *", "+ Principal AWS: 123456789012", "+ Condition StringEquals a:b: c"]),
        (GUARDED, OPEN, ["+ Principal: *", "- Principal AWS: 123456789012", "- Condition StringEquals a:b: c"]),
        (allow("a:B", Condition={"StringEquals": {"a:b": []}}), allow("a:B"), ["- Condition StringEquals a:b: (none)"]),
        (allow("a:B"), allow("a:B", Condition={"StringEquals": {}}), ["+ Condition StringEquals: (none)"]),
    ],
)
def test_statements_with_little_in_common_are_shown_element_by_element(
    old: dict[str, Any], new: dict[str, Any], lines: list[str]
) -> None:
    change = Change(ROLE, Action.UPDATE, "g", CallerPolicy("g", document(old)), CallerPolicy("g", document(new)))
    shown = [line.strip() for line in change_lines(change)]
    assert set(lines) <= set(shown)


pairs_of_statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": st.lists(arns, min_size=1, unique=True)},
    optional={
        "Resource": st.lists(arns, unique=True),
        "Principal": st.one_of(st.just("*"), st.fixed_dictionaries({"AWS": st.lists(arns, unique=True)})),
        "Condition": st.dictionaries(arns, st.dictionaries(arns, st.lists(arns, unique=True)), max_size=2),
        "Sid": arns,
    },
)


@given(st.lists(pairs_of_statements, max_size=3), st.lists(pairs_of_statements, max_size=3))
def test_documents_that_differ_never_look_alike_and_never_fail(old: list[Any], new: list[Any]) -> None:
    before, after = CallerPolicy("g", document(*old)), CallerPolicy("g", document(*new))
    shown = list(change_lines(Change(ROLE, Action.UPDATE, "g", before, after)))
    assert (len(shown) > 2) == (before != after)


@pytest.mark.parametrize("key", ["Id", "Version"])
def test_what_differs_beside_the_statements_is_shown(key: str) -> None:
    other = PolicyDocument.parse({"Version": "2012-10-17", "Statement": [], key: "other"})
    change = Change(ROLE, Action.UPDATE, "g", CallerPolicy("g", other), CallerPolicy("g", document()))
    assert f"      ~ {key}: other -> " in "\n".join(change_lines(change))


def test_the_documents_for_the_other_side_are_shown_whole_only_while_their_grant_changes(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(**{"from": "{account: vendor, roles: [scanner]}"})))
    assert '"sts:AssumeRole"' in text(plan_for(manifest, {}))
    ours = {a: r for a, r in desired_of(manifest).items() if a.account != "vendor"}
    again = text(plan_for(manifest, ours))
    assert '"sts:AssumeRole"' not in again
    assert "note XG203 vendor/role/scanner/caller-policy/reader" in again


def test_a_plan_that_wants_nothing_and_finds_nothing_says_so(tmp_path: Path) -> None:
    assert text(plan_for(load_text(tmp_path, manifest_yaml()), {})).startswith(
        "No changes. Nothing is wanted, and nothing is there to be removed."
    )


def test_colour_is_there_only_when_it_is_asked_for(tmp_path: Path) -> None:
    plan = drifted(tmp_path, description="x")
    assert "\x1b" not in text(plan)
    assert "\x1b[33m~ storage/role/reader\x1b[0m" in text(plan, Painter(colour=True))


def test_a_difference_of_mere_spelling_is_not_shown_beside_a_real_one() -> None:
    before = document(
        {"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "STS:assumerole"},
    )
    after = document(
        {
            "Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::123456789012:root", "x"]}, "Action": "sts:AssumeRole",
        }
    )  # fmt: skip
    ((old, new),) = paired(before, after)
    assert old is not None
    assert new is not None
    assert old["Action"] == new["Action"]
    assert set(new["Principal AWS"]) - set(old["Principal AWS"]) == {"x"}


def test_equal_statements_are_left_out_and_the_others_find_their_likeliest_partner() -> None:
    same = allow("a:B", "arn:aws:s3:::x")
    before = document(same, allow(["c:D", "e:F"], "r1"), allow("g:H", "r2"))
    after = document(allow("new:One", "r9"), allow(["c:D", "e:G"], "r1"), same)
    pairs = {
        (old["Action"][0] if old else None, new["Action"][0] if new else None) for old, new in paired(before, after)
    }
    assert pairs == {("c:D", "c:D"), ("g:H", None), (None, "new:One")}


def test_an_allow_is_never_paired_with_a_deny() -> None:
    before, after = document(allow("a:B")), document({**allow("a:B"), "Effect": "Deny"})
    assert all(old is None or new is None for old, new in paired(before, after))


@pytest.mark.parametrize(
    ("seconds", "words"), [(3600, "1h"), (5400, "1h30m"), (43200, "12h"), (3601, "1h1s"), (0, "0s")]
)
def test_durations_are_shown_as_people_write_them(seconds: int, words: str) -> None:
    assert duration(seconds) == words


def test_external_ids_are_hidden_at_whatever_depth_and_case() -> None:
    data = {"Statement": [{"Condition": {"StringEquals": {"STS:externalid": ["canary"], "k:x": "seen"}}}]}
    assert json.dumps(masked(data)) == json.dumps(data).replace('["canary"]', '"(hidden)"')


@pytest.mark.parametrize("adopt", [False, True], ids=["update", "adopt"])
@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("", "{external_id: canary-one}", "+ Condition StringEquals sts:ExternalId: (hidden)"),
        ("{external_id: canary-one}", "", "- Condition StringEquals sts:ExternalId: (hidden)"),
        ("{external_id: canary-one}", "{external_id: canary-two}", "~ Condition StringEquals sts:ExternalId: (hidden), changed"),
    ],
)  # fmt: skip
def test_an_external_id_that_comes_goes_or_changes_is_told_apart_in_every_form(
    tmp_path: Path, before: str, after: str, line: str, adopt: bool
) -> None:
    live = desired_of(load_text(tmp_path, manifest_yaml(grant_yaml(require=before))))
    if adopt:
        live = {a: replace(role, grant="", tags={}) for a, role in live.items() if isinstance(role, Role)}
    found = plan_for(load_text(tmp_path, manifest_yaml(grant_yaml(require=after, adopt=str(adopt).lower()))), live)
    assert [row.strip() for row in text(found).splitlines() if "ExternalId" in row and "trust" not in row] == [line]
    role = next(change for change in plan_data(found)["resource_changes"] if change["type"] == "role")["change"]
    sides = [role[side]["trust_policy"]["Statement"][0].get("Condition") for side in ("before", "after")]
    rows = [row for row in drift_text(found, Painter()).splitlines() if "sts:ExternalId" in row]
    assert [bool(before), bool(after)] == [side is not None for side in sides]
    assert (sides[0] != sides[1], len(rows)) == (True, 2 if before and after else 1)
    assert "canary" not in text(found) + str(plan_data(found)) + "".join(rows)


def test_the_data_of_a_plan_count_every_kind_of_change(tmp_path: Path) -> None:
    data = plan_data(drifted(tmp_path, description="x", path="/old/"))
    assert data["summary"] == {
        "create": 0, "update": 0, "replace": 1, "delete": 0, "adopt": 0, "wanted": 2, "owned": 2, "refused": False,
    }  # fmt: skip
    (change,) = data["resource_changes"]
    assert change["change"]["actions"] == ["delete", "create"]
    assert change["change"]["attributes"] == ["path", "description"]


def test_progress_and_summary_say_what_was_done_and_what_was_not(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml("a"), grant_yaml("b")))
    plan = plan_for(manifest, {})
    lines: list[str] = []
    outcomes = apply(
        plan,
        MemoryWriter({}, refuse=lambda address: str(address) == "storage/role/a"),
        approved=plan.fingerprint,
        on_event=lambda event: lines.append(event_line(event, Painter())),
    )
    assert lines == [
        "storage/role/a: creating ...",
        "[1/4] storage/role/a: failed: account storage: Write: ServiceFailure: refused by the test",
        "[3/4] dev/group/developers/caller-policy/a: skipped: it needs storage/role/a, which was not done",
        "storage/role/b: creating ...",
        "[2/4] storage/role/b: created",
        "dev/group/developers/caller-policy/b: creating ...",
        "[4/4] dev/group/developers/caller-policy/b: created",
    ]
    assert summary(outcomes) == (
        "skipped: dev/group/developers/caller-policy/a: it needs storage/role/a, which was not done\n"
        "failed: storage/role/a: account storage: Write: ServiceFailure: refused by the test\n"
        "What was not done stays in the plan: mend the cause and run the same command again.\n"
        "Apply: 2 created, 0 updated, 0 deleted, 1 failed, 1 skipped.\n"
    )


def test_the_summary_tells_what_was_not_read_back_from_what_failed_and_names_the_command() -> None:
    policy = CallerPolicy("g", document(allow()))
    change = Change(role_at("storage", "R"), Action.DELETE, "g", policy, None)
    outcomes = [Outcome(change, Status.UNVERIFIED, "it was written"), Outcome(change, Status.DONE)]
    assert summary(outcomes, "destroy", interrupted=True) == (
        "unverified: storage/role/R: it was written\n"
        "What was not done stays in the plan: run the same command again.\n"
        "Destroy: 0 created, 0 updated, 1 deleted, 1 unverified.\n"
    )


def test_many_changes_that_were_skipped_for_one_reason_are_one_line() -> None:
    policy = CallerPolicy("g", document(allow()))
    changes = [Change(role_at(f"w{number % 7}", f"R{number}"), Action.DELETE, "g", policy, None) for number in range(8)]
    skipped = [Outcome(change, Status.SKIPPED, "too much failed") for change in changes]
    assert summary(skipped) == (
        "skipped: 8 changes of w0, w1, w2, w3, w4 and 2 more: too much failed\n"
        "What was not done stays in the plan: mend the cause and run the same command again.\n"
        "Apply: 0 created, 0 updated, 0 deleted, 8 skipped.\n"
    )
    assert summary(skipped[:3]).splitlines()[0] == "skipped: w0/role/R0, w1/role/R1, w2/role/R2: too much failed"


@pytest.mark.parametrize(("number", "shown"), [(3, 3), (4, 0)])
def test_many_notes_on_what_does_not_change_are_one_line_and_warnings_are_shown(
    tmp_path: Path, number: int, shown: int
) -> None:
    found = [Finding("XG203", Severity.NOTE, f"note {i}") for i in range(number)]
    soon = Finding("XG240", Severity.WARNING, "it expires soon")
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    plan = replace(plan_for(manifest, desired_of(manifest)), findings=(*found, soon))
    assert not plan.changes
    said = text(plan)
    assert (said.count("note XG203"), "warning XG240" in said) == (shown, True)
    assert (f"{number} notes on what does not change (XG203); --expand shows them.\n" in said) is (shown == 0)
    assert text(plan, expand=True).count("note XG203") == number
