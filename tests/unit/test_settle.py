"""What may be done while accounts cannot be read: what waits, what is kept, and what is done all the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from reconciler.applier import apply
from reconciler.model import AccountFacts, Address, Kind, Live, ManagedPolicy, Plan, Resource, Role, State
from reconciler.planner import plan
from reconciler.rules import RULES
from tests.support import MemoryWriter, desired_of, facts_for, load_text

HEAD = """\
version: 1
stack: platform
accounts:
  u: {id: "111111111111"}
  b: {id: "222222222222"}
  c: {id: "333333333333"}
grants:
"""


def grant(name: str, whom: str, role: str, *more: str, actions: str = "s3:GetObject") -> str:
    """Return a grant from `u groups: [dev]` and the like, to `b Role`."""
    (source, callers), (target, called) = whom.split(" ", 1), role.split(" ", 1)
    lines = "".join(f"    {line}\n" for line in more)
    return f"""\
  {name}:
    from: {{account: {source}, {callers}}}
    to: {{account: {target}, role: {called}}}
    permissions: [{{actions: "{actions}", resources: "*"}}]
{lines}"""


def planned(folder: Path, before: Iterable[str], after: Iterable[str], unread: str) -> Plan:
    """Plan, where one account cannot be read, what leads from the first grants to the second ones."""
    standing = standing_of(folder, before)
    manifest = load_text(folder, HEAD + ("".join(after) or "  {}\n"))
    facts = facts_for(manifest, standing)
    facts[unread] = AccountFacts(manifest.accounts[unread], error="AccessDenied")
    seen = {address: found for address, found in standing.items() if address.account != unread}
    return plan(desired_of(manifest), Live(seen, facts), stack="platform", rules=RULES)


def standing_of(folder: Path, grants: Iterable[str]) -> State:
    manifest = load_text(folder, HEAD + ("".join(grants) or "  {}\n"))
    live = Live({}, facts_for(manifest, desired_of(manifest)))
    found = plan(desired_of(manifest), live, stack="platform", rules=())
    return {change.address: change.after for change in found.changes if change.after is not None}


def shown(found: Plan) -> list[str]:
    return sorted(f"{change.action} {change.address}" for change in found.changes)


def waiting(found: Plan) -> list[str]:
    named = [str(finding.address) for finding in found.findings if finding.rule == "XG209" and finding.address]
    assert named == sorted(map(str, found.waiting))
    return named


DEV, ADMINS, BOT = "u groups: [dev]", "u groups: [admins]", "u users: [bot]"
HOP = grant("first", DEV, "b Hop")


def through(role: str) -> str:
    return grant("second", f"b roles: [{role}]", "c Deep")


@pytest.mark.parametrize(
    ("before", "after", "changes", "waits"),
    [
        # Whoever held the door of a role that went may hold it still, and would come into another one of its name.
        ([], [grant("new", ADMINS, "b Audit", actions="s3:*")], [], ["b/role/Audit"]),
        ([], [grant("new", "u entire_account: true", "b Audit")], [], ["b/role/Audit"]),
        ([grant("g", "c users: [x]", "b R")], [grant("g", DEV, "b R")], ["delete c/user/x/caller-policy/g"], ["b/role/R"]),
        # Callers that are named one by one are those who are meant.
        ([], [grant("new", BOT, "b Audit")], ["create b/role/Audit"], []),
        ([grant("g", DEV, "b R")], [grant("g", BOT, "b R", actions="s3:*")], ["update b/role/R"], []),
        # What callers get.
        ([grant("g", DEV, "b R")], [grant("g", ADMINS, "b R", "tags: {team: prod}")], [], ["b/role/R"]),
        ([grant("g", DEV, "b R")], [grant("g", ADMINS, "b R", "session: {max_duration: 12h}")], [], ["b/role/R"]),
        ([grant("g", DEV, "b R")], [grant("g", ADMINS, "b R", actions="s3:*")], [], ["b/role/R"]),
        ([grant("g", DEV, "b R")], [grant("h", ADMINS, "b R")], [], ["b/role/R"]),
        # And what they do not.
        ([grant("g", DEV, "b R")], [grant("g", DEV, "b R", "description: new")], ["update b/role/R"], []),
        ([grant("g", DEV, "b R")], [grant("h", DEV, "b R", "moved: [{from: g}]")], ["update b/role/R"], []),
        # What is taken away.
        ([grant("g", DEV, "b R")], [], ["delete b/role/R"], []),
        ([grant("g", DEV, "b R")], [grant("g", "c users: [x]", "b R")],
         ["create c/user/x/caller-policy/g", "update b/role/R"], []),
        # Those who keep a role under another name keep it under the one that they know.
        ([grant("g", BOT, "b R")], [grant("g", BOT, "b S")], [], ["b/role/S"]),
        ([grant("g", BOT, "b R"), grant("h", BOT, "b S")], [grant("g", BOT, "b S")], [], ["b/role/R", "b/role/S"]),
        ([grant("g", BOT, "b R")], [grant("g", BOT, "b S"), grant("h", BOT, "b R")], [], ["b/role/R", "b/role/S"]),
        ([grant("g", BOT, "b R")], [grant("g", "u users: [bot, x]", "b R", "managed_policies: []")], ["update b/role/R"], []),
    ],
)  # fmt: skip
def test_a_role_waits_if_callers_that_nobody_sees_could_find_another_one_or_lose_theirs(
    tmp_path: Path, before: list[str], after: list[str], changes: list[str], waits: list[str]
) -> None:
    found = planned(tmp_path, before, after, "u")
    assert (shown(found), waiting(found)) == (changes, waits)


CARRIED = "b/role/Hop/caller-policy/second"


@pytest.mark.parametrize(
    ("before", "after", "changes", "waits"),
    [
        # Another name, another path.
        ([HOP, through("Hop")], [grant("first", DEV, "b Hop2"), through("Hop2")], [],
         [CARRIED, "b/role/Hop2", "b/role/Hop2/caller-policy/second", "c/role/Deep"]),
        ([HOP, through("Hop")], [grant("first", DEV, "b 'Hop', path: /new/"), through("new/Hop")], [],
         ["b/role/Hop", CARRIED, "c/role/Deep"]),
        # What it carries gets nothing, and loses what it is not to have.
        ([HOP], [grant("first", ADMINS, "b Hop", actions="s3:*"), through("Hop")], ["create c/role/Deep"],
         ["b/role/Hop", CARRIED]),
        ([HOP, through("Hop")], [grant("first", DEV, "b Hop2")], [f"delete {CARRIED}", "delete c/role/Deep"],
         ["b/role/Hop2"]),
        # A role that gets another name while who trusts it waits: it would not be let in any more.
        ([grant("first", "c users: [x]", "b Hop"), grant("second", "[b,u] groups: [dev], roles: [Hop]", "c Deep")],
         [grant("first", "c users: [x]", "b Hop2"), grant("second", "[b,u] groups: [dev], roles: [Hop2]", "c Deep")], [],
         [CARRIED, "b/role/Hop2", "b/role/Hop2/caller-policy/second", "c/role/Deep", "c/user/x/caller-policy/first"]),
    ],
)  # fmt: skip
def test_what_a_waiting_role_carries_and_who_is_to_trust_it_wait_too(
    tmp_path: Path, before: list[str], after: list[str], changes: list[str], waits: list[str]
) -> None:
    found = planned(tmp_path, before, after, "u")
    assert (shown(found), waiting(found)) == (changes, waits)


def opened(found: Plan, live: State) -> dict[str, list[str]]:
    """Return what each caller policy opens once the plan is applied."""
    after = {address: policy for address, policy in live.items() if address.account != "b"}
    for change in found.changes:
        after.pop(change.removed_address(), None)
        if change.after is not None:
            after[change.address] = change.after
    return {
        address.name if address.kind is Kind.CALLER_POLICY else "managed": sorted(
            arn.rsplit("/", 1)[1] for arn in policy.document.resources()
        )
        for address, policy in after.items()
        if not isinstance(policy, Role)
    }


MANAGED = "caller_policy: managed"


@pytest.mark.parametrize(
    ("before", "after", "opens", "waits"),
    [
        # Who loses a role and gets another one of the account loses it, whatever the policies are made of.
        ({"admin": ("[dev, ops]", "Admin"), "read": ("[ops]", "Read")},
         {"admin": ("[ops]", "Admin"), "read": ("[dev, ops]", "Read")}, set(), 0),
        # The new name of a role is waited for under the old one.
        ({"admin": ("[dev]", "Admin")}, {"admin": ("[dev]", "Admin2")}, {"Admin"}, 1),
        ({"admin": ("[dev]", "Admin"), "read": ("[dev]", "Read")},
         {"admin": ("[dev]", "Admin2"), "read": ("[dev]", "Read")}, {"Admin", "Read"}, 1),
        # Nothing is kept of what is only taken away.
        ({"admin": ("[dev]", "Admin"), "read": ("[dev]", "Read")}, {"read": ("[dev]", "Read")}, {"Read"}, 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["caller_policy: inline", MANAGED])
def test_of_an_account_that_cannot_be_read_a_caller_keeps_what_is_renamed_and_loses_what_is_not_to_be(
    tmp_path: Path, before: Mapping[str, tuple[str, str]], after: Mapping[str, tuple[str, str]], opens: set[str],
    waits: int, kind: str,
) -> None:  # fmt: skip
    old, new = (
        [grant(name, f"u groups: {groups}", f"b {role}", kind) for name, (groups, role) in side.items()]
        for side in (before, after)
    )
    found = planned(tmp_path, old, new, "b")
    policies = opened(found, {a: p for a, p in standing_of(tmp_path, old).items() if not _of_ops(a, p)})
    assert {name for names in policies.values() for name in names} == opens
    assert len(waiting(found)) == waits


def _of_ops(address: Address, policy: Resource) -> bool:
    return "/ops/" in str(address) or (isinstance(policy, ManagedPolicy) and policy.attached_to == {"group/ops"})


@pytest.mark.parametrize("unread", ["b", "c"])
def test_a_moved_grant_keeps_its_doors_at_every_moment_whatever_can_be_read(tmp_path: Path, unread: str) -> None:
    found = planned(
        tmp_path, [grant("first", DEV, "b R")], [grant("second", DEV, "b R", "moved: [{from: first}]")], unread
    )
    policy = "u/group/dev/caller-policy/second"
    assert f"replace {policy}" in shown(found)
    steps = [step.verb.value for step in found.steps if str(step.change.address) == policy]
    assert steps == ["write", "remove"]


def test_what_waits_brings_no_error_about_what_it_would_have_done(tmp_path: Path) -> None:
    uses = grant("uses", "b roles: [R]", "c Deep")
    found = planned(tmp_path, [grant("g", DEV, "b R"), uses], [grant("g", DEV, "b S"), uses], "u")
    assert not found.refused()
    assert waiting(found) == ["b/role/S"]


def test_a_role_that_cannot_be_made_under_its_new_name_keeps_what_it_carries(tmp_path: Path) -> None:
    standing = standing_of(tmp_path, [HOP, through("Hop")])
    after = load_text(tmp_path, HEAD + grant("first", DEV, "b Hop2") + through("Hop2"))
    found = plan(desired_of(after), Live(standing, facts_for(after, standing)), stack="platform", rules=())
    writer = MemoryWriter(standing, refuse=lambda address: str(address) == "b/role/Hop2")
    apply(found, writer, approved=found.fingerprint, on_event=lambda _: None)
    assert writer.state == standing
