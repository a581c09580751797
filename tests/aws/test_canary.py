"""No key, no token and no external id reaches an output, a plan file, a lock or the history, whatever is run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.sandbox.scenario import RECONCILER, SOURCE, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import backend
from reconciler.sandbox.strict.faults import Fault, Kind
from tests.aws.fault_matrix import ALWAYS, grant
from tests.conftest import Clock, Result, Run

IDS = ("canary-for-the-reconciler", "canary-for-the-callers", "canary-that-was", "canary-for-theirs")
FOR_RECONCILER, FOR_CALLERS, WAS, THEIRS = IDS
DEBUG = ("--debug",)


def trusting(external_id: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{SOURCE}:user/operator"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": external_id}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def manifest(scenario: Scenario, sandbox: Sandbox, tmp_path: Path) -> Path:
    for account in (SOURCE, TARGET):
        root_client(sandbox, "iam", account).update_assume_role_policy(
            RoleName=RECONCILER, PolicyDocument=trusting(FOR_RECONCILER)
        )
    root_client(sandbox, "iam", TARGET).create_role(RoleName="Theirs", AssumeRolePolicyDocument=trusting(THEIRS))
    root_client(sandbox, "iam", TARGET).put_role_policy(
        RoleName="Theirs",
        PolicyName="p",
        PolicyDocument='{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}',
    )
    return written(tmp_path, FOR_CALLERS)


def written(folder: Path, external_id: str, **more: Any) -> Path:
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
        "defaults": {"access": {"assume_role": {"name": RECONCILER, "external_id": FOR_RECONCILER}}},
        "grants": {
            "a": grant(**{"from": {"account": "dev", "users": ["alice"]}}, require={"external_id": external_id}),
            "b": grant(trust_conditions={"StringLike": {"sts:ExternalId": [external_id, f"{external_id}-*"]}}),
            **more,
        },
    }
    path = folder / "m.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def test_nothing_secret_is_told_or_kept_by_any_command(
    manifest: Path, scenario: Scenario, sandbox: Sandbox, xgrant: Run, clock: Clock, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    sandbox.strict.faults.clock = clock.monotonic
    told: list[tuple[str, Result]] = []

    def run(*arguments: str | Path, code: int | tuple[int, ...] = 0) -> Result:
        result = xgrant(*arguments)
        told.append((" ".join(map(str, arguments)), result))
        assert result.code in ((code,) if isinstance(code, int) else code), (arguments, result)
        return result

    plan = tmp_path / "plan.json"
    run("validate", manifest)
    run("plan", manifest, *DEBUG)
    run("plan", manifest, "--format", "json", *DEBUG)
    run("plan", manifest, "-o", plan, *DEBUG)
    run("show", plan)
    run("show", plan, "--format", "json")
    sandbox.strict.faults.add(Fault(Kind.THROTTLING, times=ALWAYS, once_each=True))
    run("apply", plan, manifest, *DEBUG)
    sandbox.strict.faults.calm()
    written(tmp_path, WAS)
    run("apply", plan, manifest, *DEBUG, code=4)
    run("drift", manifest, *DEBUG, code=2)
    run("drift", manifest, "--format", "json", *DEBUG, code=2)
    # AWS refuses, and says what it was asked for.
    sandbox.strict.faults.add(Fault(Kind.THROTTLING, times=ALWAYS, operation="UpdateAssumeRolePolicy"))
    run("apply", manifest, "--auto-approve", *DEBUG, code=6)
    sandbox.strict.faults.calm()
    for role in backend(TARGET).roles.values():
        if role.name == "a":
            role.assume_role_policy_document = trusting(FOR_CALLERS)[:-1]
    run("plan", manifest, *DEBUG)
    run("apply", manifest, "--auto-approve", *DEBUG)
    run("import", "--account", "storage", manifest, "--output", tmp_path / "imported.yaml", *DEBUG)
    (listed,) = [line for line in run("history", manifest).out.splitlines() if " in part " in line]
    run("history", listed.split()[0], manifest)
    run("history", listed.split()[0], manifest, "--format", "json")
    run("unlock", "--id", "none", manifest, code=1)
    run("accounts", manifest, *DEBUG)
    run("accounts", manifest, "--format", "json", *DEBUG)
    run("accounts", manifest, "--orphans", *DEBUG)
    written(tmp_path, FOR_CALLERS, c={"from": {}})
    run("validate", manifest, code=3)
    written(tmp_path, FOR_CALLERS)
    run("plan", manifest, "--destroy", *DEBUG)
    run("destroy", manifest, "--auto-approve", *DEBUG)
    # The credentials are refused.
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-token")
    sandbox.enforce(on=True)
    run("plan", manifest, *DEBUG, code=(0, 1))

    kept = [path for path in (tmp_path / ".xgrant").rglob("*") if path.is_file()]
    assert any("history" in str(path) for path in kept)
    assert any("locks" in str(path) for path in kept)
    keys = [keys.secret_key for keys in scenario.users.values()]
    secrets = [*keys, "canary-token", *IDS]
    for secret in secrets:
        assert [command for command, result in told if secret in result.out + result.err] == []
        assert [path for path in (plan, *kept) if secret in path.read_text(encoding="utf-8", errors="replace")] == []
