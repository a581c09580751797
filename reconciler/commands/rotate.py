"""`xgrant rotate`: makes roles anew; of a grant for a third party, the external id."""

from __future__ import annotations

import argparse

from reconciler.commands import DEFAULT_PATH, clock
from reconciler.commands.apply import Job, carry_out
from reconciler.commands.output import new_file, say, warn, write_new
from reconciler.commands.progress import Progress
from reconciler.errors import UsageError
from reconciler.manifest import load
from reconciler.model import Grant, Manifest
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.external_ids import rotated_external_id
from reconciler.pipeline.main_job import aws_ports, check_accepted
from reconciler.pipeline.rotate import due, plan_rotation, rotation
from reconciler.pipeline.shards import Elsewhere
from reconciler.render.escape import escape
from reconciler.use import Use, chosen


def run(arguments: argparse.Namespace) -> int:
    """Replace roles as apply does, with its exit codes; or print the change of the manifest that rotates an id."""
    arguments.paths = arguments.paths or [DEFAULT_PATH]
    if arguments.due and arguments.grants:
        raise UsageError("--due means all roles that are due, whatever their grants: leave it out, or name no grants")
    if not arguments.due and not arguments.grants:
        raise UsageError("name the grants to rotate, or say --due for all that are due")
    manifest = load(arguments.paths)
    external = _with_external_id(arguments, manifest)
    if external is not None:
        return _external_id(arguments, manifest, external)

    def job(shown: Progress, workers: Elsewhere | None) -> Job | int:
        accepted = check_accepted(arguments.accept)
        manifest = load_with_accounts(arguments.paths, shown.notice, anew=True, writing=True)
        reader, writer = aws_ports(manifest, shown.notice, workers)
        found = due(manifest, reader, now=clock.now()) if arguments.due else chosen(manifest, arguments.grants)
        roles = _roles(found, due=arguments.due)
        if found and not roles:
            say("No role is rotated: external ids are due, which are rotated in the manifest.")
            return 6
        found = roles
        if not found:
            say("No role is due for rotation.")
            return 0
        # Nothing that a guardrail looks at changes (XG247), and a role that has leaked is not to wait for one.
        request = rotation(manifest, found, now=clock.now(), accepted=accepted)
        return Job(manifest, reader, writer, lambda now: plan_rotation(request, reader, now=now))

    return carry_out(arguments, job, maybe=arguments.due)


def _roles(found: tuple[Use, ...], *, due: bool) -> tuple[Use, ...]:
    """Return those whose roles are rotated; of the others, say what to do, or raise UsageError where one was named."""
    for name, accepted in sorted({use.grant.name: len(use.grant.external_ids) for use in found}.items()):
        if not accepted:
            continue
        if not due:
            raise UsageError(
                f"the grant {name} has an external id, and only the organization knows its accounts: rotate it by "
                "hand, `external_id: [NEW, OLD]`, and later `external_id: NEW`"
            )
        finish = " --finish" if accepted > 1 else ""
        warn(f"xgrant: the external id of the grant {name} is due: xgrant rotate {name}{finish}")
    return tuple(use for use in found if not use.grant.external_ids)


def _with_external_id(arguments: argparse.Namespace, manifest: Manifest) -> Grant | None:
    """Return the grant whose external id is meant; None where roles are. UsageError where both or several are."""
    names = {text.partition("@")[0] for text in arguments.grants}
    found = {grant.name: grant for grant in manifest.grants if grant.external_ids and names & {*grant.names()}}
    if found and len(names) > 1:
        raise UsageError(f"the external id of {min(found)} is rotated by a change of the manifest: name it alone")
    if not found and (arguments.finish or arguments.out is not None):
        option, what = ("--finish", "there is none to drop") if arguments.finish else ("-o", "there is no patch")
        which = f"of {', '.join(sorted(names))} no grant has" if names else "with --due no grant is meant that has"
        raise UsageError(f"{option}: {which} an external id, so {what}; name one that has, or leave {option} out")
    return next(iter(found.values()), None)


def _external_id(arguments: argparse.Namespace, manifest: Manifest, grant: Grant) -> int:
    output = new_file("-o", arguments.out)
    text = rotated_external_id(arguments.paths, manifest, grant, finish=arguments.finish)
    if output is None:
        say(text, end="")
    else:
        write_new("-o", output, text)
    where = "" if output is None else f" {escape(str(output))} has the patch."
    then = (
        "then only the new external id is accepted."
        if arguments.finish
        else "then both external ids are accepted. Give the new one to the callers; once they send it: "
        f"xgrant rotate {grant.name} --finish"
    )
    warn(f"Nothing is changed yet.{where} Review it and apply: {then}")
    return 0
