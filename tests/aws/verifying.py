"""What the tests of verify share: the example, applied, with everybody's keys, and what is done to it by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconciler.cli import main
from reconciler.data import data_path
from reconciler.sandbox.scenario import CLEARED, SOURCE, TARGET, Scenario, root_client, seed
from reconciler.sandbox.server import Sandbox
from tests.aws.strict_support import policy
from tests.conftest import EXAMPLE, Run
from tests.snapshots import once

ROLE = "CrossAccountS3ReadRole"
ROLE_ARN = f"arn:aws:iam::{TARGET}:role/xgrant/{ROLE}"
PLACE = ("    permissions:\n", "    require: {source_ip: [192.0.2.0/24]}\n    permissions:\n")
MFA = """\
version: 1
stack: platform
grants:
  with-mfa:
    from: {account: dev, users: [alice]}
    to: {account: storage}
    permissions: [{actions: "sqs:*", resources: "arn:aws:sqs:us-east-1:987654321098:q"}]
    require: {mfa: true}
"""


def _applied(sandbox: Sandbox) -> Scenario:
    scenario = seed(sandbox)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in scenario.environment().items():
            patch.setenv(name, value)
        Path("more.yaml").write_text(MFA)
        assert main(["apply", str(EXAMPLE), "more.yaml", "--auto-approve", "--no-verify"]) == 0
    return scenario


_once = once(_applied)


@dataclass
class World:
    """Who may do what, and the command."""

    sandbox: Sandbox
    run: Run

    def iam(self, account: str = TARGET) -> Any:
        return root_client(self.sandbox, "iam", account)

    def break_(self, how: Callable[[World], object]) -> None:
        self.sandbox.enforce(on=False)
        how(self)
        self.sandbox.enforce(on=True)

    def doors(self, *words: str, code: int = 0) -> list[dict[str, Any]]:
        result = self.run("verify", "shared-bucket-read", *words, "--manifest", EXAMPLE, "--format", "json")
        data = json.loads(result.out)
        schema = json.loads(data_path("schemas/verification.schema.json").read_text())
        jsonschema.Draft202012Validator(schema).validate(data)
        assert result.code == code, result.out + result.err
        found: list[dict[str, Any]] = data["doors"]
        return found


def make_world(sandbox: Sandbox, xgrant: Run, monkeypatch: pytest.MonkeyPatch) -> World:
    """The example, applied; everybody's keys are profiles, and permissions and trust are checked."""
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    scenario = _once(sandbox)
    for name, value in scenario.environment().items():
        monkeypatch.setenv(name, value)
    lines = (
        f"[{name}]\naws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
        for name, keys in scenario.users.items()
    )
    Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).write_text("".join(lines))
    sandbox.enforce(on=True)
    return World(sandbox, xgrant)


def own_policy(world: World, **statement: Any) -> None:
    document = policy(**{"Action": "sts:AssumeRole", "Resource": "*", **statement})
    world.iam(SOURCE).put_user_policy(UserName="bob", PolicyName="own", PolicyDocument=document)


def with_denial(world: World, denial: tuple[str, str]) -> None:
    Path("denial.yaml").write_text(EXAMPLE.read_text().replace(*denial, 1))
    world.sandbox.enforce(on=False)
    assert world.run("apply", "denial.yaml", "--auto-approve", "--no-verify").code == 0
    world.sandbox.enforce(on=True)
