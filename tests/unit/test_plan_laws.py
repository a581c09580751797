"""Laws that hold for every plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.applier import apply
from reconciler.caller_policies import opening
from reconciler.desired import desired_state
from reconciler.errors import Place
from reconciler.model import (
    Account,
    AccountFacts,
    Address,
    CallerPolicy,
    Grant,
    Kind,
    Live,
    ManagedPolicy,
    Plan,
    Principal,
    PrincipalKind,
    Resource,
    Role,
    State,
    Status,
)
from reconciler.ownership import owns
from reconciler.planner import plan
from reconciler.planner.pack import packed
from reconciler.policy.arn import covers
from reconciler.ports import Toward
from tests.support import DEV, STORAGE, MemoryWriter, allow, document

ACCOUNTS = {"dev": Account("dev", DEV), "storage": Account("storage", STORAGE)}
FACTS = {name: AccountFacts(account) for name, account in ACCOUNTS.items()}
STACK = "platform"

names = st.sampled_from(["a", "b", "c", "d"])
principals = st.one_of(
    st.builds(Principal, st.sampled_from([PrincipalKind.USER, PrincipalKind.GROUP]), names),
    # Roles that may be made by other grants of the same stack.
    st.builds(Principal, st.just(PrincipalKind.ROLE), st.sampled_from(["R", "S", "T"]), st.sampled_from(["/", "/p/"])),
)


@st.composite
def grants(draw: Any) -> tuple[Grant, ...]:
    found: dict[str, Grant] = {}
    taken: set[tuple[str, str]] = set()
    for name in draw(st.lists(names, unique=True)):
        source, target = draw(st.sampled_from([("dev", "storage"), ("storage", "dev")]))
        role = draw(st.sampled_from(["R", "r", "S", "T"]))
        if (target, role.casefold()) in taken:
            continue
        taken.add((target, role.casefold()))
        found[name] = Grant(
            name=name,
            place=Place("f"),
            target=target,
            role_name=role,
            role_path=draw(st.sampled_from(["/", "/p/"])),
            description=draw(st.sampled_from(["", "x"])),
            principals=tuple(
                replace(principal, account=source)
                for principal in draw(
                    st.lists(principals, min_size=1, max_size=3, unique_by=lambda p: (p.kind, p.name))
                )
            ),
            permissions=document(allow(draw(st.sampled_from(["s3:GetObject", "s3:PutObject"])))),
            max_session_duration=draw(st.sampled_from([3600, 7200])),
            managed_caller_policy=draw(st.booleans()),
        )
    return tuple(found.values())


def desired(found: tuple[Grant, ...]) -> State:
    return desired_state(found, ACCOUNTS, stack=STACK)


def applied(found: tuple[Grant, ...]) -> State:
    """Return what AWS has after an apply of the grants."""
    return packed(desired(found), Live({}, FACTS), stack=STACK)


def foreign_roles(state: Mapping[Address, Resource], taken: State) -> dict[Address, Resource]:
    slots = {address.slot() for address in taken}
    return {
        address: replace(role, tags={"xgrant:stack": "other"})
        for address, role in state.items()
        if isinstance(role, Role) and address.slot() not in slots
    }


def carried_by(state: Mapping[Address, Resource], role: Address) -> list[Address]:
    """Return the caller policies on a role."""
    return [
        address
        for address in state
        if address.holder and (address.account, Kind.ROLE, address.holder[1].casefold()) == role.slot()
        and address.holder[0] is PrincipalKind.ROLE
    ] + [
        address
        for address, policy in state.items()
        if isinstance(policy, ManagedPolicy) and address.account == role.account
        and f"role/{role.name}".casefold() in {holder.casefold() for holder in policy.attached_to}
    ]  # fmt: skip


class Aws(MemoryWriter):
    """Refuses what AWS refuses: to delete a role that still carries a policy."""

    def remove(self, address: Address, before: Resource, toward: Toward) -> None:
        if address.kind is Kind.ROLE:
            assert carried_by(self.state, address) == []
        super().remove(address, before, toward)

    def write(self, address: Address, before: Resource | None, after: Resource, toward: Toward) -> None:
        assert not any(other.slot() == address.slot() for other in self.state if other != address)
        super().write(address, before, after, toward)


def planned(wanted: State, state: State) -> Plan:
    """Plan; give up where callers are roles that the plan deletes."""
    found = plan(wanted, Live(state, FACTS), stack=STACK, rules=())
    kept = {address.slot() for address in wanted}
    for change in found.changes:
        gone = change.removed_address()
        assume(gone.slot() in kept or change.before is None or not carried_by(wanted, gone))
    return found


@given(grants(), grants(), grants())
def test_applying_a_plan_brings_aws_to_the_manifests_and_touches_nothing_else(
    before: tuple[Grant, ...], after: tuple[Grant, ...], others: tuple[Grant, ...]
) -> None:
    wanted, standing = desired(after), applied(before)
    foreign = foreign_roles(desired(others), {**wanted, **standing})
    writer = Aws({**standing, **foreign})
    found = planned(wanted, writer.state)
    outcomes = apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert all(outcome.status is Status.DONE for outcome in outcomes)
    assert plan(wanted, Live(writer.state, FACTS), stack=STACK, rules=()).changes == ()
    assert {a: r for a, r in writer.state.items() if not owns(STACK, r)} == foreign
    owned = {a: r for a, r in writer.state.items() if owns(STACK, r)}
    assert {a: r for a, r in owned.items() if isinstance(r, Role)} == {
        a: r for a, r in wanted.items() if isinstance(r, Role)
    }
    assert doors(owned) == doors(wanted)


def doors(state: Mapping[Address, Resource]) -> set[tuple[str, str, str]]:
    """Return who may assume which role: account, principal, ARN."""
    found = set()
    for address, resource in state.items():
        if isinstance(resource, CallerPolicy):
            assert address.holder is not None
            found |= {(address.account, "/".join(address.holder), arn) for arn in resource.document.resources()}
        elif isinstance(resource, ManagedPolicy):
            found |= {(address.account, holder, arn) for holder in resource.attached_to
                      for arn in resource.document.resources()}  # fmt: skip
    return found


@st.composite
def tampered(draw: Any, state: State) -> State:
    """Return what AWS has after somebody turned caller policies to other roles, or attached them elsewhere."""
    arns = sorted(resource.arn for resource in state.values() if isinstance(resource, Role))
    found = dict(state)
    for address, policy in state.items():
        if isinstance(policy, Role) or not draw(st.booleans()):
            continue
        resources = draw(st.sets(st.sampled_from([*arns, "*", f"arn:aws:iam::{STORAGE}:role/?"]), min_size=1))
        turned = replace(policy, document=opening(resources))
        if isinstance(turned, ManagedPolicy):
            holders = draw(st.sets(st.sampled_from(["user/a", "group/b"]), max_size=2))
            turned = replace(turned, attached_to=turned.attached_to | holders if draw(st.booleans()) else holders)
        found[address] = turned
    return found


class Failing(Aws):
    """Fails at one step."""

    def __init__(self, state: State, step: int) -> None:
        super().__init__(state, refuse=lambda _: next(self._steps) == step)
        self._steps = count()


@st.composite
def edited(draw: Any, found: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """Return grants whose roles mostly stay, with other callers and permissions, and some that are new."""
    kept = [
        replace(
            grant,
            principals=tuple(draw(st.permutations(grant.principals)))[: draw(st.integers(1, 3))],
            permissions=document(allow(draw(st.sampled_from(["s3:GetObject", "s3:PutObject"])))),
        )
        for grant in found
        if draw(st.integers(0, 5))
    ]
    taken = {(grant.target, grant.role_name.casefold()) for grant in kept}
    return (*kept, *(
        replace(grant, name=f"new-{grant.name}")
        for grant in draw(grants())
        if (grant.target, grant.role_name.casefold()) not in taken
    ))  # fmt: skip


@given(grants(), st.booleans(), st.integers(0, 12), st.data())
def test_nobody_who_is_to_be_no_caller_holds_the_door_to_a_role_that_was_changed(
    before: tuple[Grant, ...], by_hand: bool, step: int, data: Any
) -> None:
    """At no moment, and wherever one step fails; else they would come into what is meant for others."""
    standing, after = applied(before), data.draw(edited(before) | grants())
    if by_hand:
        standing = data.draw(tampered(standing))
    found = planned(desired(after), standing)
    callers, writer = doors(packed(desired(after), Live({}, FACTS), stack=STACK)), Failing(standing, step)
    roles = {address: role for address, role in standing.items() if isinstance(role, Role)}

    def check(_: object) -> None:
        now = {a: role for a, role in writer.state.items() if isinstance(role, Role)}
        changed = {role.arn for a, role in roles.items() if a in now and now[a] != role and now[a].arn == role.arn}
        held = {(*who, arn) for *who, resource in doors(writer.state) for arn in changed if covers(resource, arn)}
        assert held <= callers

    apply(found, writer, approved=found.fingerprint, on_event=check)


@given(grants(), grants(), st.data())
def test_no_caller_policy_ever_opens_a_role_that_is_not_there_or_is_another_grants(
    before: tuple[Grant, ...], after: tuple[Grant, ...], data: Any
) -> None:
    """Not even where changes fail."""
    writer = Aws(applied(before))
    found = planned(desired(after), writer.state)
    callers = {(a.name, "/".join(a.holder)) for a in (*desired(before), *desired(after)) if a.holder}
    addresses = [change.address for change in found.changes]
    refused = data.draw(st.sets(st.sampled_from(addresses))) if addresses else set()
    writer = Aws(applied(before), refuse=lambda address: address in refused)

    def check(_: object) -> None:
        opened = {role.arn: role.grant for role in writer.state.values() if isinstance(role, Role)}
        for resource in writer.state.values():
            if isinstance(resource, CallerPolicy):
                (arn,) = resource.document.resources()
                assert opened[arn] == resource.grant
            elif isinstance(resource, ManagedPolicy):
                (holder,) = resource.attached_to
                assert all((opened[arn], holder) in callers for arn in resource.document.resources())

    apply(found, writer, approved=found.fingerprint, on_event=check)


@given(grants(), grants(), st.data())
def test_a_trust_policy_is_written_only_when_all_whom_it_names_are_there(
    before: tuple[Grant, ...], after: tuple[Grant, ...], data: Any
) -> None:
    """AWS refuses others; not even where changes fail, and where roles trust each other."""
    wanted, standing = desired(after), applied(before)
    found = planned(wanted, standing)
    addresses = [change.address for change in found.changes]
    refused = data.draw(st.sets(st.sampled_from(addresses))) if addresses else set()
    writer = Aws(standing, refuse=lambda address: address in refused)
    declared = {role.arn for role in wanted.values() if isinstance(role, Role)}

    def check(_: object) -> None:
        there = {role.arn for role in writer.state.values() if isinstance(role, Role)}
        for address, role in writer.state.items():
            if isinstance(role, Role) and role != standing.get(address):
                assert {*role.trust_policy.aws_principals()} & declared <= there

    apply(found, writer, approved=found.fingerprint, on_event=check)


@given(grants(), grants(), st.data())
def test_an_apply_that_fails_anywhere_is_finished_by_the_next(
    before: tuple[Grant, ...], after: tuple[Grant, ...], data: Any
) -> None:
    wanted = desired(after)
    found = planned(wanted, applied(before))
    refused = data.draw(st.sets(st.sampled_from([c.address for c in found.changes]))) if found.changes else set()
    writer = Aws(applied(before), refuse=lambda address: address in refused)
    apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    again = Aws(writer.state)
    rest = planned(wanted, again.state)
    apply(rest, again, approved=rest.fingerprint, on_event=lambda _: None)
    assert doors(again.state) == doors(wanted)
    assert plan(wanted, Live(again.state, FACTS), stack=STACK, rules=()).changes == ()


@given(grants(), grants())
def test_the_same_values_always_give_the_same_plan(before: tuple[Grant, ...], after: tuple[Grant, ...]) -> None:
    state = applied(before)
    turned = dict(reversed(list(state.items())))
    first = plan(desired(after), Live(state, FACTS), stack=STACK, rules=())
    second = plan(desired(tuple(reversed(after))), Live(turned, FACTS), stack=STACK, rules=())
    assert (first.changes, first.steps, first.fingerprint) == (second.changes, second.steps, second.fingerprint)


@given(grants())
def test_a_role_without_our_mark_is_in_no_change_whatever_its_name(found: tuple[Grant, ...]) -> None:
    wanted = desired(found)
    foreign = {a: replace(r, tags={}) for a, r in wanted.items() if isinstance(r, Role)}
    changes = plan(wanted, Live(foreign, FACTS), stack=STACK, rules=()).changes
    assert Kind.ROLE not in {change.address.kind for change in changes}
