"""`xgrant pipeline`: what a job of GitHub Actions or GitLab CI needs of its host."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from reconciler.commands.output import check_folder, say, warn
from reconciler.errors import ReviewError, UsageError
from reconciler.files import read_regular
from reconciler.hosting import host_of
from reconciler.pipeline.jobs import MOST_TEXT, check_current, fetch_review, keep_comment, keep_issue, withdraw_comments
from reconciler.planfile import check_target
from reconciler.render.escape import escape


def run(arguments: argparse.Namespace) -> int:
    """Return 0 when it is done.

    HostingError (exit 1) where the host refuses, ReviewError (exit 4) where nothing was reviewed, this run is
    overtaken, or nobody has to approve it.
    """
    match arguments.verb:
        case "reviewed":
            return _reviewed(arguments.out)
        case "current":
            check_current(host_of(os.environ))
            warn("No newer run has overtaken this one.")
            return 0
        case "comment" if arguments.no_plan:
            _check_no_file(arguments.file)
            warn(f"Comments that had an older plan: {withdraw_comments(host_of(os.environ))}.")
            return 0
        case "protected":
            return _protected(arguments.environment, arguments.otherwise)
    if arguments.file is None:
        raise UsageError("comment: name the file that --format github or gitlab made, or say --no-plan")
    text, host = _text(arguments.file), host_of(os.environ)
    if arguments.verb == "comment":
        warn(f"The comment is {keep_comment(host, text, arguments.file)}.")
    else:
        warn(f"The issue is {keep_issue(host, text, arguments.file, drifted=arguments.state == 'open')}.")
    return 0


def _reviewed(out: str) -> int:
    """Write the reviewed plan, and print the name of its review, which a later step of the job is given too."""
    check_target(out)
    check_folder("-o", out)
    found = fetch_review(host_of(os.environ), out)
    warn(escape(f"The plan of {found.request}, is written to {out}."))
    sys.stdout.write(f"{found.name}\n")
    if outputs := os.environ.get("GITHUB_OUTPUT"):
        with Path(outputs).open("a", encoding="utf-8") as file:
            file.write(f"review={found.name}\n")
    return 0


def _protected(environment: str, otherwise: str) -> int:
    """Say what is missing of the protection, or refuse to go on."""
    missing = host_of(os.environ).unprotected(environment)
    if missing and otherwise == "refuse":
        raise ReviewError(
            f"nobody has to approve what this run applies, and nothing else reviews it: {'; '.join(missing)}; nothing "
            "was changed. Where that cannot be had, open a pull request with any change: its plan has all that the "
            "branch wants and AWS has not"
        )
    sign = "::warning title=Not protected::" if os.environ.get("GITHUB_ACTIONS") == "true" else "Warning: "
    for line in missing:
        say(f"{sign}{escape(line)}")
    return 0


def _check_no_file(name: str | None) -> None:
    if name is not None:
        raise UsageError("--no-plan: there is no file then; leave it out")


def _text(name: str) -> str:
    try:
        content = read_regular(name, MOST_TEXT + 1)
        text = content.decode("utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{name}: the file cannot be read: {why}; name one that --format github or gitlab made"
        ) from None
    if len(content) > MOST_TEXT:
        raise UsageError(f"{name}: the file is too long for a comment; name one that --format github wrote")
    return text
