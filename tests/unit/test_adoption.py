"""Taking over what was made by hand, renaming a grant, and refusing to destroy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.applier import apply
from reconciler.model import (
    Action,
    Address,
    CallerPolicy,
    Carried,
    Finding,
    Kind,
    Live,
    Manifest,
    Plan,
    PrincipalKind,
    Role,
    State,
    Status,
    Verb,
    Whole,
)
from reconciler.planner import destroyed, narrow, plan
from reconciler.policy.document import PolicyDocument
from reconciler.policy.sizes import size
from reconciler.render.data import plan_data
from reconciler.render.text import text
from reconciler.rules import RULES
from tests.support import (
    HEAD,
    STORAGE,
    MemoryWriter,
    allow,
    desired_of,
    document,
    facts_for,
    grant_yaml,
    load_text,
    manifest_yaml,
    plan_for,
    role_at,
)

READER = role_at("storage", "reader")
ON_DEVELOPERS = Address("dev", Kind.CALLER_POLICY, "reader", (PrincipalKind.GROUP, "developers"))
OPENS_READER = document(allow("sts:AssumeRole", f"arn:aws:iam::{STORAGE}:role/reader"))


def manifest(folder: Path, name: str = "reader", **parts: str) -> Manifest:
    return load_text(folder, manifest_yaml(grant_yaml(name, **parts)))


def by_hand(found: Manifest, **changed: Any) -> dict[Address, Role]:
    """Return the roles of a manifest as if somebody had made them without xgrant."""
    return {a: replace(r, grant="", tags={}, **changed) for a, r in desired_of(found).items() if isinstance(r, Role)}


def planned(
    found: Manifest, live: State, holder: tuple[PrincipalKind, str] = (PrincipalKind.GROUP, "developers"),
    **policies: PolicyDocument,
) -> Plan:  # fmt: skip
    """Plan where a principal of `dev` carries inline policies that were made by hand."""
    facts = facts_for(found, live)
    facts["dev"] = replace(facts["dev"], by_hand={holder: policies})
    return plan_for(found, live, facts=facts)


def errors(found: Plan) -> list[Finding]:
    return [finding for finding in found.findings if finding.severity == "error"]


def actions(found: Plan) -> Mapping[str, str]:
    return {str(change.address): change.action.value for change in found.changes}


def test_a_role_of_no_stack_is_adopted_where_its_grant_says_so(tmp_path: Path) -> None:
    found = manifest(tmp_path, adopt="true")
    result = plan_for(found, by_hand(found, description="by hand"))
    change = next(c for c in result.changes if c.address == READER)
    assert (change.action, change.attributes) == (Action.ADOPT, ("description", "tags"))
    assert errors(result) == []


def test_without_adopt_a_role_of_no_stack_is_refused_and_the_way_out_names_adopt(tmp_path: Path) -> None:
    found = manifest(tmp_path)
    (finding,) = errors(plan_for(found, by_hand(found)))
    assert finding.rule == "XG201"
    assert "write `adopt: true` in the grant" in finding.way_out


def test_a_role_of_another_stack_is_never_adopted(tmp_path: Path) -> None:
    found = manifest(tmp_path, adopt="true")
    others = {a: replace(r, tags={"xgrant:stack": "other"}) for a, r in by_hand(found).items()}
    result = plan_for(found, others)
    assert "storage/role/reader" not in actions(result)
    (finding,) = errors(result)
    assert (finding.rule, "adopt" in finding.way_out) == ("XG201", False)


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("{account: storage, role: READER}", "write `to.role: reader` in the grant"),
        ("{account: storage, path: /x/}", "write `to.path: /` in the grant"),
    ],
)
def test_a_role_that_would_have_to_be_replaced_is_not_adopted(tmp_path: Path, to: str, says: str) -> None:
    live = by_hand(manifest(tmp_path))
    result = plan_for(manifest(tmp_path, adopt="true", to=to), live)
    assert {change.action for change in result.changes} == {Action.CREATE}
    (finding,) = errors(result)
    assert finding.rule == "XG201"
    assert says in finding.way_out


def test_the_text_and_the_data_of_a_plan_say_adopt_with_every_attribute(tmp_path: Path) -> None:
    found = manifest(tmp_path, adopt="true")
    result = plan_for(found, by_hand(found, description="old", max_session_duration=7200))
    shown = text(result)
    assert "> storage/role/reader  (grant reader)\n      because the grant takes over this role" in shown
    assert '- description: "old"' in shown
    assert "~ max session duration: 2h -> 1h" in shown
    assert '+ tag xgrant:stack: "platform"' in shown
    assert "Plan: 1 to adopt, 1 to create, 0 to update, 0 to delete." in shown
    change = next(c for c in plan_data(result)["resource_changes"] if c["address"] == "storage/role/reader")["change"]
    assert change["actions"] == ["update"]
    assert "takes over" in change["reason"]


def test_a_grant_that_gets_the_role_of_another_hand_gives_up_its_own(tmp_path: Path) -> None:
    own = desired_of(manifest(tmp_path, to="{account: storage, role: Old}"))
    found = manifest(tmp_path, adopt="true")
    result = plan_for(found, {**own, **by_hand(found)})
    assert actions(result) == {
        "storage/role/reader": "adopt",
        "storage/role/Old": "delete",
        "dev/group/developers/caller-policy/reader": "update",
    }
    done = [str(step.change.address) for step in result.steps]
    assert done == ["storage/role/reader", "dev/group/developers/caller-policy/reader", "storage/role/Old"]


def test_a_caller_policy_made_by_hand_gets_the_name_that_marks_it(tmp_path: Path) -> None:
    found = manifest(tmp_path, adopt="true")
    result = planned(found, by_hand(found), AllowAssumeReader=OPENS_READER)
    assert actions(result)[str(ON_DEVELOPERS)] == "adopt"
    change = next(c for c in result.changes if c.address == ON_DEVELOPERS)
    assert change.attributes == ("name",)
    assert "AllowAssumeReader" in change.reason
    assert isinstance(change.before, CallerPolicy)
    assert change.before.name == "AllowAssumeReader"


@pytest.mark.parametrize(
    ("adopt", "policy"),
    [
        ("false", OPENS_READER),
        ("true", document(allow("sts:AssumeRole", [f"arn:aws:iam::{STORAGE}:role/{r}" for r in ("reader", "x")]))),
        ("true", document(allow("sts:AssumeRole", f"arn:aws:iam::{STORAGE}:role/reader"), allow("s3:*"))),
    ],
    ids=["no adopt", "another role too", "another statement too"],
)
def test_a_policy_that_says_more_or_is_not_to_be_adopted_is_left_alone(
    tmp_path: Path, adopt: str, policy: PolicyDocument
) -> None:
    result = planned(manifest(tmp_path, adopt=adopt), {}, ByHand=policy)
    assert actions(result)[str(ON_DEVELOPERS)] == "create"
    assert all("ByHand" not in str(change) for change in result.changes)


def test_of_several_that_say_the_same_all_go(tmp_path: Path) -> None:
    found = manifest(tmp_path, adopt="true")
    change = next(c for c in planned(found, {}, B=OPENS_READER, A=OPENS_READER).changes if c.address == ON_DEVELOPERS)
    assert isinstance(change.before, CallerPolicy)
    assert (change.before.name, change.before.beside, change.attributes) == ("A", ("B",), ("name", "beside"))


ROLES = [f"arn:aws:iam::{account}:role/reader" for account in (STORAGE, "444444444444")]


@pytest.mark.parametrize(
    ("policies", "name", "beside"),
    [
        ({"A": [0]}, "A", ()),
        ({"B": [0], "A": [1]}, "A", ("B",)),
        ({"A": [0], "B": [0, 1]}, "B", ("A",)),
        ({"A": [0], "B": [0, 2]}, "A", ()),
    ],
)
def test_those_that_open_some_of_the_roles_of_a_grant_over_many_accounts_are_taken_over_too(
    tmp_path: Path, policies: dict[str, list[int]], name: str, beside: tuple[str, ...]
) -> None:
    text = manifest_yaml(
        grant_yaml(adopt="true", to="{account: [storage, lake]}"), head=HEAD + '  lake: {id: "444444444444"}\n'
    )
    roles = [*ROLES, "arn:aws:iam::444444444444:role/other"]
    documents = {key: document(allow("sts:AssumeRole", [roles[n] for n in which])) for key, which in policies.items()}
    result = planned(load_text(tmp_path, text), {}, (PrincipalKind.GROUP, "developers"), **documents)
    change = next(c for c in result.changes if c.address == ON_DEVELOPERS)
    assert isinstance(change.before, CallerPolicy)
    assert isinstance(change.after, CallerPolicy)
    assert (change.action, change.before.name, change.before.beside) == (Action.ADOPT, name, beside)
    assert change.after.document.resources() == tuple(sorted(ROLES))
    assert ("document" in change.attributes) is (set(policies[name]) != {0, 1})


@pytest.mark.parametrize("roles", [[1], [0, 1]])
def test_one_that_opens_a_role_of_an_account_that_could_not_be_read_stays(tmp_path: Path, roles: list[int]) -> None:
    head = HEAD + '  lake: {id: "444444444444"}\n'
    found = load_text(tmp_path, manifest_yaml(grant_yaml(adopt="true", to="{account: [storage, lake]}"), head=head))
    facts = facts_for(found)
    policies = {"Both": document(allow("sts:AssumeRole", [ROLES[n] for n in roles])), "One": OPENS_READER}
    facts["dev"] = replace(facts["dev"], by_hand={(PrincipalKind.GROUP, "developers"): policies})
    facts["lake"] = replace(facts["lake"], error="it is down")
    change = next(c for c in plan_for(found, {}, facts=facts).changes if c.address == ON_DEVELOPERS)
    assert isinstance(change.before, CallerPolicy)
    assert isinstance(change.after, CallerPolicy)
    assert (change.before.name, change.before.beside) == ("One", ())
    assert change.after.document == OPENS_READER


@pytest.mark.parametrize(
    "policy",
    [
        document(allow("sts:AssumeRole", ROLES[0], Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        document(allow("sts:AssumeRole", "arn:aws:iam::*:role/reader")),
        document(allow(["sts:AssumeRole", "sts:TagSession"], ROLES[0])),
        document({"Effect": "Deny", "Action": "sts:AssumeRole", "Resource": ROLES[0]}),
        document({"Effect": "Allow", "Action": "sts:AssumeRole", "NotResource": ROLES[0]}),
    ],
    ids=["condition", "wildcard", "another action", "deny", "all but"],
)
def test_one_that_says_something_else_of_some_roles_is_left_alone(tmp_path: Path, policy: PolicyDocument) -> None:
    text = manifest_yaml(
        grant_yaml(adopt="true", to="{account: [storage, lake]}"), head=HEAD + '  lake: {id: "444444444444"}\n'
    )
    result = planned(load_text(tmp_path, text), {}, ByHand=policy)
    assert actions(result)[str(ON_DEVELOPERS)] == "create"


def test_one_that_still_stands_beside_the_marked_one_shows_until_it_is_gone(tmp_path: Path) -> None:
    """An adoption was cut short between the two."""
    found = manifest(tmp_path, adopt="true")
    live = desired_of(found)
    (change,) = planned(found, live, Left=OPENS_READER).changes
    assert (change.address, change.action, change.attributes) == (ON_DEVELOPERS, Action.UPDATE, ("beside",))
    assert "Left goes with it" in change.reason
    assert planned(manifest(tmp_path), desired_of(manifest(tmp_path)), Left=OPENS_READER).changes == ()


def test_which_policy_made_by_hand_is_taken_over_is_part_of_what_is_approved(tmp_path: Path) -> None:
    found = manifest(tmp_path, adopt="true")
    one, other = planned(found, {}, One=OPENS_READER), planned(found, {}, Other=OPENS_READER)
    assert one.fingerprint != other.fingerprint


def test_a_policy_that_a_grant_declares_for_the_carrying_role_is_not_taken_from_it(tmp_path: Path) -> None:
    """Else the one grant would take away what the other gives, plan after plan."""
    statement = f'{{Effect: Allow, Action: "sts:AssumeRole", Resource: "arn:aws:iam::{STORAGE}:role/reader"}}'
    chain = grant_yaml(
        "worker", **{"from": "{account: storage, users: [bob]}"}, to="{account: dev}", adopt="true", permissions="",
        inline_policies=f'{{Assume: {{Version: "2012-10-17", Statement: [{statement}]}}}}',
    )  # fmt: skip
    reader = grant_yaml(adopt="true", **{"from": "{account: dev, roles: [worker]}"})
    found = load_text(tmp_path, manifest_yaml(chain, reader))
    result = planned(found, by_hand(found), (PrincipalKind.ROLE, "worker"), Assume=OPENS_READER)
    worker = next(c for c in result.changes if c.address == role_at("dev", "worker"))
    assert worker.attributes == ("tags",)
    assert actions(result)["dev/role/worker/caller-policy/reader"] == "create"


def test_a_caller_policy_taken_over_from_a_role_that_is_adopted_too_is_no_difference_of_that_role(
    tmp_path: Path,
) -> None:
    worker = grant_yaml("worker", **{"from": "{account: storage, users: [bob]}"}, to="{account: dev}", adopt="true")
    reader = grant_yaml(adopt="true", **{"from": "{account: dev, roles: [worker]}"})
    found = load_text(tmp_path, manifest_yaml(worker, reader))
    live = by_hand(found)
    standing = live[role_at("dev", "worker")]
    live[role_at("dev", "worker")] = replace(
        standing, inline_policies={**standing.inline_policies, "Assume": OPENS_READER}
    )
    result = planned(found, live, (PrincipalKind.ROLE, "worker"), Assume=OPENS_READER)
    assert next(c for c in result.changes if c.address == role_at("dev", "worker")).attributes == ("tags",)
    assert actions(result)["dev/role/worker/caller-policy/reader"] == "adopt"


def test_a_grant_without_caller_policies_trusts_and_makes_none(tmp_path: Path) -> None:
    found = manifest(tmp_path, caller_policy="none", **{"from": "{account: dev, users: [alice], groups: [ops]}"})
    result = plan_for(found, {})
    assert actions(result) == {"storage/role/reader": "create"}
    assert errors(result) == []


def test_a_principal_that_does_not_exist_is_said_without_a_caller_policy_too(tmp_path: Path) -> None:
    found = manifest(tmp_path, caller_policy="none", **{"from": "{account: dev, users: [alice]}"})
    facts = facts_for(found)
    facts["dev"] = replace(facts["dev"], principals={})
    (finding,) = errors(plan_for(found, {}, facts=facts))
    assert finding.rule == "XG202"
    assert "user alice" in finding.message


def test_a_policy_that_stands_under_two_names_for_a_moment_has_to_fit_so(tmp_path: Path) -> None:
    found = manifest(tmp_path, adopt="true")
    facts = facts_for(found, by_hand(found))
    holder, used = (PrincipalKind.GROUP, "developers"), size(OPENS_READER)
    for other, refused in ((5120 - 2 * used, []), (5120 - 2 * used + 1, ["XG220"])):
        carried = {holder: Carried(inline={"AllowAssumeReader": used, "other": other})}
        policies = {holder: {"AllowAssumeReader": OPENS_READER}}
        facts["dev"] = replace(facts["dev"], by_hand=policies, carried=carried)
        assert [finding.rule for finding in errors(plan_for(found, by_hand(found), facts=facts))] == refused


# Renaming


def renamed(folder: Path, **parts: str) -> tuple[State, Manifest]:
    """Return what AWS has of the grant `old`, and the manifest in which it is called `reader`."""
    return desired_of(manifest(folder, "old")), manifest(folder, moved="[{from: old}]", **parts)


def test_a_grant_that_is_renamed_keeps_its_role_with_other_tags(tmp_path: Path) -> None:
    live, found = renamed(tmp_path)
    result = plan_for(found, live)
    assert actions(result) == {"storage/role/old": "update", "dev/group/developers/caller-policy/reader": "replace"}
    role = next(c for c in result.changes if c.address.kind is Kind.ROLE)
    assert (role.attributes, role.reason) == (("tags",), "moved from the grant old")


def test_the_callers_of_a_renamed_grant_never_lose_the_role(tmp_path: Path) -> None:
    live, found = renamed(tmp_path)
    steps = [(step.verb, str(step.change.address)) for step in plan_for(found, live).steps]
    policy = "dev/group/developers/caller-policy/reader"
    assert steps == [(Verb.WRITE, "storage/role/old"), (Verb.WRITE, policy), (Verb.REMOVE, policy)]


def test_without_moved_a_renamed_grant_is_another_one(tmp_path: Path) -> None:
    live, _ = renamed(tmp_path)
    assert actions(plan_for(manifest(tmp_path), live)) == {
        "storage/role/old": "delete",
        "storage/role/reader": "create",
        "dev/group/developers/caller-policy/old": "delete",
        "dev/group/developers/caller-policy/reader": "create",
    }


def test_a_grant_that_was_renamed_twice_keeps_the_name_of_its_first_role(tmp_path: Path) -> None:
    live = desired_of(manifest(tmp_path, "first"))
    found = manifest(tmp_path, moved="[{from: first}, {from: second}]")
    assert actions(plan_for(found, live))["storage/role/first"] == "update"


@pytest.mark.parametrize("to", ["{account: storage, path: /new/}", "{account: storage, role: Other}"])
def test_a_renamed_grant_whose_role_has_to_be_replaced_is_applied_and_leaves_an_empty_plan(
    tmp_path: Path, to: str
) -> None:
    live, found = renamed(tmp_path, to=to)
    result = plan_for(found, live)
    assert {change.action for change in result.changes} == {Action.REPLACE}
    writer = MemoryWriter(live)
    outcomes = apply(result, writer, approved=result.fingerprint, on_event=lambda _: None)
    assert all(outcome.status is Status.DONE for outcome in outcomes)
    assert plan_for(found, writer.state).changes == ()


@pytest.mark.parametrize("name", ["reader", "old"])
@pytest.mark.parametrize("to", ["{account: storage}", "{account: storage, role: Fresh}"])
def test_only_one_name_of_a_grant_brings_its_other_names_with_it(tmp_path: Path, name: str, to: str) -> None:
    live, found = renamed(tmp_path, to=to)
    desired, seen = narrow(desired_of(found), Live(live, facts_for(found, live)), frozenset([name]), stack="platform")
    assert dict(seen.state) == dict(live)
    assert set(desired) == set(desired_of(found))


def test_a_name_that_is_declared_still_is_no_earlier_name(tmp_path: Path) -> None:
    from reconciler.errors import ManifestError

    text_ = manifest_yaml(grant_yaml("old", to="{account: storage, role: Old}"), grant_yaml(moved="[{from: old}]"))
    with pytest.raises(ManifestError, match="XG042 the grant old is declared still"):
        load_text(tmp_path, text_)


# Refusing to destroy


def kept(folder: Path, **parts: str) -> Manifest:
    return manifest(folder, prevent_destroy="true", **parts)


@pytest.mark.parametrize(
    "parts", [{"to": "{account: storage, role: Other}"}, {"to": "{account: storage, path: /new/}"}]
)
@pytest.mark.parametrize("still", ["true", "false"])
def test_a_replacement_is_refused_until_an_apply_has_taken_the_tag_away(
    tmp_path: Path, parts: dict[str, str], still: str
) -> None:
    live = desired_of(kept(tmp_path))
    (finding,) = errors(plan_for(manifest(tmp_path, prevent_destroy=still, **parts), live))
    assert finding.rule == "XG210"


def test_a_role_is_kept_though_its_grant_is_no_longer_declared(tmp_path: Path) -> None:
    live = desired_of(kept(tmp_path))
    (finding,) = errors(plan_for(load_text(tmp_path, manifest_yaml()), live))
    assert (finding.rule, finding.address) == ("XG210", READER)
    assert "prevent_destroy: false" in finding.way_out


def test_a_destroy_is_refused_too(tmp_path: Path) -> None:
    found = kept(tmp_path)
    live = desired_of(found)
    nothing = plan(destroyed(live), Live(live, facts_for(found, live)), stack="platform", rules=RULES)
    assert [finding.rule for finding in errors(nothing)] == ["XG210"]


def test_to_take_it_back_is_an_update_after_which_the_grant_can_go(tmp_path: Path) -> None:
    found = manifest(tmp_path, prevent_destroy="false")
    result = plan_for(found, desired_of(kept(tmp_path)))
    assert (actions(result), errors(result)) == ({"storage/role/reader": "update"}, [])
    assert errors(plan_for(load_text(tmp_path, manifest_yaml()), desired_of(found))) == []


def test_a_role_that_is_only_now_to_be_kept_is_not_replaced_either(tmp_path: Path) -> None:
    live = desired_of(manifest(tmp_path))
    (finding,) = errors(plan_for(kept(tmp_path, to="{account: storage, path: /new/}"), live))
    assert finding.rule == "XG210"


def without_tag(state: State) -> State:
    """Return the state in which no role says itself that it must be kept."""
    return {
        a: replace(r, tags={k: v for k, v in r.tags.items() if k != "xgrant:prevent-destroy"}) if isinstance(r, Role) else r
        for a, r in state.items()
    }  # fmt: skip


def test_a_destroy_is_refused_where_only_the_manifest_says_that_the_role_must_be_kept(tmp_path: Path) -> None:
    found = kept(tmp_path)
    declared = desired_of(found)
    live = without_tag(declared)
    nothing = plan(
        destroyed(declared), Live(live, facts_for(found, live)), stack="platform", rules=RULES,
        whole=Whole(declared, live),
    )  # fmt: skip
    assert [(finding.rule, finding.address) for finding in errors(nothing)] == [("XG210", READER)]


@pytest.mark.parametrize("parts", [{}, {"moved": "[{from: old}]"}])
def test_a_role_that_is_only_now_to_be_kept_does_not_move_to_another_account(
    tmp_path: Path, parts: dict[str, str]
) -> None:
    live = desired_of(manifest(tmp_path, "old" if parts else "reader", **{"from": "{account: vendor, users: [x]}"}))
    moved = kept(tmp_path, **{"from": "{account: vendor, users: [x]}", "to": "{account: dev}", **parts})
    (finding,) = errors(plan_for(moved, live))
    assert (finding.rule, finding.address) == ("XG210", role_at("storage", "old" if parts else "reader"))
