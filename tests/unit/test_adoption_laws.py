"""Laws of renamed grants and of adoption, whatever else changes at the same time."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from reconciler.applier import apply
from reconciler.model import Action, CallerPolicy, Grant, Kind, Live, Role, Status
from reconciler.planner import plan
from tests.unit.test_plan_laws import FACTS, STACK, Aws, applied, desired, doors, grants, planned


def renamed(found: tuple[Grant, ...], which: set[str]) -> tuple[Grant, ...]:
    return tuple(replace(g, name=f"new-{g.name}", moved_from=(g.name,)) if g.name in which else g for g in found)


@given(grants(), grants(), st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_renamed_grants_are_applied_with_whatever_else_changes(
    before: tuple[Grant, ...], after: tuple[Grant, ...], which: set[str]
) -> None:
    wanted = desired(renamed(after, which))
    writer = Aws(applied(before))
    found = planned(wanted, writer.state)
    outcomes = apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert all(outcome.status is Status.DONE for outcome in outcomes)
    assert plan(wanted, Live(writer.state, FACTS), stack=STACK, rules=()).changes == ()
    assert doors(writer.state) == doors(wanted)


@given(grants(), st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_a_rename_alone_neither_takes_away_a_role_nor_shuts_a_door(found: tuple[Grant, ...], which: set[str]) -> None:
    wanted = desired(renamed(found, which))
    writer = Aws(applied(found))
    result = planned(wanted, writer.state)
    open_before = doors(writer.state)

    def check(_: object) -> None:
        assert doors(writer.state) >= open_before

    apply(result, writer, approved=result.fingerprint, on_event=check)
    roles = [change for change in result.changes if change.address.kind is Kind.ROLE]
    assert {(change.action, change.attributes) for change in roles} <= {(Action.UPDATE, ("tags",))}
    assert {change.after.grant for change in roles if change.after} == {
        f"new-{g.name}" for g in found if g.name in which
    }


@given(grants(), grants(), st.sets(st.sampled_from(["a", "b", "c", "d"])))
def test_roles_of_no_stack_are_adopted_only_where_a_grant_says_so_and_then_become_what_it_says(
    by_hand: tuple[Grant, ...], after: tuple[Grant, ...], which: set[str]
) -> None:
    wanted = desired(tuple(replace(grant, adopt=grant.name in which) for grant in after))
    standing = {
        address: replace(role, tags={}, grant="")
        for address, role in applied(by_hand).items()
        if isinstance(role, Role)
    }  # fmt: skip
    found = planned(wanted, standing)
    adopted = {change.address for change in found.changes if change.action is Action.ADOPT}
    for address in adopted:
        after_role = wanted[address]
        assert isinstance(after_role, Role)
        assert after_role.adopt
        assert address in standing
        assert standing[address].path == after_role.path
    touched = {change.address for change in found.changes} | {change.removed_address() for change in found.changes}
    assert touched & set(standing) == adopted
    assert not any(isinstance(change.before, CallerPolicy) for change in found.changes)
    writer = Aws(standing)
    outcomes = apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert all(outcome.status is Status.DONE for outcome in outcomes)
    assert all(writer.state[address] == wanted[address] for address in adopted)
