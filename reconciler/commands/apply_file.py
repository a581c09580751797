"""`xgrant apply FILE`: does what was reviewed, or nothing."""

from __future__ import annotations

import argparse
from contextlib import ExitStack

from reconciler.commands import DEFAULT_PATH, clock
from reconciler.commands.apply import Job, Ready
from reconciler.commands.output import conclude, painter, say
from reconciler.commands.plan import A_DAY
from reconciler.commands.progress import Progress
from reconciler.commands.turns import own_turn, tell_of_departed
from reconciler.errors import StaleError, UsageError
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.guardrails import guardrails
from reconciler.pipeline.main_job import aws_ports, check_accepted
from reconciler.pipeline.plan_files import plan_again, read_plan_file
from reconciler.pipeline.shards import Elsewhere
from reconciler.planfile import Binding, PlanFile
from reconciler.render.escape import escape
from reconciler.render.outlook import plan_command
from reconciler.render.stale import stale_lines
from reconciler.render.text import text
from reconciler.render.verdict import unread_text


def prepare(arguments: argparse.Namespace, shown: Progress, turns: ExitStack, workers: Elsewhere | None) -> Ready | int:
    """Return the plan to execute, made anew and equal to the reviewed one, or an exit code if there is nothing to do.

    A plan file was approved by whoever reviewed it, so nobody is asked. From before the read on, `turns` has the turn
    of this run.

    Raises:
        PlanFileError: the file is refused (exit 3).
        StaleError: the plan is another one by now (exit 4).
        UsageError: `--only` beside a plan file, which says itself what it is restricted to.
        LockError, StoreError: another run has the accounts, or that cannot be known (exit 5).

    """
    file, *paths = arguments.paths
    if arguments.only:
        raise UsageError("--only goes to `xgrant plan -o`: a plan file says itself which grants it is for")
    accepted = check_accepted(arguments.accept)
    reviewed = read_plan_file(file)
    manifest = load_with_accounts(paths or [DEFAULT_PATH], shown.notice, anew=True, writing=True)
    held = guardrails(manifest, paths or [DEFAULT_PATH], clock.now())
    reader, writer = aws_ports(manifest, shown.notice, workers)
    turn = turns.enter_context(own_turn(manifest, arguments, shown))
    tell_of_departed(manifest, shown)
    anew = _plan_command(reviewed, file, paths, accepted)
    current, binding = plan_again(
        reviewed, file, manifest, reader, now=clock.now(), accepted=accepted, anew=anew, guardrails=held
    )
    brush = painter(arguments.color)
    if not binding.holds():
        _explain(binding, reviewed, same_manifests=manifest.digest == reviewed.digest)
        raise StaleError(f"{file}: the plan is stale; nothing was changed. Review a new one: {anew}")
    for entry in binding.done:
        say(f"done already: {entry['change']['action']} {escape(entry['address'])}")
    if binding.done and not current.changes:
        where = "" if current.complete() else f", save in {unread_text(current.unread())}, left out"
        say(f"Nothing is left to do: AWS is as {escape(file)} wants it{where}.")
        return conclude(current)
    say(text(current, brush, expand=arguments.expand), end="")
    if not current.changes or current.refused():
        return conclude(current)
    # Nothing is asked, so nothing is planned again.
    return Ready(Job(manifest, reader, writer, lambda _: current), current, current, turn)


def _explain(binding: Binding, reviewed: PlanFile, *, same_manifests: bool) -> None:
    for line in stale_lines(binding.new, binding.gone, binding.different, binding.findings, binding.rollout):
        say(line)
    if not same_manifests:
        paths = " ".join(escape(path) for path in reviewed.data["source"]["paths"])
        say(f"The manifests are not the ones that the plan was made from ({paths}).")


def _plan_command(reviewed: PlanFile, file: str, paths: list[str], accepted: frozenset[str]) -> str:
    """Return the command that plans anew what the file and this command line are about."""
    stated: list[str] = paths or list(reviewed.data["source"]["paths"])
    lasts = int((reviewed.expires_at - reviewed.created_at).total_seconds())
    return plan_command(
        file, [] if stated == [DEFAULT_PATH] else stated, only=reviewed.only, destroy=reviewed.destroy,
        accepted=accepted, lasts=None if lasts == A_DAY else lasts,
    )  # fmt: skip
