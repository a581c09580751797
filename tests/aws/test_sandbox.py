"""The sandbox and the demo are what they say."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from reconciler.sandbox.demo import DemoError, demo
from reconciler.sandbox.scenario import BUCKET, OBJECT, RECONCILER, TARGET, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from tests.aws.census import everything
from tests.aws.strict_support import policy
from tests.conftest import EXAMPLE, Run
from tests.pages import README, ROOT
from tests.snapshots import restore, save


def test_the_demo_shows_every_step_and_ends_well() -> None:
    done = subprocess.run([sys.executable, "-m", "reconciler", "demo"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    steps = [
        "Plan: 2 to create, 0 to update, 0 to delete.",
        "alice: sts:AssumeRole: refused",
        "Apply: 2 created, 0 updated, 0 deleted.",
        "No changes. AWS is as the manifests say.",
        "assumed-role/CrossAccountS3ReadRole/DevAccess",
        "s3:GetObject my-shared-bucket/report.csv: month,total",
        "s3:PutObject: refused, Access Denied",
        "bob: sts:AssumeRole: refused",
        "s3:PutObject added",
        "- Action: s3:PutObject",
        "Apply: 0 created, 1 updated, 0 deleted.",
        "No changes. AWS is as the manifests say.",
        "Destroy: 0 created, 0 updated, 2 deleted.",
        "The demo is done; every step did what it should.",
    ]
    position = 0
    for step in steps:
        position = done.stdout.index(step, position)


def test_a_step_that_fails_fails_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.sandbox.demo.ROLE_ARN", f"arn:aws:iam::{TARGET}:role/Other")
    with pytest.raises((DemoError, ClientError)):
        demo(False, say=lambda _: None)


# What the README says to try, with the exit code, and what is then said.
USED = [
    ("xgrant exec shared-bucket-read --as alice -- aws s3 ls s3://my-shared-bucket", 0, OBJECT),
    (
        "xgrant exec shared-bucket-read --as bob -- aws s3 ls s3://my-shared-bucket    # is refused",
        1,
        "the caller's side",
    ),
    ("xgrant verify --as alice --as bob", 0, "2 doors: 1 open, 1 refused as meant."),
    ("xgrant audit --region us-east-1", 0, "user alice of dev"),
]


NO_ANALYZER = "ValidatePolicy: ValidationException: this sandbox has no Access Analyzer; xgrant sandbox --strict has"


@pytest.mark.parametrize(
    ("strict", "ends_by"), [([], signal.SIGTERM), (["--strict"], signal.SIGHUP)], ids=["moto alone", "strict"]
)
def test_the_command_prints_an_environment_that_works_and_a_signal_ends_it_and_all_that_it_wrote(
    tmp_path: Path, strict: list[str], ends_by: signal.Signals
) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "sandbox", *strict],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(12)]
        exported = dict(re.findall(r"export (\w+)=(\S+)", "".join(lines)))
        bob = re.search(r"# bob: AWS_ACCESS_KEY_ID=(\S+) AWS_SECRET_ACCESS_KEY=(\S+)", "".join(lines))
        assert bob is not None
        environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | exported
        command = [sys.executable, "-m", "reconciler", "apply", str(EXAMPLE), "--auto-approve"]
        applied = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert applied.returncode == 0, applied.stderr
        as_bob = environment | {"AWS_ACCESS_KEY_ID": bob.group(1), "AWS_SECRET_ACCESS_KEY": bob.group(2)}
        refused = subprocess.run(
            [*command[:3], "plan", str(EXAMPLE)], env=as_bob, capture_output=True, text=True, check=False
        )
        assert refused.returncode == 1
        assert "sts:AssumeRole" in refused.stderr
        assert exported["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
        assert ".venv/bin/xgrant sandbox --strict\n" in README.read_text(encoding="utf-8")
        assert all(line in README.read_text(encoding="utf-8") for line, _, _ in USED)
        for line, code, says in USED if strict else [("xgrant lint --access-analyzer", 1, NO_ANALYZER)]:
            path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            used = subprocess.run(
                ["bash", "-c", line], env=environment | {"PATH": path, "HOME": str(tmp_path)}, cwd=ROOT,
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert (used.returncode, says in used.stdout + used.stderr) == (code, True), used
        folder = Path(exported["AWS_CONFIG_FILE"]).parent
        assert (folder / "credentials").stat().st_mode & 0o777 == 0o600
    finally:
        server.send_signal(ends_by)
        output = server.communicate(timeout=30)
    assert (server.returncode, "Traceback" in output[1]) == (0, False), output
    assert "Let a shell read the lines (`. FILE`), then try `xgrant plan` there." in output[1]
    assert not folder.exists()


def test_a_sandbox_that_is_ended_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "sandbox"], env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        until = time.monotonic() + 60
        while not [*tmp_path.glob("xgrant-sandbox-*")] and time.monotonic() < until:
            time.sleep(0.001)
    finally:
        server.terminate()
        _, told = server.communicate(timeout=60)
    assert (server.returncode, [*tmp_path.glob("xgrant-sandbox-*")]) == (0, []), told


def test_a_port_that_is_in_use_is_told_with_what_to_do(xgrant: Run, sandbox: Sandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    result = xgrant("sandbox", "--port", port)
    assert (result.code, result.out) == (64, "")
    assert f"127.0.0.1:{port} cannot be had: Address already in use; name another port" in result.err


def test_identity_policies_are_enforced_and_the_tests_own_client_is_not_a_way_around(
    scenario: Scenario, sandbox: Sandbox
) -> None:
    sandbox.enforce(on=True)
    with pytest.raises(ClientError, match="not authorized"):
        scenario.client("iam", "alice").list_users()
    with pytest.raises(ClientError, match="InvalidClientTokenId"):
        root_client(sandbox, "iam", TARGET).list_users()


def test_calls_are_recorded_with_account_service_and_operation(scenario: Scenario, sandbox: Sandbox) -> None:
    sandbox.recorder.take()
    scenario.client("iam", "alice").list_users()
    root_client(sandbox, "s3", TARGET).list_objects_v2(Bucket=BUCKET)
    recorded = [(call.account, call.service, call.operation, call.writes()) for call in sandbox.recorder.take()]
    assert recorded == [("123456789012", "iam", "ListUsers", False), (TARGET, "s3", "Get", False)]


def test_a_reset_leaves_nothing(scenario: Scenario, sandbox: Sandbox) -> None:
    sandbox.reset()
    assert root_client(sandbox, "iam", TARGET).list_roles()["Roles"] == []


def test_what_is_put_back_is_all_that_stood_and_nothing_else(scenario: Scenario, sandbox: Sandbox) -> None:
    iam, s3 = root_client(sandbox, "iam", TARGET), root_client(sandbox, "s3", TARGET)

    def found() -> tuple[object, ...]:
        users = iam.get_account_summary()["SummaryMap"]["Users"]
        content = s3.get_object(Bucket=BUCKET, Key=OBJECT)["Body"].read()
        return (everything(), users, content, [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]])

    saved, before = save(sandbox), found()
    for _ in range(2):
        iam.create_user(UserName="new")
        iam.put_role_policy(RoleName=RECONCILER, PolicyName="more", PolicyDocument=policy())
        s3.put_object(Bucket=BUCKET, Key=OBJECT, Body=b"changed")
        s3.create_bucket(Bucket="new")
        assert [now == then for now, then in zip(found(), before, strict=True)] == [False] * 4
        restore(sandbox, saved)
        assert found() == before
        # Keys that were made before are somebody's again.
        assert scenario.client("sts", "storage-admin").get_caller_identity()["Account"] == TARGET


def test_the_sandbox_listens_on_loopback_only() -> None:
    code = (
        "from reconciler.sandbox.server import Sandbox\n"
        "with Sandbox() as sandbox: print(sandbox._server.server_address[0])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "127.0.0.1\n"


def test_the_sandbox_that_is_not_strict_answers_the_simulator_too() -> None:
    code = """
from reconciler.sandbox.scenario import SOURCE, seed
from reconciler.sandbox.server import Sandbox

with Sandbox(aws_policies=False) as sandbox:
    scenario = seed(sandbox)
    sandbox.enforce(on=True)
    for who in ("dev-admin", "alice"):
        try:
            found = scenario.client("iam", who).simulate_principal_policy(
                PolicySourceArn=f"arn:aws:iam::{SOURCE}:user/dev-admin", ActionNames=["iam:GetRole"]
            )
            print(found["EvaluationResults"][0]["EvalDecision"])
        except Exception as error:
            print(error.response["Error"]["Code"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "allowed\nAccessDenied\n"
