"""Who gets what by a plan, and who loses it, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.model import Address, Role, State
from reconciler.render.access import access_lines
from tests.support import (
    DEV,
    STORAGE,
    allow,
    desired_of,
    document,
    grant_yaml,
    load_text,
    manifest_yaml,
    plan_for,
    role_at,
)

ROLE = role_at("storage", "reader")
READ = "s3:GetObject on arn:aws:s3:::b/*"
GROUP = "dev group developers"
ROOT = {"AWS": f"arn:aws:iam::{DEV}:root"}
ALICE = {"AWS": f"arn:aws:iam::{DEV}:user/staff/alice"}


def said(folder: Path, live: State, *grants: str) -> list[str]:
    """Return what a plan of grants says, in the lines of a comment."""
    plan = plan_for(load_text(folder, manifest_yaml(*grants)), live)
    return [f"{mark} {words}" for _, lines in access_lines(plan) for mark, words in lines]


def wanted(folder: Path, *grants: str) -> dict[Address, Any]:
    return dict(desired_of(load_text(folder, manifest_yaml(*grants))))


def changed(folder: Path, before: Mapping[str, Any]) -> list[str]:
    """Return what is said where a role differs from the grant of the tests in some fields."""
    state = wanted(folder, grant_yaml())
    role = state[ROLE]
    assert isinstance(role, Role)
    return said(folder, {**state, ROLE: replace(role, **before)}, grant_yaml())


def trust(principal: Mapping[str, str], **more: Any) -> Any:
    return document({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more})


def permissions(*statements: Mapping[str, Any]) -> dict[str, Any]:
    return {"inline_policies": {"xgrant-permissions": document(*statements)}}


def test_a_new_grant_says_who_may_what_where_as_which_role(tmp_path: Path) -> None:
    assert said(tmp_path, {}, grant_yaml()) == [f"+ {GROUP} may {READ}, as role reader in storage"]


def test_a_grant_that_goes_says_who_may_no_longer_what(tmp_path: Path) -> None:
    state = wanted(tmp_path, grant_yaml())
    assert said(tmp_path, state) == [f"- {GROUP} may no longer {READ}, as role reader in storage"]


def test_a_caller_who_comes_or_goes_is_named_with_the_role(tmp_path: Path) -> None:
    state = wanted(tmp_path, grant_yaml(**{"from": "{account: dev, groups: [ops]}"}))
    assert said(tmp_path, state, grant_yaml()) == [
        "+ dev group developers may assume role reader in storage",
        "- dev group ops may no longer assume role reader in storage",
    ]


def test_nothing_that_changes_says_nothing(tmp_path: Path) -> None:
    assert said(tmp_path, wanted(tmp_path, grant_yaml()), grant_yaml()) == []


JOB = "repo:acme/site:ref:refs/heads/main by a token of token.actions.githubusercontent.com"
WHOEVER = "whoever dev lets in"


@pytest.mark.parametrize(
    ("before", "lines"),
    [
        (permissions(allow("s3:*", "arn:aws:s3:::b/*")), [f"- {WHOEVER} may no longer s3:* on arn:aws:s3:::b/*, as"]),
        (permissions(allow("s3:Get*", "*")), [f"- {WHOEVER} may no longer s3:Get* on *, as"]),
        (permissions(allow("s3:GetObject", "*")), [f"- {WHOEVER} may no longer s3:GetObject on *, as"]),
        (permissions(allow("s3:ListBucket", "arn:aws:s3:::b/*")), [
            f"+ {WHOEVER} may also {READ}, as", f"- {WHOEVER} may no longer s3:ListBucket on arn:aws:s3:::b/*, as",
        ]),
        (permissions(allow("s3:GetObject", "arn:aws:s3:::b/*", Condition={"Bool": {"aws:SecureTransport": "true"}})), [
            f"! {WHOEVER} may {READ} otherwise than before, by conditions or exceptions, as",
        ]),
        (permissions(allow("s3:GetObject", "arn:aws:s3:::b/*"), {**allow("s3:PutObject", "*"), "Effect": "Deny"}), [
            f"+ {WHOEVER} may again s3:PutObject on *, as far as it is allowed, as",
        ]),
        (permissions(allow("s3:GetObject", "arn:aws:s3:::b/*"), {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), [
            f"- {WHOEVER} may no longer all but iam:* on *, as",
        ]),
        ({"managed_policies": frozenset(["arn:aws:iam::aws:policy/X"])}, [
            f"- {WHOEVER} may no longer what arn:aws:iam::aws:policy/X allows, as",
        ]),
        ({"permissions_boundary": "arn:aws:iam::1:policy/b"}, [f"+ {WHOEVER} may more than arn:aws:iam::1:policy/b allows, as"]),
        ({"trust_policy": trust(ALICE)}, [
            f"+ {WHOEVER} may assume", "- dev user alice may no longer assume",
        ]),
        ({"trust_policy": trust(ROOT, Condition={"StringEquals": {"sts:ExternalId": "the-secret"}})}, [
            f"+ {WHOEVER} may assume it no longer only with an external id:",
        ]),
        ({"trust_policy": trust(ROOT, Condition={"StringLike": {"aws:userid": "x*"}})}, [
            f"! {WHOEVER} may assume it otherwise than before, by conditions:",
        ]),
        # A denial that is not just that of an expiry is shown as what it is, whatever its name.
        ({"inline_policies": {**permissions(allow("s3:GetObject", "arn:aws:s3:::b/*"))["inline_policies"],
                              "xgrant-expiry": document({**allow("*", "*"), "Effect": "Deny"})}}, [
            f"+ {WHOEVER} may again * on *, as far as it is allowed, as",
        ]),
        ({"trust_policy": trust({"AWS": "*"})}, [f"+ {WHOEVER} may assume", "- anybody may no longer assume"]),
        ({"description": "other", "tags": {"xgrant:stack": "platform", "xgrant:grant": "reader", "a": "b"}}, []),
    ],
)  # fmt: skip
def test_a_role_that_changes_says_what_is_opened_and_closed(
    tmp_path: Path, before: Mapping[str, Any], lines: list[str]
) -> None:
    assert changed(tmp_path, before) == [f"{line} role reader in storage" for line in lines]


def test_what_a_new_role_demands_of_its_callers_is_said_once(tmp_path: Path) -> None:
    text = grant_yaml(
        require="{mfa: true, external_id: the-secret}", starts="2026-01-31T12:00:00Z", expires="2026-12-05"
    )
    assert said(tmp_path, {}, text) == [
        f"+ {GROUP} may {READ}, as role reader in storage",
        (
            f"! {GROUP} may assume it only with MFA, with an external id, from 2026-01-31T12:00:00Z, until 2026-12-05: "
            "role reader in storage"
        ),
    ]


EXPIRES = "2026-12-05"


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ({"require": "{mfa: true}"}, {}, ["+ whoever dev lets in may assume it no longer only with MFA:"]),
        ({}, {"require": "{mfa: true}"}, ["- whoever dev lets in may assume it only with MFA now:"]),
        ({}, {"expires": EXPIRES}, ["- whoever dev lets in may assume it only until 2026-12-05 now:"]),
        ({"expires": EXPIRES}, {}, ["+ whoever dev lets in may assume it no longer only until 2026-12-05:"]),
        ({"expires": EXPIRES}, {"expires": "2027-01-31"}, [
            "! whoever dev lets in may assume it only until 2027-01-31 now, and not until 2026-12-05:"
        ]),
    ],
)  # fmt: skip
def test_what_is_demanded_newly_or_no_more_is_said_without_the_denial_that_ends_sessions(
    tmp_path: Path, before: dict[str, str], after: dict[str, str], lines: list[str]
) -> None:
    found = said(tmp_path, wanted(tmp_path, grant_yaml(**before)), grant_yaml(**after))
    assert found == [f"{line} role reader in storage" for line in lines]


def test_an_end_of_sessions_that_the_trust_policy_does_not_say_is_said_by_itself(tmp_path: Path) -> None:
    state = wanted(tmp_path, grant_yaml(expires=EXPIRES))
    kept = {name: one for name, one in state[ROLE].inline_policies.items() if name != "xgrant-expiry"}
    state[ROLE] = replace(
        state[ROLE], inline_policies=kept, trust_policy=wanted(tmp_path, grant_yaml())[ROLE].trust_policy
    )
    both = wanted(tmp_path, grant_yaml(expires=EXPIRES))
    both[ROLE] = replace(both[ROLE], trust_policy=state[ROLE].trust_policy)
    (line,) = said(tmp_path, both, grant_yaml())
    assert "may assume it no longer only with sessions that end 2026-12-05:" in line


def test_of_many_actions_those_with_wildcards_are_named_first(tmp_path: Path) -> None:
    actions = ", ".join(f'"s3:Get{n}"' for n in "ABCDEFGH")
    line = said(tmp_path, {}, grant_yaml(permissions=f'[{{actions: [{actions}, "s3:List*"], resources: "*"}}]'))[0]
    assert "may s3:List*, s3:GetA, s3:GetB, s3:GetC, s3:GetD and 4 more on *" in line


def test_a_token_and_a_permission_set_are_said_as_people_call_them(tmp_path: Path) -> None:
    jobs = '{oidc: {provider: token.actions.githubusercontent.com, subject: "repo:acme/site:ref:refs/heads/main"}}'
    people = "{account: dev, permission_sets: [DataEngineer]}"
    lines = said(tmp_path, {}, grant_yaml("jobs", **{"from": jobs}), grant_yaml("people", **{"from": people}))
    assert lines == [
        f"+ {JOB} may {READ}, as role jobs in storage",
        f"+ dev permission set DataEngineer may {READ}, as role people in storage",
    ]


def test_what_a_managed_policy_holds_of_the_permissions_is_said_of_its_role(tmp_path: Path) -> None:
    resources = ", ".join(f'"arn:aws:s3:::{"b" * 50}-{n}/*"' for n in range(200))
    large = grant_yaml(permissions=f'[{{actions: "s3:GetObject", resources: [{resources}]}}]')
    lines = said(tmp_path, {}, large)
    assert [line for line in lines if line.startswith("+ all callers may also s3:GetObject on ")]


def test_in_an_account_that_the_manifest_does_not_know_its_id_is_said(tmp_path: Path) -> None:
    state = wanted(tmp_path, grant_yaml())
    address = next(a for a in state if a.holder)
    elsewhere = allow("sts:AssumeRole", [f"arn:aws:iam::{STORAGE}:role/reader", "arn:aws:iam::000000000007:role/x/Old"])
    state[address] = replace(state[address], document=document(elsewhere))
    assert said(tmp_path, state, grant_yaml()) == [f"- {GROUP} may no longer assume role Old in 000000000007"]
