"""An apply in bad weather, from the command line: what it says, how it ends, and what it leaves alone."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario
from reconciler.sandbox.server import Sandbox, writes
from reconciler.sandbox.strict.accounts import backend
from reconciler.sandbox.strict.faults import Fault, Kind
from reconciler.sandbox.strict.wire import Request
from tests.aws.fault_matrix import ALWAYS, grant
from tests.aws.strict_support import policy
from tests.conftest import EXAMPLE, Clock, Run

ALICE_MAY = {"from": {"account": "dev", "users": ["alice"]}}


def stack(folder: Path, grants: dict[str, Any]) -> Path:
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "grants": grants,
    }
    path = folder / "m.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


@pytest.fixture
def weather(sandbox: Sandbox, clock: Clock) -> Sandbox:
    sandbox.strict.faults.clock = clock.monotonic
    return sandbox


def test_each_call_of_a_wide_apply_is_throttled_once_and_all_is_done(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    path = stack(tmp_path, {f"g{number}": grant() for number in range(20)})
    weather.strict.faults.add(Fault(Kind.THROTTLING, times=ALWAYS, once_each=True))
    result = xgrant("apply", path, "--auto-approve")
    assert result.code == 0
    assert "storage: CreateRole: Throttling; try 2 in 0." in result.err
    assert result.out.endswith("Apply: 40 created, 0 updated, 0 deleted.\n")
    weather.strict.faults.calm()
    assert xgrant("plan", path, "--detailed-exitcode").code == 0


def changed_by_hand(sandbox: Sandbox, operation: str, change: Callable[[], None]) -> None:
    """Let somebody change something by hand right after the first call of an operation has had its effect."""

    def observe(request: Request) -> None:
        if request.operation == operation:
            sandbox.strict.faults.observer = lambda _: None
            change()

    sandbox.strict.faults.observer = observe


def test_a_principal_that_this_run_did_not_make_is_not_waited_for(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path, clock: Clock
) -> None:
    path = stack(tmp_path, {"a": grant(), "b": grant(**ALICE_MAY)})

    def delete_alice() -> None:
        users = backend(SOURCE).users
        del users[next(key for key, user in users.items() if user.name == "alice")]

    changed_by_hand(weather, "CreateRole", delete_alice)
    before = clock.now
    result = xgrant("apply", path, "--auto-approve", "--parallelism", "1", "--no-verify")
    assert result.code == 6
    assert (
        "failed: storage/role/b: account storage: CreateRole: MalformedPolicyDocument: Invalid principal" in result.out
    )
    assert clock.now == before


def test_what_lasts_longer_than_two_minutes_ends_with_6_and_a_true_summary(
    scenario: Scenario, weather: Sandbox, xgrant: Run, clock: Clock
) -> None:
    weather.strict.faults.add(Fault(Kind.THROTTLING, times=ALWAYS, operation="PutGroupPolicy"))
    before = clock.now
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    assert result.code == 6
    assert (
        "failed: dev/group/developers/caller-policy/shared-bucket-read: account dev: PutGroupPolicy: Throttl"
        in result.out
    )
    assert result.out.endswith("Apply: 1 created, 0 updated, 0 deleted, 1 failed.\n")
    assert 120 <= clock.now - before <= 180
    weather.strict.faults.calm()
    assert xgrant("plan", EXAMPLE).out.endswith("Plan: 1 to create, 0 to update, 0 to delete.\n")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda role: setattr(role, "description", "by hand"), "other description"),
        (lambda role: role.policies.update({"more": policy()}), "other inline_policies"),
        (lambda role: backend(TARGET).roles.pop(role.id), "it is gone"),
    ],
)
@pytest.mark.parametrize("what", [{"description": "new"}, {"tags": {"a": "b"}}, {}])
def test_what_was_changed_by_hand_since_the_plan_is_left_alone_and_said(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path,
    change: Callable[[Any], None], says: str, what: dict[str, Any],
) -> None:  # fmt: skip
    xgrant("apply", stack(tmp_path, {"a": grant(), "b": grant()}), "--auto-approve")
    # Of b something is changed, or it is deleted.
    path = stack(tmp_path, {"a": grant(description="new"), **({"b": grant(**what)} if what else {})})
    changed_by_hand(sandbox, "UpdateRole", lambda: change(backend(TARGET).get_role("b")))
    sandbox.recorder.take()
    result = xgrant("apply", path, "--auto-approve", "--parallelism", "1", "--no-verify")
    called = [call.operation for call in writes(sandbox.recorder.take())]
    if not what and says == "it is gone":
        # That is what was wanted.
        assert result.code == 0
        return
    assert result.code == 6
    assert (
        f"failed: storage/role/b: storage/role/b has changed since the plan was made: {says}; it is left" in result.out
    )
    assert called == (["UpdateRole"] if what else ["DeleteGroupPolicy", "UpdateRole"])


def test_a_policy_that_goes_while_its_role_is_read_does_not_pass_for_the_role_that_is_gone(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    xgrant("apply", stack(tmp_path, {"a": grant()}), "--auto-approve")
    changed_by_hand(sandbox, "ListRolePolicies", lambda: backend(TARGET).get_role("a").policies.clear())
    result = xgrant("apply", stack(tmp_path, {}), "--auto-approve", "--no-verify")
    assert result.code == 6
    assert "failed: storage/role/a: account storage: GetRolePolicy: NoSuchEntity" in result.out
    assert [role.name for role in backend(TARGET).roles.values() if role.name == "a"] == ["a"]


def test_a_policy_that_somebody_put_in_the_place_of_a_new_one_is_left_alone(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    name = "xgrant.platform.shared-bucket-read"
    changed_by_hand(
        sandbox, "CreateRole", lambda: backend(SOURCE).get_group("developers").policies.update({name: policy()})
    )
    result = xgrant("apply", EXAMPLE, "--auto-approve", "--no-verify")
    assert result.code == 6
    assert "has changed since the plan was made: it is there already; it is left alone, plan again" in result.out
    assert backend(SOURCE).get_group("developers").policies == {name: policy()}


def test_a_proxy_that_answers_with_no_xml_is_asked_again(scenario: Scenario, weather: Sandbox, xgrant: Run) -> None:
    weather.strict.faults.add(Fault(Kind.BAD_GATEWAY, times=ALWAYS, once_each=True))
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    assert result.code == 0
    assert "storage: CreateRole: (server error); try 2 in" in result.err
    weather.strict.faults.calm()
    assert xgrant("plan", EXAMPLE, "--detailed-exitcode").code == 0


def test_a_change_that_reads_back_differently_is_not_done(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run, clock: Clock
) -> None:
    sandbox.strict.faults.clock = clock.monotonic
    role = "CrossAccountS3ReadRole"
    changed_by_hand(sandbox, "PutGroupPolicy", lambda: setattr(backend(TARGET).get_role(role), "description", "other"))
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    assert result.code == 6
    assert (
        "failed: storage/role/CrossAccountS3ReadRole: it was written, and AWS shows another description; somebody may "
        "have changed it since" in result.out
    )
    assert result.out.endswith("Apply: 1 created, 0 updated, 0 deleted, 1 failed.\n")


def test_without_verification_nothing_is_read_after_the_last_write(
    scenario: Scenario, sandbox: Sandbox, xgrant: Run
) -> None:
    sandbox.recorder.take()
    assert xgrant("apply", EXAMPLE, "--auto-approve", "--no-verify").code == 0
    assert sandbox.recorder.take()[-1].operation == "PutGroupPolicy"
    xgrant("destroy", EXAMPLE, "--auto-approve")
    sandbox.recorder.take()
    assert xgrant("apply", EXAMPLE, "--auto-approve").code == 0
    after = [call.operation for call in sandbox.recorder.take()]
    after = after[after.index("PutGroupPolicy") + 1 :]
    assert sorted(after) == sorted(2 * ["GetAccountAuthorizationDetails", "GetAccountSummary", "ListRoles"])


def test_debug_tells_every_call_with_its_time_and_no_secret(scenario: Scenario, sandbox: Sandbox, xgrant: Run) -> None:
    sandbox.recorder.take()
    result = xgrant("apply", EXAMPLE, "--auto-approve", "--debug")
    calls = Counter(call.operation for call in sandbox.recorder.take())
    told = re.findall(r"^\d\d:\d\d:\d\d\.\d{3}Z [\w ]+: (\w+): \d+\.\d{3} s", result.err, re.MULTILINE)
    assert Counter(told) == calls
    assert scenario.users["operator"].secret_key not in result.out + result.err


@pytest.mark.parametrize(("level", "lines"), [("error", 0), ("warning", 0), ("info", 2)])
def test_the_log_level_says_how_much_is_told(scenario: Scenario, xgrant: Run, level: str, lines: int) -> None:
    result = xgrant("apply", EXAMPLE, "--auto-approve", "--log-level", level)
    assert result.err.count("\n") == lines
    assert result.out.endswith("Apply: 2 created, 0 updated, 0 deleted.\n")
