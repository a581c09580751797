"""Who else gets in where a role trusts a whole account, as policies say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.model import AccountFacts, Held, Listed, PolicyName, PrincipalKind, Verification
from reconciler.pipeline.others import Beside
from reconciler.policy.document import PolicyDocument
from reconciler.render.verification import verification_json, verification_text
from reconciler.use import uses
from reconciler.use.others import by_role, may_give_itself, others, strangers_of, unread
from tests.support import allow, document, grant_yaml, load_text, manifest_yaml

ROLE = "arn:aws:iam::987654321098:role/reader"
IN_OFFICE = {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}


def deny(actions: Any, resources: Any = "*") -> dict[str, Any]:
    return {**allow(actions, resources), "Effect": "Deny"}


def having(documents: dict[str, PolicyDocument], **rest: Any) -> Held:
    return Held({PolicyName(name): one for name, one in documents.items()}, **rest)


def found(tmp_path: Path, held: Held, grant: str = "") -> list[tuple[str, bool, bool]]:
    """Return what is found of the user bob, who has such policies, at the door of a grant."""
    manifest = load_text(tmp_path, manifest_yaml(grant or grant_yaml()))
    account = manifest.accounts["dev"]
    kind = PrincipalKind.USER
    arn = f"arn:aws:iam::{account.id}:{kind}/team/bob"
    facts = AccountFacts(account, {(kind, "bob"): arn}, held={(kind, "bob"): held})
    (use,) = uses(manifest)
    assert use.role_arn == ROLE
    found = others(use, account, facts, manifest.accounts, by_role(facts))
    return [(one.words(), one.certain, one.administrator) for one in found]


OWN = document(allow("sts:AssumeRole", ROLE))
CASES: dict[str, tuple[Held, list[tuple[str, bool, bool]]]] = {
    "the role itself": (having({"own": OWN}), [("user bob, by its policy own", True, False)]),
    "all roles": (having({"own": document(allow("sts:Assume*"))}), [("user bob, by its policy own", True, False)]),
    "two policies": (having({"a": OWN, "b": OWN}), [("user bob, by its policies a, b", True, False)]),
    "another role": (having({"own": document(allow("sts:AssumeRole", f"{ROLE}-2"))}), []),
    "of the group that is meant": (having({"own": OWN}, groups=frozenset({"developers"})), []),
    "on conditions": (
        having({"own": document(allow("sts:AssumeRole", ROLE, **IN_OFFICE))}),
        [("user bob, by its policy own, on conditions", False, False)],
    ),
    "a variable that may stand for the role": (
        having({"own": document(allow("sts:AssumeRole", f"{ROLE[:-2]}${{aws:username}}"))}),
        [("user bob, by its policy own, on conditions", False, False)],
    ),
    "a variable that cannot": (
        having({"own": document(allow("sts:AssumeRole", f"{ROLE}-${{aws:PrincipalTag/role}}"))}), [],
    ),
    "a variable of a denial": (
        having({"own": OWN, "no": document(deny("sts:*", "arn:aws:iam::*:role/${aws:username}"))}),
        [("user bob, by its policy own, on conditions", False, False)],
    ),
    "all but what a variable stands for": (
        having({"own": document({"Effect": "Allow", "Action": "sts:AssumeRole", "NotResource": "${aws:username}"})}),
        [("user bob, by its policy own, on conditions", False, False)],
    ),
    "all but another role": (
        having({"own": document({"Effect": "Allow", "Action": "sts:AssumeRole", "NotResource": f"{ROLE}-2"})}),
        [("user bob, by its policy own", True, False)],
    ),
    "beside a policy that is not read": (
        having({"own": OWN}, unread=frozenset({"arn:aws:iam::aws:policy/AWSDenyAll"})),
        [("user bob, by its policy own, unless what is not read denies it (AWSDenyAll)", True, False)],
    ),
    "on conditions, and without": (
        having({"a": document(allow("sts:AssumeRole", ROLE, **IN_OFFICE)), "b": OWN}),
        [("user bob, by its policies a, b", True, False)],
    ),
    "a denial": (having({"own": OWN, "no": document(deny("sts:*"))}), []),
    "a boundary that does not allow it": (having({"own": OWN}, bound="b", boundary=document(allow("s3:*"))), []),
    "a boundary that allows it": (
        having({"own": OWN}, bound="b", boundary=document(allow("*"))), [("user bob, by its policy own", True, False)],
    ),
    "a boundary that is not read": (
        having({"own": OWN}, bound="b"), [("user bob, by its policy own, on conditions", False, False)],
    ),
    "all of STS, which is no administration": (
        having({"own": document(allow("sts:*"))}), [("user bob, by its policy own", True, False)],
    ),
    "everything": (having({"own": document(allow("*"))}), [("user bob, by its policy own", True, True)]),
    "all but IAM": (
        having({"own": document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})}),
        [("user bob, by its policy own", True, True)],
    ),
    "all but sessions, beside the role itself": (
        having({"own": OWN, "rest": document({"Effect": "Allow", "NotAction": ["sts:*", "iam:*"], "Resource": "*"})}),
        [("user bob, by its policy own", True, False)],
    ),
    "everything, on conditions": (
        having({"own": document(allow("*", **IN_OFFICE))}), [("user bob, by its policy own, on conditions", False, False)],
    ),
    "everything, on the role alone": (
        having({"own": document(allow("*", ROLE))}), [("user bob, by its policy own", True, False)],
    ),
    "policies that are not read": (Held(unread=frozenset({"arn:aws:iam::aws:policy/AdministratorAccess"})), []),
}  # fmt: skip


@pytest.mark.parametrize(("held", "expected"), CASES.values(), ids=CASES)
def test_others_get_in_by_what_their_policies_allow(
    tmp_path: Path, held: Held, expected: list[tuple[str, bool, bool]]
) -> None:
    assert found(tmp_path, held) == expected


def test_policies_that_are_not_read_are_those_of_whom_the_grant_does_not_name(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    (use,), account = uses(manifest), manifest.accounts["dev"]
    user, role = PrincipalKind.USER, PrincipalKind.ROLE
    facts = AccountFacts(
        account,
        {(kind, name): f"arn:aws:iam::{account.id}:{kind}/{name}" for kind, name in ((user, "bob"), (user, "al"), (role, "ci"))},
        held={
            (user, "bob"): Held(unread=frozenset({"a"})), (role, "ci"): Held(unread=frozenset({"b"})),
            (user, "al"): Held(unread=frozenset({"c"}), groups=frozenset({"developers"})),
        },
    )  # fmt: skip
    strangers = strangers_of([use], account, facts, manifest.accounts)
    assert strangers == ((role, "ci"), (user, "bob"))
    assert unread(strangers, facts) == {"a", "b"}


def test_what_is_no_finding_is_told_once_of_each_account() -> None:
    rest = Beside(
        [], {"dev": {"user b", "user a"}}, {"dev": {"user a", "user c"}}, {"dev": {"user d"}},
        {"dev": {"AdministratorAccess"}, "ops": set()},
    )  # fmt: skip
    assert [(one.words, one.names) for one in rest.notes()] == [
        ("administrators of dev get in, too, where a role trusts the whole account", ("user a", "user b")),
        ("administrators of dev who may get in, which hangs on conditions or on what is not read", ("user c",)),
        ("who may do all of IAM in dev, and so can let themselves in", ("user d",)),
        ("what others of dev may do by managed policies of AWS is not read", ("AdministratorAccess",)),
    ]


def test_of_very_many_the_text_names_a_few_and_the_data_all() -> None:
    names = tuple(f"user {number:02}" for number in range(20))
    found = Verification((), notes=(Listed("administrators of dev get in", names),))
    assert "Note: administrators of dev get in: user 00, user 01, user 02, user 03, user 04 and 15 more." in (
        verification_text(found)
    )
    assert json.loads(verification_json(found))["notes"] == [f"administrators of dev get in: {', '.join(names)}"]


IN_IAM = allow("iam:*")
GIVING: dict[str, tuple[Held, bool]] = {
    "all of IAM": (having({"own": document(IN_IAM)}), True),
    "some of it": (having({"own": document(allow("iam:Get*"))}), False),
    "on one user": (having({"own": document(allow("iam:*", "arn:aws:iam::1:user/x"))}), False),
    "on conditions": (having({"own": document(allow("iam:*", **IN_OFFICE))}), False),
    "denied": (having({"own": document(IN_IAM, deny("iam:Put*"))}), False),
    "bound": (having({"own": document(IN_IAM)}, bound="b", boundary=document(allow("s3:*"))), False),
    "bound by as much": (having({"own": document(IN_IAM)}, bound="b", boundary=document(allow("*"))), True),
}


@pytest.mark.parametrize(("held", "may"), GIVING.values(), ids=GIVING)
def test_who_may_do_all_of_iam_can_let_itself_in(held: Held, may: bool) -> None:
    assert may_give_itself(held) is may


def test_who_is_named_by_one_grant_may_be_a_stranger_to_another(tmp_path: Path) -> None:
    text = manifest_yaml(grant_yaml(), grant_yaml("more", **{"from": "{account: dev, users: [al]}"}))
    manifest = load_text(tmp_path, text)
    account, user = manifest.accounts["dev"], PrincipalKind.USER
    held = {(user, "bob"): Held(groups=frozenset({"developers"})), (user, "al"): Held(groups=frozenset({"developers"}))}
    facts = AccountFacts(account, {key: f"arn:aws:iam::{account.id}:user/{key[1]}" for key in held}, held=held)
    assert strangers_of([*uses(manifest)], account, facts, manifest.accounts) == ((user, "bob"),)


def test_a_role_that_demands_tags_or_a_source_identity_needs_these_actions_too(tmp_path: Path) -> None:
    demand = '{StringEquals: {"sts:SourceIdentity": "x", "aws:RequestTag/team": "data"}}'
    grant = grant_yaml(trust_conditions=demand)
    every = ["sts:AssumeRole", "sts:SetSourceIdentity", "sts:TagSession"]
    assert [len(found(tmp_path, having({"own": document(allow(every[:n], ROLE))}), grant)) for n in (1, 2, 3)] == [
        0, 0, 1,
    ]  # fmt: skip
