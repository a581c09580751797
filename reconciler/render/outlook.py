"""What apply will make of a plan file."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import datetime

from reconciler.model import Plan, Severity
from reconciler.render.changes import duration
from reconciler.render.escape import escape
from reconciler.render.fold import named
from reconciler.render.verdict import unread_text
from reconciler.shards import Shard


def outlook(plan: Plan, *, expires_at: datetime, now: datetime, shard: Shard | None = None) -> str:
    """Say whether apply takes the file of a plan, until when, and with which findings accepted; else why not."""
    if shard is not None:
        return f"it is of shard {shard}, so apply will refuse it; join those of all with `xgrant merge`"
    errors = {finding.rule for finding in plan.findings if finding.severity is Severity.ERROR}
    acceptable = {finding.rule for finding in plan.findings if finding.acceptable}
    if fatal := sorted(errors - acceptable):
        return f"apply will refuse it for {', '.join(fatal)}; mend that, then plan again"
    if now >= expires_at:
        return f"it has expired at {moment(expires_at)}, so apply will refuse it; plan again"
    # A file carries no acceptance, whatever was accepted when it was made.
    accepting = "".join(f" --accept {rule}" for rule in sorted(acceptable))
    unread = plan.unread()
    again = "it can" if len(unread) == 1 else "they can"
    without = f"; it leaves out {unread_text(unread)}, even when {again} be read again" if unread else ""
    return f"apply{accepting} takes it until {moment(expires_at)}{without}{_held_back(plan)}"


def _held_back(plan: Plan) -> str:
    """Say that a file of a rollout is good for its canary at most, where that is so."""
    held = plan.held_back()
    if not held:
        return ""
    what = "nothing" if len(held) == len(plan.waves) else "nothing beyond the canary"
    return (
        f"; {escape(named(plan.untried()))} of the canary could not be read, so {what} can be applied: plan again then"
    )


def moment(time: datetime) -> str:
    """Return a time in UTC as people read it."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def plan_command(
    file: str, paths: Iterable[str], *, only: Iterable[str], destroy: bool, accepted: Iterable[str], lasts: int | None
) -> str:
    """Return the command that makes a plan file anew, quoted for a shell; `lasts` are seconds, None for as usual."""
    words = ["xgrant", "plan", *(["--destroy"] if destroy else [])]
    words += [word for grant in sorted(only) for word in ("--only", grant)]
    words += [word for rule in sorted(accepted) for word in ("--accept", rule)]
    words += ["--expires", duration(lasts)] if lasts is not None else []
    return escape(shlex.join([*words, "-o", file, *paths]))
