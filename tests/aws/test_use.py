"""A grant is used as a person would use it: with the real AWS CLI as the client, against the strict sandbox."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import pytest

from reconciler.sandbox.scenario import TARGET, Scenario
from tests.aws.strict_support import policy, refused
from tests.aws.using import BIN, DEVICE, LIST, LISTED, become, shell
from tests.conftest import EXAMPLE, Run

pytestmark = pytest.mark.usefixtures("alice")


def test_without_a_grant_in_use_the_cli_is_denied() -> None:
    done = shell(LIST)
    assert done.returncode != 0
    assert "AccessDenied" in done.stderr


@pytest.mark.parametrize(
    "command",
    [
        f'eval "$(xgrant assume shared-bucket-read)" && {LIST}',
        f"xgrant exec shared-bucket-read@storage -- {LIST}",
        f"xgrant config --write && {LIST} --profile shared-bucket-read",
    ],
    ids=["assume", "exec", "config"],
)
def test_the_aws_cli_reads_the_bucket(command: str) -> None:
    done = shell(command)
    assert (done.returncode, LISTED in done.stdout) == (0, True), done.stderr


def test_the_aws_cli_reads_the_bucket_by_a_credential_process() -> None:
    line = "xgrant credential-process shared-bucket-read --as default"
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(f"[profile shared]\ncredential_process = {line}\n")
    done = shell(f"{LIST} --profile shared")
    assert (done.returncode, LISTED in done.stdout) == (0, True), done.stderr


def test_a_credential_process_that_would_run_itself_without_an_end_says_so() -> None:
    line = "xgrant credential-process shared-bucket-read"
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(f"[profile shared]\ncredential_process = {line}\n")
    done = shell(f"AWS_PROFILE=shared {line}")
    assert (done.returncode, done.stdout) == (1, "")
    assert "name the one that has your own credentials with --as" in done.stderr


@pytest.mark.parametrize(
    ("program", "code", "says"),
    [
        ("""sh -c 'echo "$@"; exit 7' x -- --manifest y""", 7, "-- --manifest y\n"),
        ("sh -c 'kill -TERM $$'", -15, ""),
        ("no-such-program", 127, "no-such-program cannot be run"),
        ("/", 126, "/ cannot be run"),
        ("not-executable", 126, "not-executable cannot be run: Permission denied"),
        ("./not-executable", 126, "not-executable cannot be run: Permission denied"),
        ("""sh -c 'echo "$AWS_PROFILE$AWS_REGION"'""", 0, "eu-west-1\n"),
    ],
)
def test_exec_is_the_command_with_its_exit_code_and_nothing_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, code: int, says: str
) -> None:
    Path(os.environ["AWS_CONFIG_FILE"]).write_text("[default]\nregion = eu-west-1\n")
    monkeypatch.setenv("AWS_PROFILE", "default")
    monkeypatch.setenv("PATH", f"{os.environ['PATH']}:{tmp_path}")
    (tmp_path / "not-executable").write_text("#!/bin/sh\n")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    words = ["xgrant", "exec", "shared-bucket-read", "--", *shlex.split(program)]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == code
    assert says in done.stdout + done.stderr
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("words", [["exec", "shared-bucket-read"], ["exec", "shared-bucket-read", "--"]])
def test_exec_without_a_command_says_where_it_stands(xgrant: Run, words: list[str]) -> None:
    result = xgrant(*words)
    assert (result.code, "name the command to run behind --" in result.err) == (64, True)


def test_assume_says_whose_the_session_is_and_gives_json(xgrant: Run) -> None:
    result = xgrant("assume", "shared-bucket-read", "--format", "json", "--duration", "30m",
                    "--session-name", "DevAccess")  # fmt: skip
    found = json.loads(result.out)
    arn = f"arn:aws:sts::{TARGET}:assumed-role/CrossAccountS3ReadRole/DevAccess"
    assert (found["role_arn"].rsplit("/")[-1], found["session_arn"]) == ("CrossAccountS3ReadRole", arn)
    assert result.err == f"You are {arn} until {found['expires']}.\n"


def test_no_secret_is_told_whatever_the_log_level(xgrant: Run) -> None:
    result = xgrant("credential-process", "shared-bucket-read", "--debug")
    found = json.loads(result.out)
    assert "AssumeRole" in result.err
    assert not [value for value in (found["SecretAccessKey"], found["SessionToken"]) if value in result.err]


def test_a_source_identity_and_tags_that_the_trust_demands_are_sent_and_both_sides_allow_them(
    applied: Scenario, xgrant: Run
) -> None:
    role = f"arn:aws:iam::{TARGET}:role/xgrant/with-identity"
    assert xgrant("assume", "with-identity").code == 0
    sts, iam = applied.client("sts", "alice"), applied.client("iam", "dev-admin")
    refused("AccessDenied", 403, lambda: sts.assume_role(RoleArn=role, RoleSessionName="alice"))
    less = policy(Effect="Deny", Action="sts:TagSession")
    iam.put_user_policy(UserName="alice", PolicyName="less", PolicyDocument=less)
    denied = xgrant("assume", "with-identity")
    iam.delete_user_policy(UserName="alice", PolicyName="less")
    assert (denied.code, "is not authorized to perform: sts:TagSession" in denied.err) == (1, True)


class TestRefusals:
    def test_who_is_in_no_group_has_no_caller_policy(self, applied: Scenario, xgrant: Run) -> None:
        become(applied, "bob")
        unseen = xgrant("assume", "shared-bucket-read")
        assert (unseen.code, unseen.out) == (1, "false\n")
        assert (
            "either the caller's side refuses: no caller policy reaches you unless you are of the group" in unseen.err
        )
        become(applied, "carol")
        seen = xgrant("assume", "shared-bucket-read")
        assert "\n  the caller's side refuses: no caller policy: you are arn:aws:iam::" in seen.err
        assert seen.err.splitlines()[-1].startswith("  What to do: name other credentials with --as PROFILE, or have")
        assert max(map(len, seen.err.splitlines()[1:])) < 170

    def test_a_session_is_no_starting_point_for_the_same_grant(
        self, applied: Scenario, xgrant: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        keys = applied.assume("alice", f"arn:aws:iam::{TARGET}:role/xgrant/CrossAccountS3ReadRole")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", keys.access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", keys.secret_key)
        monkeypatch.setenv("AWS_SESSION_TOKEN", str(keys.token))
        result = xgrant("assume", "shared-bucket-read")
        assert result.code == 1
        assert "session already chained: these credentials are one of the role CrossAccountS3ReadRole" in result.err
        assert xgrant("assume", "shared-bucket-read", "--as", "default").code == 0

    def test_a_session_longer_than_the_roles_is_a_wrong_duration(self, xgrant: Run, tmp_path: Path) -> None:
        text = EXAMPLE.read_text().replace("max_duration: 1h", "max_duration: 4h")
        (tmp_path / "longer.yaml").write_text(text)
        result = xgrant("assume", "shared-bucket-read", "--manifest", tmp_path / "longer.yaml")
        assert result.code == 1
        assert "wrong duration: the role's side gives less than 4h\n  What to do: ask for less with" in result.err

    def test_a_trust_condition_that_is_not_met_is_named(self, xgrant: Run) -> None:
        refused = xgrant("assume", "with-condition")
        assert refused.code == 1
        assert (
            "the role's side refuses: trust condition not met: StringLike sts:RoleSessionName: audit-*" in refused.err
        )
        assert xgrant("assume", "with-condition", "--session-name", "audit-7").code == 0

    def test_credentials_that_are_none_are_told_with_what_to_do(self, xgrant: Run) -> None:
        Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).unlink()
        missing = xgrant("assume", "shared-bucket-read")
        assert "no credentials were found; log in, set AWS_PROFILE, or name a profile with --as" in missing.err
        unknown = xgrant("assume", "shared-bucket-read", "--as", "nobody")
        assert (missing.code, unknown.code) == (1, 1)
        assert "name a profile that the AWS configuration files have" in unknown.err
        Path(os.environ["AWS_CONFIG_FILE"]).unlink()
        config = xgrant("config")
        assert (config.code, "have no profile default; name the one" in config.err) == (64, True)

    def test_an_answer_that_holds_no_credentials_gets_to_no_shell(
        self, xgrant: Run, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("moto.sts.models.random_session_token", lambda: "x\ntouch y")
        result = xgrant("assume", "shared-bucket-read")
        assert (result.code, result.out) == (1, "false\n")
        assert "the answer holds no credentials as AWS gives them" in result.err


class TestOrganization:
    """Whoever uses a grant may seldom list the accounts of the organization."""

    MANIFEST = (
        EXAMPLE.read_text().replace("accounts:\n", "accounts:\n  organization: {}\n", 1)
        + """\
  elsewhere:
    from: {account: dev, users: [alice]}
    to: {account: {ou: ou-ab12-cdef3456}}
    permissions: [{actions: "s3:*", resources: "*"}]
