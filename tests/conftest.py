"""Fixtures: an emulated AWS over loopback HTTP, seeded with the scenario, and the command line run in this process."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from reconciler.aws.store import S3Store
from reconciler.cli import main
from reconciler.sandbox.scenario import CLEARED, SOURCE, Scenario, root_client, seed
from reconciler.sandbox.server import Sandbox
from reconciler.store import FileStore
from tests.snapshots import once
from tests.stores import BUCKET, Kept, age_file, age_object

# Speed differs between machines: no example fails for its time. What passes once passes always: new examples are
# looked for on purpose, by HYPOTHESIS_PROFILE=thorough, and not by whoever merges next.
settings.register_profile(
    "xgrant", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("thorough", settings.get_profile("xgrant"), derandomize=False, max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "xgrant"))

# Whoever starts the tests in the background lets them ignore these, and whatever they start.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

EXAMPLE = Path(__file__).parent.parent / "manifests" / "shared-bucket.yaml"


@dataclass(frozen=True)
class Result:
    """What a command ended with."""

    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture(scope="session")
def _server() -> Iterator[Sandbox]:
    with Sandbox(aws_policies=False, strict=True) as sandbox:
        yield sandbox


@pytest.fixture
def sandbox(_server: Sandbox) -> Sandbox:
    """An empty emulated AWS."""
    _server.reset()
    return _server


seeded = once(seed)
"""Seed an empty sandbox."""


@pytest.fixture
def scenario(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> Scenario:
    """The seeded sandbox; this process speaks to it as operator."""
    for name in CLEARED:
        monkeypatch.delenv(name, raising=False)
    found = seeded(sandbox)
    for name, value in found.environment().items():
        monkeypatch.setenv(name, value)
    return found


class Clock:
    """A clock that only moves when somebody waits by it: whoever waits moves it for all, so let one wait at a time."""

    def __init__(self) -> None:
        self.now = 1e9  # Later than all that was made by the real clock.
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        with self._lock:
            self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which xgrant in this process waits in place of the real one, so that it waits for nothing."""
    found = Clock()
    monkeypatch.setattr("reconciler.clock.monotonic", found.monotonic)
    monkeypatch.setattr("reconciler.clock.now", found.monotonic)
    monkeypatch.setattr("reconciler.clock.sleep", found.sleep)
    return found


@pytest.fixture(params=["files", "s3"])
def kept(request: pytest.FixtureRequest, scenario: Scenario, sandbox: Sandbox, tmp_path: Path) -> Kept:
    """Each of the two stores, empty."""
    if request.param == "files":
        return Kept(FileStore(tmp_path / ".xgrant"), age_file(tmp_path / ".xgrant"))
    root_client(sandbox, "s3", SOURCE).create_bucket(Bucket=BUCKET)
    sandbox.recorder.take()
    return Kept(S3Store(f"s3://{BUCKET}/xgrant/"), age_object, f"store: s3://{BUCKET}/xgrant\n")


@pytest.fixture(autouse=True)
def _no_user_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the machine's own AWS configuration out of the tests, and their locks and history out of each other's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("XGRANT_FOLDER", str(tmp_path / ".xgrant"))


@pytest.fixture
def xgrant(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command line in this process."""

    def run(*arguments: str | Path) -> Result:
        capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run
