"""The forms in which a plan is printed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace

from reconciler import __version__
from reconciler.commands.annotations import here
from reconciler.errors import ManifestError, Place, Problem
from reconciler.lint import RULES
from reconciler.manifest import load
from reconciler.manifest.files import manifest_files
from reconciler.model import Plan
from reconciler.render.github import finding_commands
from reconciler.render.gitlab import terraform_report
from reconciler.render.markdown.drift import drift_markdown
from reconciler.render.markdown.limit import GITHUB_COMMENT, GITLAB_NOTE, JOB_SUMMARY
from reconciler.render.markdown.plan import plan_markdown
from reconciler.render.sarif import sarif
from reconciler.shards import Shard

LIMITS = {"markdown": JOB_SUMMARY, "github": GITHUB_COMMENT, "gitlab": GITLAB_NOTE}
"""How long what is printed may be, by format, where there is a limit: in bytes."""


def print_plan(
    plan: Plan, arguments: argparse.Namespace, *, paths: Iterable[str], wanted: bool, only: Iterable[str],
    destroy: bool, shard: Shard | None,
) -> None:  # fmt: skip
    """Print a plan on stdout in a format for pipelines, that the command line names.

    `paths` are those of its manifests, `wanted` says whether anything is to be there, `only`, `destroy` and `shard` say
    what the plan is of.
    """
    match arguments.format:
        case "sarif":
            named = [*paths]
            text = sarif(
                plan.findings, RULES, version=__version__, anywhere=any_file(named), folder=here(),
                grants=_places(named),
            )  # fmt: skip
        case "github-commands":
            named = [*paths]
            places = _places(named)
            located = (replace(one, place=one.place or places.get(one.grant)) for one in plan.findings)
            text = finding_commands(located, any_file(named))
        case "gitlab-report":
            text = terraform_report(plan.changes)
        case form:
            text = plan_markdown(
                plan, wanted=wanted, limit=LIMITS[form], hidden=form != "markdown", expand=arguments.expand,
                scope=_scope(only, destroy=destroy, shard=shard),
            )  # fmt: skip
    sys.stdout.write(text)


def print_drift(plan: Plan, form: str, *, only: Iterable[str], shard: Shard | None) -> None:
    """Print the drift that a plan shows on stdout as Markdown; `form` is one of `LIMITS`, the rest as for a plan."""
    scope = _scope(only, destroy=False, shard=shard)
    sys.stdout.write(drift_markdown(plan, limit=LIMITS[form], hidden=form != "markdown", scope=scope))


def any_file(paths: Iterable[str]) -> str:
    """Return the manifest file at which is shown what has no place of its own: the first one of the paths.

    Where the manifests are not here, as when a plan file is shown elsewhere, it is the first path.
    """
    named = [*paths]
    problems: list[Problem] = []
    found = manifest_files(named[:1], problems)
    return str(found[0][0]) if found else named[0]


def _places(paths: Iterable[str]) -> dict[str, Place]:
    """Return where each grant of the manifests stands; of none where they are not here, or are others by now."""
    try:
        return {grant.name: grant.place for grant in load([*paths]).grants}
    except ManifestError:
        return {}


def _scope(only: Iterable[str], *, destroy: bool, shard: Shard | None) -> str:
    words = ["to remove all"] if destroy else []
    words += [f"only {', '.join(sorted(only))}"] if only else []
    words += [f"shard {shard}"] if shard is not None else []
    return "; ".join(words)
