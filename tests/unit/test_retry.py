"""Which failed calls are tried again, and how long is waited between."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.aws.calls import Pace
from reconciler.aws.retry import RULES, Memory, When, delay, rules_for
from tests.conftest import Clock

INVALID = 'Invalid principal in policy: "AWS":"arn:aws:iam::123456789012:role/New"'


@pytest.mark.parametrize(
    ("operation", "code", "message", "waits"),
    [
        ("ListRoles", "Throttling", "Rate exceeded", True),
        ("ListRoles", "ThrottlingException", "Rate exceeded", True),
        ("AssumeRole", "ServiceUnavailable", "", True),
        ("PutRolePolicy", "ConcurrentModification", "", True),
        ("AttachGroupPolicy", "ConcurrentModificationException", "", True),
        ("PutRolePolicy", "(no answer)", "", True),
        ("CreatePolicyVersion", "(no answer)", "", False),
        ("CreatePolicyVersion", "ServiceFailure", "", False),
        ("CreatePolicyVersion", "Throttling", "", True),
        ("CreatePolicyVersion", "(nothing was sent)", "", True),
        ("CreateRole", "MalformedPolicyDocument", INVALID, True),
        ("CreateRole", "MalformedPolicyDocument", "Syntax errors in policy.", False),
        ("PutRolePolicy", "MalformedPolicyDocument", INVALID, False),
        ("PutRolePolicy", "NoSuchEntity", "", True),
        ("GetRolePolicy", "NoSuchEntity", "", True),
        ("GetGroupPolicy", "NoSuchEntity", "", False),
        ("DeleteRole", "DeleteConflict", "", True),
        ("CreateRole", "EntityAlreadyExists", "", False),
        ("CreateRole", "LimitExceeded", "", False),
        ("CreateRole", "AccessDenied", "", False),
        ("CreateRole", "ExpiredToken", "", True),
        ("CreateRole", "ExpiredTokenException", "", True),
        ("UpdateRole", "UnmodifiableEntity", "", False),
        ("CreateRole", "InvalidClientTokenId", "", True),
    ],
)
def test_what_passes_is_waited_for_and_all_else_is_final(operation: str, code: str, message: str, waits: bool) -> None:
    assert any(rules_for(operation, code, message)) is waits


def test_a_session_that_ended_is_had_anew_only_where_it_is_of_a_role_that_was_assumed() -> None:
    (rule,), memory = rules_for("PutRolePolicy", "ExpiredToken", ""), Memory()
    memory.note_assumed("a")
    assert rule.look
    assert [memory.holds(rule.when, account, {}) for account in "ab"] == [True, False]


def test_that_a_role_lacks_a_policy_is_an_answer_unless_this_run_took_something_from_it() -> None:
    (rule,), memory, role = rules_for("GetRolePolicy", "NoSuchEntity", ""), Memory(), {"RoleName": "R"}
    assert rule.look
    assert not memory.holds(rule.when, "a", role)
    memory.note_in_doubt("a", "DeleteRolePolicy", role)
    assert memory.holds(rule.when, "a", role)


def test_every_rule_says_why() -> None:
    assert all("(" in rule.why or "not for long" in rule.why or "5xx" in rule.why for rule in RULES)


@pytest.mark.parametrize(
    ("when", "operation", "sent", "answer", "asked", "holds"),
    [
        (When.MADE, "CreateRole", {"RoleName": "R"}, {"Role": {"Arn": "arn:r"}}, {"RoleName": "R"}, True),
        (When.MADE, "CreateRole", {"RoleName": "R"}, {"Role": {"Arn": "arn:r"}}, {"RoleName": "Other"}, False),
        (When.MADE, "CreatePolicy", {}, {"Policy": {"Arn": "arn:p"}}, {"RoleName": "X", "PolicyArn": "arn:p"}, True),
        (When.MADE, "DeleteRole", {"RoleName": "R"}, {}, {"RoleName": "R"}, False),
        (When.TAKEN_AWAY, "DetachRolePolicy", {"RoleName": "R", "PolicyArn": "arn:p"}, {}, {"RoleName": "R"}, True),
        (When.TAKEN_AWAY, "DetachUserPolicy", {"UserName": "u", "PolicyArn": "arn:p"}, {}, {"PolicyArn": "arn:p"}, True),
        (When.TAKEN_AWAY, "PutRolePolicy", {"RoleName": "R"}, {}, {"RoleName": "R"}, False),
        (
            When.MADE_PRINCIPAL, "CreateRole", {"RoleName": "New"}, {"Role": {"Arn": "arn:aws:iam::1:role/New"}},
            {"AssumeRolePolicyDocument": '{"AWS":["arn:aws:iam::1:role/New"]}'}, True,
        ),
        (
            When.MADE_PRINCIPAL, "CreateRole", {"RoleName": "New"}, {"Role": {"Arn": "arn:aws:iam::1:role/New"}},
            {"PolicyDocument": '{"AWS":"arn:aws:iam::1:role/Newer"}'}, False,
        ),
    ],
)  # fmt: skip
def test_a_run_remembers_what_it_made_and_took_away(
    when: When,
    operation: str,
    sent: dict[str, str],
    answer: dict[str, dict[str, str]],
    asked: dict[str, str],
    holds: bool,
) -> None:
    memory = Memory()
    assert not memory.holds(when, "a", asked)
    memory.note("a", operation, sent, answer)
    assert memory.holds(when, "a", asked) is holds


@pytest.mark.parametrize(("code", "at_first"), [("(nothing was sent)", 15), ("connection refused", 3)])
def test_an_account_that_has_answered_is_waited_for_longer_when_the_network_goes(code: str, at_first: int) -> None:
    memory = Memory()

    def waits(account: str) -> float:
        return next(r.seconds for r in rules_for("GetRole", code, "") if memory.holds(r.when, account, {}))

    assert waits("a") == at_first
    memory.note("a", "GetCallerIdentity", {}, {})
    assert (waits("a"), waits("b")) == (120, at_first)


def test_what_was_made_in_one_account_is_not_made_in_another() -> None:
    memory = Memory()
    memory.note("a", "CreateRole", {"RoleName": "R"}, {"Role": {"Arn": "arn:r"}})
    assert not memory.holds(When.MADE, "b", {"RoleName": "R"})


@given(st.integers(1, 30), st.floats(0, 1))
def test_pauses_grow_to_twenty_seconds_and_vary_by_half(tries: int, dice: float) -> None:
    most = min(20.0, 0.5 * 2 ** (tries - 1))
    assert most / 2 <= delay(tries, lambda: dice) <= most


def test_an_account_that_throttles_is_asked_more_slowly_and_then_faster_again(clock: Clock) -> None:
    def took(pace: Pace, calls: int) -> float:
        start = clock.now
        for _ in range(calls):
            pace.wait()
        return clock.now - start

    pace, other = Pace(), Pace()
    assert took(pace, 10) == 0
    for _ in range(5):
        pace.slower()
    slow = took(pace, 10)
    assert slow > 1
    assert took(other, 10) == 0
    for _ in range(5):
        pace.faster()
    assert took(pace, 10) < slow / 2
    for _ in range(50):
        pace.faster()
    took(pace, 1)
    assert took(pace, 10) == 0


def test_what_a_lost_answer_has_made_or_taken_is_known_by_how_its_repetition_is_refused() -> None:
    memory, role = Memory(), {"RoleName": "R"}
    memory.note("a", "GetRole", role, {"Role": {"Arn": "arn:r"}})
    assert not memory.holds(When.MADE, "a", role)
    memory.note_repeated("a", "CreateRole", role, "EntityAlreadyExists")
    memory.note("a", "GetRole", role, {"Role": {"Arn": "arn:r"}})
    assert memory.holds(When.MADE, "a", role)
    assert memory.holds(When.MADE_PRINCIPAL, "a", {"PolicyDocument": '{"AWS":"arn:r"}'})
    assert not memory.holds(When.TAKEN_AWAY, "a", role)
    memory.note_repeated("a", "DetachRolePolicy", role, "NoSuchEntity")
    assert memory.holds(When.TAKEN_AWAY, "a", role)


def test_a_policy_that_a_lost_answer_has_made_is_known_by_its_path_and_name() -> None:
    memory, asked = Memory(), {"PolicyArn": "arn:aws:iam::123456789012:policy/x/P"}
    memory.note_repeated("a", "CreatePolicy", {"PolicyName": "P", "Path": "/other/"}, "EntityAlreadyExists")
    assert not memory.holds(When.MADE, "a", asked)
    memory.note_repeated("a", "CreatePolicy", {"PolicyName": "P", "Path": "/x/"}, "EntityAlreadyExists")
    assert memory.holds(When.MADE, "a", asked)
    assert not memory.holds(When.MADE, "b", asked)


def test_a_pace_with_a_floor_never_asks_twice_within_it_however_fast_or_late_anybody_is(clock: Clock) -> None:
    pace = Pace(0.55)
    sent: list[float] = []
    for number in range(30):
        pace.wait()
        clock.now += 0.2 * (number % 2)  # what it takes to sign
        pace.sent()
        sent.append(clock.now)
        if number % 7 == 0:
            pace.slower()
        else:
            pace.faster()
        clock.now += 0.9 * (number % 3)  # what the answer takes
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert min(gaps) >= 0.55 - 1e-6
