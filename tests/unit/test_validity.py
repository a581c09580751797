"""A grant begins and ends by itself: what is written for that, and what plan says a second before and after."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.applier import apply
from reconciler.errors import ManifestError
from reconciler.model import Account, Action, Grant, Kind, Limits, ManagedPolicy, Manifest, Plan, Role, State
from reconciler.pipeline.main_job import Request, make_plan
from reconciler.planfile import bind
from reconciler.policy.document import PolicyDocument
from reconciler.policy.instants import A_DAY, instant_of, instant_text, respelt
from reconciler.render.data import plan_data
from reconciler.render.drift import drift_text, drifted
from reconciler.render.text import Painter, text
from reconciler.shards import Shard
from reconciler.trust import trust_policy
from tests.support import (
    DEV,
    STORAGE,
    MemoryWriter,
    StateReader,
    allow,
    desired_of,
    document,
    grant_yaml,
    load_text,
    manifest_yaml,
    role_at,
)

ENDS = datetime(2026, 12, 31, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
ENDING = grant_yaml(expires="2026-12-31")

CALLERS = {
    "users": "{account: dev, users: [alice]}",
    "roles": "{account: dev, roles: [ci/deployer]}",
    "groups": "{account: dev, groups: [developers]}",
    "root": "{account: dev, entire_account: true}",
    "permission sets": "{account: dev, permission_sets: [Data]}",
    "permission sets and groups": "{account: dev, permission_sets: [Data], groups: [developers]}",
    "oidc": '{oidc: {provider: token.actions.githubusercontent.com, subject: "repo:acme/site:ref:refs/heads/main"}}',
}


def planned(manifest: Manifest, live: State, now: datetime, **request: Any) -> Plan:
    return make_plan(Request(manifest, **request), StateReader(manifest, live), now=now)


def said(plan: Plan, rule: str) -> list[str]:
    return [finding.message for finding in plan.findings if finding.rule == rule]


@pytest.mark.parametrize("callers", CALLERS.values(), ids=list(CALLERS))
def test_every_allow_of_the_trust_policy_says_when_whoever_the_callers_are(tmp_path: Path, callers: str) -> None:
    grant = grant_yaml(**{"from": callers, "starts": "2026-12-01", "expires": "2026-12-31T18:00+01:00"})
    manifest = load_text(tmp_path, manifest_yaml(grant))
    for statement in trust_policy(manifest.grants[0], manifest.accounts).data()["Statement"]:
        assert statement["Condition"]["DateGreaterThanEquals"] == {"aws:CurrentTime": "2026-12-01T00:00:00Z"}
        assert statement["Condition"]["DateLessThan"] == {"aws:CurrentTime": "2026-12-31T17:00:00Z"}


def test_the_role_denies_its_sessions_everything_from_the_end_on(tmp_path: Path) -> None:
    role = desired_of(load_text(tmp_path, manifest_yaml(ENDING)))[role_at("storage", "reader")]
    assert isinstance(role, Role)
    condition = {"DateGreaterThanEquals": {"aws:CurrentTime": "2026-12-31T00:00:00Z"}}
    expected = document({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition})
    assert role.inline_policies["xgrant-expiry"] == expected


def test_permissions_that_just_fit_become_managed_where_the_end_needs_room(tmp_path: Path) -> None:
    resources = [f"arn:aws:s3:::{'x' * 88}{number:03}" for number in range(94)]
    stated = json.dumps([{"actions": "s3:GetObject", "resources": resources}])
    for expires, kinds in (("", 0), ("2026-12-31", 2)):
        manifest = load_text(tmp_path, manifest_yaml(grant_yaml(permissions=stated, expires=expires)))
        assert sum(address.kind is Kind.MANAGED_POLICY for address in desired_of(manifest)) == kinds


SPELLINGS = {
    "2026-12-31": ENDS,
    "2026-12-31T00:00:00Z": ENDS,
    "2026-12-31T01:00+01:00": ENDS,
    "2026-12-31 00:00:00.000Z": ENDS,
    "2026-12-30t19:00:00 -5": ENDS,
    "2026-12-31T18:00:01Z": ENDS + timedelta(hours=18, seconds=1),
}


@pytest.mark.parametrize(("spelt", "meant"), SPELLINGS.items(), ids=list(SPELLINGS))
def test_a_date_is_its_beginning_in_utc_and_a_time_has_a_zone(spelt: str, meant: datetime) -> None:
    assert instant_of(spelt) == meant.timestamp()


@given(
    st.integers(A_DAY, instant_of("9999-12-30")),
    st.integers(-23 * 60, 23 * 60),
    st.sampled_from(["{}", "{} ", " {}"]),
)
def test_however_a_moment_is_spelt_the_trust_policy_is_the_same(instant: int, minutes: int, around: str) -> None:
    spelt = datetime.fromtimestamp(instant, timezone(timedelta(minutes=minutes))).isoformat()
    assert instant_of(around.format(spelt)) == instant
    assert instant_of(spelt.replace("T", " ")) == instant
    conditions = [{"DateLessThan": {"aws:CurrentTime": one}} for one in (spelt, respelt(spelt), instant_text(instant))]
    assert len({document(allow(Condition=condition)) for condition in conditions}) == 1


WRONG = {
    "no zone": ({"expires": "2026-12-31T18:00:00"}, "XG053", "a time needs its zone", "2026-12-31T18:00:00Z"),
    "no date": ({"expires": "soon"}, "XG053", "written like 2026-12-31", "'soon'"),
    "no such zone": ({"starts": "2026-02-20T10:00:00+01:99"}, "XG053", "no such day, time or zone", ""),
    "no such day": ({"starts": "2026-02-30"}, "XG053", "no such day", ""),
    "parts of a second": ({"starts": "2026-02-20T00:00:00.5Z"}, "XG053", "whole seconds", ""),
    "a year": ({"expires": "2026"}, "XG012", "written like 2026-12-31", ""),
    "begins after its end": ({"starts": "2027-01-01", "expires": "2026-12-31"}, "XG053", "starts be before", "2026-12-31T00:00:00Z"),
    "begins at its end": ({"starts": "2026-12-31", "expires": "2026-12-31"}, "XG053", "starts be before", ""),
    "kept and deleted": ({"prevent_destroy": "true", "expires": "2026-12-31"}, "XG053", "prevent_destroy refuses that", ""),
    "the end twice": (
        {"expires": "2026-12-31", "trust_conditions": '{DateLessThan: {"aws:currenttime": "2027-01-01"}}'},
        "XG034", "expires demands DateLessThan aws:currenttime already", "",
    ),
    "the beginning twice": (
        {"starts": "2026-12-31", "trust_conditions": '{DateGreaterThanEquals: {"aws:CurrentTime": "2027-01-01"}}'},
        "XG034", "starts demands", "",
    ),
    "the name of its own policy": (
        {"permissions": "", "inline_policies": '{xgrant-expiry: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:*", Resource: "*"}]}}'},
        "XG029", "another name", "",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("parts", "code", "words", "more"), WRONG.values(), ids=list(WRONG))
def test_what_cannot_be_meant_is_an_error_with_its_place(
    tmp_path: Path, parts: dict[str, str], code: str, words: str, more: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, manifest_yaml(grant_yaml(**parts)))
    found = str(caught.value.problems[0])
    assert f": {code} " in found
    assert words in found
    assert more in found
    assert ":1:1:" not in found


def test_other_conditions_on_the_time_are_demanded_too(tmp_path: Path) -> None:
    own = '{DateGreaterThan: {"aws:CurrentTime": "2026-01-01"}, DateLessThan: {"aws:TokenIssueTime": "2027-01-01T00:00:00Z"}}'
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(expires="2026-12-31", trust_conditions=own)))
    assert manifest.grants[0].conditions == {
        "DateLessThan": {"aws:CurrentTime": ("2026-12-31T00:00:00Z",), "aws:TokenIssueTime": ("2027-01-01T00:00:00Z",)},
        "DateGreaterThan": {"aws:CurrentTime": ("2026-01-01",)},
    }


def test_defaults_may_say_when_all_grants_end_and_a_grant_may_decline_it(tmp_path: Path) -> None:
    grants = (grant_yaml("a"), grant_yaml("b", expires="null"), grant_yaml("c", expires="2027-01-01"))
    head = manifest_yaml(*grants).replace("grants:", "defaults: {expires: 2026-12-31}\ngrants:")
    assert [grant.expires for grant in load_text(tmp_path, head).grants] == [
        ENDS.timestamp(), None, datetime(2027, 1, 1, tzinfo=UTC).timestamp()
    ]  # fmt: skip


def test_a_wrong_end_of_defaults_is_said_once_and_where_it_stands(tmp_path: Path) -> None:
    head = manifest_yaml(grant_yaml("a"), grant_yaml("b")).replace("grants:", "defaults: {expires: soon}\ngrants:")
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, head)
    assert {str(problem.place).rsplit("/", 1)[-1] for problem in caught.value.problems} == {"grants.yaml:7:21"}


def test_a_second_before_its_end_a_grant_is_as_it_was_and_plan_warns(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(ENDING))
    found = planned(manifest, desired_of(manifest), ENDS - SECOND)
    assert found.changes == ()
    assert "the grant reader expires 2026-12-31T00:00:00Z" in said(found, "XG240")[0]


@pytest.mark.parametrize("now", [ENDS, ENDS + SECOND, ENDS + 400 * DAY])
def test_from_its_end_on_all_that_a_grant_has_goes_and_plan_says_why(tmp_path: Path, now: datetime) -> None:
    manifest = load_text(tmp_path, manifest_yaml(ENDING, grant_yaml("other")))
    gone = {a: r for a, r in desired_of(manifest).items() if r.grant == "other"}
    third = load_text(tmp_path, manifest_yaml(grant_yaml("removed")))
    live = {**desired_of(manifest), **desired_of(third)}
    found = planned(load_text(tmp_path, manifest_yaml(ENDING, grant_yaml("other"))), live, now)
    reasons = {change.grant: change.reason for change in found.changes}
    assert {change.action for change in found.changes} == {Action.DELETE}
    assert reasons == {"reader": "expired 2026-12-31T00:00:00Z", "removed": ""}
    assert "because expired 2026-12-31T00:00:00Z" in text(found)
    entries = plan_data(found)["resource_changes"]
    assert [entry["change"]["reason"] for entry in entries if entry["grant"] == "reader"] == [
        "expired 2026-12-31T00:00:00Z"
    ] * 2
    assert said(found, "XG240") == []
    assert "expired 2026-12-31T00:00:00Z" in said(found, "XG241")[0]
    assert not {a for a in gone if a in {change.address for change in found.changes}}


def test_drift_shows_it_the_second_after(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(ENDING))
    before, after = (planned(manifest, desired_of(manifest), ENDS + one) for one in (-SECOND, SECOND))
    assert (len(drifted(before)), len(drifted(after))) == (0, 2)
    assert "warning XG240" in drift_text(before, Painter())
    assert "storage/role/reader: not in the manifests" in drift_text(after, Painter())
    assert "expired 2026-12-31T00:00:00Z" in drift_text(after, Painter())


@pytest.mark.parametrize(
    ("notice", "days", "warned"),
    [("", 14, True), ("", 15, False), ("30d", 30, True), ("30d", 31, False), ("0d", 0, False)],
)
def test_plan_warns_as_long_before_as_the_manifest_says(tmp_path: Path, notice: str, days: int, warned: bool) -> None:
    stated = manifest_yaml(ENDING).replace("grants:", f"expiry_notice: {notice}\ngrants:" if notice else "grants:")
    manifest = load_text(tmp_path, stated)
    found = planned(manifest, desired_of(manifest), ENDS - days * DAY - (SECOND if not days else timedelta()))
    assert bool(said(found, "XG240")) is warned


def test_the_notice_is_said_in_one_file(tmp_path: Path) -> None:
    from reconciler.manifest import load

    (tmp_path / "a.yaml").write_text(manifest_yaml() + "expiry_notice: 7d\n")
    (tmp_path / "b.yaml").write_text("version: 1\nexpiry_notice: 7d\n")
    with pytest.raises(ManifestError) as caught:
        load([str(tmp_path)])
    assert "XG054 expiry_notice stands already" in str(caught.value.problems[0])


def test_before_its_beginning_a_grant_is_made_shut_and_plan_says_when_it_opens(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(starts="2026-12-31")))
    before, after = (planned(manifest, {}, ENDS + one) for one in (-SECOND, timedelta()))
    assert [change.action for change in before.changes] == [Action.CREATE] * 2
    assert "the grant reader opens 2026-12-31T00:00:00Z" in said(before, "XG242")[0]
    assert said(after, "XG242") == []
    assert before.fingerprint == after.fingerprint


def test_a_plan_file_from_before_the_end_is_stale_after_it_if_the_changes_differ(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(ENDING))
    for live in ({}, desired_of(manifest)):
        before, after = (plan_data(planned(manifest, live, ENDS + one)) for one in (-SECOND, timedelta()))
        assert not bind(before, after, {}).holds()


def test_a_plan_file_is_not_stale_because_a_warning_has_come(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(ENDING))
    before, after = (plan_data(planned(manifest, {}, ENDS - days * DAY)) for days in (20, 10))
    assert before["findings"] != after["findings"]
    assert bind(before, after, {}).holds()


def test_only_and_an_earlier_name_mean_an_expired_grant_too(tmp_path: Path) -> None:
    old = desired_of(load_text(tmp_path, manifest_yaml(grant_yaml("before"), grant_yaml("other"))))
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml("now", expires="2026-12-31", moved="[{from: before}]")))
    found = planned(manifest, old, ENDS, only=frozenset(["now"]))
    assert {(change.grant, change.reason) for change in found.changes} == {("before", "expired 2026-12-31T00:00:00Z")}
    assert len(said(found, "XG241")) == 1
    assert len(said(planned(manifest, old, ENDS, only=frozenset(["other"])), "XG241")) == 0


def test_of_a_policy_that_grants_share_plan_says_which_of_them_has_expired(tmp_path: Path) -> None:
    grants = (grant_yaml(expires="2026-12-31", caller_policy="managed"), grant_yaml("other", caller_policy="managed"))
    manifest = load_text(tmp_path, manifest_yaml(*grants))
    made = planned(manifest, {}, ENDS - SECOND)
    live = {change.address: change.after for change in made.changes if change.after is not None}
    found = planned(manifest, live, ENDS)
    pack = next(change for change in found.changes if isinstance(change.after, ManagedPolicy))
    assert (pack.action, pack.reason) == (Action.UPDATE, "the grant reader expired 2026-12-31T00:00:00Z")


def test_what_expires_counts_for_the_limits_as_any_deletion(tmp_path: Path) -> None:
    grants = [grant_yaml(f"g{number}", expires="2026-12-31") for number in range(6)]
    manifest = load_text(tmp_path, manifest_yaml(*grants))
    found = planned(manifest, desired_of(manifest), ENDS)
    assert len(said(found, "XG206")) == 1


def test_a_shard_says_what_one_run_says_and_destroy_takes_all(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(ENDING))
    live = desired_of(manifest)
    whole = planned(manifest, live, ENDS)
    parts = [planned(manifest, live, ENDS, shard=Shard(number, 3)) for number in (1, 2, 3)]
    shown = sorted((str(c.address), c.reason) for part in parts for c in part.changes)
    assert shown == sorted((str(c.address), c.reason) for c in whole.changes)
    assert {f.message for part in parts for f in part.findings if f.rule == "XG241"} == {*said(whole, "XG241")}
    assert {c.action for c in planned(manifest, live, ENDS - SECOND, destroy=True).changes} == {Action.DELETE}


def test_other_spellings_of_the_moment_on_the_role_are_no_drift(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(ENDING))
    address = role_at("storage", "reader")
    role = desired_of(manifest)[address]
    assert isinstance(role, Role)
    assert (
        PolicyDocument.parse(role.trust_policy.written.replace("00:00:00Z", "00:00:00.000+00:00")) == role.trust_policy
    )


@given(
    st.lists(st.sampled_from(["", "2026-01-02", "2026-01-03"]), min_size=1, max_size=4),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_at_whatever_time_it_is_applied_the_plan_is_empty_then_and_only_what_lives_is_there(
    tmp_path: Path, ends: list[str], first: int, later: int
) -> None:
    manifest = load_text(tmp_path, manifest_yaml(*(grant_yaml(f"g{i}", expires=end) for i, end in enumerate(ends))))
    state: State = {}
    for hours in (first * 12, (first + later) * 12):
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
        found = planned(replace(manifest, limits=Limits(1000, 100)), state, now)
        writer = MemoryWriter(state)
        apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
        state = writer.state
        assert planned(manifest, state, now).changes == ()
        living = {grant.name for grant in manifest.grants if not grant.expired(int(now.timestamp()))}
        assert {resource.grant for resource in state.values()} == living


def test_grants_of_several_targets_are_spoken_of_once() -> None:
    from reconciler.errors import Place
    from reconciler.model import Timing

    grants = tuple(Grant("g", Place("x"), target, "R", expires=5) for target in ("a", "b"))
    assert len(Timing(5, 0, grants).named()) == 1
    assert len(Timing(5, 0, grants).expired()) == 2
    assert Account("dev", DEV).id != STORAGE


def onward(callers: str = "{account: storage, roles: [reader]}", **parts: str) -> str:
    return grant_yaml("onward", **{"from": callers, "to": "{account: dev}", **parts})


LAST = {
    "one": [onward()],
    "a chain": [onward(), grant_yaml("third", **{"from": "{account: dev, roles: [onward]}"})],
    "later by itself": [onward(expires="2027-12-31")],
}


@pytest.mark.parametrize("more", LAST.values(), ids=list(LAST))
def test_a_grant_whose_only_callers_are_roles_of_grants_that_end_ends_with_them(
    tmp_path: Path, more: list[str]
) -> None:
    manifest = load_text(tmp_path, manifest_yaml(ENDING, *more))
    live = desired_of(manifest)
    ahead = planned(manifest, live, ENDS - SECOND)
    assert (ahead.changes, len(said(ahead, "XG240"))) == ((), 1 + len(more))
    found = planned(manifest, live, ENDS)
    assert (said(found, "XG202"), found.refused()) == ([], False)
    assert {(change.address, change.action) for change in found.changes} == {(a, Action.DELETE) for a in live}
    assert {change.reason for change in found.changes} == {"expired 2026-12-31T00:00:00Z"}
    assert any("ended with the grants whose roles are its only callers" in one for one in said(found, "XG241"))


def test_a_grant_with_other_callers_goes_on_without_the_role_of_one_that_ended(tmp_path: Path) -> None:
    text = manifest_yaml(
        ENDING, grant_yaml("stays"), onward("{account: storage, roles: [reader, stays]}"), grant_yaml("apart")
    )
    manifest = load_text(tmp_path, text)
    found = planned(manifest, desired_of(manifest), ENDS)
    assert not found.refused()
    role = found.desired[role_at("dev", "onward")]
    assert isinstance(role, Role)
    assert role.trust_policy.aws_principals() == ("arn:aws:iam::987654321098:role/stays",)
    assert not [change for change in found.changes if change.grant in ("stays", "apart")]


def test_a_grant_that_must_not_go_cannot_have_only_callers_that_end(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="all its callers are roles of grants that end") as caught:
        load_text(tmp_path, manifest_yaml(ENDING, onward(prevent_destroy="true")))
    assert [problem.code for problem in caught.value.problems] == ["XG053"]


def test_what_an_expired_grant_leaves_in_accounts_that_are_not_managed_is_said(tmp_path: Path) -> None:
    theirs = grant_yaml("theirs", to="{account: vendor}", expires="2026-12-31")
    callers = grant_yaml("callers", **{"from": "{account: vendor, entire_account: true}", "expires": "2026-12-31"})
    found = planned(load_text(tmp_path, manifest_yaml(theirs, callers)), {}, ENDS)
    ways = {finding.grant: finding.way_out for finding in found.findings if finding.rule == "XG241"}
    assert "owner of account vendor, which is not managed here, deletes the role theirs" in ways["theirs"]
    assert "owner of account vendor, which is not managed here, deletes what lets its callers" in ways["callers"]
