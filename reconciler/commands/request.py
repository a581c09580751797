"""`xgrant request`: asks for a grant for a time, by a change of the manifests that somebody reviews."""

from __future__ import annotations

import argparse
from pathlib import Path

from reconciler.commands import DEFAULT_PATH, clock
from reconciler.commands.caller import user
from reconciler.commands.output import new_file, say, warn, write_new
from reconciler.errors import UsageError
from reconciler.pipeline.request import Elevation, Requested, request_grant
from reconciler.policy.instants import instant_of, instant_text
from reconciler.render.callers import principal_words
from reconciler.render.escape import escape
from reconciler.wording import few


def run(arguments: argparse.Namespace) -> int:
    """Print the patch, or write the new file; AWS is not asked, and nothing is granted."""
    if bool(arguments.action) != bool(arguments.resource):
        raise UsageError("--action and --resource go together: what may be done, and on what")
    output = new_file("--as-file", arguments.as_file)
    if output is not None and output.suffix.lower() not in (".yaml", ".yml"):
        raise UsageError(f"--as-file: a manifest is named *.yaml; this is {output}")
    starts = _starts(arguments.start)
    asked = Elevation(
        arguments.grant, starts, starts + arguments.seconds, arguments.reason, arguments.requester or user(),
        tuple(arguments.action), tuple(arguments.resource), tuple(arguments.principal),
    )  # fmt: skip
    paths = arguments.paths or [DEFAULT_PATH]
    found = request_grant(paths, asked, arguments.as_file)
    if output is None:
        say(found.patch(), end="")
    else:
        write_new("--as-file", output, found.text)
    warn(
        f"The grant {found.grant} is asked for in {escape(found.file)}, from {instant_text(found.starts)} to "
        f"{instant_text(found.expires)}. Nobody has it before that is reviewed, merged and applied."
    )
    if found.cut:
        warn(escape(f"That is shorter than you asked: {'; '.join(found.cut)}."))
    _tell_callers(found, arguments)
    if found.wider:
        warn(escape(f"It allows more than the grant {arguments.grant} surely does: {'; '.join(found.wider)}."))
    if not any(Path(found.file).resolve().is_relative_to(Path(path).resolve()) for path in paths):
        warn(f"It is in none of {', '.join(map(escape, paths))}: name it to plan and apply, too.")
    return 0


def _tell_callers(found: Requested, arguments: argparse.Namespace) -> None:
    """Say whom the new grant lets in: whoever asks is not the only one, unless that is said."""
    who = few([principal_words(one) for one in found.callers]) or f"who has a token of {found.provider}"
    if arguments.principal:
        warn(escape(f"It is open to {who}{'' if found.trusted_whole() else ' only'}."))
    else:
        way = "" if found.provider else "; --principal user/NAME narrows it"
        warn(escape(f"It is open to all callers of {arguments.grant}: {who}{way}."))
    if accounts := found.trusted_whole():
        warn(
            f"Its role trusts the whole of {escape(few(accounts))}, as for any group: others get in whose own policies "
            "there allow it; `xgrant verify` names them."
        )
    if found.unchecked:
        warn(escape(f"Whether {few(found.unchecked)} is in a group of {arguments.grant} was not checked; do so."))


def _starts(text: str | None) -> int:
    now = int(clock.now().timestamp())
    if text is None:
        return now
    try:
        stated = instant_of(text)
    except ValueError as error:
        raise UsageError(f"--start: {error}; this is {text}") from None
    if stated < now:
        raise UsageError(f"--start: {instant_text(stated)} is over; name a time to come, or leave it out for now")
    return stated
