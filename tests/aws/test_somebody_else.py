"""What somebody else does, and what AWS says of it, while a step is under way: it goes on from its own doing only."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import botocore.auth
import pytest

import reconciler.commands.clock
from reconciler.render.outcomes import summary
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario
from reconciler.sandbox.server import Sandbox, writes
from reconciler.sandbox.strict.accounts import backend
from reconciler.sandbox.strict.faults import Fault, Kind
from tests.aws.fault_matrix import ALWAYS, grant
from tests.aws.strict_support import policy
from tests.aws.test_weather import changed_by_hand, stack
from tests.conftest import EXAMPLE, Clock, Run

LIST = [{"actions": ["s3:ListBucket"], "resources": ["*"]}]
CHANGED = "has changed since the plan was made: "


@pytest.fixture
def weather(sandbox: Sandbox, clock: Clock) -> Sandbox:
    sandbox.strict.faults.clock = clock.monotonic
    return sandbox


@pytest.mark.parametrize("meanwhile", [True, False])
def test_where_somebody_writes_the_same_thing_it_is_looked_at_anew_before_the_next_try(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path, *, meanwhile: bool
) -> None:
    xgrant("apply", stack(tmp_path, {"a": grant()}), "--auto-approve")
    weather.strict.faults.add(Fault(Kind.CONCURRENT_MODIFICATION, operation="UpdateRole"))
    role = backend(TARGET).get_role("a")
    changed_by_hand(weather, "UpdateRole", lambda: role.policies.update({"more": policy()} if meanwhile else {}))
    result = xgrant("apply", stack(tmp_path, {"a": grant(description="new")}), "--auto-approve")
    assert "storage: UpdateRole: ConcurrentModification; try 2 in" in result.err
    assert result.code == (6 if meanwhile else 0)
    assert ("storage/role/a has changed since the plan was made: other" in result.out) is meanwhile
    assert (role.description == "new") is not meanwhile


def test_a_role_on_which_somebody_hangs_something_while_it_goes_is_left_at_once(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path, clock: Clock
) -> None:
    xgrant("apply", stack(tmp_path, {"a": grant()}), "--auto-approve")
    role = backend(TARGET).get_role("a")
    changed_by_hand(weather, "DeleteRolePolicy", lambda: role.policies.update({"more": policy()}))
    before = clock.now
    result = xgrant("apply", stack(tmp_path, {}), "--auto-approve", "--no-verify")
    assert result.code == 6
    assert (
        "failed: storage/role/a: storage/role/a has changed since the plan was made: other inline_policies"
        in result.out
    )
    assert clock.now - before < 2


@pytest.mark.parametrize(
    ("operation", "by_hand", "after", "says"),
    [
        ("PutRolePolicy", lambda role: role.policies.clear(), {"permissions": LIST}, "other inline_policies"),
        ("TagRole", lambda role: role.tags.pop(), {"tags": {"t": "2"}}, "other tags"),
        ("TagRole", lambda role: backend(TARGET).roles.pop(role.id), {"tags": {"t": "2"}}, "it is gone"),
    ],
)
def test_what_somebody_takes_away_at_the_same_moment_is_not_put_back(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path,
    operation: str, by_hand: Callable[[Any], None], after: dict[str, Any], says: str,
) -> None:  # fmt: skip
    xgrant("apply", stack(tmp_path, {"a": grant(tags={"t": "1"})}), "--auto-approve")
    weather.strict.faults.add(Fault(Kind.CONCURRENT_MODIFICATION, operation=operation))
    changed_by_hand(weather, operation, lambda: by_hand(backend(TARGET).get_role("a")))
    weather.recorder.take()
    path = stack(tmp_path, {"a": grant(**{"tags": {"t": "1"}, **after})})
    result = xgrant("apply", path, "--auto-approve", "--no-verify")
    assert result.code == 6
    assert f"storage/role/a {CHANGED}{says}" in result.out
    assert [call.operation for call in writes(weather.recorder.take())] == [operation]


def test_a_role_that_somebody_deletes_when_it_was_just_made_is_not_made_again(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    weather.strict.faults.add(Fault(Kind.CONCURRENT_MODIFICATION, operation="PutRolePolicy"))
    changed_by_hand(weather, "PutRolePolicy", lambda: backend(TARGET).roles.pop(backend(TARGET).get_role("a").id))
    weather.recorder.take()
    result = xgrant("apply", stack(tmp_path, {"a": grant()}), "--auto-approve", "--no-verify")
    assert result.code == 6
    assert f"storage/role/a {CHANGED}it is gone" in result.out
    assert [call.operation for call in writes(weather.recorder.take())] == ["CreateRole", "PutRolePolicy"]


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize("kind", [Kind.CONCURRENT_MODIFICATION, Kind.CONCURRENT_MODIFICATION_AFTER])
@pytest.mark.parametrize("spare", [0, 1, 2])
def test_an_adoption_of_several_policies_goes_on_from_wherever_it_was_struck(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path, number: int, kind: Kind, spare: int
) -> None:
    xgrant("apply", stack(tmp_path, {"a": grant()}), "--auto-approve")
    group = backend(SOURCE).get_group("developers")
    document = group.policies.pop("xgrant.platform.a")
    group.policies |= {f"hand-{index}": document for index in range(number)}
    weather.strict.faults.add(Fault(kind, operation="DeleteGroupPolicy", spare=spare))
    weather.strict.faults.add(Fault(kind, operation="PutGroupPolicy"))
    result = xgrant("apply", stack(tmp_path, {"a": grant(adopt=True)}), "--auto-approve")
    assert result.code == 0, result.out
    assert list(group.policies) == ["xgrant.platform.a"]


@pytest.mark.parametrize("kind", [Kind.CONCURRENT_MODIFICATION, Kind.CONCURRENT_MODIFICATION_AFTER])
@pytest.mark.parametrize("spare", [0, 1])
def test_a_removal_of_several_policies_is_done_only_when_all_are_gone(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path, kind: Kind, spare: int
) -> None:
    def grants(path: str, **more: Any) -> dict[str, Any]:
        carrier = {"account": "storage", "role": "Carrier", "path": path}
        caller = {"account": "storage", "roles": [f"{path}Carrier".removeprefix("/")]}
        return {
            "carrier": grant(to=carrier),
            "b": grant(**{"from": caller, "to": {"account": "dev", "role": "B"}, **more}),
        }

    assert xgrant("apply", stack(tmp_path, grants("/")), "--auto-approve").code == 0
    role = backend(TARGET).get_role("Carrier")
    document = role.policies.pop("xgrant.platform.b")
    role.policies |= {"hand-1": document, "hand-2": document}
    weather.strict.faults.add(Fault(kind, operation="DeleteRolePolicy", spare=spare))
    # The carrier is made anew at another path: what it carries has to go first.
    result = xgrant("apply", stack(tmp_path, grants("/x/", adopt=True)), "--auto-approve")
    assert result.code == 0, result.out
    assert set(backend(TARGET).get_role("Carrier").policies) == {"xgrant-permissions", "xgrant.platform.b"}


@pytest.mark.parametrize("kind", [Kind.DELETE_CONFLICT, Kind.CONCURRENT_MODIFICATION])
def test_lists_that_still_show_what_was_taken_away_are_read_again(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path, kind: Kind
) -> None:
    xgrant("apply", stack(tmp_path, {"a": grant()}), "--auto-approve")
    weather.strict.faults.list_delay = 5
    weather.strict.faults.add(Fault(kind, operation="DeleteRole"))
    result = xgrant("apply", stack(tmp_path, {}), "--auto-approve", "--no-verify")
    assert result.code == 0, result.out
    assert "a" not in {role.name for role in backend(TARGET).roles.values()}


def test_an_update_that_is_struck_while_lists_are_old_goes_on(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    xgrant("apply", stack(tmp_path, {"a": grant()}), "--auto-approve")
    weather.strict.faults.list_delay = 5
    weather.strict.faults.add(Fault(Kind.CONCURRENT_MODIFICATION, operation="UpdateAssumeRolePolicy"))
    both = grant(require={"external_id": "agreed"}, permissions=LIST)
    result = xgrant("apply", stack(tmp_path, {"a": both}), "--auto-approve", "--no-verify")
    assert result.code == 0, result.out
    assert set(backend(TARGET).get_role("a").policies) == {"xgrant-permissions"}


@pytest.mark.parametrize(
    "kinds",
    [
        [Kind.CONCURRENT_MODIFICATION_AFTER],
        [Kind.BAD_GATEWAY, Kind.CONCURRENT_MODIFICATION],
        [Kind.CUT_AFTER, Kind.CONCURRENT_MODIFICATION],
        [Kind.CUT_BEFORE, Kind.CONCURRENT_MODIFICATION, Kind.CUT_AFTER],
    ],
    ids=str,
)
@pytest.mark.parametrize("made", ["CreateRole", "CreatePolicy"])
def test_what_a_lost_answer_has_made_is_known_again_whatever_comes_between(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path, kinds: list[Kind], made: str
) -> None:
    weather.strict.faults.entity_delay = weather.strict.faults.principal_delay = 5
    for kind in kinds:
        weather.strict.faults.add(Fault(kind, operation=made))
    path = stack(tmp_path, {"a": grant(caller_policy="managed")})
    result = xgrant("apply", path, "--auto-approve", "--no-verify")
    assert result.code == 0, result.out
    weather.strict.faults.calm()
    assert xgrant("plan", path, "--detailed-exitcode").code == 0


def test_each_call_of_a_step_is_waited_for_anew(
    scenario: Scenario, weather: Sandbox, xgrant: Run, tmp_path: Path, clock: Clock
) -> None:
    xgrant("apply", stack(tmp_path, {"a": grant()}), "--auto-approve")
    for operation in ("UpdateAssumeRolePolicy", "TagRole"):
        weather.strict.faults.add(Fault(Kind.CONCURRENT_MODIFICATION, operation=operation))
    for operation in ("UpdateRole", "PutRolePolicy"):
        weather.strict.faults.add(Fault(Kind.THROTTLING, operation=operation, times=9))
    before = clock.now
    after = grant(description="n", tags={"x": "y"}, require={"external_id": "agreed"}, permissions=LIST)
    result = xgrant("apply", stack(tmp_path, {"a": after}), "--auto-approve", "--no-verify")
    assert clock.now - before > 120
    assert result.code == 0, result.out


BODIES = {
    "a page of Apache": b"<!DOCTYPE HTML PUBLIC '-//IETF//DTD HTML 2.0//EN'><html><body><p>x<br /></body></html>",
    "XML in Latin-1": b'<?xml version="1.0" encoding="ISO-8859-1"?><html><body>d\xe9sol\xe9</body></html>',
    "XML in an encoding of its own": b'<?xml version="1.0" encoding="gb2312"?><html><body>x</body></html>',
    "an error that is none of AWS": b"<r><Error>boom</Error></r>",
    "XML without an error": b"<ServiceUnavailableException/>",
    "nothing": b"",
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("operation", ["CreateRole", "GetAccountSummary"])
def test_whatever_a_proxy_answers_is_a_failure_of_the_server(
    scenario: Scenario, weather: Sandbox, xgrant: Run, body: bytes, operation: str
) -> None:
    weather.strict.faults.proxy_says = body
    weather.strict.faults.add(Fault(Kind.BAD_GATEWAY, operation=operation))
    result = xgrant("apply", EXAMPLE, "--auto-approve", "--no-verify")
    assert result.code == 0
    assert f"{operation}: (server error); try 2 in" in result.err
    weather.strict.faults.add(Fault(Kind.BAD_GATEWAY, times=ALWAYS, operation="GetAccountSummary"))
    result = xgrant("plan", EXAMPLE)
    assert result.code == 1
    assert "GetAccountSummary: 502: Bad Gateway" in result.err


def test_a_lock_that_is_lost_while_credentials_are_renewed_stops_the_call(
    scenario: Scenario, weather: Sandbox, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = [0.0]
    elapsed, sign = reconciler.commands.clock.elapsed, botocore.auth.SigV4Auth.add_auth
    monkeypatch.setattr("reconciler.commands.clock.elapsed", lambda: elapsed() + late[0])

    def slowly(self: Any, request: Any) -> Any:
        late[0] = 46.0 * ("CreateRole" in str(request.data))
        return sign(self, request)

    monkeypatch.setattr(botocore.auth.SigV4Auth, "add_auth", slowly)
    weather.recorder.take()
    assert xgrant("apply", EXAMPLE, "--auto-approve", "--no-verify").code == 6
    assert list(writes(weather.recorder.take())) == []


def test_the_history_calls_no_run_interrupted_that_was_over(
    scenario: Scenario, weather: Sandbox, xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    weather.strict.faults.add(Fault(Kind.THROTTLING, times=ALWAYS, operation="PutGroupPolicy"))

    def late(*what: Any, **how: Any) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        return summary(*what, **how)

    monkeypatch.setattr("reconciler.commands.apply.summary", late)
    assert xgrant("apply", EXAMPLE, "--auto-approve", "--no-verify").code == 6
    assert "in part (1 done, 1 failed of 2 steps)" in xgrant("history", EXAMPLE).out


def test_ctrl_c_waits_for_no_throttled_read(scenario: Scenario, weather: Sandbox, xgrant: Run, clock: Clock) -> None:
    since: list[float] = []

    def observe(request: Any) -> None:
        if request.operation == "PutGroupPolicy":
            weather.strict.faults.add(Fault(Kind.THROTTLING, times=ALWAYS, operation="GetAccountSummary"))
            since.append(clock.now)
            os.kill(os.getpid(), signal.SIGINT)

    weather.strict.faults.observer = observe
    result = xgrant("apply", EXAMPLE, "--auto-approve")
    assert result.code == 6
    assert "cannot be read back" in result.out or "not read back" in result.out
    assert clock.now - since[0] < 5
