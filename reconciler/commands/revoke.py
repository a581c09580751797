"""`xgrant revoke`: ends the sessions of a grant's roles that were issued before a moment."""

from __future__ import annotations

import argparse

from reconciler.commands import DEFAULT_PATH, clock
from reconciler.commands.apply import Job, carry_out
from reconciler.commands.output import say, warn
from reconciler.commands.progress import Progress
from reconciler.errors import UsageError
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.main_job import aws_ports
from reconciler.pipeline.revoke import all_until, aws_revoker, plan_revocation, revoking
from reconciler.pipeline.shards import Elsewhere
from reconciler.policy.instants import instant_of, instant_text
from reconciler.render.escape import escape
from reconciler.use import chosen


def run(arguments: argparse.Namespace) -> int:
    """Show what would be written, ask, and write it; the exit codes are those of apply."""
    arguments.paths = arguments.paths or [DEFAULT_PATH]
    before = _before(arguments.before)

    def job(shown: Progress, workers: Elsewhere | None) -> Job | int:
        manifest = load_with_accounts(arguments.paths, shown.notice, writing=True)
        uses = chosen(manifest, [arguments.grant])
        reader, writer = aws_ports(manifest, shown.notice, workers)
        plan = plan_revocation(manifest, uses, before, reader, now=clock.now())
        if not plan.changes:
            until = instant_text(all_until(clock.now()) if before is None else before)
            if plan.complete():
                say(f"Nothing to do: all sessions from before {until} are ended already.")
                return 0
            for finding in plan.findings:
                warn(escape(f"xgrant: {finding.rule} {finding.address}: {finding.message}"))
            say(f"Nothing to do for the other roles: their sessions from before {until} are ended already.")
            return 6
        return Job(
            manifest, reader, writer, lambda now: plan_revocation(manifest, uses, before, reader, now=now),
            execute=revoking(aws_revoker(manifest, shown.notice), before, clock.now),
        )  # fmt: skip

    return carry_out(arguments, job)


def _before(text: str) -> int | None:
    """Return the moment that is stated; None for that of the write."""
    if text == "now":
        return None
    now = int(clock.now().timestamp())
    try:
        stated = instant_of(text)
    except ValueError as error:
        raise UsageError(f"--before: {error}; this is {text}") from None
    if stated > now:
        raise UsageError(
            f"--before: {instant_text(stated)} is not over yet, so sessions would end that nobody has asked for yet; "
            "to keep all out, take the grant out of the manifest, or let it expire"
        )
    return stated
