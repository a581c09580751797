"""What `apply FILE` and `plan --same-as FILE` share: a plan made now has to be the one that was reviewed."""

from __future__ import annotations

from reconciler.commands import DEFAULT_PATH, clock
from reconciler.commands.output import say
from reconciler.errors import StaleError
from reconciler.model import Manifest, Plan
from reconciler.pipeline.guardrails import Guardrails
from reconciler.pipeline.plan_files import plan_again
from reconciler.planfile import Binding, PlanFile
from reconciler.policy.instants import A_DAY
from reconciler.ports import Reader
from reconciler.render.escape import escape
from reconciler.render.outlook import plan_command
from reconciler.render.stale import stale_lines
from reconciler.render.verdict import unread_text


def same_plan(
    reviewed: PlanFile, file: str, paths: list[str], manifest: Manifest, reader: Reader, held: Guardrails,
    accepted: frozenset[str],
) -> tuple[Plan, Binding]:  # fmt: skip
    """Return the plan of now, all changes of which were reviewed; say which reviewed ones are done already.

    `paths` are those of the command line, if it has any. Raises StaleError, once what differs is printed, and as
    `plan_again`.
    """
    anew = _plan_command(reviewed, file, paths, accepted)
    current, binding = plan_again(
        reviewed, file, manifest, reader, now=clock.now(), accepted=accepted, anew=anew, guardrails=held
    )
    if not binding.holds():
        _explain(binding, reviewed, same_manifests=manifest.digest == reviewed.digest)
        raise StaleError(f"{file}: the plan is stale; nothing was changed. Review a new one: {anew}")
    for entry in binding.done:
        say(f"done already: {entry['change']['action']} {escape(entry['address'])}")
    if binding.done and not current.changes:
        where = "" if current.complete() else f", save in {unread_text(current.unread())}, left out"
        say(f"Nothing is left to do: AWS is as {escape(file)} wants it{where}.")
    return current, binding


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
