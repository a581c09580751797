"""`xgrant plan`: shows what apply would change."""

from __future__ import annotations

import argparse
import sys

from reconciler.commands.output import painter
from reconciler.pipeline import Request, aws_ports, load, make_plan
from reconciler.render.data import to_json
from reconciler.render.text import text


def run(arguments: argparse.Namespace) -> int:
    """Print the plan; return 3 if it is refused, 2 for changes with --detailed-exitcode, else 0."""
    manifest = load(arguments.paths)
    reader, _ = aws_ports(manifest)
    plan = make_plan(Request(manifest, frozenset(arguments.only)), reader)
    sys.stdout.write(to_json(plan) if arguments.format == "json" else text(plan, painter(arguments.color)))
    if plan.refused():
        return 3
    return 2 if arguments.detailed_exitcode and plan.changes else 0
