"""Runs a program of a team's own: without credentials, for a time, with an end to what it may write."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from reconciler.model import OwnCheck

MOST_BYTES = 8_000_000
"""How much of its output is read, of each stream; a program that writes more is ended."""

_KEPT = frozenset(
    (
        "PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "TEMP", "TMP", "VIRTUAL_ENV",
        # Without these nothing starts on Windows.
        "SYSTEMROOT", "COMSPEC", "PATHEXT",
        # What the run is for, as CI systems say it; none of these is a secret.
        "CI", "GITHUB_ACTIONS", "GITHUB_ACTOR", "GITHUB_BASE_REF", "GITHUB_EVENT_NAME", "GITHUB_HEAD_REF", "GITHUB_REF",
        "GITHUB_REPOSITORY", "GITHUB_RUN_ID", "GITHUB_SHA", "GITLAB_CI", "CI_COMMIT_REF_NAME", "CI_COMMIT_SHA",
        "CI_MERGE_REQUEST_IID", "CI_PIPELINE_ID", "CI_PIPELINE_SOURCE", "CI_PROJECT_PATH",
    )
)  # fmt: skip
"""What a program finds of the environment: nobody can list every name that a token may have."""

_NO_AWS = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
}
"""AWS's tools and SDKs look nowhere else then (AWS SDKs and Tools reference guide, "Settings reference")."""


class NoAnswerError(Exception):
    """A program gave no answer; the text says why."""


def run_program(check: OwnCheck, text: str) -> tuple[int, bytes, bytes]:
    """Run the program of a check, with a text on its standard input; return its code and what it wrote.

    It has an empty home that is removed after it, and what it has started ends with it. That is no prison: it is a
    program of the same user, and can read what the user can.

    Raises:
        NoAnswerError: it cannot be started, takes too long, or writes too much.

    """
    with tempfile.TemporaryDirectory(prefix="xgrant-check-") as home:
        process = _start(check, environment(os.environ, home))
        out, err = _Reader(process.stdout), _Reader(process.stderr)
        _feed(process.stdin, text.encode())
        try:
            too_much = _wait(process, check.timeout, (out, err))
        finally:
            _end(process)
        if too_much:
            raise NoAnswerError(f"it wrote more than {MOST_BYTES:,} bytes, and was ended")
        return process.returncode, out.all(), err.all()


def environment(found: Mapping[str, str], home: str) -> dict[str, str]:
    """Return what a program finds of an environment, with a home of its own."""
    return {name: value for name, value in found.items() if name.upper() in _KEPT} | _NO_AWS | {"HOME": home}


def _start(check: OwnCheck, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    # A program with a slash in its name is one of the repository, wherever the command is run. Not resolved: the
    # Python of a virtual environment is a link, and knows by its name where it is.
    program = str(Path(check.folder, check.run[0]).absolute()) if "/" in check.run[0] else check.run[0]
    try:
        return subprocess.Popen(  # noqa: S603 - what policies/ name is what the team has reviewed; no shell
            [program, *check.run[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=check.folder or None, env=variables, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise NoAnswerError(f"{check.run[0]} cannot be started: {why}") from None


class _Reader:
    """Reads a stream in a thread of its own, up to `MOST_BYTES`; `full` says that there was more."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        self.full = threading.Event()
        self._stream = stream
        self._found = bytearray()
        # Whatever has left the program's group could keep the stream open for ever.
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._stream is not None
        with self._stream as stream:
            while chunk := os.read(stream.fileno(), 65_536):
                self._found += chunk
                if len(self._found) > MOST_BYTES:
                    self.full.set()
                    return

    def all(self) -> bytes:
        """Return what was written until the end of the program."""
        self._thread.join(1)
        return bytes(self._found)


def _feed(stream: IO[bytes] | None, data: bytes) -> None:
    def write() -> None:
        # A program may end, and not read all.
        with suppress(OSError, ValueError):
            assert stream is not None
            with stream:
                stream.write(data)

    threading.Thread(target=write, daemon=True).start()


_A_MOMENT = 0.02


def _wait(process: subprocess.Popen[bytes], timeout: float, readers: tuple[_Reader, ...]) -> bool:
    """Wait for the end; return whether it writes too much. NoAnswerError where it takes longer than `timeout` s."""
    waited = 0.0
    while not any(reader.full.is_set() for reader in readers):
        try:
            process.wait(_A_MOMENT)
        except subprocess.TimeoutExpired:
            waited += _A_MOMENT
            if waited >= timeout:
                raise NoAnswerError(f"it gave no answer within {timeout} s, and was ended") from None
        else:
            return any(reader.full.is_set() for reader in readers)
    return True


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program, and whatever it has started and left behind."""
    if hasattr(os, "killpg"):
        # The group is there as long as one of it is, also without the one that it is named by.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    elif process.poll() is None:
        process.kill()
    process.wait()
