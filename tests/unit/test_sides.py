"""What the trust policy that stands says of somebody, and what of it is wider than the manifest."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from reconciler.desired import desired_state, role_address
from reconciler.model import Identity, Role
from reconciler.use import Use, uses
from reconciler.use.sides import compared, trust_of_stranger
from tests.support import DEV, document, grant_yaml, load_text, manifest_yaml

ROOT = f"arn:aws:iam::{DEV}:root"
BOB = f"arn:aws:iam::{DEV}:user/team/bob"
CI = f"arn:aws:iam::{DEV}:role/ci"
LOADER = f"arn:aws:iam::{DEV}:role/loader"
NOW = 1_700_000_000


def says(effect: str, principal: Any = ROOT, action: Any = "sts:AssumeRole", **condition: Any) -> dict[str, Any]:
    named = principal if principal == "*" else {"AWS": principal}
    statement = {"Effect": effect, "Principal": named, "Action": action}
    return {**statement, "Condition": condition} if condition else statement


def meant(tmp_path: Path) -> tuple[Use, Role]:
    """Return a grant and the role that its manifest wants, which trusts the whole account."""
    manifest = load_text(tmp_path, manifest_yaml(grant_yaml()))
    (use,) = uses(manifest)
    role = desired_state(manifest.grants, manifest.accounts, stack=manifest.stack)[role_address(use.grant)]
    assert isinstance(role, Role)
    return use, role


def of_arn(arn: str, operator: str = "ArnEquals") -> dict[str, Any]:
    return {operator: {"aws:PrincipalArn": arn}}


OFFICE = {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
ELSEWHERE = {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
ALLOW = says("Allow")
TRUSTS: dict[str, tuple[list[dict[str, Any]], bool | None]] = {
    "the account": ([ALLOW], True),
    "whoever it is": ([says("Allow", "*")], True),
    "by a pattern of actions": ([says("Allow", action="sts:*")], True),
    "by other letters": ([says("Allow", action="STS:assumeROLE")], True),
    "for something else": ([says("Allow", action="sts:TagSession")], False),
    "somebody else": ([says("Allow", LOADER)], False),
    "and a denial of bob": ([ALLOW, says("Deny", BOB)], False),
    "and a denial of bob by name and by account": ([ALLOW, says("Allow", BOB), says("Deny", BOB)], False),
    "and a denial of somebody else": ([ALLOW, says("Deny", LOADER)], True),
    "and a denial of all that is of STS": ([ALLOW, says("Deny", "*", "sts:*")], False),
    "and a denial of everything": ([ALLOW, says("Deny", "*", "*")], False),
    "and a denial of another action": ([ALLOW, says("Deny", "*", "sts:TagSession")], True),
    "and a denial on a condition that is met": ([ALLOW, says("Deny", "*", **of_arn(BOB))], False),
    "and a denial on a condition that is not met": ([ALLOW, says("Deny", "*", **of_arn(LOADER))], True),
    "and a denial on a condition that nobody sees": ([ALLOW, says("Deny", "*", **ELSEWHERE)], None),
    "and a denial of all but bob": ([ALLOW, says("Deny", "*", **of_arn(BOB, "ArnNotEquals"))], None),
    "and a denial on two conditions, one of which is not met": (
        [ALLOW, says("Deny", "*", **ELSEWHERE, **of_arn(LOADER))], True,
    ),
    "whoever matches a pattern": ([says("Allow", **of_arn("arn:aws:iam::*:user/team/*", "ArnLike"))], True),
    "whoever matches another pattern": ([says("Allow", **of_arn("arn:aws:iam::*:role/*", "ArnLike"))], False),
    "on a condition that nobody sees": ([says("Allow", **OFFICE)], None),
    "on a condition, and without": ([says("Allow", **OFFICE), says("Allow", BOB)], True),
    "on a condition, and a denial without": ([says("Allow", **OFFICE), says("Deny", BOB)], False),
}  # fmt: skip


@pytest.mark.parametrize(("statements", "allowed"), TRUSTS.values(), ids=TRUSTS)
def test_a_trust_policy_lets_in_whom_it_allows_and_does_not_deny(
    tmp_path: Path, statements: list[dict[str, Any]], allowed: bool | None
) -> None:
    use, role = meant(tmp_path)
    live = dataclasses.replace(role, trust_policy=document(*statements))
    found = trust_of_stranger(use, Identity(DEV, BOB), BOB, "aws", live, NOW)
    assert found.allowed is allowed, found.why


def test_which_condition_of_a_denial_nobody_sees_is_said(tmp_path: Path) -> None:
    use, role = meant(tmp_path)
    live = dataclasses.replace(role, trust_policy=document(ALLOW, says("Deny", "*", **ELSEWHERE)))
    found = trust_of_stranger(use, Identity(DEV, BOB), BOB, "aws", live, NOW)
    assert found.why == "nobody can see from here whether NotIpAddress aws:SourceIp: 10.0.0.0/8 is met"


def test_the_session_of_a_role_is_denied_by_the_arn_of_the_role(tmp_path: Path) -> None:
    use, role = meant(tmp_path)
    live = dataclasses.replace(role, trust_policy=document(ALLOW, says("Deny", CI)))
    who = Identity(DEV, f"arn:aws:sts::{DEV}:assumed-role/ci/run", temporary=True)
    assert trust_of_stranger(use, who, CI, "aws", live, NOW).allowed is False


@pytest.mark.parametrize(
    ("more", "wider"),
    [
        (says("Deny", BOB), ()),
        (says("Allow", BOB), (f"its trust policy names {BOB}",)),
        (says("Allow", "*"), ("its trust policy names *",)),
    ],
    ids=["a denial", "an allowance", "whoever it is"],
)
def test_whom_a_trust_policy_allows_makes_it_wider_and_whom_it_denies_does_not(
    tmp_path: Path, more: dict[str, Any], wider: tuple[str, ...]
) -> None:
    _, role = meant(tmp_path)
    live = dataclasses.replace(role, trust_policy=document(ALLOW, more))
    assert compared(role, {}, live, {})[0] == wider
