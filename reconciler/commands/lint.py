"""`xgrant lint`: shows what grants should not do, offline; and the rules themselves."""

from __future__ import annotations

import argparse
import sys

from reconciler import __version__
from reconciler.commands.annotations import any_grant, here, print_annotations, problems_as
from reconciler.commands.held import held_to
from reconciler.commands.output import unresolved
from reconciler.errors import UsageError
from reconciler.lint import RULES, SEVERITIES, by_id
from reconciler.manifest import load
from reconciler.model import Finding, Level, Severity
from reconciler.pipeline.guardrails import denied
from reconciler.render import rules as rule_texts
from reconciler.render.lint import as_json, as_text
from reconciler.render.sarif import sarif

_LEVELS = tuple(level.value for level in Level if level is not Level.OFF)


def run(arguments: argparse.Namespace) -> int:
    """Return 3 if something is found that is denied, else 0."""
    if arguments.list or arguments.explain:
        return _tell(arguments)
    if arguments.format == "markdown":
        raise UsageError("--format markdown is for --list")
    with problems_as(arguments.format):
        manifest = load(arguments.paths)
        held = held_to(arguments, manifest)
    unresolved(manifest)
    found = held.of_manifest()
    if arguments.access_analyzer:
        # Only this goes to AWS, and takes its time to import.
        from reconciler.pipeline.analyzer import analyzed_manifest, aws_analyzer

        found = (*found, *analyzed_manifest(held, aws_analyzer(manifest, lambda _: None)))
    least = _LEVELS.index(arguments.level)
    shown = [one for one in found if _LEVELS.index(_level(one)) >= least]
    anywhere = any_grant(manifest)
    match arguments.format:
        case "json":
            sys.stdout.write(as_json(shown))
        case "sarif":
            sys.stdout.write(sarif(shown, RULES, version=__version__, anywhere=anywhere, folder=here()))
        case form:
            if not print_annotations(shown, form, anywhere=anywhere):
                sys.stdout.write(as_text(shown))
    return 3 if any(denied(found)) else 0


def _level(finding: Finding) -> str:
    levels: dict[Severity, Level] = {severity: level for level, severity in SEVERITIES.items()}
    return levels[finding.severity]


def _tell(arguments: argparse.Namespace) -> int:
    if arguments.explain:
        rule = by_id().get(arguments.explain.upper())
        if rule is None:
            raise UsageError(f"--explain: there is no guardrail {arguments.explain}; --list shows all")
        sys.stdout.write(rule_texts.explained(rule))
    elif arguments.format == "markdown":
        sys.stdout.write(rule_texts.markdown(RULES))
    elif arguments.format == "text":
        sys.stdout.write(rule_texts.listed(RULES))
    else:
        raise UsageError(f"--list has no format {arguments.format}; text or markdown")
    return 0
