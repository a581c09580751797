"""What a rotation plans, and when an external id counts as rotated."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.applier import apply
from reconciler.errors import UsageError
from reconciler.model import (
    AccountFacts,
    Action,
    Address,
    CallerPolicy,
    Manifest,
    Plan,
    PrincipalKind,
    Resource,
    Role,
    Severity,
    State,
    Status,
)
from reconciler.pipeline.main_job import Request, make_plan
from reconciler.pipeline.rotate import plan_rotation, rotation
from reconciler.pipeline.turns import external_ids
from reconciler.render.text import text
from reconciler.use import chosen
from tests.support import (
    NOW,
    MemoryWriter,
    StateReader,
    desired_of,
    grant_yaml,
    load_text,
    manifest_yaml,
    plan_for,
    role_at,
)

MADE = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())


def made(manifest: Manifest) -> State:
    """Return what stands, each role with the moment when it was made."""
    return {a: replace(r, rotated=MADE) if isinstance(r, Role) else r for a, r in desired_of(manifest).items()}


class WithIds(StateReader):
    """A reader that knows the ids of the roles, too."""

    def read(self, scope: Any, stopped: Any = str) -> Any:
        live = super().read(scope, stopped)
        ids: dict[str, dict[str, str]] = {}
        for address, role in live.state.items():
            if isinstance(role, Role):
                ids.setdefault(address.account, {})["AROA" + address.name.upper().ljust(17, "X")] = role.arn
        return replace(live, facts={name: replace(f, ids=ids.get(name, {})) for name, f in live.facts.items()})


def rotated(manifest: Manifest, *names: str) -> Plan:
    request = rotation(manifest, chosen(manifest, names), now=NOW, accepted=frozenset())
    return plan_rotation(request, WithIds(manifest, made(manifest)), now=NOW)


def steps(found: Plan) -> list[str]:
    return [f"{s.verb} {s.change.removed_address() if s.verb == 'remove' else s.change.address}" for s in found.steps]


def test_the_door_is_shut_first_and_opened_last(tmp_path: Path) -> None:
    found = rotated(load_text(tmp_path, manifest_yaml(grant_yaml(), grant_yaml("other"))), "reader")
    assert steps(found) == [
        "remove dev/group/developers/caller-policy/reader",
        "remove storage/role/reader",
        "write storage/role/reader",
        "write dev/group/developers/caller-policy/reader",
    ]
    assert {change.action for change in found.changes} == {Action.REPLACE}
    role = next(change.after for change in found.changes if isinstance(change.after, Role))
    assert role.rotated == NOW.timestamp()
    assert "Plan: 0 to create, 0 to update, 2 to replace, 0 to delete." in text(found)


def test_of_a_grant_with_several_targets_one_role_may_be_rotated(tmp_path: Path) -> None:
    head = manifest_yaml(grant_yaml(to="{account: [storage, third]}")).replace(
        "accounts:", 'accounts:\n  third: {id: "333333333333"}'
    )
    manifest = load_text(tmp_path, head)
    found = rotated(manifest, "reader@third")
    assert steps(found) == [
        "remove dev/group/developers/caller-policy/reader",
        "remove third/role/reader",
        "write third/role/reader",
        "write dev/group/developers/caller-policy/reader",
    ]
    policy = next(change for change in found.changes if change.address.holder is not None)
    assert policy.action is Action.UPDATE
    assert not isinstance(policy.interim, Role)
    assert policy.interim is not None
    assert policy.interim.document.resources() == ("arn:aws:iam::987654321098:role/reader",)
    assert len(rotated(manifest, "reader").changes) == 3


def test_a_role_that_is_a_caller_carries_its_caller_policies_over(tmp_path: Path) -> None:
    onward = grant_yaml("onward", **{"from": "{account: storage, roles: [reader]}", "to": "{account: dev}"})
    found = rotated(load_text(tmp_path, manifest_yaml(grant_yaml(), onward)), "reader")
    order = steps(found)
    carried = "storage/role/reader/caller-policy/onward"
    assert order.index(f"remove {carried}") < order.index("remove storage/role/reader")
    assert order.index("write storage/role/reader") < order.index("write dev/role/onward")
    assert order.index("write dev/role/onward") < order.index(f"write {carried}")
    trusting = next(change for change in found.changes if change.address == role_at("dev", "onward"))
    assert (trusting.action, trusting.attributes) == (Action.UPDATE, ("trust_policy",))


def test_roles_that_trust_each_other_are_rotated_together(tmp_path: Path) -> None:
    one = grant_yaml("one", **{"from": "{account: storage, roles: [two]}", "to": "{account: dev}"})
    two = grant_yaml("two", **{"from": "{account: dev, roles: [one]}", "to": "{account: storage}"})
    found = rotated(load_text(tmp_path, manifest_yaml(one, two)), "one", "two")
    order = steps(found)
    assert {"make dev/role/one", "make storage/role/two"} <= {*order}
    assert max(order.index("make dev/role/one"), order.index("make storage/role/two")) < order.index(
        "write dev/role/one"
    )


class Late(MemoryWriter):
    """An AWS that shows caller policies for a while as they were."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._old = dict(state)

    def standing(self, address: Address, like: Resource) -> Resource | None:
        return self._old.get(address) if isinstance(like, CallerPolicy) else super().standing(address, like)


