"""Grants that are applied once for all tests of a file, and alice, who uses them; a repository at GitHub."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from reconciler.cli import main
from reconciler.sandbox.scenario import CLEARED, REGION, SOURCE, Credentials, Scenario, root_client, seed
from reconciler.sandbox.server import Sandbox
from tests.aws.bootstrap_support import deployed
from tests.aws.strict_support import policy
from tests.aws.using import BIN, DEVICE, GRANTS, become
from tests.conftest import EXAMPLE
from tests.pipelines.github_api import GitHubApi
from tests.pipelines.warm import warm
from tests.pipelines.world import World, new_world


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, and grants that demand more."""
    folder = tmp_path_factory.mktemp("manifests")
    (folder / "example.yaml").write_text(EXAMPLE.read_text())
    (folder / "more.yaml").write_text(GRANTS)
    return folder


@pytest.fixture(scope="module")
def applied(_server: Sandbox, manifests: Path) -> Iterator[Scenario]:
    """All of it, applied once for the tests of this file; alice has an MFA device, and carol may see groups. Permissions are checked."""
    _server.reset()
    scenario = seed(_server)
    iam = root_client(_server, "iam", SOURCE)
    iam.create_user(UserName="carol")
    key = iam.create_access_key(UserName="carol")["AccessKey"]
    carol = Credentials(key["AccessKeyId"], key["SecretAccessKey"])
    iam.put_user_policy(UserName="carol", PolicyName="look", PolicyDocument=policy(Action="iam:List*"))
    iam.create_virtual_mfa_device(VirtualMFADeviceName="alice")
    iam.enable_mfa_device(
        UserName="alice", SerialNumber=DEVICE, AuthenticationCode1="111111", AuthenticationCode2="222222"
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in scenario.environment().items():
            patch.setenv(name, value)
        patch.setenv("NO_PROXY", "127.0.0.1")
        patch.setenv("XGRANT_FOLDER", str(manifests / ".xgrant"))
        assert main(["apply", str(manifests), "--auto-approve", "--no-verify"]) == 0
    _server.enforce(on=True)
    yield replace(scenario, users={**scenario.users, "carol": carol})
    _server.reset()


@pytest.fixture
def alice(applied: Scenario, manifests: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """This process and its shells are alice's, who has a profile and no variables; the manifests are where she is."""
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", applied.url)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(f"[default]\nregion = {REGION}\n")
    monkeypatch.setenv("HOME", str(tmp_path))  # The CLI keeps sessions there.
    monkeypatch.setenv("PATH", f"{BIN}:{os.environ['PATH']}")
    become(applied, "alice")
    (tmp_path / "manifests").symlink_to(manifests)


@pytest.fixture(scope="session")
def programs() -> Iterator[Path]:
    """A folder with the command line, for shells of pipelines."""
    # Not that of pytest: the name of a socket has to be short.
    with TemporaryDirectory() as folder, warm(Path(folder)) as found:
        yield found


@pytest.fixture
def world(sandbox: Sandbox, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A repository at GitHub, with accounts that have what `xgrant bootstrap` makes, and no grants yet."""
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    _, options = deployed(sandbox)
    monkeypatch.setenv("AWS_ENDPOINT_URL", sandbox.url)
    sandbox.enforce(on=True)
    with GitHubApi() as api:
        yield new_world(tmp_path, programs, sandbox, api, options)
