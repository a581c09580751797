"""Apply binds to the approved plan, goes on past failures, and skips what depends on them."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.applier import apply
from reconciler.errors import StaleError
from reconciler.model import Event, Kind, Plan, Status, StepEnded, WaveStarted
from tests.support import MemoryWriter, desired_of, grant_yaml, load_text, manifest_yaml, plan_for, role_at


def new_plan(folder: Path, *names: str) -> Plan:
    return plan_for(load_text(folder, manifest_yaml(*(grant_yaml(name) for name in names))), {})


def test_another_plan_than_the_approved_one_is_not_executed(tmp_path: Path) -> None:
    writer = MemoryWriter({})
    with pytest.raises(StaleError):
        apply(new_plan(tmp_path, "a"), writer, approved="0" * 64, on_event=lambda _: None)
    assert writer.done == []


def test_a_refused_plan_is_not_executed(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    foreign = {role_at("storage", "reader"): next(r for a, r in desired_of(manifest).items() if a.kind is Kind.ROLE)}
    foreign = {a: type(r)(**{**{f: getattr(r, f) for f in r.__slots__}, "tags": {}}) for a, r in foreign.items()}
    found = plan_for(manifest, foreign)
    writer = MemoryWriter(foreign)
    with pytest.raises(ValueError, match="severity error"):
        apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert writer.done == []


def test_one_failure_skips_what_depends_on_it_and_nothing_else(tmp_path: Path) -> None:
    found = new_plan(tmp_path, "a", "b")
    writer = MemoryWriter({}, refuse=lambda address: str(address) == "storage/role/a")
    outcomes = {
        str(outcome.change.address): outcome
        for outcome in apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    }
    assert {address: outcome.status for address, outcome in outcomes.items()} == {
        "dev/group/developers/caller-policy/a": Status.SKIPPED,
        "dev/group/developers/caller-policy/b": Status.DONE,
        "storage/role/a": Status.FAILED,
        "storage/role/b": Status.DONE,
    }
    assert outcomes["dev/group/developers/caller-policy/a"].error == "it needs storage/role/a, which was not done"
    assert "ServiceFailure" in outcomes["storage/role/a"].error


def test_what_depends_on_a_skipped_change_is_skipped_too(tmp_path: Path) -> None:
    before = desired_of(load_text(tmp_path, manifest_yaml(grant_yaml())))
    moved = load_text(tmp_path, manifest_yaml(grant_yaml(to="{account: storage, path: /new/}")))
    found = plan_for(moved, before)
    writer = MemoryWriter(before, refuse=lambda address: address.kind is Kind.CALLER_POLICY)
    outcomes = apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert [outcome.status for outcome in outcomes] == [Status.FAILED, Status.SKIPPED]
    assert writer.state == before


def test_each_step_is_told_when_it_begins_and_when_it_ends(tmp_path: Path) -> None:
    found = new_plan(tmp_path, "a")
    events: list[Event] = []
    apply(found, MemoryWriter({}), approved=found.fingerprint, on_event=events.append)
    told = [
        (type(e).__name__, e.number, e.total, str(e.step.change.address))
        for e in events
        if not isinstance(e, WaveStarted)
    ]
    assert told == [
        ("StepStarted", 1, 2, "storage/role/a"),
        ("StepEnded", 1, 2, "storage/role/a"),
        ("StepStarted", 2, 2, "dev/group/developers/caller-policy/a"),
        ("StepEnded", 2, 2, "dev/group/developers/caller-policy/a"),
    ]
    assert [e.status for e in events if isinstance(e, StepEnded)] == [Status.DONE, Status.DONE]
