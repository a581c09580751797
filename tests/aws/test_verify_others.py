"""Who else gets in where a role trusts a whole account? Asked over HTTP, as a person would."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from moto.iam.models import AWSManagedPolicy, iam_backends

from reconciler.sandbox.scenario import SOURCE, TARGET
from reconciler.sandbox.server import Sandbox
from tests.aws.strict_support import policy, trust
from tests.aws.verifying import PLACE, ROLE, ROLE_ARN, World, make_world, own_policy, with_denial
from tests.conftest import EXAMPLE, Run


@pytest.fixture
def world(sandbox: Sandbox, xgrant: Run, monkeypatch: pytest.MonkeyPatch) -> World:
    """The example, applied; everybody's keys are profiles, and permissions and trust are checked."""
    return make_world(sandbox, xgrant, monkeypatch)


def by_group(world: World) -> None:
    iam = world.iam(SOURCE)
    arn = iam.create_policy(PolicyName="Hop", PolicyDocument=policy(Action="sts:Assume*"))["Policy"]["Arn"]
    iam.create_group(GroupName="ops")
    iam.attach_group_policy(GroupName="ops", PolicyArn=arn)
    iam.add_user_to_group(GroupName="ops", UserName="bob")


def by_role(world: World) -> None:
    iam = world.iam(SOURCE)
    iam.create_role(RoleName="ci", AssumeRolePolicyDocument=trust())
    iam.put_role_policy(RoleName="ci", PolicyName="own", PolicyDocument=policy(Action="sts:*", Resource=ROLE_ARN))


def with_harmless_namesake(world: World) -> None:
    iam = world.iam(SOURCE)
    harmless = policy(Action="sts:AssumeRole", Resource=f"arn:aws:iam::{TARGET}:role/harmless")
    arn = iam.create_policy(PolicyName="own", PolicyDocument=harmless)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="bob", PolicyArn=arn)
    own_policy(world, Resource=ROLE_ARN)


def all_but_sessions(world: World) -> None:
    rest = {"Effect": "Allow", "NotAction": ["sts:*", "iam:*"], "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [rest]})
    world.iam(SOURCE).put_user_policy(UserName="bob", PolicyName="rest", PolicyDocument=document)
    own_policy(world, Resource=ROLE_ARN)


OTHERS: dict[str, tuple[Callable[[World], object], str]] = {
    "an own policy": (own_policy, "user bob, by its policy own: gets in"),
    "an own policy, and a managed one of that name": (
        with_harmless_namesake, "user bob, by its policy own: gets in",
    ),
    "all but sessions, beside the role itself": (all_but_sessions, "user bob, by its policy own: gets in"),
    "a policy of a group": (by_group, "user bob, by its policy Hop (managed) of group ops: gets in"),
    "a role": (by_role, "role ci, by its policy own: gets in"),
}  # fmt: skip


@pytest.mark.parametrize(("how", "says"), OTHERS.values(), ids=OTHERS)
def test_others_of_an_account_that_is_trusted_as_a_whole_are_found_without_credentials(
    world: World, how: Callable[[World], object], says: str
) -> None:
    world.break_(how)
    rest, other = world.doors(code=2)
    assert (rest["verdict"], other["verdict"], other["who"]) == ("open", "wider than meant", "others of dev")
    assert (other["wider"], other["ways"]) == ([says], ["documents"])


def test_whom_others_policies_let_in_on_conditions_is_unknown(world: World) -> None:
    world.break_(lambda w: own_policy(w, Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}))
    _, other = world.doors()
    assert (other["verdict"], other["notes"]) == ("unknown", ["user bob, by its policy own, on conditions: may get in"])


