"""Laws of plans of several accounts, some of which cannot be read; and of plans that are made in parts."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler import planfile
from reconciler.applier import apply
from reconciler.caller_policies import openings
from reconciler.desired import desired_state
from reconciler.errors import Place
from reconciler.model import (
    Account,
    AccountFacts,
    Grant,
    Limits,
    Live,
    Plan,
    Principal,
    PrincipalKind,
    Role,
    State,
    Whole,
)
from reconciler.pipeline.merge import merge_plan_files
from reconciler.planner import plan
from reconciler.planner.pack import packed
from reconciler.policy.arn import account_of
from reconciler.render.data import plan_data
from reconciler.rules import RULES
from reconciler.shards import Shard
from tests.support import NOW, MemoryWriter, allow, document

ACCOUNTS = {name: Account(name, str(number) * 12) for number, name in enumerate("abcd", 1)}
STACK = "platform"

roles = st.sampled_from(["R", "S", "T"])
callers = st.lists(
    st.one_of(
        st.builds(Principal, st.just(PrincipalKind.GROUP), st.sampled_from(["dev", "ops"])),
        st.builds(Principal, st.just(PrincipalKind.USER), st.sampled_from(["al", "bo"])),
        # One that exists, and one that may be made by another grant.
        st.builds(Principal, st.just(PrincipalKind.ROLE), st.sampled_from(["X", "R"])),
    ),
    min_size=1, max_size=2, unique_by=lambda one: (one.kind, one.name),
)  # fmt: skip


@st.composite
def manifests(draw: Any, names: tuple[str, ...] = ("g1", "g2", "g3")) -> tuple[Grant, ...]:
    """Return grants, each for one or two target accounts."""
    found: list[Grant] = []
    for name in draw(st.lists(st.sampled_from(names), min_size=1, unique=True)):
        found += _grant(draw, name)
    return _possible(found)


def _grant(draw: Any, name: str) -> list[Grant]:
    # Few accounts have callers: so those that cannot be read are often theirs.
    source = draw(st.sampled_from(["a", "b"]))
    others = [name for name in draw(st.permutations(sorted(ACCOUNTS))) if name != source]
    role, path = draw(roles), draw(st.sampled_from(["/", "/", "/n/"]))
    principals = tuple(replace(one, account=source) for one in draw(callers))
    one = Grant(
        name, Place("f"), "", role, path, principals=principals,
        permissions=document(allow(draw(st.sampled_from(["s3:GetObject", "s3:*"])))),
        managed_caller_policy=draw(st.booleans()),
    )  # fmt: skip
    return [replace(one, target=target) for target in others[: draw(st.sampled_from([1, 1, 2]))]]


def _possible(grants: list[Grant]) -> tuple[Grant, ...]:
    """Return the grants without those that want another one's role."""
    taken: dict[tuple[str, str], str] = {}
    for grant in grants:
        taken.setdefault((grant.target, grant.role_name), grant.name)
    refused = {grant.name for grant in grants if taken[grant.target, grant.role_name] != grant.name}
    return tuple(grant for grant in grants if grant.name not in refused)


@st.composite
def edited(draw: Any, grants: tuple[Grant, ...]) -> tuple[Grant, ...]:
    """Return what becomes of grants: roles get other names and paths, grants other callers, permissions and names."""
    found: list[Grant] = []
    for name in sorted({grant.name for grant in grants}):
        several = [grant for grant in grants if grant.name == name]
        what = draw(st.sampled_from(["drop", "role", "role", "role", "path", "give", "callers", "moved"]))
        new: dict[str, Any] = {}
        if what == "drop":
            continue
        if what == "role":
            new = {"role_name": draw(roles)}
        elif what == "path":
            new = {"role_path": "/new/"}
        elif what == "give":
            new = {"permissions": document(allow("s3:PutObject"))}
        elif what == "callers":
            source = several[0].principals[0].account
            new = {"principals": tuple(replace(one, account=source) for one in draw(callers))}
        elif what == "moved":
            new = {"name": f"m{name}", "moved_from": (name,)}
        found += [replace(grant, **new) for grant in several]
    for name in draw(st.lists(st.sampled_from(["g1", "g4"]), unique=True, max_size=2)):
        if name not in {earlier for grant in found for earlier in grant.names()}:
            found += _grant(draw, name)
    return _possible(found)


def facts(*states: State) -> dict[str, AccountFacts]:
    """Return the facts of accounts in which all principals exist, and the roles that stand."""
    found: dict[str, AccountFacts] = {}
    for name, account in ACCOUNTS.items():
        known = {(PrincipalKind.GROUP, group): f"arn:aws:iam::{account.id}:group/{group}" for group in ("dev", "ops")}
        known |= {(PrincipalKind.USER, user): f"arn:aws:iam::{account.id}:user/{user}" for user in ("al", "bo")}
        known[PrincipalKind.ROLE, "x"] = f"arn:aws:iam::{account.id}:role/X"
        for state in states:
            known |= {
                (PrincipalKind.ROLE, address.name.casefold()): role.arn
                for address, role in state.items()
                if isinstance(role, Role) and address.account == name
            }
        found[name] = AccountFacts(account, known)
    return found