"""
    )

    def test_it_is_asked_only_for_a_grant_over_accounts_that_it_alone_knows(self, xgrant: Run, tmp_path: Path) -> None:
        (tmp_path / "grants.yaml").write_text(self.MANIFEST)
        stated = xgrant("assume", "shared-bucket-read", "--manifest", tmp_path / "grants.yaml")
        assert stated.code == 0
        asked = xgrant("assume", "elsewhere", "--manifest", tmp_path / "grants.yaml")
        assert (asked.code, "xgrant: the organization: " in asked.err) == (1, True)
        config = xgrant("config", "--manifest", tmp_path / "grants.yaml")
        assert "no profile for elsewhere: only the organization knows the accounts" in config.err


class TestMfa:
    def test_the_code_lets_in_and_one_that_is_used_up_does_not(self, xgrant: Run) -> None:
        command = ["assume", "with-mfa"]
        device = ["--mfa-serial", DEVICE, "--mfa-code"]
        missing = xgrant(*command)
        assert (missing.code, "MFA missing: the role's side of the grant with-mfa demands MFA" in missing.err) == (
            64,
            True,
        )
        refused = xgrant(*command, *device, "111111")
        assert (refused.code, "the MFA device or its code is refused" in refused.err) == (1, True)
        assert xgrant(*command, *device, "333333").code == 0

    def test_the_code_is_asked_for_on_the_terminal(self) -> None:
        leader, follower = pty.openpty()
        code = (
            "import fcntl, sys, termios\nfcntl.ioctl(int(sys.argv[1]), termios.TIOCSCTTY, 0)\n"
            f"from reconciler.cli import main\nsys.exit(main(['assume', 'with-mfa', '--mfa-serial', {DEVICE!r}]))"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(follower)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True, pass_fds=[follower],
        )  # fmt: skip
        os.close(follower)
        try:
            asked = b""
            while not asked.endswith(b": "):
                asked += os.read(leader, 100)
            os.write(leader, b"333333\n")
            out, err = process.communicate(timeout=30)
            echoed = os.read(leader, 100)
        finally:
            process.kill()
            os.close(leader)
        assert b"333333" not in echoed
        assert asked.decode().strip() == f"MFA code of {DEVICE}:"
        assert (process.returncode, "export AWS_SESSION_TOKEN=" in out) == (0, True), err

    def test_without_a_terminal_the_code_has_to_be_given(self) -> None:
        done = subprocess.run(
            [BIN / "xgrant", "assume", "with-mfa", "--mfa-serial", DEVICE],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (64, "false\n")
        assert f"there is no terminal to ask on for the code of {DEVICE}; give it with --mfa-code" in done.stderr

    def test_the_profile_has_the_device_and_the_external_id(self, xgrant: Run) -> None:
        without = xgrant("config")
        assert "no profile for with-mfa: it demands MFA: name your device with --mfa-serial" in without.err
        lines = xgrant("config", "--mfa-serial", DEVICE).out.splitlines()
        start = lines.index("[profile with-mfa]")
        assert lines[start + 1 : start + 7] == [
            f"role_arn = arn:aws:iam::{TARGET}:role/xgrant/with-mfa", "source_profile = default",
            f"mfa_serial = {DEVICE}", "external_id = agreed", "role_session_name = alice",
            "duration_seconds = 3600",
        ]  # fmt: skip


def test_a_profile_of_a_grant_is_no_source_of_its_own(xgrant: Run) -> None:
    assert xgrant("config", "--write").code == 0
    result = xgrant("config", "--write", "--as", "shared-bucket-read")
    assert (result.code, "is one of a grant; name the one that has your own credentials" in result.err) == (64, True)


def test_config_writes_once_and_says_what_is_not_known(xgrant: Run) -> None:
    file = Path(os.environ["AWS_CONFIG_FILE"])
    file.write_bytes(b"[default]\r\nregion = eu-west-1")
    first = xgrant("config", "--write")
    written = file.read_bytes()
    second = xgrant("config", "--write")
    assert (first.code, second.code, file.read_bytes()) == (0, 0, written)
    assert written.startswith(b"[default]\r\nregion = eu-west-1\r\n# >>> xgrant platform")
    assert "1 profile, written" in first.err
    assert "1 profile, as before" in second.err
    assert (
        "no profile for with-condition: its trust condition would not be met: StringLike sts:RoleSessionName: audit-*; "
        "use `xgrant exec` with --session-name"
    ) in second.err
    assert "whether you are in a group of shared-bucket-read cannot be seen" in second.err


class TestConsole:
    @pytest.fixture
    def endpoint(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
        """A sign-in endpoint that gives a token for whatever session; yields what it was sent."""
        seen: list[Any] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                seen.append((self.path, parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())))
                body = json.dumps({"SigninToken": "to/ken&"}).encode()
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AWS_ENDPOINT_URL_SIGNIN", f"http://127.0.0.1:{server.server_port}")
        yield seen
        server.shutdown()
        thread.join()
        server.server_close()

    def test_the_link_has_a_token_for_the_session_and_no_credentials(self, xgrant: Run, endpoint: list[Any]) -> None:
        result = xgrant("console", "shared-bucket-read")
        ((path, sent),) = endpoint
        session = json.loads(sent["Session"][0])
        assert (path, sent["Action"], set(session)) == (
            "/federation", ["getSigninToken"], {"sessionId", "sessionKey", "sessionToken"},
        )  # fmt: skip
        assert not [secret for secret in session.values() if secret in result.out + result.err]
        assert parse_qs(urlsplit(result.out.strip()).query) == {
            "Action": ["login"], "Issuer": ["xgrant"], "Destination": ["https://console.aws.amazon.com/"],
            "SigninToken": ["to/ken&"],
        }  # fmt: skip

    @pytest.mark.usefixtures("endpoint")
    def test_the_link_is_escaped_as_any_text(self, xgrant: Run, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SIGNIN", os.environ["AWS_ENDPOINT_URL_SIGNIN"] + "/\u202e")
        result = xgrant("console", "shared-bucket-read")
        assert (result.code, "/\\u202e/federation?" in result.out) == (0, True), result.err

    def test_the_sandbox_signs_in_and_says_whose_session_it_is(self, xgrant: Run) -> None:
        link = xgrant("console", "shared-bucket-read").out.strip()
        with urlopen(link) as answer:
            page = answer.read().decode()
        assert f"You are arn:aws:sts::{TARGET}:assumed-role/CrossAccountS3ReadRole/alice until 20" in page

    @pytest.mark.parametrize(
        ("path", "form", "code", "says"),
        [
            ("/federation?Action=login&SigninToken=x", None, 400, "the link has ended, or is none"),
            ("/federation?Action=other", None, 400, "the action is getsignintoken or login"),
            ("/federation", {"Action": "getSigninToken", "Session": "{}"}, 400, "no json with sessionid"),
            ("/federation", {"Action": "getSigninToken", "Session": "[" * 100_000}, 400, "no json with sessionid"),
            ("/federation", {"Action": "getSigninToken", "Session": json.dumps(dict.fromkeys(
                ("sessionId", "sessionKey", "sessionToken"), "ASIAAAAAAAAAAAAAAAAA"))}, 400, "no such session"),
            ("/my-shared-bucket", None, 403, "signed by nobody"),
        ],
    )  # fmt: skip
    def test_the_sandbox_refuses_what_no_session_is_behind(
        self, applied: Scenario, path: str, form: dict[str, str] | None, code: int, says: str
    ) -> None:
        with pytest.raises(HTTPError) as raised:
            urlopen(applied.url + path, None if form is None else urlencode(form).encode())
        with raised.value as error:
            assert (error.code, says in error.read().decode().lower()) == (code, True)

    def test_an_endpoint_that_gives_no_token_is_an_error_with_a_way_out(
        self, xgrant: Run, applied: Scenario, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SIGNIN", f"{applied.url}/elsewhere")
        result = xgrant("console", "shared-bucket-read")
        assert (result.code, result.out) == (1, "")
        assert "the sign-in page gave no token; check the network, and AWS_ENDPOINT_URL_SIGNIN" in result.err