NARROWED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "to somebody else": ({"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{SOURCE}:user/a*"}}, []),
    "to him as well": (
        {"ArnLike": {"aws:PrincipalArn": f"arn:aws:iam::{SOURCE}:user/*"}}, ["user bob, by its policy own: gets in"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("condition", "wider"), NARROWED.values(), ids=NARROWED)
def test_whom_a_trust_policy_narrows_to_some_of_an_account_does_not_let_in_is_none_of_the_others(
    world: World, condition: dict[str, Any], wider: list[str]
) -> None:
    world.break_(own_policy)
    narrow = trust(f"arn:aws:iam::{SOURCE}:root", Condition=condition)
    world.break_(lambda w: w.iam().update_assume_role_policy(RoleName=ROLE, PolicyDocument=narrow))
    found = {door["who"]: [*door["wider"], *door["notes"]] for door in world.doors(code=2)}
    assert found.get("others of dev", []) == wider


@pytest.mark.parametrize(
    ("statement", "verdict", "ways", "words"),
    [
        ({"Action": "s3:Get*"}, "wider than meant", ["simulation", "documents"], ": gets in"),
        ({"Effect": "Deny", "Action": "*"}, "unknown", ["documents"],
         ", unless what is not read denies it (OfAws): may get in"),
    ],
    ids=["allows something", "denies everything"],
)  # fmt: skip
def test_of_who_has_a_policy_of_aws_that_is_not_read_the_simulator_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch, statement: dict[str, Any], verdict: str, ways: list[str], words: str
) -> None:
    def attach(world: World) -> None:
        own_policy(world)
        iam, arn = world.iam(SOURCE), "arn:aws:iam::aws:policy/OfAws"
        made = iam.create_policy(PolicyName="OfAws", PolicyDocument=policy(**statement))["Policy"]["Arn"]
        backend: Any = iam_backends[SOURCE]["aws"]
        found = backend.managed_policies[arn] = backend.managed_policies.pop(made)
        found.__class__ = AWSManagedPolicy
        monkeypatch.setattr(backend, "aws_managed_policies", [found])
        iam.attach_user_policy(UserName="bob", PolicyArn=arn)

    world.break_(attach)
    other = world.doors(code=2 if verdict.startswith("wider") else 0)[1]
    assert (other["who"], other["verdict"], other["ways"]) == ("others of dev", verdict, ways)
    assert [*other["wider"], *other["notes"]] == [f"user bob, by its policy own{words}"]


def test_whom_a_profile_of_is_tried_is_not_told_twice(world: World) -> None:
    world.break_(own_policy)
    assert [door["who"] for door in world.doors("--as", "bob", code=2)] == [
        f"arn:aws:iam::{SOURCE}:user/bob", "dev/group/developers",
    ]  # fmt: skip


def test_who_may_get_in_by_a_trust_on_a_place_is_told_with_what_that_hangs_on(world: World) -> None:
    with_denial(world, PLACE)
    world.break_(own_policy)
    result = world.run("verify", "--manifest", "denial.yaml")
    assert result.code == 0
    assert "others of dev: unknown" in result.out
    assert "  role's side: nobody can see from here whether IpAddress aws:SourceIp: 192.0.2.0/24 is met" in result.out
    assert "administrators of dev who may get in, which hangs on conditions or on what is not read: user dev-admin" in (
        result.out
    )
    assert "administrators of dev get in" not in result.out


def test_administrators_are_a_note_and_no_finding(world: World) -> None:
    result = world.run("verify", "--manifest", EXAMPLE)
    assert result.code == 0
    assert (
        "Note: administrators of dev get in, too, where a role trusts the whole account: user dev-admin." in result.out
    )


def test_of_a_stranger_who_is_refused_for_where_it_is_asked_from_nobody_knows(world: World) -> None:
    with_denial(world, PLACE)
    result = world.run("verify", "--manifest", "denial.yaml", "--as", "bob")
    assert "user/bob (profile bob): refused as meant, by session" in result.out  # No policy of his allows it.
    world.break_(own_policy)
    result = world.run("verify", "--manifest", "denial.yaml", "--as", "bob")
    assert "user/bob (profile bob): unknown" in result.out
    assert "nobody can see from here whether it meets IpAddress aws:SourceIp: 192.0.2.0/24" in result.out
    assert "others of dev: unknown" in result.out


def test_a_stranger_whose_own_policy_is_for_another_place_is_not_called_refused(world: World) -> None:
    world.break_(lambda w: own_policy(w, Condition={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}))
    bob, rest, other = world.doors("--as", "bob")
    assert (bob["verdict"], rest["verdict"], other["verdict"]) == ("unknown", "open", "unknown")


def test_a_role_that_is_tried_is_told_once(world: World) -> None:
    world.break_(by_role)
    config = Path(os.environ["AWS_CONFIG_FILE"])
    with config.open("a") as file:
        file.write(f"\n[profile ci]\nsource_profile = alice\nrole_arn = arn:aws:iam::{SOURCE}:role/ci\n")
    own = policy(Action="sts:AssumeRole", Resource=f"arn:aws:iam::{SOURCE}:role/ci")
    world.break_(
        lambda w: (
            w.iam(SOURCE).put_user_policy(UserName="alice", PolicyName="ci", PolicyDocument=own),
            w.iam(SOURCE).update_assume_role_policy(RoleName="ci", PolicyDocument=trust(f"arn:aws:iam::{SOURCE}:root")),
        )
    )
    ci, rest = world.doors("--as", "ci", code=2)
    assert (ci["verdict"], ci["profile"], rest["who"]) == ("wider than meant", "ci", "dev/group/developers")
