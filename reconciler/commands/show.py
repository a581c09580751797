"""`xgrant show`: prints a plan file as plan printed the plan."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands import clock
from reconciler.commands.formats import print_plan
from reconciler.commands.output import painter, warn
from reconciler.pipeline.plan_files import read_plan_file
from reconciler.planfile import PlanFile
from reconciler.render.data import dumps
from reconciler.render.outlook import moment, outlook
from reconciler.render.rollout import rollout_lines
from reconciler.render.text import text_of


def run(arguments: argparse.Namespace) -> int:
    """Return 0; PlanFileError (exit 3) if it is no plan file, or was edited.

    One that has expired is shown. What apply will make of the file goes to stderr, as plan said it.
    """
    found = read_plan_file(arguments.file)
    print_plan_file(found, arguments)
    said = outlook(found.plan, expires_at=found.expires_at, now=clock.now(), shard=found.shard)
    warn(f"The plan was made at {moment(found.created_at)}; {said}.")
    return 0


def print_plan_file(found: PlanFile, arguments: argparse.Namespace) -> None:
    """Print a plan file on stdout, in the form that the command line asks for."""
    match arguments.format:
        case "text":
            sys.stdout.write(_text(found, arguments))
        case "json":
            sys.stdout.write(dumps(found.data))
        case _:
            print_plan(
                found.plan, arguments, paths=found.data["source"]["paths"], wanted=found.wanted(), only=found.only,
                destroy=found.destroy, shard=found.shard,
            )  # fmt: skip


def _text(found: PlanFile, arguments: argparse.Namespace) -> str:
    plan = found.plan
    ids = {} if arguments.expand else plan.account_ids()
    return text_of(
        plan.changes, plan.findings, wanted=found.wanted(), painter=painter(arguments.color), ids=ids,
        unread=plan.unread(), rollout=rollout_lines(plan, expand=arguments.expand),
    )  # fmt: skip
