"""The whole job from the README, run against the sandbox. Every line shown is what really happened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from tempfile import TemporaryDirectory

from botocore.exceptions import ClientError

from reconciler.data import data_path
from reconciler.errors import XgrantError
from reconciler.render.escape import escape
from reconciler.sandbox.scenario import BUCKET, CLEARED, OBJECT, TARGET, Credentials, Scenario, seed
from reconciler.sandbox.server import Sandbox

ROLE = "CrossAccountS3ReadRole"
ROLE_ARN = f"arn:aws:iam::{TARGET}:role/xgrant/{ROLE}"

_BY_HAND = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket", '
    f'"s3:PutObject"], "Resource": ["arn:aws:s3:::{BUCKET}", "arn:aws:s3:::{BUCKET}/*"]}}]}}'
)

Say = Callable[[str], None]


class DemoError(XgrantError):
    """A step of the demo did not do what it should."""


def demo(colour: bool, say: Say) -> None:
    """Run every step, in order; `say` shows a line.

    Raises:
        DemoError: at the first step that fails.

    """
    manifest = os.path.relpath(data_path("manifests/shared-bucket.yaml"))
    # Its history is thrown away with it: it is not that of real accounts.
    with Sandbox(strict=True) as sandbox, TemporaryDirectory(prefix="xgrant-demo-") as folder:
        scenario = seed(sandbox)
        sandbox.enforce(on=True)
        steps = _Steps(scenario, colour, say, folder)
        say("An emulated AWS with two accounts runs on loopback. It refuses what AWS refuses, and checks both sides of")
        say("an AssumeRole: the caller's own policies, and the role's trust policy.")

        steps.title("The plan: a role in one account, a policy on a group in the other")
        steps.xgrant(["plan", manifest, "--detailed-exitcode"], expect=2)
        steps.title("alice tries before there is a grant")
        steps.refused("alice", "sts:AssumeRole", lambda: scenario.assume("alice", ROLE_ARN))
        steps.title("Apply it")
        steps.xgrant(["apply", manifest, "--auto-approve"], expect=0)
        steps.title("Plan again: AWS is as the manifest says")
        steps.xgrant(["plan", manifest, "--detailed-exitcode"], expect=0)

        steps.title("alice, a developer, assumes the role and reads the object")
        session = steps.assumes("alice")
        steps.reads(session)
        steps.title("A write with the same session")
        s3 = scenario.client("s3", session)
        steps.refused("alice's session", "s3:PutObject", lambda: s3.put_object(Bucket=BUCKET, Key="new", Body=b"x"))
        steps.title("bob, who is no developer, tries to assume the role")
        steps.refused("bob", "sts:AssumeRole", lambda: scenario.assume("bob", ROLE_ARN))

        steps.title("Somebody gives the role more by hand")
        steps.by_hand()
        steps.xgrant(["plan", manifest, "--detailed-exitcode"], expect=2)
        steps.title("Apply repairs it")
        steps.xgrant(["apply", manifest, "--auto-approve"], expect=0)
        steps.xgrant(["plan", manifest, "--detailed-exitcode"], expect=0)

        steps.title("Take it all back")
        steps.xgrant(["destroy", manifest, "--auto-approve"], expect=0)
        steps.refused("alice", "sts:AssumeRole", lambda: scenario.assume("alice", ROLE_ARN))
        say("\nThe demo is done; every step did what it should.")


class _Steps:
    def __init__(self, scenario: Scenario, colour: bool, say: Say, folder: str) -> None:
        self._folder = folder
        self._scenario = scenario
        self._colour = colour
        self._say = say
        self._number = 0
        self._environment = {k: v for k, v in os.environ.items() if k not in CLEARED} | scenario.environment()
        # A proxy of this machine has nothing to do with loopback.
        self._environment["NO_PROXY"] = "127.0.0.1"
        self._environment["XGRANT_FOLDER"] = os.path.join(folder, ".xgrant")  # noqa: PTH118 - as str

    def title(self, text: str) -> None:
        self._number += 1
        heading = f"{self._number}. {text}"
        self._say("\n" + (f"\033[1m{heading}\033[0m" if self._colour else heading))

    def xgrant(self, arguments: list[str], *, expect: int) -> None:
        self._say(f"$ xgrant {' '.join(arguments)}")
        verb, manifest, *options = arguments
        command = [sys.executable, "-m", "reconciler", verb, os.path.abspath(manifest), *options]  # noqa: PTH100 - as str
        if arguments[0] != "validate" and self._colour:
            command += ["--color", "always"]
        done = subprocess.run(  # noqa: S603 - our own command
            command,
            env=self._environment,
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        for line in done.stdout.decode().splitlines():
            self._say("  " + line)
        if done.returncode != expect:
            raise DemoError(f"xgrant {arguments[0]} ended with {done.returncode}, not with {expect}")
        self._say(f"  (exit code {done.returncode})")

    def assumes(self, who: str) -> Credentials:
        session = self._scenario.assume(who, ROLE_ARN)
        arn = self._scenario.client("sts", session).get_caller_identity()["Arn"]
        self._say(f"  {who}: sts:AssumeRole {ROLE}: now {escape(arn)}")
        return session

    def reads(self, session: Credentials) -> None:
        s3 = self._scenario.client("s3", session)
        keys = [item["Key"] for item in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
        body = s3.get_object(Bucket=BUCKET, Key=OBJECT)["Body"].read().decode()
        self._say(f"  s3:ListBucket {BUCKET}: {escape(', '.join(keys))}")
        self._say(f"  s3:GetObject {BUCKET}/{OBJECT}: {escape(body.splitlines()[0])} ...")

    def refused(self, who: str, action: str, call: Callable[[], object]) -> None:
        try:
            call()
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise DemoError(f"{action} by {who} failed for another reason: {error}") from error
            self._say(f"  {who}: {action}: refused, {escape(error.response['Error']['Message'])}")
        else:
            raise DemoError(f"{action} by {who} should have been refused")

    def by_hand(self) -> None:
        self._scenario.client("iam", "storage-admin").put_role_policy(
            RoleName=ROLE, PolicyName="xgrant-permissions", PolicyDocument=_BY_HAND
        )
        self._say(f"  storage-admin: iam:PutRolePolicy {ROLE}: s3:PutObject added")