def test_a_policy_that_says_what_it_said_is_written_though_aws_shows_the_old_one_still(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    found = rotated(manifest, "reader")
    writer = Late(made(manifest))
    outcomes = apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert {outcome.status for outcome in outcomes} == {Status.DONE}
    assert writer.state == desired_of(manifest)


@pytest.mark.parametrize("shown", ["arn:aws:iam::987654321098:role/reader", "AROAREADERXXXXXXXXXXX"])
def test_a_trust_policy_is_written_again_whatever_aws_shows_of_it_still(tmp_path: Path, shown: str) -> None:
    onward = grant_yaml("onward", **{"from": "{account: storage, roles: [reader]}", "to": "{account: dev}"})
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(), onward))
    found = rotated(manifest, "reader")
    state = made(manifest)
    address = role_at("dev", "onward")
    role = state[address]
    assert isinstance(role, Role)
    names = {"arn:aws:iam::987654321098:role/reader": shown}
    writer = MemoryWriter({**state, address: replace(role, trust_policy=role.trust_policy.with_aws_principals(names))})
    outcomes = apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert {outcome.status for outcome in outcomes} == {Status.DONE}
    assert f"write {address}" in writer.done
    assert writer.state[address].trust_policy == role.trust_policy  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("parts", "words"),
    [({"expires": "2025-12-31"}, "has expired"), ({"to": "{account: vendor}"}, "vendor is not managed here")],
    ids=["expired", "not managed"],
)
def test_what_has_no_role_of_ours_is_not_rotated(tmp_path: Path, parts: dict[str, str], words: str) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml(**parts)))
    with pytest.raises(UsageError, match=words):
        rotation(manifest, chosen(manifest, ["reader"]), now=NOW, accepted=frozenset())


def external(folder: Path, stated: str, **parts: str) -> Manifest:
    return load_text(
        folder, manifest_yaml(grant_yaml(require=f"{{external_id: {stated}}}", rotate="{every: 90d}", **parts))
    )


def test_both_external_ids_are_accepted_while_one_is_rotated(tmp_path: Path) -> None:
    manifest = external(tmp_path, "[fresh-one, an-old-one]")
    (statement,) = desired_of(manifest)[role_at("storage", "reader")].trust_policy.data()["Statement"]  # type: ignore[union-attr]
    assert statement["Condition"]["StringEquals"] == {"sts:ExternalId": ["fresh-one", "an-old-one"]}
    assert external_ids(manifest) == {"fresh-one", "an-old-one"}
    shown = text(plan_for(manifest, {}))
    assert "fresh-one" not in shown
    assert "an-old-one" not in shown


def test_the_id_is_rotated_when_the_old_one_is_accepted_no_more(tmp_path: Path) -> None:
    old, both, new = (external(tmp_path, one) for one in ("an-old-one", "[fresh-one, an-old-one]", "fresh-one"))
    for before, after, marked in (
        (old, both, None),
        (both, new, int(NOW.timestamp())),
        (old, new, int(NOW.timestamp())),
    ):
        request = rotation(after, (), now=NOW, accepted=frozenset())
        (change,) = make_plan(replace(request, only=frozenset()), StateReader(after, made(before)), now=NOW).changes
        assert isinstance(change.after, Role)
        assert change.after.rotated == marked


