"""Which steps are under way at the same time, and what is begun after one was stopped."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.applier.schedule import Schedule, touched
from reconciler.model import (
    Action,
    Address,
    CallerPolicy,
    Change,
    Event,
    Kind,
    PrincipalKind,
    Result,
    Status,
    Step,
    StepEnded,
    StepStarted,
    Verb,
)
from tests.support import allow, document

POLICY = CallerPolicy("g", document(allow()))


def step(account: str, user: str, grant: str, requires: Iterable[int] = ()) -> Step:
    address = Address(account, Kind.CALLER_POLICY, grant, (PrincipalKind.USER, user))
    return Step(Change(address, Action.CREATE, grant, None, POLICY), Verb.WRITE, tuple(requires))


class Watch:
    """Counts what is under way, and lets each step wait until as many as are expected are, or a moment has passed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.under_way: list[Step] = []
        self.together: list[list[Step]] = []

    def execute(self, one: Step) -> Result:
        with self._lock:
            self.under_way.append(one)
            self.together.append(list(self.under_way))
        threading.Event().wait(0.002)
        with self._lock:
            self.under_way.remove(one)
        return Result(Status.DONE)


def run(steps: tuple[Step, ...], parallelism: int) -> tuple[Watch, list[Event]]:
    watch, events = Watch(), list[Event]()
    results = Schedule(steps, watch.execute, parallelism, events.append, lambda: "").run()
    assert [result.status for result in results] == [Status.DONE] * len(steps)
    return watch, events


@st.composite
def steps(draw: st.DrawFn) -> tuple[Step, ...]:
    count = draw(st.integers(1, 12))
    return tuple(
        step(
            draw(st.sampled_from(["dev", "storage"])),
            draw(st.sampled_from(["alice", "Alice", "bob"])),
            f"g{index}",
            draw(st.sets(st.integers(0, index - 1), max_size=2)) if index else (),
        )
        for index in range(count)
    )


@given(steps(), st.integers(1, 4))
def test_no_step_begins_before_what_it_requires_and_no_two_touch_one_principal(
    wanted: tuple[Step, ...], parallelism: int
) -> None:
    watch, events = run(wanted, parallelism)
    for together in watch.together:
        keys = [key for one in together for key in touched(one.change)]
        assert len(keys) == len(set(keys))
        for account in ("dev", "storage"):
            assert sum(one.change.address.account == account for one in together) <= parallelism
    done: set[int] = set()
    for event in events:
        if isinstance(event, StepStarted):
            assert set(event.step.requires) <= done
        else:
            done.add(event.number - 1)
    assert len(done) == len(wanted)


def test_accounts_are_written_at_the_same_time() -> None:
    barrier = threading.Barrier(2, timeout=30)

    def execute(_: Step) -> Result:
        barrier.wait()
        return Result(Status.DONE)

    pair = (step("dev", "alice", "a"), step("storage", "bob", "b"))
    results = Schedule(pair, execute, 1, lambda _: None, lambda: "").run()
    assert [result.status for result in results] == [Status.DONE] * 2


def test_as_many_steps_of_one_account_as_are_allowed_are_under_way_at_once() -> None:
    barrier = threading.Barrier(3, timeout=30)

    def execute(_: Step) -> Result:
        barrier.wait()
        return Result(Status.DONE)

    three = tuple(step("dev", f"user-{number}", "g") for number in range(3))
    assert len(Schedule(three, execute, 3, lambda _: None, lambda: "").run()) == 3


@pytest.mark.parametrize("parallelism", [1, 3])
def test_once_stopped_nothing_begins_what_is_under_way_ends_and_the_rest_says_why(parallelism: int) -> None:
    stopped: list[str] = []
    events: list[Event] = []

    def execute(_: Step) -> Result:
        stopped.append("interrupted")
        return Result(Status.DONE)

    wanted = (*(step("dev", f"user-{n}", "g") for n in range(3)), step("dev", "late", "g", requires=[0]))
    schedule = Schedule(wanted, execute, parallelism, events.append, lambda: "interrupted" if stopped else "")
    results = schedule.run()
    begun = sum(isinstance(event, StepStarted) for event in events)
    assert 1 <= begun <= parallelism
    assert sum(result.status is Status.DONE for result in results) == begun
    assert {result.error for result in results if result.status is Status.SKIPPED} == {"interrupted"}
    assert sum(isinstance(event, StepEnded) for event in events) == len(wanted)


