"""What a plan holds, and in which order it is safe."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.applier import apply
from reconciler.errors import UsageError
from reconciler.model import AccountFacts, Action, Kind, Live, Manifest, Plan, PrincipalKind, Role, State
from reconciler.planner import narrow, plan
from reconciler.rules import RULES
from tests.support import (
    HEAD,
    MemoryWriter,
    desired_of,
    facts_for,
    grant_yaml,
    load_text,
    manifest_yaml,
    plan_for,
    role_at,
)


def manifest(folder: Path, *grants: str) -> Manifest:
    return load_text(folder, manifest_yaml(*grants))


def steps(found: Plan) -> list[str]:
    return [f"{s.verb} {s.change.removed_address() if s.verb == 'remove' else s.change.address}" for s in found.steps]


def with_role(state: State, name: str, **changes: object) -> State:
    address = role_at("storage", name)
    role = state[address]
    assert isinstance(role, Role)
    return {**state, address: replace(role, **changes)}  # type: ignore[arg-type]


def test_a_new_grant_is_a_role_then_its_caller_policy(tmp_path: Path) -> None:
    found = plan_for(manifest(tmp_path, grant_yaml()), {})
    assert [str(change.address) for change in found.changes] == [
        "dev/group/developers/caller-policy/reader",
        "storage/role/reader",
    ]
    assert steps(found) == ["write storage/role/reader", "write dev/group/developers/caller-policy/reader"]
    assert found.steps[1].requires == (0,)


def test_nothing_differs_from_itself(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, grant_yaml())
    assert plan_for(wanted, desired_of(wanted)).changes == ()


def test_what_no_manifest_wants_goes_caller_policy_first(tmp_path: Path) -> None:
    before = desired_of(manifest(tmp_path, grant_yaml()))
    found = plan_for(manifest(tmp_path), before)
    assert {change.action for change in found.changes} == {Action.DELETE}
    assert steps(found) == ["remove dev/group/developers/caller-policy/reader", "remove storage/role/reader"]


def test_a_role_of_another_name_is_replaced_and_stands_before_the_old_one_goes(tmp_path: Path) -> None:
    before = desired_of(manifest(tmp_path, grant_yaml()))
    found = plan_for(manifest(tmp_path, grant_yaml(to="{account: storage, role: other}")), before)
    actions = {str(change.address): change.action for change in found.changes}
    assert actions == {
        "dev/group/developers/caller-policy/reader": Action.UPDATE,
        "storage/role/other": Action.REPLACE,
    }
    assert steps(found) == [
        "write storage/role/other",
        "write dev/group/developers/caller-policy/reader",
        "remove storage/role/reader",
    ]


@pytest.mark.parametrize("to", ["{account: storage, path: /new/}", "{account: storage, role: READER}"])
def test_a_role_that_keeps_its_place_is_replaced_with_its_door_shut(tmp_path: Path, to: str) -> None:
    """IAM ignores the case of names, so a role spelt anew cannot stand beside the old one."""
    before = desired_of(manifest(tmp_path, grant_yaml()))
    found = plan_for(manifest(tmp_path, grant_yaml(to=to)), before)
    assert {change.action for change in found.changes} == {Action.REPLACE}
    name = "READER" if "READER" in to else "reader"
    assert steps(found) == [
        "remove dev/group/developers/caller-policy/reader",
        "remove storage/role/reader",
        f"write storage/role/{name}",
        "write dev/group/developers/caller-policy/reader",
    ]


def test_a_replaced_role_that_is_itself_a_caller_gets_its_caller_policy_back(tmp_path: Path) -> None:
    head = HEAD
    chain = grant_yaml("lake", **{"from": "{account: storage, roles: [reader]}", "to": "{account: vendor}"})
    before = desired_of(load_text(tmp_path, manifest_yaml(grant_yaml(), chain, head=head)))
    moved = load_text(tmp_path, manifest_yaml(
        grant_yaml(to="{account: storage, path: /new/}"),
        grant_yaml("lake", **{"from": "{account: storage, roles: [new/reader]}", "to": "{account: vendor}"}),
        head=head,
    ))  # fmt: skip
    found = plan_for(moved, {a: r for a, r in before.items() if a.account != "vendor"})
    order = steps(found)
    carried = "storage/role/reader/caller-policy/lake"
    assert order.index(f"remove {carried}") < order.index("remove storage/role/reader")
    assert order.index("write storage/role/reader") < order.index(f"write {carried}")


def test_a_role_waits_for_the_role_that_its_trust_policy_names(tmp_path: Path) -> None:
    chain = grant_yaml(
        "a-lake", **{"from": "{account: storage, roles: [reader]}", "to": "{account: dev, role: a-lake}"}
    )
    found = plan_for(manifest(tmp_path, grant_yaml(), chain), {})
    order = steps(found)
    assert order.index("write storage/role/reader") < order.index("write dev/role/a-lake")
    assert not found.refused()


def test_a_role_that_passes_to_another_grant_shuts_its_old_door_before_it_changes(tmp_path: Path) -> None:
    before = desired_of(manifest(tmp_path, grant_yaml("interns", to="{account: storage, role: X}")))
    after = manifest(
        tmp_path,
        grant_yaml("admins", **{"from": "{account: dev, users: [root]}", "to": "{account: storage, role: X}"}),
        grant_yaml("interns", to="{account: storage, role: Y}"),
    )
    order = steps(plan_for(after, before))
    interns = "dev/group/developers/caller-policy/interns"
    assert order.index(f"remove {interns}") < order.index("write storage/role/X")
    assert order.index("write storage/role/Y") < order.index(f"write {interns}")


LEAVING = "dev/user/bob/caller-policy/reader"


def larger(folder: Path) -> tuple[State, Manifest]:
    """Return what AWS has, and the manifest in which the role is larger and bob is no caller."""
    before = manifest(folder, grant_yaml(**{"from": "{account: dev, users: [alice, bob]}"}))
    after = grant_yaml(permissions='[{actions: "s3:*", resources: "*"}]', **{"from": "{account: dev, users: [alice]}"})
    return desired_of(before), manifest(folder, after)


def test_a_caller_who_leaves_loses_the_door_before_the_role_is_made_larger(tmp_path: Path) -> None:
    before, after = larger(tmp_path)
    assert steps(plan_for(after, before)) == [f"remove {LEAVING}", "write storage/role/reader"]


def test_a_role_is_not_made_larger_while_the_door_cannot_be_taken_away(tmp_path: Path) -> None:
    before, after = larger(tmp_path)
    found, writer = plan_for(after, before), MemoryWriter(before, refuse=lambda address: str(address) == LEAVING)
    outcomes = apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert {str(outcome.change.address): outcome.status.value for outcome in outcomes} == {
        LEAVING: "failed", "storage/role/reader": "skipped",
    }  # fmt: skip
    assert writer.state == before


def test_a_role_passes_to_another_grant_only_once_the_old_callers_have_lost_it(tmp_path: Path) -> None:
    before = desired_of(manifest(tmp_path, grant_yaml("interns", to="{account: storage, role: X}")))
    after = manifest(
        tmp_path,
        grant_yaml("admins", **{"from": "{account: dev, users: [root]}", "to": "{account: storage, role: X}"}),
    )
    found, writer = plan_for(after, before), MemoryWriter(before, refuse=lambda address: address.name == "interns")
    apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert writer.state == before


def test_roles_that_trust_each_other_can_be_changed_once_they_exist(tmp_path: Path) -> None:
    def both(description: str) -> Manifest:
        return manifest(
            tmp_path,
            grant_yaml(
                "one", description=description, **{"from": "{account: storage, roles: [two]}", "to": "{account: dev}"}
            ),
            grant_yaml(
                "two", description=description, **{"from": "{account: dev, roles: [one]}", "to": "{account: storage}"}
            ),
        )

    found = plan_for(both("after"), desired_of(both("before")))
    assert (len(found.changes), len(found.steps), found.findings) == (2, 2, ())


def test_a_mark_that_was_changed_by_hand_does_not_change_the_order(tmp_path: Path) -> None:
    before = with_role(desired_of(manifest(tmp_path, grant_yaml())), "reader", grant="x")
    order = steps(plan_for(manifest(tmp_path), before))
    assert order == ["remove dev/group/developers/caller-policy/reader", "remove storage/role/reader"]


def test_a_caller_that_is_made_at_another_path_is_said(tmp_path: Path) -> None:
    hop = grant_yaml("hop", to="{account: storage, path: /x/}")
    lake = grant_yaml("lake", **{"from": "{account: storage, roles: [hop]}", "to": "{account: dev}"})
    found = plan_for(manifest(tmp_path, hop, lake), {})
    assert [f.rule for f in found.findings] == ["XG202"]
    assert "write x/hop" in found.findings[0].way_out


def mesh(path: str = "/") -> tuple[str, ...]:
    """Return two grants whose roles trust each other, and one whose role only trusts one of these."""
    one = grant_yaml(
        "one", **{"from": f"{{account: storage, roles: ['{path}two']}}", "to": f"{{account: dev, path: {path}}}"}
    )
    two = grant_yaml(
        "two", **{"from": f"{{account: dev, roles: ['{path}one']}}", "to": f"{{account: storage, path: {path}}}"}
    )
    three = grant_yaml("three", **{"from": f"{{account: dev, roles: ['{path}one']}}", "to": "{account: storage}"})
    return one, two, three


def test_roles_that_trust_each_other_are_made_for_nobody_before_they_get_their_trust(tmp_path: Path) -> None:
    found = plan_for(manifest(tmp_path, *mesh()), {})
    assert found.findings == ()
    ordered = steps(found)
    for made in ("make dev/role/one", "make storage/role/two"):
        assert all(
            ordered.index(made) < ordered.index(f"write {role}") for role in ("dev/role/one", "storage/role/two")
        )
    assert ordered.index("make dev/role/one") < ordered.index("write storage/role/three")
    assert ordered.index("write dev/role/one") < ordered.index("write storage/role/two/caller-policy/one")
    interim = {str(change.address): change.interim for change in found.changes if change.interim}
    assert sorted(interim) == ["dev/role/one", "storage/role/two"]
    for role in interim.values():
        assert isinstance(role, Role)
        assert [(one["Effect"], one["Principal"]) for one in role.trust_policy.statements()] == [
            ("Deny", {"AWS": ["*"]})
        ]


def test_roles_that_trust_each_other_can_be_made_anew_at_another_path(tmp_path: Path) -> None:
    found = plan_for(manifest(tmp_path, *mesh("/x/")), desired_of(manifest(tmp_path, *mesh())))
    assert found.findings == ()
    ordered = steps(found)
    for role in ("dev/role/one", "storage/role/two"):
        assert ordered.index(f"remove {role}") < ordered.index(f"make {role}") < ordered.index(f"write {role}")


def test_what_is_cut_short_between_making_a_role_and_giving_it_its_trust_is_an_update(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, *mesh())
    first = next(change for change in plan_for(wanted, {}).changes if str(change.address) == "dev/role/one")
    assert first.interim is not None
    found = plan_for(wanted, {first.address: first.interim})
    assert {str(c.address): (c.action, c.interim) for c in found.changes if c.address.kind is Kind.ROLE} == {
        "dev/role/one": (Action.UPDATE, None), "storage/role/two": (Action.CREATE, None),
        "storage/role/three": (Action.CREATE, None),
    }  # fmt: skip
    ordered = steps(found)
    assert ordered.index("write storage/role/two") < ordered.index("write dev/role/one")


@pytest.mark.parametrize("name", ["reader", "READER"])
def test_a_role_of_the_same_name_that_is_not_ours_is_refused_and_left_alone(tmp_path: Path, name: str) -> None:
    wanted = manifest(tmp_path, grant_yaml())
    standing = with_role(desired_of(wanted), "reader", tags={"owner": "somebody"})
    live = {role_at("storage", name): standing[role_at("storage", "reader")]}
    found = plan_for(wanted, live)
    assert [str(change.address) for change in found.changes] == ["dev/group/developers/caller-policy/reader"]
    assert [(f.rule, f.severity) for f in found.findings] == [("XG201", "error")]
    assert "to.role" in found.findings[0].way_out


def test_a_role_of_another_stack_is_not_ours(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, grant_yaml())
    standing = with_role(desired_of(wanted), "reader", tags={"xgrant:stack": "other", "xgrant:grant": "reader"})
    found = plan_for(wanted, standing)
    assert found.refused()
    assert "belongs to the stack other" in found.findings[0].message


def test_a_foreign_role_that_no_grant_names_is_never_in_a_plan(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, grant_yaml())
    foreign = with_role(desired_of(wanted), "reader", tags={})[role_at("storage", "reader")]
    found = plan_for(wanted, {**desired_of(wanted), role_at("storage", "theirs"): foreign})
    assert (found.changes, found.findings) == ((), ())


def test_a_missing_principal_is_said_before_aws_says_it(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, grant_yaml(**{"from": "{account: dev, users: [alice], groups: [developers]}"}))
    facts = {name: replace(found, principals={}) for name, found in facts_for(wanted).items()}
    found = plan_for(wanted, {}, facts=facts)
    assert [(f.rule, str(f.address)) for f in found.findings] == [
        ("XG202", "dev/group/developers/caller-policy/reader"),
        ("XG202", "dev/user/alice/caller-policy/reader"),
    ]


def test_a_caller_that_the_plan_itself_deletes_is_said(tmp_path: Path) -> None:
    chain = grant_yaml("lake", **{"from": "{account: storage, roles: [reader]}", "to": "{account: dev}"})
    before = desired_of(manifest(tmp_path, grant_yaml()))
    found = plan_for(manifest(tmp_path, chain), before)
    assert [(f.rule, str(f.address)) for f in found.findings] == [("XG202", "storage/role/reader/caller-policy/lake")]
    assert "goes with this plan" in found.findings[0].message


def test_a_principal_of_another_path_is_said_with_the_right_one(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, grant_yaml(**{"from": "{account: dev, roles: [ci/deployer]}"}))
    arn = "arn:aws:iam::123456789012:role/ops/deployer"
    facts = facts_for(wanted)
    facts["dev"] = replace(facts["dev"], principals={(PrincipalKind.ROLE, "deployer"): arn})
    found = plan_for(wanted, {}, facts=facts)
    assert [f.rule for f in found.findings] == ["XG202"]
    assert "ops/deployer" in found.findings[0].way_out


@pytest.mark.parametrize(
    ("source", "whom"),
    [
        ("{account: vendor, roles: [scanner]}", "the role scanner"),
        ("{account: vendor, entire_account: true}", "those who shall use the grant"),
    ],
)
def test_what_the_other_side_has_to_attach_is_printed(tmp_path: Path, source: str, whom: str) -> None:
    wanted = manifest(tmp_path, grant_yaml(**{"from": source}))
    found = plan_for(wanted, {})
    assert [str(change.address) for change in found.changes] == ["storage/role/reader"]
    (note,) = found.findings
    assert (note.rule, note.severity) == ("XG203", "note")
    assert whom in note.message
    ((_, policy),) = note.documents
    assert policy.statements()[0]["Resource"] == ["arn:aws:iam::987654321098:role/reader"]
    assert not found.refused()


def test_a_role_in_an_account_of_others_is_described_and_only_our_side_is_changed(tmp_path: Path) -> None:
    found = plan_for(manifest(tmp_path, grant_yaml(to="{account: vendor}", permissions="")), {})
    assert [str(change.address) for change in found.changes] == ["dev/group/developers/caller-policy/reader"]
    assert [title for title, _ in found.findings[0].documents] == ["trust policy"]


def test_a_role_with_another_stacks_caller_policy_is_not_deleted(tmp_path: Path) -> None:
    before = desired_of(manifest(tmp_path, grant_yaml()))
    wanted = manifest(tmp_path)
    facts = facts_for(wanted, before)
    facts["storage"] = replace(facts["storage"], foreign_caller_policies={"reader": ("xgrant.other.x",)})
    found = plan_for(wanted, before, facts=facts)
    assert [(f.rule, f.severity) for f in found.findings] == [("XG204", "error")]


def test_only_the_named_grants_are_planned(tmp_path: Path) -> None:
    before = desired_of(manifest(tmp_path, grant_yaml("old"), grant_yaml("older")))
    wanted = manifest(tmp_path, grant_yaml("new"), grant_yaml("newer"))
    live = Live(before, facts_for(wanted, before))
    desired, found = narrow(desired_of(wanted), live, frozenset({"new", "old"}), stack="platform")
    result = plan(desired, found, stack="platform", rules=RULES)
    assert {(change.grant, change.action) for change in result.changes} == {
        ("new", Action.CREATE),
        ("old", Action.DELETE),
    }


@pytest.mark.parametrize("only", ["old", "new"])
def test_a_role_that_passes_to_another_grant_is_not_planned_by_halves(tmp_path: Path, only: str) -> None:
    before = desired_of(manifest(tmp_path, grant_yaml("old", to="{account: storage, role: X}")))
    wanted = manifest(tmp_path, grant_yaml("new", to="{account: storage, role: X}"))
    live = Live(before, facts_for(wanted, before))
    with pytest.raises(UsageError, match="storage/role/X passes from the grant old to new; name both"):
        narrow(desired_of(wanted), live, frozenset({only}), stack="platform")
    desired, found = narrow(desired_of(wanted), live, frozenset({"old", "new"}), stack="platform")
    assert len(plan(desired, found, stack="platform", rules=RULES).changes) == 3


def test_a_role_that_carries_a_grant_that_is_left_out_is_not_deleted(tmp_path: Path) -> None:
    chain = grant_yaml("lake", **{"from": "{account: storage, roles: [reader]}", "to": "{account: dev}"})
    wanted = manifest(tmp_path, grant_yaml(), chain)
    before = desired_of(wanted)
    _, found = narrow(before, Live(before, facts_for(wanted, before)), frozenset({"reader"}), stack="platform")
    result = plan({}, found, stack="platform", rules=RULES)
    assert [(f.rule, f.severity) for f in result.findings] == [("XG204", "error")]
    assert "xgrant.platform.lake" in result.findings[0].message


def test_a_foreign_role_is_still_refused_when_only_its_grant_is_planned(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, grant_yaml())
    live = Live(with_role(desired_of(wanted), "reader", tags={}, grant=""), facts_for(wanted))
    desired, found = narrow(desired_of(wanted), live, frozenset({"reader"}), stack="platform")
    assert [f.rule for f in plan(desired, found, stack="platform", rules=RULES).findings] == ["XG201"]


def test_equal_changes_have_equal_fingerprints_and_others_have_not(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, grant_yaml())
    first, again = plan_for(wanted, {}), plan_for(wanted, {})
    other = plan_for(manifest(tmp_path, grant_yaml(description="x")), {})
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert len(first.fingerprint) == 64


def test_the_external_id_counts_in_the_fingerprint(tmp_path: Path) -> None:
    prints = {
        plan_for(manifest(tmp_path, grant_yaml(require=f"{{external_id: {value}}}")), {}).fingerprint
        for value in ("one", "two")
    }
    assert len(prints) == 2


def test_a_change_of_the_grants_mark_alone_is_an_update(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, grant_yaml())
    tags = {"xgrant:stack": "platform", "xgrant:grant": "renamed"}
    found = plan_for(wanted, with_role(desired_of(wanted), "reader", tags=tags, grant="renamed"))
    assert [(c.action, c.attributes) for c in found.changes] == [(Action.UPDATE, ("tags",))]


DEPLOYER, KEY, NEW_KEY = "arn:aws:iam::123456789012:role/deployer", "AROAEXAMPLEOLD00001", "AROAEXAMPLENEW00002"


@pytest.mark.parametrize("ids", [{KEY: DEPLOYER}, {KEY: DEPLOYER, NEW_KEY: "arn:aws:iam::123456789012:role/other"}])
def test_the_id_of_a_principal_that_lives_is_no_difference(tmp_path: Path, ids: dict[str, str]) -> None:
    assert _with_trusted_id(tmp_path, ids).changes == ()


@pytest.mark.parametrize("ids", [{}, {NEW_KEY: DEPLOYER}])
def test_the_id_of_a_deleted_principal_is_written_over_and_the_plan_says_why(
    tmp_path: Path, ids: dict[str, str]
) -> None:
    change = _with_trusted_id(tmp_path, ids).changes[0]
    assert (change.action, change.attributes) == (Action.UPDATE, ("trust_policy",))
    assert f"names {KEY}: no user or role of the accounts that were read has that id" in change.reason
    assert isinstance(change.after, Role)
    assert change.after.trust_policy.aws_principals() == (DEPLOYER,)


def _with_trusted_id(folder: Path, ids: dict[str, str]) -> Plan:
    wanted = manifest(folder, grant_yaml(**{"from": "{account: dev, roles: [deployer]}"}))
    state = desired_of(wanted)
    role = state[role_at("storage", "reader")]
    assert isinstance(role, Role)
    live = with_role(state, "reader", trust_policy=role.trust_policy.with_aws_principals({DEPLOYER: KEY}))
    facts = facts_for(wanted, live)
    return plan_for(wanted, live, facts={**facts, "dev": replace(facts["dev"], ids=ids)})


def test_a_principal_of_an_account_that_could_not_be_read_is_not_said_to_be_deleted(tmp_path: Path) -> None:
    wanted = manifest(tmp_path, grant_yaml(**{"from": "{account: dev, users: [alice]}"}))
    alice = next(r for r in desired_of(wanted).values() if isinstance(r, Role)).trust_policy.aws_principals()[0]
    with_id = desired_of(wanted)[role_at("storage", "reader")]
    assert isinstance(with_id, Role)
    live = with_role(
        desired_of(wanted), "reader", trust_policy=with_id.trust_policy.with_aws_principals({alice: "AIDA" + "X" * 17})
    )
    facts = facts_for(wanted, live)
    found = plan_for(wanted, live, facts={**facts, "dev": AccountFacts(facts["dev"].account, error="no access")})
    (change,) = [change for change in found.changes if change.address == role_at("storage", "reader")]
    assert "no user or role of the accounts that were read has that id" in change.reason
    assert [finding.rule for finding in found.findings] == ["XG209"]
