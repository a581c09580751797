"""What is printed of a session survives every shell, and the AWS configuration file keeps what is not xgrant's."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.commands.aws_config import rewrite
from reconciler.errors import XgrantError
from reconciler.model import Session
from reconciler.render.sessions import SHELLS, bash, credential_process, environment, fish, lines, powershell
from reconciler.use.marked import block, sections_within, with_block

HOSTILE = ["", "a b", "'", "''", '"', "$(touch x)", "`touch x`", "$HOME", "\\", "\\'", "a\nb", ";rm -rf /", "!!", "-n",
           "\u2018\u2019\u201a\u201b", "%PATH%", "'; touch x; '", "\\'; touch x; '", "é\u202e", "&|<>(){}[]*?~#"]  # fmt: skip
SESSION = Session("ASIA1", "se/cr+et=", "to/ken==", "2026-01-31T12:00:00Z", "arn")


def read_fish(quoted: str) -> str:
    """Read a word in single quotes as fish does: only a backslash before a backslash or a quote is special."""
    assert re.fullmatch(r"'(?:[^'\\]|\\[\s\S])*'", quoted)
    return re.sub(r"\\([\\'])", r"\1", quoted[1:-1])


def read_powershell(quoted: str) -> str:
    """Read a word in single quotes as PowerShell does: any of its five quotes ends it, unless it stands twice."""
    assert re.fullmatch("'(?:[^'\u2018-\u201b]|['\u2018-\u201b]{2})*'", quoted)
    return re.sub("(['\u2018-\u201b])['\u2018-\u201b]", r"\1", quoted[1:-1])


def test_hostile_text_is_one_word_of_a_posix_shell() -> None:
    words = " ".join(map(bash, HOSTILE))
    done = subprocess.run(["bash", "-c", f"printf '%s\\0' {words}"], capture_output=True, check=True)
    assert done.stdout.decode().split("\0")[:-1] == HOSTILE


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_one_word_of_fish_and_of_powershell(text: str) -> None:
    assert read_fish(fish(text)) == text
    assert read_powershell(powershell(text)) == text


@pytest.mark.parametrize(
    ("shell", "line"),
    [
        ("bash", "export AWS_SECRET_ACCESS_KEY=se/cr+et="),
        ("fish", "set --export --global AWS_SECRET_ACCESS_KEY 'se/cr+et='"),
        ("powershell", "$Env:AWS_SECRET_ACCESS_KEY = 'se/cr+et='"),
    ],
)
def test_each_shell_gets_lines_of_its_own(shell: str, line: str) -> None:
    text = lines(environment(SESSION, {"AWS_REGION": "eu-west-1"}), shell).replace(
        "'se/cr+et='" if shell == "bash" else "\0", "se/cr+et="
    )
    assert line in text.splitlines()
    assert text.count("AWS_PROFILE") == 1
    assert text.count("AWS_REGION") == 1
    assert shell in SHELLS


def test_the_variables_are_the_session_and_what_says_where_requests_go() -> None:
    assert environment(SESSION, {"AWS_REGION": "eu-west-1"}) == {
        "AWS_ACCESS_KEY_ID": "ASIA1",
        "AWS_SECRET_ACCESS_KEY": "se/cr+et=",
        "AWS_SESSION_TOKEN": "to/ken==",
        "AWS_CREDENTIAL_EXPIRATION": "2026-01-31T12:00:00Z",
        "AWS_REGION": "eu-west-1",
    }


@pytest.mark.parametrize(
    ("shell", "line"),
    [("bash", "unset {}"), ("fish", "set --erase {}"), ("powershell", "Remove-Item -ErrorAction Ignore Env:{}")],
)
def test_what_would_win_over_the_session_is_taken_out(shell: str, line: str) -> None:
    taken = lines({}, shell).splitlines()
    assert taken == [line.format(name) for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN")]


def test_the_credential_process_speaks_version_1_and_no_repr_has_a_secret() -> None:
    assert json.loads(credential_process(SESSION)) == {
        "Version": 1,
        "AccessKeyId": "ASIA1",
        "SecretAccessKey": "se/cr+et=",
        "SessionToken": "to/ken==",
        "Expiration": "2026-01-31T12:00:00Z",
    }
    assert "se/cr" not in repr(SESSION)
    assert "to/ken" not in repr(SESSION)


ONE = {"reader": {"role_arn": "arn:aws:iam::987654321098:role/reader", "source_profile": "default"}}
TWO = {**ONE, "writer": {"role_arn": "arn:aws:iam::987654321098:role/writer", "source_profile": "default"}}
SHAPES = {
    "empty": b"",
    "no line break at the end": b"[default]\nregion = eu-west-1",
    "comments and blank lines": b"\n# mine\n\n[default]\n  region=eu-west-1\n\n\n; end\n",
    "carriage returns": b"[default]\r\nregion = eu-west-1\r\n",
    "byte order mark": b"\xef\xbb\xbf[default]\nregion = x\n",
    "no UTF-8": b"[default]\n# caf\xe9\nregion = x\n",
    "tabs and nesting": b"[profile a]\ns3 =\n\tmax_concurrent_requests = 20\n",
    "another stack": block("other", {"theirs": {"role_arn": "x"}}).encode(),
    "sessions and services": b"[sso-session reader]\nsso_region = x\n[services reader]\n[reader]\n",
    "old Mac": b"[default]\rregion = x\r",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_what_is_not_xgrants_keeps_every_byte_and_a_second_run_changes_nothing(shape: str) -> None:
    before = SHAPES[shape]
    once = with_block(before, "platform", ONE)
    assert once.startswith(before)
    assert with_block(once, "platform", ONE) == once
    more = with_block(once + b"[profile later]\nregion = y\n", "platform", TWO)
    assert more.startswith(before)
    assert more.endswith(b"[profile later]\nregion = y\n")
    # Only a last line without an end gets one, and keeps it.
    gap = b"" if not before or before.endswith((b"\n", b"\r")) else b"\n"
    assert with_block(more, "platform", {}) == before + gap + b"[profile later]\nregion = y\n"
    assert sections_within(more, "platform") == TWO


@given(
    st.lists(st.sampled_from([b"[default]", b"[profile x]", b"a = b", b"\n", b"\r\n", b"\r", b"# c", b"\xff", b" "]))
)
def test_bytes_before_and_after_survive_whatever_they_are(parts: list[bytes]) -> None:
    before = b"".join(parts)
    once = with_block(before, "platform", ONE)
    assert once.startswith(before)
    assert with_block(with_block(once, "platform", TWO), "platform", ONE) == once


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"[profile reader]\n", "the file has a profile reader already"),
        (b"[ profile   'reader' ]\n", "the file has a profile reader already"),
        (b"[profile re\\ader]\n", "the file has a profile reader already"),
        (b"[profile 're'ader]\n", "the file has a profile reader already"),
        (b"['profile' reader]\n", "the file has a profile reader already"),
        (b'[profile "reader"] # mine\n', "another name, or those of the stack a --prefix"),
        (block("other", ONE).encode(), "the file has a profile reader already"),
        (block("platform", ONE).encode() + b"  [x\n", "line 6 follows the part of xgrant and belongs to"),
        (block("platform", ONE).encode() * 2, r"twice or the wrong way round \(line 1, 5, 6, 10\)"),
        (block("platform", ONE).encode().rsplit(b"#", 1)[0], r"stand alone"),
        (b"# <<< xgrant platform <<<\n# >>> xgrant platform", "stand alone"),
        (block("platform", ONE).encode() + b"\n# c\nregion = x\n", "line 8 follows the part of xgrant and belongs to"),
    ],
)
def test_a_file_that_cannot_be_changed_safely_is_refused(content: bytes, says: str) -> None:
    with pytest.raises(XgrantError, match=says):
        with_block(content, "platform", ONE)


def test_the_default_profile_is_none_of_a_grants() -> None:
    with pytest.raises(XgrantError, match="the file has a profile default already"):
        with_block(b"[default]\n", "platform", {"default": {"role_arn": "x"}})


@pytest.mark.parametrize(
    "header", [b"[profile 'reader]", b"[sso-session reader]", b"[profile reader x]", b"# [profile reader]"]
)
def test_what_is_no_profile_of_the_name_is_let_be(header: bytes) -> None:
    assert with_block(header + b"\n", "platform", ONE).startswith(header)


@pytest.mark.parametrize(("kind", "says"), [("mode", "chmod u[+]w it, if you may"), ("link", "a second name")])
def test_a_file_that_should_not_be_replaced_is_not(tmp_path: Path, kind: str, says: str) -> None:
    file = tmp_path / "config"
    file.write_bytes(b"mine")
    if kind == "mode":
        file.chmod(0o444)
    else:
        (tmp_path / "second").hardlink_to(file)
    with pytest.raises(XgrantError, match=says):
        rewrite(file, lambda content: content + b"x")
    assert file.read_bytes() == b"mine"


def test_the_mode_is_kept_a_link_stays_one_and_nothing_is_left_beside(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"a")
    (tmp_path / "real").chmod(0o640)
    (tmp_path / "link").symlink_to("real")
    assert rewrite(tmp_path / "link", lambda content: content + b"b")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"ab"
    assert (tmp_path / "real").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]


def test_a_new_file_and_its_folder_are_the_owners_alone(tmp_path: Path) -> None:
    assert rewrite(tmp_path / ".aws" / "config", lambda _: b"new")
    assert (tmp_path / ".aws").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / ".aws" / "config").stat().st_mode & 0o777 == 0o600


def test_what_would_not_change_is_not_written(tmp_path: Path) -> None:
    (tmp_path / "config").write_bytes(b"same")
    before = (tmp_path / "config").stat()
    assert not rewrite(tmp_path / "config", lambda content: content)
    assert (tmp_path / "config").stat() == before


def test_a_change_of_somebody_else_meanwhile_is_not_lost(tmp_path: Path) -> None:
    file = tmp_path / "config"
    file.write_bytes(b"before")

    def change(content: bytes) -> bytes:
        file.write_bytes(b"theirs")
        return content + b"ours"

    with pytest.raises(XgrantError, match="somebody else has changed it"):
        rewrite(file, change)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("config", b"theirs")]


@pytest.mark.parametrize("kind", ["directory", "link in a circle"])
def test_what_is_no_file_is_an_error_that_names_it(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "config"
    path.mkdir() if kind == "directory" else path.symlink_to("config")
    with pytest.raises(XgrantError, match="config: the AWS configuration file cannot be changed: "):
        rewrite(path, lambda content: content + b"x")
