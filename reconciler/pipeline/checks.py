"""A team's own checks: programs of the checked-out repository that read a plan as JSON and object, or do not."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from reconciler.lint import SEVERITIES, Locate, by_id
from reconciler.lint.others import NO_ANSWER, OBJECTION
from reconciler.model import Finding, OwnCheck, Plan, Policies, Spot
from reconciler.render.data import to_json

MOST_OBJECTIONS, LONGEST = 100, 4_000
"""How many objections of one check are shown, and how many characters of each."""

_SECRET = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ACTIONS_ID_TOKEN_REQUEST_URL", "GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_RUNTIME_TOKEN", "GITLAB_TOKEN",
    "CI_JOB_TOKEN", "XGRANT_ID_TOKEN", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY",
)  # fmt: skip
"""What a check does not find in its environment: it judges a plan, and needs no way to AWS for it, nor to what later
steps of a job are told."""


class _NoAnswerError(Exception):
    """A check gave no answer; the text says why."""


def run_checks(plan: Plan, policies: Policies, locate: Locate) -> Iterator[Finding]:
    """Run the checks one after the other, in the folder above `policies`, and yield what they find.

    A check that ends with 0 has nothing against the plan. Any other code is an objection: each line of its output that
    is a JSON object with `message` is one, with `grant` and `what_to_do` if it has them; else all of its text is. What
    gives no answer counts as its check does.
    """
    text = to_json(plan)
    grants = {change.grant for change in plan.changes} | {found.grant for found in plan.desired.values()}
    for check in policies.checks:
        severity = SEVERITIES[check.level]
        try:
            objections = _objections(check, text, check.folder)
        except _NoAnswerError as error:
            way_out = by_id()[NO_ANSWER].mend
            yield Finding(NO_ANSWER, severity, f"{check.name}: {error}", way_out, place=check.place)
            continue
        exempt = {one.grant for one in policies.exemptions if one.rule == OBJECTION}
        for one in objections:
            grant = one.get("grant", "")
            grant = grant if grant in grants else ""
            if not exempt & {"*", grant}:
                yield Finding(
                    OBJECTION, severity, f"{check.name}: {one['message'][:LONGEST]}",
                    one.get("what_to_do", by_id()[OBJECTION].mend)[:LONGEST], grant=grant,
                    place=(locate(grant, Spot()) if grant else None) or check.place,
                )  # fmt: skip


def _objections(check: OwnCheck, text: str, folder: str) -> list[Mapping[str, str]]:
    code, out, err = _run(check, text, folder)
    if code == 0:
        return []
    try:
        said, complained = out.decode().strip(), err.decode(errors="replace").strip()
    except UnicodeDecodeError:
        raise _NoAnswerError("what it wrote is no UTF-8 text") from None
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    if not any(line.startswith("{") for line in lines):
        return [{"message": said or complained or f"it ended with {code} and said nothing"}]
    return [_objection(line) for line in lines[:MOST_OBJECTIONS]]


def _objection(line: str) -> Mapping[str, str]:
    try:
        found: Any = json.loads(line)
    except ValueError:
        raise _NoAnswerError(f"this line of it is no JSON: {line[:200]}") from None
    if not isinstance(found, dict) or not found.get("message"):
        raise _NoAnswerError(f"this line of it is no object with a message: {line[:200]}")
    known = {key: found[key] for key in ("message", "grant", "what_to_do") if key in found}
    if not all(isinstance(value, str) for value in known.values()):
        raise _NoAnswerError(f"what this line of it says has to be texts: {line[:200]}")
    return known


def _run(check: OwnCheck, text: str, folder: str) -> tuple[int, bytes, bytes]:
    # A program with a slash in its name is one of the repository, wherever the command is run.
    program = str(Path(folder, check.run[0]).resolve()) if "/" in check.run[0] else check.run[0]
    environment = {name: value for name, value in os.environ.items() if name not in _SECRET}
    try:
        process = subprocess.Popen(  # noqa: S603 - what policies/ name is what the team has reviewed; no shell
            [program, *check.run[1:]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            cwd=folder or None, env=environment, start_new_session=True,
        )  # fmt: skip
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise _NoAnswerError(f"{check.run[0]} cannot be started: {why}") from None
    try:
        out, err = process.communicate(text.encode(), check.timeout)
    except subprocess.TimeoutExpired:
        raise _NoAnswerError(f"it gave no answer within {check.timeout} s, and was ended") from None
    finally:
        _end(process)
    return process.returncode, out, err


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a check and whatever it has started, if it is still there."""
    if process.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
        process.wait()
        # Not read to their end: whoever else holds the other one could keep it open.
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
