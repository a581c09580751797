"""Whatever happens in whatever order: another's things never change, and an apply in fair weather leaves nothing over."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from reconciler.cli import main
from reconciler.sandbox.scenario import SOURCE, TARGET, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import backend
from reconciler.sandbox.strict.faults import Fault, Kind
from tests.aws.census import doors_to_nowhere, not_of
from tests.aws.fault_matrix import ALWAYS, BOUNDARY, OWN, grant
from tests.aws.strict_support import policy
from tests.conftest import Clock, seeded

STACKS = ("mine", "theirs")
names = st.sampled_from(["a", "b", "c"])
callers = st.sampled_from(
    [{"groups": ["developers"]}, {"users": ["alice"]}, {"users": ["alice", "bob"]}, {"roles": ["builder"]}]
)
grants = st.fixed_dictionaries(
    {"from": callers.map(lambda who: {"account": "dev", **who})},
    optional={
        "description": st.sampled_from(["one", "two"]),
        "tags": st.sampled_from([{"team": "x"}, {"team": "y"}]),
        "managed_policies": st.just([OWN]),
        "permissions_boundary": st.just(BOUNDARY),
        "caller_policy": st.just("managed"),
        "permissions": st.just([{"actions": ["sqs:*"], "resources": ["*"]}]),
    },
)
faults = st.sampled_from([Kind.THROTTLING, Kind.SERVICE_FAILURE, Kind.CUT_BEFORE, Kind.CUT_AFTER])


class History(RuleBasedStateMachine):
    """Two stacks over the same two accounts and principals, changes by hand, and bad weather."""

    sandbox: Sandbox
    clock: Clock
    folder: Path

    @initialize()
    def begin(self) -> None:
        os.environ.update(seeded(self.sandbox).environment())
        self.sandbox.strict.faults.clock = self.clock.monotonic
        trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
        root_client(self.sandbox, "iam", SOURCE).create_role(
            RoleName="builder", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
        )
        for name in ("own", "boundary"):
            root_client(self.sandbox, "iam", TARGET).create_policy(PolicyName=name, PolicyDocument=policy())
        self.declared: dict[str, dict[str, Any]] = {stack: {} for stack in STACKS}
        self.nobodys = not_of(*STACKS)

    def run(self, command: str, stack: str, *options: str) -> tuple[int, str]:
        declared = {
            name: grant(**{**parts, "to": {"account": "storage", "role": f"{stack}-{name}"}})
            for name, parts in self.declared[stack].items()
        }
        data = {
            "version": 1,
            "stack": stack,
            "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
            "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
            "grants": declared,
        }
        path = self.folder / f"{stack}.yaml"
        path.write_text(json.dumps(data), encoding="utf-8")
        out = io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            return main([command, str(path), *options]), out.getvalue()

    @rule(stack=st.sampled_from(STACKS), name=names, parts=grants)
    def declare(self, stack: str, name: str, parts: dict[str, Any]) -> None:
        self.declared[stack][name] = parts

    @rule(stack=st.sampled_from(STACKS), name=names)
    def withdraw(self, stack: str, name: str) -> None:
        self.declared[stack].pop(name, None)

    @rule(
        stack=st.sampled_from(STACKS),
        name=names,
        what=st.sampled_from(["description", "inline", "attached", "deleted"]),
    )
    def somebody_changes_a_role_by_hand(self, stack: str, name: str, what: str) -> None:
        roles = backend(TARGET).roles
        for key, role in list(roles.items()):
            if role.name == f"{stack}-{name}":
                if what == "description":
                    role.description = "by hand"
                elif what == "inline":
                    role.policies["more"] = policy()
                elif what == "attached":
                    root_client(self.sandbox, "iam", TARGET).attach_role_policy(RoleName=role.name, PolicyArn=BOUNDARY)
                else:
                    del roles[key]

    @rule()
    def somebody_makes_the_calling_role_anew(self) -> None:
        iam = root_client(self.sandbox, "iam", SOURCE)
        role = backend(SOURCE).get_role("builder")
        if not role.policies and not role.managed_policies:
            trust = role.assume_role_policy_document
            iam.delete_role(RoleName="builder")
            iam.create_role(RoleName="builder", AssumeRolePolicyDocument=trust)
            self.nobodys = not_of(*STACKS)

    @rule(stack=st.sampled_from(STACKS), kind=faults, rate=st.sampled_from([0.1, 0.5]))
    def apply_in_bad_weather(self, stack: str, kind: Kind, rate: float) -> None:
        others = not_of(stack)
        self.sandbox.strict.faults.add(Fault(kind, times=ALWAYS, rate=rate))
        code, out = self.run("apply", stack, "--auto-approve")
        self.sandbox.strict.faults.calm()
        assert code in (0, 1, 6), out
        assert not_of(stack) == others

    @rule(stack=st.sampled_from(STACKS))
    def apply_in_fair_weather(self, stack: str) -> None:
        others = not_of(stack)
        code, out = self.run("apply", stack, "--auto-approve")
        assert code == 0, out
        code, out = self.run("plan", stack, "--detailed-exitcode")
        assert code == 0, out
        assert not_of(stack) == others
        assert doors_to_nowhere(stack) == []

    @invariant()
    def what_is_nobodys_stays_as_it_is(self) -> None:
        if hasattr(self, "nobodys"):
            assert not_of(*STACKS) == self.nobodys


@pytest.fixture
def _machine(sandbox: Sandbox, clock: Clock, scenario: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr("reconciler.applier.schedule.MAX_THREADS", 1)
    with tempfile.TemporaryDirectory() as folder:
        History.sandbox, History.clock, History.folder = sandbox, clock, Path(folder)
        yield


# Two tests, so that they run beside each other; to shrink a failure would take minutes.
@pytest.mark.parametrize("part", range(2))
@pytest.mark.usefixtures("_machine")
def test_any_history_of_two_stacks_people_and_weather(part: int) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=12,
            stateful_step_count=10,
            deadline=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
