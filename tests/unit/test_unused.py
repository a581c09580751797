"""What nobody uses: only what is certain, by what IAM keeps and by what events show."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.audit import Looked, Removal, Tally, Unjudged, audit, demands_of, role_key, unused
from reconciler.model import AccountUse, PrincipalKind, RoleUse
from reconciler.pipeline.remembered import remembering
from reconciler.pipeline.unused import unused_patch
from tests.support import VENDOR, grant_yaml, load_text, manifest_yaml
from tests.trail import Record, assumed, session, sso, user

BEFORE, NOW = "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"
LONG_AGO, LATELY = "2025-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
MANY = grant_yaml(**{"from": "{account: dev, users: [alice, bob], groups: [developers], roles: [ci/deployer]}"})
UNUSED = RoleUse("AROAREADERREADERXXXX", LONG_AGO)


def judged(
    folder: Path, records: Iterable[Record] = (), *grants: str, role: RoleUse | None = UNUSED, read: bool = True,
    covered: Collection[str] = ("dev", "storage"), created: dict[tuple[PrincipalKind, str], str] | None = None,
) -> tuple[tuple[Removal, ...], tuple[Unjudged, ...]]:  # fmt: skip
    manifest = load_text(folder, manifest_yaml(*(grants or (MANY,))))
    with remembering() as remembered:
        roles = {role_key(grant, manifest.accounts): demands_of(grant) for grant in manifest.grants}
        tally = Tally(roles, LONG_AGO, NOW, remembered)
        tally.add_all(records)
    uses = {name: AccountUse(account, read=read and account.managed) for name, account in manifest.accounts.items()}
    if read:
        members = {"alice": frozenset(["developers"]), "bob": frozenset[str](), "carol": frozenset(["developers"])}
        uses["dev"] = replace(uses["dev"], groups=members, created=created or {})
        uses["storage"] = replace(uses["storage"], roles={"reader": role} if role else {})
    found = audit(manifest.grants, manifest.accounts, tally, uses, Looked(LONG_AGO, NOW, {}))
    return unused(found, BEFORE, covered)


def gone(removals: tuple[Removal, ...]) -> list[str]:
    return [f"{kind} {name}" for removal in removals for kind, name in removal.principals]


@pytest.mark.parametrize(
    ("role", "records", "why"),
    [
        (UNUSED, [], "its role was used never within 400 days"),
        (replace(UNUSED, last_used=LONG_AGO), [], "its role was used last on 2025-01-01"),
        (UNUSED, assumed(user(), time="2025-12-31T00:00:00Z"), "its role was used never within 400 days"),
    ],
)
def test_a_grant_goes_whose_role_is_old_and_was_not_used(
    tmp_path: Path, role: RoleUse, records: list[Record], why: str
) -> None:
    assert judged(tmp_path, records, role=role) == ((Removal("reader", (), why),), ())


@pytest.mark.parametrize(
    ("role", "records"),
    [(replace(UNUSED, last_used=LATELY), []), (UNUSED, assumed(user("mallory", VENDOR), time=LATELY))],
    ids=["by IAM", "by an event, of somebody nobody named"],
)
def test_a_grant_stays_whose_role_was_used(tmp_path: Path, role: RoleUse, records: list[Record]) -> None:
    removals, unjudged = judged(tmp_path, records, role=role)
    assert removals == ()
    assert unjudged == (Unjudged("reader", "", "its role is used, but by none of its principals"),)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"role": replace(UNUSED, created=LATELY)}, "the role in storage was made on 2026-02-01"),
        ({"role": None}, "the role does not exist in storage"),
        ({"read": False}, "the roles of storage were not read"),
    ],
    ids=["young", "missing", "not read"],
)
def test_what_is_young_missing_or_unread_is_not_judged(tmp_path: Path, more: dict[str, object], why: str) -> None:
    assert judged(tmp_path, **more) == ((), (Unjudged("reader", "", why),))  # type: ignore[arg-type]


def test_the_role_of_somebody_else_is_not_judged(tmp_path: Path) -> None:
    grant = grant_yaml(**{"from": "{account: dev, users: [alice]}"}, to="{account: vendor}", permissions="")
    ((), (one,)) = judged(tmp_path, (), grant)
    assert one.why == "vendor is not managed here, so the last use of its role is not known"


def test_a_grant_that_is_protected_is_only_named(tmp_path: Path) -> None:
    ((), (one,)) = judged(tmp_path, (), grant_yaml(prevent_destroy="true"))
    assert one.why == "nobody uses it, but prevent_destroy keeps it"


@pytest.mark.parametrize(
    ("records", "left"),
    [
        (assumed(user(), time=LATELY), ["user bob", "role ci/deployer"]),
        (assumed(user("carol"), time=LATELY), ["user alice", "user bob", "role ci/deployer"]),
        (assumed(session(), time=LATELY), ["user alice", "user bob", "group developers"]),
        ([*assumed(user("bob"), time=LATELY), *assumed(session(), time="2025-05-01T00:00:00Z")],
         ["user alice", "group developers", "role ci/deployer"]),
    ],
    ids=["alice, who is in the group, too", "somebody of the group", "the role", "bob, and long ago the role"],
)  # fmt: skip
def test_principals_go_of_which_no_session_was_seen(tmp_path: Path, records: list[Record], left: list[str]) -> None:
    removals, unjudged = judged(tmp_path, records)
    assert gone(removals) == left
    assert unjudged == ()


@pytest.mark.parametrize("covered", [("dev",), ("storage",)], ids=str)
def test_the_events_of_either_account_are_enough(tmp_path: Path, covered: tuple[str]) -> None:
    removals, _ = judged(tmp_path, assumed(user("bob"), time=LATELY), covered=covered)
    assert len(gone(removals)) == 3


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"covered": ()}, "not all events of dev since 2026-01-01 were looked at"),
        ({"covered": ("storage",), "read": False}, "not all events of dev since 2026-01-01 were looked at"),
        ({"created": {(PrincipalKind.USER, "alice"): LATELY}}, "it was made on 2026-02-01"),
        ({"role": replace(UNUSED, created=LATELY)}, "the role in storage was made on 2026-02-01"),
    ],
    ids=["not looked at", "ids not known", "young user", "young role"],
)
def test_a_principal_is_not_judged_where_the_evidence_does_not_cover_it(
    tmp_path: Path, more: dict[str, object], why: str
) -> None:
    removals, unjudged = judged(tmp_path, assumed(user("bob"), time=LATELY), **more)  # type: ignore[arg-type]
    assert "user alice" not in gone(removals)
    assert Unjudged("reader", "user alice", why) in unjudged


def test_a_session_that_may_have_been_its_own_keeps_a_principal(tmp_path: Path) -> None:
    grant = grant_yaml(**{"from": "{account: vendor, users: [alice, bob]}"})
    hidden = assumed(user("alice", VENDOR), time=LATELY)[1]
    removals, unjudged = judged(tmp_path, [hidden], grant)
    assert removals == ()
    assert {one.why for one in unjudged} == {"a session may have been one of its"}


@pytest.mark.parametrize(
    ("callers", "record"),
    [
        ("{account: dev, users: [bob], groups: [developers]}", assumed(user("left"), time=LATELY)[0]),
        ("{account: dev, users: [bob], groups: [developers]}", assumed(user("deleted"), time=LATELY)[1]),
        ("{account: dev, users: [bob], permission_sets: [Data]}", assumed(sso("Data"), time=LATELY)[1]),
    ],
    ids=["left the group", "was deleted", "assignment was remade"],
)
def test_a_session_of_somebody_who_is_gone_keeps_whom_it_may_have_been_by(
    tmp_path: Path, callers: str, record: Record
) -> None:
    _, unjudged = judged(tmp_path, [record, *assumed(user("bob"), time=LATELY)], grant_yaml(**{"from": callers}))
    assert [one.why for one in unjudged] == ["somebody had a session who is none of its now, and may have been then"]


def test_a_grant_of_several_targets_goes_only_where_all_of_its_roles_are_unused(tmp_path: Path) -> None:
    grant = grant_yaml(**{"from": "{account: vendor, users: [alice]}"}, to="{account: [dev, storage]}")
    removals, unjudged = judged(tmp_path, (), grant)
    assert removals == ()
    assert unjudged[0].why == "the role does not exist in dev"


def test_what_cannot_be_cut_is_named_and_keeps_no_other_from_going(tmp_path: Path) -> None:
    text = manifest_yaml(
        grant_yaml("first"), "  second: &again\n" + grant_yaml().split("\n", 1)[1], "  third: *again\n"
    )
    manifest = load_text(tmp_path, text)
    patch = unused_patch(manifest, [Removal("first", (), "old"), Removal("second", (), "old")])
    assert [removal.grant for removal in patch.removals] == ["first"]
    assert "-  first:" in patch.text
    assert "-  second" not in patch.text
    (left,) = patch.left
    assert (left.grant, "anchor or an alias" in left.why) == ("second", True)


def test_nothing_unused_is_an_empty_patch(tmp_path: Path) -> None:
    assert unused_patch(load_text(tmp_path, manifest_yaml(MANY)), []).text == ""