def test_a_long_chain_of_what_depends_on_a_failure_is_skipped_whole() -> None:
    chain = tuple(step("dev", "alice", f"g{n}", requires=[n - 1] if n else ()) for n in range(3000))
    failed = Schedule(chain, lambda _: Result(Status.FAILED, "no"), 1, lambda _: None, lambda: "").run()
    assert failed[0].status is Status.FAILED
    assert {result.status for result in failed[1:]} == {Status.SKIPPED}
    assert failed[-1].error == "it needs dev/user/alice/caller-policy/g2998, which was not done"


def test_a_mistake_in_one_step_fails_it_and_loses_nothing_of_the_others() -> None:
    def execute(one: Step) -> Result:
        if one.change.grant == "bad":
            raise KeyError("canary")
        return Result(Status.DONE)

    wanted = (step("dev", "alice", "bad"), step("dev", "bob", "good"), step("dev", "carol", "waits", requires=[0]))
    failed, done, skipped = Schedule(wanted, execute, 2, lambda _: None, lambda: "").run()
    assert (failed.status, done.status, skipped.status) == (Status.FAILED, Status.DONE, Status.SKIPPED)
    assert "internal error: KeyError: 'canary'; this is a mistake in xgrant" in failed.error


@st.composite
def steps_in_waves(draw: st.DrawFn) -> tuple[Step, ...]:
    """Return steps, each in whatever wave, but none before one that it requires."""
    found: list[Step] = []
    for one in draw(steps()):
        wave = max([draw(st.integers(0, 3)), *(found[required].wave for required in one.requires)])
        found.append(replace(one, wave=wave))
    return tuple(found)


@given(steps_in_waves(), st.integers(1, 4), st.sets(st.integers(0, 11)), st.integers(1, 5))
def test_no_step_begins_before_all_earlier_waves_have_ended_nor_in_or_after_a_wave_that_may_not_begin(
    wanted: tuple[Step, ...], parallelism: int, failing: set[int], last: int
) -> None:
    started, ended, begun = list[int](), list[int](), list[int]()

    def on_event(event: Event) -> None:
        if isinstance(event, StepStarted):
            assert all(index in ended for index, one in enumerate(wanted) if one.wave < event.step.wave)
            assert event.step.wave == begun[-1] < last
            started.append(event.number - 1)
        elif isinstance(event, StepEnded):
            ended.append(event.number - 1)

    def begins(wave: int) -> str:
        assert all(index in ended for index, one in enumerate(wanted) if one.wave < wave)
        begun.append(wave)
        return "" if wave < last else "too much failed"

    def execute(one: Step) -> Result:
        return Result(Status.FAILED if wanted.index(one) in failing else Status.DONE)

    results = Schedule(wanted, execute, parallelism, on_event, lambda: "").run(begins)
    waves = sorted({one.wave for one in wanted})
    assert begun == waves[: len([wave for wave in waves if wave < last]) + 1]
    assert sorted(ended) == [*range(len(wanted))]
    for index, (one, result) in enumerate(zip(wanted, results, strict=True)):
        needs = [required for required in one.requires if results[required].status is not Status.DONE]
        assert (index in started) is (one.wave < last and not needs)
        if one.wave >= last and not needs:
            assert (result.status, result.error) == (Status.SKIPPED, "too much failed")


def test_once_stopped_no_later_wave_begins() -> None:
    stopped: list[str] = []

    def execute(_: Step) -> Result:
        stopped.append("interrupted")
        return Result(Status.DONE)

    pair = (step("dev", "alice", "a"), replace(step("dev", "bob", "b"), wave=1))
    begun: list[int] = []

    def begins(wave: int) -> str:
        begun.append(wave)
        return ""

    results = Schedule(pair, execute, 1, lambda _: None, lambda: "interrupted" if stopped else "").run(begins)
    assert begun == [0]
    assert [(one.status, one.error) for one in results] == [(Status.DONE, ""), (Status.SKIPPED, "interrupted")]
