"""The lines of a run are written in order as it goes, and read as one record."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.history import Journal, Record, RecordedStep, newest, read_record
from reconciler.model import ApiCall, Caller, Live, Status, StepEnded, StepStarted, WaveStarted
from reconciler.planner import plan
from reconciler.render.history import record_text
from reconciler.rules import RULES
from tests.conftest import Run
from tests.stores import FakeClock, MemoryStore
from tests.support import desired_of, facts_for, grant_yaml, load_text, manifest_yaml

BOB = Caller("bob", "host-1", 7, "xgrant apply", commit="c" * 40, identity="arn:aws:iam::123456789012:user/bob")


def test_what_aws_was_asked_for_a_step_is_kept_with_its_request_ids(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    made = plan(desired_of(manifest), Live({}, facts_for(manifest)), stack="platform", rules=RULES)
    clock = FakeClock()
    store = MemoryStore(clock)
    journal = Journal(store, clock, lambda text: text.replace("secret", "***"), print)
    journal.begin(made, BOB, verb="apply", lock="lock-1")
    first, second = made.steps
    calls = (ApiCall("CreateRole", "r-1"), ApiCall("PutRolePolicy", "r-2", "AccessDenied"))
    # Two steps at once, as they may be.
    journal.note(StepStarted(first, 1, 2))
    clock.seconds = 1.5
    journal.note(StepStarted(second, 2, 2))
    clock.seconds = 2
    journal.note(StepEnded(second, 2, 2, Status.DONE))
    journal.note(StepEnded(first, 1, 2, Status.FAILED, "a secret\x1b", calls))
    journal.end()
    ((record,), older) = newest(store, "platform", 5)
    assert (older, record.steps) == (0, ())
    assert record.id.startswith("20260131T120000000Z-")
    full = read_record(store, "platform", record.id)
    assert full is not None
    assert (full.caller, full.lock, full.plan, full.outcome) == (BOB, "lock-1", made.fingerprint, "in part")
    assert full.counts == {"done": 1, "done in part": 0, "failed": 1, "skipped": 0}
    assert [(step.status, step.started[-8:], step.ended[-8:]) for step in full.steps] == [
        ("failed", ":00.000Z", ":02.000Z"),
        ("done", ":01.500Z", ":02.000Z"),
    ]
    assert full.steps[0].calls == calls
    text = record_text(full)
    assert "create: failed: a ***\\u001b\n" in text
    assert "      PutRolePolicy AccessDenied (request r-2)\n" in text


def test_every_line_says_what_it_is_and_when(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    made = plan(desired_of(manifest), Live({}, facts_for(manifest)), stack="platform", rules=RULES)
    clock = FakeClock()
    store = MemoryStore(clock)
    journal = Journal(store, clock, str, print)
    journal.end()
    assert store.logs("") == ()
    journal.begin(made, BOB, verb="apply", lock="lock-1")
    journal.note(StepStarted(made.steps[0], 1, 2))
    journal.end(lost="another has it")
    lines = [json.loads(line) for line in store.lines(store.logs("")[0])]
    assert [line["kind"] for line in lines] == ["begin", "step", "end"]
    assert {line["at"] for line in lines} == {"2026-01-31T12:00:00.000Z"}
    assert lines[-1]["outcome"] == "lock lost"


@pytest.mark.parametrize(
    ("statuses", "how", "outcome"),
    [
        ([Status.DONE, Status.DONE], {}, "done"),
        ([Status.DONE, Status.DONE], {"interrupted": "by Ctrl-C"}, "done"),
        ([Status.DONE, Status.SKIPPED], {}, "in part"),
        ([Status.DONE, Status.SKIPPED], {"interrupted": "by Ctrl-C"}, "interrupted"),
        ([Status.DONE, Status.SKIPPED], {"interrupted": "by Ctrl-C", "lost": "another has it"}, "lock lost"),
        ([Status.DONE], {}, "interrupted"),
    ],
)
def test_how_a_run_ended_is_one_word(tmp_path: Path, statuses: list[Status], how: dict[str, str], outcome: str) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    made = plan(desired_of(manifest), Live({}, facts_for(manifest)), stack="platform", rules=RULES)
    clock = FakeClock()
    store = MemoryStore(clock)
    journal = Journal(store, clock, str, print)
    journal.begin(made, BOB, verb="apply", lock="lock-1")
    for number, status in enumerate(statuses, start=1):
        journal.note(StepEnded(made.steps[number - 1], number, 2, status))
    journal.end(**how)
    ((record,), _) = newest(store, "platform", 1)
    assert record.outcome == outcome


def test_why_steps_are_skipped_is_told_once_and_a_call_that_aws_did_not_answer_has_no_request() -> None:
    steps = tuple(
        RecordedStep(number, f"a/role/R{number}", "create", "write", "g", (), "", status, why)
        for number, status, why in [(1, "failed", "no"), *((n, "skipped", "too much failed") for n in (2, 3))]
    )
    steps = (replace(steps[0], calls=(ApiCall("CreateRole", "", "ConnectTimeout"),)), *steps[1:])
    told = [line for line in record_text(Record("id", "s", total=3, steps=steps)).splitlines() if "R" in line]
    assert told == [
        "[1/3] a/role/R1: create: failed: no",
        "      CreateRole ConnectTimeout",
        "[2/3] a/role/R2: create: skipped: too much failed",
        "[3/3] a/role/R3: create: skipped: for the same reason",
    ]


def test_the_beginning_of_an_id_is_as_long_as_its_day(xgrant: Run) -> None:
    result = xgrant("history", "2026")
    assert (result.code, "has 8 digits at least, its day, like 20260131; this is 2026" in result.err) == (64, True)


def test_a_rollout_is_told_wave_by_wave_also_where_a_wave_never_began(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()) + "rollout: {canary: [storage]}\n")
    made = plan(
        desired_of(manifest), Live({}, facts_for(manifest)), stack="platform", rules=RULES, rollout=manifest.rollout
    )
    clock = FakeClock()
    store = MemoryStore(clock)
    journal = Journal(store, clock, str, print)
    journal.begin(made, BOB, verb="apply", lock="lock-1")
    first, second = made.steps
    journal.note(WaveStarted(made.waves[0], 1, 2))
    journal.note(StepStarted(first, 1, 2))
    journal.note(StepEnded(first, 1, 2, Status.FAILED, "no"))
    journal.note(StepEnded(second, 2, 2, Status.SKIPPED, "too much failed"))
    journal.end()
    ((brief,), _) = newest(store, "platform", 1)
    full = read_record(store, "platform", brief.id)
    assert full is not None
    assert (full.waves, [step.wave for step in full.steps]) == (("canary", "100%"), [0, 1])
    assert [line for line in record_text(full).splitlines() if not line.startswith(" ")][-4:] == [
        "wave 1 of 2, canary:",
        "[1/2] storage/role/reader: create: failed: no",
        "wave 2 of 2, 100%: not begun",
        "[2/2] dev/group/developers/caller-policy/reader: create: skipped: too much failed",
    ]