def applied(grants: tuple[Grant, ...]) -> State:
    return packed(desired_state(grants, ACCOUNTS, stack=STACK), Live({}, facts()), stack=STACK)


unreadable = st.sampled_from([frozenset[str](), frozenset("a"), frozenset("b"), frozenset("c"), frozenset("ac")])


def seen(standing: State, unread: frozenset[str]) -> Live:
    known = facts(standing)
    known |= {name: AccountFacts(ACCOUNTS[name], error="AccessDenied") for name in unread}
    return Live({address: found for address, found in standing.items() if address.account not in unread}, known)


def planned(grants: tuple[Grant, ...], live: Live, whole: Whole | None = None) -> Plan:
    return plan(
        desired_state(grants, ACCOUNTS, stack=STACK),
        live,
        stack=STACK,
        rules=RULES,
        whole=whole,
        part=whole is not None,
    )


@given(manifests(), unreadable, st.integers(1, 4), st.data())
def test_plans_of_all_shards_merged_are_the_plan_of_one_run(
    before: tuple[Grant, ...], unread: frozenset[str], of: int, data: Any
) -> None:
    after, live = data.draw(edited(before)), seen(applied(before), unread)
    whole = Whole(desired_state(after, ACCOUNTS, stack=STACK), live.state)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number in range(1, of + 1):
            shard = Shard(number, of)
            known = {name: replace(one, elsewhere=not shard.has(one.account)) for name, one in live.facts.items()}
            state = {address: found for address, found in live.state.items() if not known[address.account].elsewhere}
            files.append(f"{folder}/shard-{number}.json")
            Path(files[-1]).write_text(sealed(planned(after, Live(state, known), whole), shard), encoding="utf-8")
        merge_plan_files(files, f"{folder}/merged.json")
        merged = of_file(Path(f"{folder}/merged.json").read_text(encoding="utf-8"))
    assert merged == of_file(sealed(planned(after, live)))


def sealed(found: Plan, shard: Shard | None = None) -> str:
    ids = {name: facts.account.id for name, facts in sorted(found.live.facts.items())}
    part = None if shard is None else {**asdict(shard), "limits": asdict(Limits()), "accounts": ids}
    return planfile.sealed(
        plan_data(found), paths=["m.yaml"], digest="0" * 64, only=frozenset(), destroy=False, created_at=NOW,
        expires_at=NOW + timedelta(days=1), shard=part,
    )  # fmt: skip


def of_file(text: str) -> Mapping[str, Any]:
    data: dict[str, Any] = json.loads(text)
    data["findings"].sort(key=lambda finding: json.dumps(finding, sort_keys=True))
    return {key: value for key, value in data.items() if key != "checksum"}


@dataclass(frozen=True)
class Access:
    """Who may come into a role of which account, as a caller of which grant, and what they may do there."""

    account: str
    holder: str
    target: str
    grant: str
    action: str

    def door(self) -> tuple[str, ...]:
        return self.account, self.holder, self.target, self.grant

    def gift(self) -> tuple[str, ...]:
        return self.account, self.holder, self.target, self.action


def access(state: State, names: Mapping[str, str]) -> set[Access]:
    """Return who has which access; `names` are what grants are called now, by their earlier names."""
    standing = {role.arn: role for role in state.values() if isinstance(role, Role)}
    found: set[Access] = set()
    for account, holder, arn in (door for address, policy in state.items() for door in openings(address, policy)):
        if arn not in standing:
            continue
        role = standing[arn]
        trusted = {principal.casefold() for principal in role.trust_policy.aws_principals()}
        if trusted & {f"arn:aws:iam::{ACCOUNTS[account].id}:{whom}" for whom in ("root", holder)}:
            grant = names.get(role.grant, role.grant)
            found |= {
                Access(account, holder, account_of(arn), grant, action)
                for policy in role.inline_policies.values()
                for statement in policy.statements()
                for action in statement["Action"]
            }
    return found


@given(manifests(), unreadable.filter(bool), st.data())
def test_while_accounts_cannot_be_read_nobody_gets_more_and_nobody_there_loses_what_they_keep(
    before: tuple[Grant, ...], unread: frozenset[str], data: Any
) -> None:
    """After each write of an apply."""
    standing, after = applied(before), data.draw(edited(before))
    found = planned(after, seen(standing, unread))
    writer = MemoryWriter(standing)
    names = {earlier: grant.name for grant in after for earlier in grant.moved_from}
    old, wanted = access(standing, names), access(applied(after), names)
    kept = {one.door() for one in old if one.account in unread} & {one.door() for one in wanted}

    def check(_: object) -> None:
        now = access(writer.state, names)
        assert {one.gift() for one in now} <= {one.gift() for one in old | wanted}
        assert kept <= {one.door() for one in now}

    if not found.refused():
        apply(found, writer, approved=found.fingerprint, on_event=check)