def test_a_grant_whose_id_is_rotated_says_so_until_it_is_done(tmp_path: Path) -> None:
    found = plan_for(external(tmp_path, "[fresh-one, an-old-one]"), {})
    assert "note XG245" not in text(found)  # Nothing is known of the time here.
    manifest = external(tmp_path, "[fresh-one, an-old-one]")
    request = rotation(manifest, (), now=NOW, accepted=frozenset())
    shown = text(make_plan(replace(request, only=frozenset()), StateReader(manifest, {}), now=NOW))
    assert "xgrant rotate reader --finish" in shown
    assert PrincipalKind.GROUP in {principal.kind for principal in manifest.grants[0].principals}


class Partly(WithIds):
    """A reader to which some accounts do not open."""

    def __init__(self, manifest: Manifest, state: State, *closed: str) -> None:
        super().__init__(manifest, {a: found for a, found in state.items() if a.account not in closed})
        self._closed = closed

    def read(self, scope: Any, stopped: Any = str) -> Any:
        live = super().read(scope, stopped)
        closed = {name: AccountFacts(facts.account, error="closed") for name, facts in live.facts.items()}
        return replace(live, facts={**live.facts, **{name: closed[name] for name in self._closed if name in closed}})


def foreign(role: Resource) -> Role:
    assert isinstance(role, Role)
    return replace(role, tags={}, grant="", arn="arn:aws:iam::123456789012:role/by-hand")


ONWARD = grant_yaml("onward", **{"from": "{account: storage, roles: [reader]}", "to": "{account: third}"})


def with_third(folder: Path) -> Manifest:
    text = manifest_yaml(grant_yaml(), ONWARD)
    return load_text(folder, text.replace("accounts:", 'accounts:\n  third: {id: "333333333333"}', 1))


NOT_ROTATED: dict[str, tuple[Any, tuple[str, ...], str, str]] = {
    "another change is pending": (
        lambda state: {**state, role_at("third", "onward"): replace(state[role_at("third", "onward")], description="x")},
        (), "XG247", "third/role/onward",
    ),
    "it was never applied": (lambda _: {}, (), "XG247", "storage/role/reader"),
    "who trusts it cannot be read": (lambda state: state, ("third",), "XG248", "third/role/onward"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "closed", "rule", "where"), NOT_ROTATED.values(), ids=list(NOT_ROTATED))
def test_nothing_is_rotated_where_more_would_change_or_somebody_be_shut_out(
    tmp_path: Path, change: Any, closed: tuple[str, ...], rule: str, where: str
) -> None:
    manifest = with_third(tmp_path)
    request = rotation(manifest, chosen(manifest, ["reader"]), now=NOW, accepted=frozenset())
    found = plan_rotation(request, Partly(manifest, change(made(manifest)), *closed), now=NOW)
    assert found.refused()
    assert (rule, where) in {(one.rule, str(one.address)) for one in found.findings}


def test_roles_that_are_not_the_stacks_and_trust_the_rotated_one_are_named(tmp_path: Path) -> None:
    manifest = with_third(tmp_path)
    request = rotation(manifest, chosen(manifest, ["reader"]), now=NOW, accepted=frozenset())
    state = made(manifest)
    others = {role_at("dev", "by-hand"): foreign(state[role_at("third", "onward")])}
    for more, severity in (({}, Severity.NOTE), (others, Severity.WARNING)):
        found = plan_rotation(request, WithIds(manifest, {**state, **more}), now=NOW)
        (said,) = [one for one in found.findings if one.rule == "XG249"]
        assert (found.refused(), said.severity, "dev/role/by-hand" in said.message) == (False, severity, bool(more))


def test_where_two_external_ids_are_accepted_the_next_step_is_to_finish(tmp_path: Path) -> None:
    for stated, way_out in (
        ("one-id", "xgrant rotate reader"),
        ("[a-new-one, one-id]", "xgrant rotate reader --finish"),
    ):
        manifest = external(tmp_path, stated)
        plan = make_plan(Request(manifest), StateReader(manifest, made(manifest)), now=NOW + timedelta(days=99))
        assert [one.way_out for one in plan.findings if one.rule == "XG243"] == [way_out]
