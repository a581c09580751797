"""In which waves an apply goes: what manifests say of it, which step is of which wave, and what stops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.applier import apply
from reconciler.errors import ManifestError
from reconciler.manifest import load
from reconciler.model import (
    Account,
    AccountFacts,
    Event,
    Kind,
    Live,
    Outcome,
    Plan,
    Rollout,
    Status,
    Step,
    WaveStarted,
)
from reconciler.planner import destroyed, in_waves, plan
from reconciler.render.data import plan_data
from reconciler.render.text import text
from reconciler.rules import RULES
from tests.support import HEAD, MemoryWriter, desired_of, facts_for, grant_yaml, load_text, manifest_yaml, plan_for
from tests.unit.test_schedule import step, steps

WORKLOADS = [f"w{number}" for number in range(8)]
MANY = 'version: 1\nstack: platform\naccounts:\n  dev: {id: "123456789012"}\n' + "".join(
    f'  {name}: {{id: "70000000000{number}"}}\n' for number, name in enumerate(WORKLOADS)
)


def rolling(folder: Path, rollout: str) -> Plan:
    """Plan a grant over eight accounts, none of which has anything."""
    grant = grant_yaml(to=f"{{account: [{', '.join(WORKLOADS)}]}}")
    return plan_for(load_text(folder, manifest_yaml(grant, head=f"{MANY}rollout: {rollout}\n")), {})


def applied(
    found: Plan,
    refused: tuple[str, ...] = (),
    verify: Callable[[tuple[Outcome, ...]], tuple[Outcome, ...]] | None = None,
) -> tuple[dict[str, Outcome], list[str]]:
    """Apply; return what became of the change of each account, and the waves that began."""
    events: list[Event] = []
    writer = MemoryWriter({}, refuse=lambda address: address.account in refused)
    outcomes = apply(
        found, writer, approved=found.fingerprint, on_event=events.append, verify=verify or (lambda outcomes: outcomes)
    )
    begun = [event.wave.name for event in events if isinstance(event, WaveStarted)]
    return {outcome.change.address.account: outcome for outcome in outcomes}, begun


@pytest.mark.parametrize(
    ("rollout", "expected"),
    [
        ("{canary: dev}", Rollout(frozenset({"dev"}), (100,))),
        ("{canary: ours, then: 10%}", Rollout(frozenset({"dev", "storage"}), (10, 100))),
        ("{canary: {accounts: [ours], exclude: [dev]}}", Rollout(frozenset({"storage"}), (100,))),
        ("{canary: [dev, vendor], then: [5%, 100%]}", Rollout(frozenset({"dev"}), (5, 100))),
        ("{then: [10%, 50%], stop_on: 3}", Rollout(frozenset(), (10, 50, 100), 3)),
    ],
)
def test_a_rollout_is_a_canary_and_parts_that_rise_to_all(tmp_path: Path, rollout: str, expected: Rollout) -> None:
    head = f"{HEAD}account_groups: {{ours: [dev, storage]}}\nrollout: {rollout}\n"
    assert load_text(tmp_path, manifest_yaml(grant_yaml(), head=head)).rollout == expected


@pytest.mark.parametrize(
    ("rollout", "code", "column", "said"),
    [
        ("{canary: [lab]}", "XG024", 20, "unknown account 'lab'"),
        ("{canary: [vendor]}", "XG052", 19, "manages none of these accounts"),
        ("{canary: {tags: {tier: none}}}", "XG046", 19, "has a tag 'tier'; mend it, or leave canary out"),
        ("{then: [10%, 10%]}", "XG052", 23, "10% comes after 10%"),
        ("{then: [100%, 50%]}", "XG052", 24, "let them rise"),
        ("{then: [0%]}", "XG013", 18, "a part is 1% to 100%"),
        ("{then: [101%]}", "XG013", 18, "a part is 1% to 100%"),
        ("{then: 10}", "XG012", 17, "a part is written like 10%"),
        ("{then: []}", "XG013", 17, "name at least one"),
        ("{canary: [dev], stop_on: 0}", "XG013", 35, "stop_on is 1 or more"),
        ("{stop_on: 1}", "XG013", 1, "canary, then, or both"),
        ("{canary: [dev], than: [10%]}", "XG010", 26, "did you mean then?"),
        ("[dev]", "XG012", 10, "written like {canary: [lab]"),
    ],
)
def test_a_rollout_that_cannot_be_is_a_problem_with_its_place(
    tmp_path: Path, rollout: str, code: str, column: int, said: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, manifest_yaml(grant_yaml(), head=f"{HEAD}rollout: {rollout}\n"))
    (problem,) = caught.value.problems
    assert (problem.code, problem.place.line, problem.place.column) == (code, HEAD.count("\n") + 1, column)
    assert said in problem.message


def test_a_rollout_stands_in_one_file(tmp_path: Path) -> None:
    for name, more in (("a", manifest_yaml(grant_yaml(), head=HEAD)), ("b", "version: 1\n")):
        (tmp_path / f"{name}.yaml").write_text(more + "rollout: {then: [10%]}\n")
    with pytest.raises(ManifestError) as caught:
        load([str(tmp_path)])
    (problem,) = caught.value.problems
    assert (problem.code, problem.place.line) == ("XG051", 2)


def test_a_canary_that_only_the_organization_knows_is_judged_when_it_is_asked(tmp_path: Path) -> None:
    head = HEAD.replace("accounts:\n", "accounts:\n  organization: {}\n")
    canary = "rollout: {canary: {ou: ou-ab12-cdef3456}}\n"
    assert load_text(tmp_path, manifest_yaml(grant_yaml(), head=head + canary)).rollout == Rollout(frozenset(), (100,))


@st.composite
def rollouts(draw: st.DrawFn) -> Rollout:
    then = sorted(draw(st.sets(st.integers(1, 99), max_size=3)))
    return Rollout(draw(st.frozensets(st.sampled_from(["dev", "storage"]))), (*then, 100))


@given(steps(), rollouts())
def test_a_step_goes_in_the_wave_of_its_account_or_the_latest_of_what_it_requires(
    found: tuple[Step, ...], rollout: Rollout
) -> None:
    facts = {name: AccountFacts(Account(name, str(number) * 12)) for number, name in enumerate(("dev", "storage"))}
    placed, waves = in_waves(found, facts, rollout)
    assert [replace(one, wave=0) for one in placed] == list(found)
    assert [wave.name for wave in waves] == sorted(
        {wave.name for wave in waves}, key=["canary", *(f"{n}%" for n in rollout.then)].index
    )
    for one in placed:
        required = [placed[index].wave for index in one.requires]
        assert one.wave >= max(required, default=0)
        # Nothing is later than its account's first wave without a reason.
        of_account = min(other.wave for other in placed if other.change.address.account == one.change.address.account)
        assert one.wave in (of_account, *required) or one.wave == max((of_account, *required))
    for place, wave in enumerate(waves):
        assert wave.accounts == tuple(sorted({one.change.address.account for one in placed if one.wave == place}))
        assert wave.accounts


@given(st.integers(1, 60), st.integers(1, 99), st.integers(0, 5))
def test_a_part_is_of_all_accounts_with_those_of_earlier_waves_and_never_less(
    number: int, percent: int, canaries: int
) -> None:
    names = [f"w{index}" for index in range(number)]
    facts = {name: AccountFacts(Account(name, f"{index:012}")) for index, name in enumerate(names)}
    found = tuple(step(name, "alice", "g") for name in names)
    rollout = Rollout(frozenset(names[:canaries]), (percent, 100))
    _, waves = in_waves(found, facts, rollout)
    sizes = {wave.name: len(wave.accounts) for wave in waves}
    assert sum(sizes.values()) == number
    assert sizes.get("canary", 0) == min(canaries, number)
    reached = number - sizes.get("100%", 0)
    assert reached == max(sizes.get("canary", 0), -(-number * percent // 100))


def test_the_order_of_the_accounts_is_the_same_in_every_run_whatever_is_left_to_do(tmp_path: Path) -> None:
    found = rolling(tmp_path, "{canary: [w5], then: [40%, 60%]}")
    manifest = load_text(tmp_path, (tmp_path / "grants.yaml").read_text())
    done = {address: role for address, role in found.desired.items() if address.account in ("w5", "w1")}
    left = plan_for(manifest, done)
    # Written down, since a run may be finished by another version of xgrant.
    assert [wave.accounts for wave in found.waves] == [("w5",), ("w0", "w1", "w7"), ("w2", "w3"), ("dev", "w4", "w6")]
    assert [wave.accounts for wave in left.waves] == [("w0", "w2", "w7"), ("w3", "w4"), ("dev", "w6")]


def test_a_plan_says_its_waves_a_few_accounts_by_name(tmp_path: Path) -> None:
    found = rolling(tmp_path, "{canary: [w5], stop_on: 2}")
    assert (
        "Rollout in 2 waves, each read back before the next; none begins after 2 failures:\n"
        "    canary: w5\n"
        "    100%: dev, w0, w1, w2, w3 and 3 more; --expand shows each\n"
        "Plan: 9 to create"
    ) in text(found)
    assert "    100%: dev, w0, w1, w2, w3, w4, w6, w7\n" in text(found, expand=True)
    assert plan_data(found)["rollout"]["waves"][0] == {"name": "canary", "accounts": ["w5"]}


def test_a_plan_without_a_rollout_or_without_changes_says_no_waves(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    assert "rollout" not in plan_data(plan_for(manifest, {}))
    found = replace(manifest, rollout=Rollout(frozenset(), (100,)))
    assert "Rollout" not in text(plan_for(found, desired_of(found)))


def test_what_goes_goes_in_waves_too_a_role_no_earlier_than_the_policy_that_opens_it(tmp_path: Path) -> None:
    before = rolling(tmp_path, "{canary: [dev, w5]}")
    manifest = load_text(tmp_path, (tmp_path / "grants.yaml").read_text())
    live = Live(before.desired, facts_for(manifest, before.desired))
    for canary, first in (({"dev", "w5"}, ("dev", "w5")), ({"w5"}, ("dev", *WORKLOADS))):
        rollout = Rollout(frozenset(canary), (100,))
        found = plan(destroyed(before.desired), live, stack="platform", rules=RULES, rollout=rollout)
        assert found.waves[0].accounts == first


@pytest.mark.parametrize(
    ("stop_on", "refused", "begun"),
    [
        (1, (), ["canary", "50%", "100%"]),
        (1, ("w5",), ["canary"]),
        (2, ("w5",), ["canary", "50%", "100%"]),
        (2, ("w5", "w1"), ["canary", "50%"]),
        (1, ("w4",), ["canary", "50%", "100%"]),
    ],
)
def test_after_so_many_failures_no_further_wave_begins(
    tmp_path: Path, stop_on: int, refused: tuple[str, ...], begun: list[str]
) -> None:
    found = rolling(tmp_path, f"{{canary: [w5], then: [50%], stop_on: {stop_on}}}")
    outcomes, waves = applied(found, refused)
    assert waves == begun
    for wave in found.waves:
        for account in {*wave.accounts} - {*refused, "dev"}:
            assert outcomes[account].status is (Status.DONE if wave.name in begun else Status.SKIPPED)
    why = {outcome.error for outcome in outcomes.values() if outcome.status is Status.SKIPPED}
    if len(begun) < 3:
        number = f"{len(refused)} step{'s' * (len(refused) != 1)} failed (stop_on: {stop_on})"
        name = found.waves[len(begun)].name
        (said,) = why
        assert said.startswith(f"the rollout stopped before the wave {name}: {number}; mend the cause and apply again")
    else:
        assert outcomes["dev"].status is (Status.PARTLY if refused else Status.DONE)


@pytest.mark.parametrize(
    ("status", "said"),
    [(Status.FAILED, "1 change not shown by AWS as written"), (Status.UNVERIFIED, "w5 not read back")],
)
def test_each_wave_is_read_back_by_itself_and_what_is_not_as_written_counts(
    tmp_path: Path, status: Status, said: str
) -> None:
    found = rolling(tmp_path, "{canary: [w5]}")
    read: list[set[str]] = []

    def verify(outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        read.append({one.change.address.account for one in outcomes if one.status is Status.DONE})
        return tuple(replace(one, status=status) if one.status is Status.DONE else one for one in outcomes)

    outcomes, begun = applied(found, verify=verify)
    assert (read, begun) == ([{"w5"}, set()], ["canary"])
    assert outcomes["w5"].status is status
    assert f"before the wave 100%: {said} (stop_on: 1)" in outcomes["w0"].error


def test_who_stops_it_while_a_wave_is_read_back_lets_no_further_one_begin(tmp_path: Path) -> None:
    found, stopped, events = rolling(tmp_path, "{canary: [w5]}"), list[str](), list[Event]()

    def verify(outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
        stopped.append("interrupted")
        return outcomes

    outcomes = apply(
        found, MemoryWriter({}), approved=found.fingerprint, on_event=events.append, verify=verify,
        stopped=lambda: "interrupted" if stopped else "",
    )  # fmt: skip
    assert sum(isinstance(event, WaveStarted) for event in events) == 1
    assert {one.error for one in outcomes if one.status is Status.SKIPPED} == {"interrupted"}


@pytest.mark.parametrize(("stop_on", "begun"), [(1, []), (2, ["100%"])])
def test_an_account_of_the_canary_that_could_not_be_read_is_a_failure(
    tmp_path: Path, stop_on: int, begun: list[str]
) -> None:
    manifest = load_text(
        tmp_path, manifest_yaml(grant_yaml(), head=f"{HEAD}rollout: {{canary: [storage], stop_on: {stop_on}}}\n")
    )
    other = load_text(
        tmp_path, manifest_yaml(grant_yaml(**{"from": "{account: storage, users: [a]}", "to": "{account: dev}"}))
    )
    facts = facts_for(other)
    facts["storage"] = replace(facts["storage"], error="no answer")
    found = plan(
        {a: r for a, r in desired_of(other).items() if a.kind is Kind.ROLE}, Live({}, facts), stack="platform",
        rules=(), rollout=manifest.rollout,
    )  # fmt: skip
    assert ("nothing beyond the canary will begin: storage of it could not be read" in text(found)) is not bool(begun)
    outcomes, waves = applied(found)
    assert waves == begun
    assert outcomes["dev"].status is (Status.DONE if begun else Status.SKIPPED)
