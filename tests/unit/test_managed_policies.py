"""How grants are packed into managed policies, in which order they change, and how a large policy is divided."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.applier import apply
from reconciler.caller_policies import opening
from reconciler.model import (
    Account,
    AccountFacts,
    Action,
    Address,
    CallerPolicy,
    Carried,
    Change,
    Kind,
    Live,
    ManagedPolicy,
    PrincipalKind,
    Role,
    State,
    Verb,
)
from reconciler.ownership import caller_pack_name
from reconciler.planner import destroyed, narrow, order, plan
from reconciler.planner.pack import packed
from reconciler.policy.document import PolicyDocument
from reconciler.policy.sizes import size
from reconciler.policy.split import split
from reconciler.rules import RULES
from tests.support import DEV, HEAD, MemoryWriter, desired_of, facts_for, grant_yaml, load_text, manifest_yaml, plan_for

GROUP = (PrincipalKind.GROUP, "Developers")
MANAGED = {"caller_policy": "managed"}
FACTS = {
    "dev": AccountFacts(
        Account("dev", DEV), {(PrincipalKind.GROUP, "developers"): f"arn:aws:iam::{DEV}:group/Developers"},
        summary={"PolicySizeQuota": 400},
    )
}  # fmt: skip


def wanted(numbers: Iterable[int]) -> State:
    return {
        Address("dev", Kind.CALLER_POLICY, f"g-{number}", GROUP): CallerPolicy(
            f"g-{number}", opening([f"arn:aws:iam::987654321098:role/{number:04}"]), managed=True
        )
        for number in numbers
    }


def policies(desired: State, live: State) -> State:
    return packed(desired, Live(live, FACTS), stack="platform")


def roles(state: State) -> dict[str, frozenset[str]]:
    return {
        address.name: frozenset(resource.document.resources())
        for address, resource in state.items()
        if isinstance(resource, ManagedPolicy)
    }


numbers = st.sets(st.integers(0, 60), max_size=40)


@given(numbers, numbers)
def test_every_grant_stands_in_one_policy_that_fits_and_is_on_its_principal(before: set[int], after: set[int]) -> None:
    found = policies(wanted(after), policies(wanted(before), {}))
    opened = [arn for arns in roles(found).values() for arn in arns]
    assert sorted(int(arn[-4:]) for arn in opened) == sorted(after)
    for resource in found.values():
        assert isinstance(resource, ManagedPolicy)
        assert size(resource.document) <= 400
        assert resource.attached_to == {"group/Developers"}


@given(numbers, numbers)
def test_a_grant_that_stays_never_moves(before: set[int], after: set[int]) -> None:
    old = roles(policies(wanted(before), {}))
    new = roles(policies(wanted(after), policies(wanted(before), {})))
    for name, arns in old.items():
        for arn in arns:
            assert int(arn[-4:]) not in after or arn in new[name]


@given(numbers, st.integers(100, 200))
def test_one_grant_more_changes_one_policy(before: set[int], number: int) -> None:
    old = policies(wanted(before), {})
    new = policies(wanted({*before, number}), old)
    assert sum(old.get(address) != policy for address, policy in new.items()) == 1


def managed(folder: Path, *grants: str) -> Any:
    return load_text(folder, manifest_yaml(*grants, head=HEAD + "defaults: {caller_policy: managed}\n"))


def standing(manifest: Any) -> State:
    """Return what AWS has after an apply of the manifest."""
    return packed(desired_of(manifest), Live({}, facts_for(manifest)), stack="platform")


def steps(folder: Path, before: Any, after: Any) -> list[str]:
    plan = plan_for(after, standing(before))
    writer = MemoryWriter(standing(before))
    outcomes = apply(plan, writer, approved=plan.fingerprint, on_event=lambda _: None)
    assert all(outcome.status == "done" for outcome in outcomes)
    assert plan_for(after, writer.state).changes == ()
    return [line.replace(_name("developers"), "pack").replace(_name("ops"), "ops") for line in writer.done]


def _name(group: str) -> str:
    return caller_pack_name("platform", PrincipalKind.GROUP, group, 1)


READER, WRITER = grant_yaml("reader"), grant_yaml("writer")
OPS = {"from": "{account: dev, groups: [ops]}"}
LARGER = grant_yaml("writer", permissions='[{actions: "s3:*", resources: "*"}]', **OPS)
THIRD = grant_yaml("third")
MOVED = grant_yaml("reader", to="{account: storage, path: /elsewhere/}")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param(
            (), (READER,), ["write storage/role/reader", "write dev/managed-policy/pack"], id="opened after the role"
        ),
        pytest.param(
            (READER,), (), ["remove dev/managed-policy/pack", "remove storage/role/reader"], id="closed before the role"
        ),
        pytest.param(
            (READER, WRITER), (READER,), ["write dev/managed-policy/pack", "remove storage/role/writer"],
            id="closed for one before that role goes",
        ),
        pytest.param(
            (READER, WRITER), (MOVED, WRITER),
            [
                "write dev/managed-policy/pack", "remove storage/role/reader", "write storage/role/reader",
                "write dev/managed-policy/pack",
            ],
            id="closed and opened again for a role that is replaced, and for no other",
        ),
        pytest.param(
            (READER,), (MOVED,),
            [
                "remove dev/managed-policy/pack", "remove storage/role/reader", "write storage/role/reader",
                "write dev/managed-policy/pack",
            ],
            id="deleted and made anew where nothing of it stays",
        ),
        pytest.param(
            (READER, WRITER), (READER, LARGER, THIRD),
            [
                "write dev/managed-policy/pack", "write storage/role/third", "write dev/managed-policy/pack",
                "write storage/role/writer", "write dev/managed-policy/ops",
            ],
            id="closed for those who are callers no more, before the role is made larger",
        ),
    ],
)  # fmt: skip
def test_a_shared_policy_opens_no_role_that_is_not_there(
    tmp_path: Path, before: tuple[str, ...], after: tuple[str, ...], expected: list[str]
) -> None:
    old = managed(tmp_path, *before)
    assert steps(tmp_path, old, managed(tmp_path, *after)) == expected


def test_a_role_that_is_a_caller_and_goes_loses_its_managed_caller_policy_first(tmp_path: Path) -> None:
    reader = grant_yaml("reader", **{"from": "{account: dev, roles: [hop]}"})
    hop = grant_yaml("hop", **{"from": "{account: storage, groups: [ops]}", "to": "{account: dev}"})
    done = steps(tmp_path, managed(tmp_path, reader, hop), managed(tmp_path))
    assert done.index("remove dev/role/hop") > min(
        index for index, line in enumerate(done) if line.startswith("remove dev/managed-policy")
    )


def test_a_managed_caller_policy_for_somebody_elses_account_is_theirs_to_attach(tmp_path: Path) -> None:
    plan = plan_for(managed(tmp_path, grant_yaml(**{"from": "{account: vendor, users: [them]}"})), {})
    assert [change.address.kind for change in plan.changes] == [Kind.ROLE]
    assert "its owner attaches this policy to the user them" in plan.findings[0].message


LARGE = ", ".join(f'"arn:aws:s3:::bucket-{number:03}/*"' for number in range(450))


def test_permissions_that_no_role_can_hold_inline_stand_in_policies_named_by_what_they_say(tmp_path: Path) -> None:
    old = load_text(tmp_path, manifest_yaml(grant_yaml(permissions=f'[{{actions: "s3:Get*", resources: [{LARGE}]}}]')))
    new = load_text(tmp_path, manifest_yaml(grant_yaml(permissions=f'[{{actions: "s3:Put*", resources: [{LARGE}]}}]')))
    state = desired_of(old)
    parts = frozenset(p.arn for p in state.values() if isinstance(p, ManagedPolicy))
    (role,) = (r for r in state.values() if isinstance(r, Role))
    assert parts
    assert role.managed_policies == parts
    assert role.inline_policies == {}

    plan = plan_for(new, state, facts=facts_for(new, state))
    kinds = [(step.verb, step.change.address.kind, step.change.action) for step in plan.steps]
    at = kinds.index((Verb.WRITE, Kind.ROLE, Action.UPDATE))
    assert all(kind == ("write", Kind.MANAGED_POLICY, Action.CREATE) for kind in kinds[:at])
    assert all(kind == ("remove", Kind.MANAGED_POLICY, Action.DELETE) for kind in kinds[at + 1 :])
    assert len(kinds) == 2 * len(parts) + 1


actions = st.lists(st.sampled_from([f"s3:Action{n}" for n in range(30)]), min_size=1, max_size=30, unique=True)
resources = st.lists(st.sampled_from([f"arn:aws:s3:::bucket-{n}/*" for n in range(60)]), min_size=1, unique=True)
statements = st.fixed_dictionaries(
    {"Effect": st.sampled_from(["Allow", "Deny"]), "Action": actions, "Resource": resources},
    optional={"Condition": st.just({"Bool": {"aws:SecureTransport": "true"}}), "Sid": st.just("One")},
)


def decisions(documents: Iterable[PolicyDocument]) -> set[tuple[str, ...]]:
    """Return every effect on every action and resource, with its condition."""
    return {
        (statement["Effect"], action, resource, str(statement.get("Condition")))
        for document in documents
        for statement in document.statements()
        for action in statement["Action"]
        for resource in statement["Resource"]
    }


@given(st.lists(statements, min_size=1, max_size=5))
def test_a_divided_policy_says_together_what_the_whole_one_said(given_statements: list[dict[str, Any]]) -> None:
    whole = PolicyDocument.parse({"Version": "2012-10-17", "Statement": given_statements})
    parts = split(whole, 600)
    assert decisions(parts) == decisions([whole])
    assert all(size(part) <= 600 for part in parts)


def test_what_cannot_be_divided_stays_and_the_plan_says_so(tmp_path: Path) -> None:
    not_actions = ", ".join(f'"service:Action{number:04}"' for number in range(600))
    plan = plan_for(
        load_text(
            tmp_path, manifest_yaml(grant_yaml(permissions=f'[{{not_actions: [{not_actions}], resources: "*"}}]'))
        ),
        {},
    )
    assert [f.rule for f in plan.findings] == ["XG220"]
    assert "cannot be divided; AWS allows 6,144" in plan.findings[0].message


def test_a_group_with_its_ten_policies_has_no_place_for_one_more(tmp_path: Path) -> None:
    found = managed(tmp_path, READER)
    facts = facts_for(found)
    for number, refused in ((9, 0), (10, 1)):
        arns = frozenset(f"arn:aws:iam::aws:policy/P{n}" for n in range(number))
        facts["dev"] = replace(facts["dev"], carried={(PrincipalKind.GROUP, "developers"): Carried(attached=arns)})
        plan = plan_for(found, {}, facts=facts)
        assert len([f for f in plan.findings if f.rule == "XG222"]) == refused


@pytest.mark.parametrize("path", ["/", "/xgrant/other/"])
def test_a_policy_of_the_same_name_that_is_not_ours_stops_the_plan(tmp_path: Path, path: str) -> None:
    found = managed(tmp_path, READER)
    facts = facts_for(found)
    taken = f"arn:aws:iam::{DEV}:policy{path}{_name('developers')}"
    facts["dev"] = replace(facts["dev"], policies=frozenset([taken]))
    assert [(f.rule, f.message.split()[0]) for f in plan_for(found, {}, facts=facts).findings] == [("XG227", taken)]


def test_a_role_that_carries_what_only_leaves_out_is_not_deleted(tmp_path: Path) -> None:
    reader = grant_yaml("reader", **{"from": "{account: dev, roles: [hop]}"})
    hop = grant_yaml("hop", **{"from": "{account: storage, groups: [ops]}", "to": "{account: dev}"})
    found = managed(tmp_path, reader, hop)
    state = standing(found)
    wanted, live = narrow(desired_of(found), Live(state, facts_for(found, state)), frozenset(["hop"]), stack="platform")
    refused = plan(destroyed(wanted), live, stack="platform", rules=RULES)
    assert [(f.rule, str(f.address)) for f in refused.findings] == [("XG204", "dev/role/hop")]


def test_the_managed_policies_of_thousands_of_roles_are_put_in_order_in_no_time() -> None:
    document = PolicyDocument.parse(
        {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}}
    )
    changes: list[Change] = []
    for number in range(5000):
        arn = f"arn:aws:iam::{number:012}:policy/p"
        policy = ManagedPolicy("g", arn, "/", document, frozenset())
        role = Role("g", f"arn:aws:iam::{number:012}:role/r", "/", document, managed_policies=frozenset([arn]))
        changes.append(Change(Address(f"a{number}", Kind.ROLE, "r"), Action.CREATE, "g", None, role))
        changes.append(Change(Address(f"a{number}", Kind.MANAGED_POLICY, "p"), Action.CREATE, "g", None, policy))
    begun = time.process_time()
    ordered = order(tuple(changes))
    assert time.process_time() - begun < 2  # Each policy against each role would take several times that.
    assert [len(step.requires) for step in ordered] == [0] * 5000 + [1] * 5000
