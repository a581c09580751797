"""What is said of manifests in the forms that GitHub and GitLab show at their lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from reconciler import __version__
from reconciler.errors import ManifestError, Problem
from reconciler.model import Finding, Manifest, Severity
from reconciler.render.github import finding_commands, problem_commands
from reconciler.render.gitlab import findings_report, problems_report
from reconciler.render.lint import as_json
from reconciler.render.sarif import sarif


@contextmanager
def problems_as(form: str) -> Iterator[None]:
    """Print the problems of manifests that are found inside the block on stdout, where `form` has one for them.

    The error goes on its way, so that people read them on stderr too.
    """
    try:
        yield
    except ManifestError as error:
        match form:
            case "github":
                sys.stdout.write(problem_commands(error.problems))
            case "gitlab":
                sys.stdout.write(problems_report(error.problems))
            case "json":
                sys.stdout.write(as_json([*map(_finding, error.problems)]))
            case "sarif":
                # Whoever uploads it shows what is wrong, and has no upload that fails too.
                sys.stdout.write(sarif([*map(_finding, error.problems)], (), version=__version__, folder=here()))
        raise


def _finding(problem: Problem) -> Finding:
    way_out = "mend it; what else there is to say was not looked for"
    return Finding(problem.code, Severity.ERROR, problem.message, way_out, place=problem.place)


def print_annotations(findings: Sequence[Finding], form: str, *, anywhere: str) -> bool:
    """Print findings on stdout and return True where `form` is one of a forge; else return False.

    Those without a place stand at the file `anywhere`.
    """
    match form:
        case "github":
            sys.stdout.write(finding_commands(findings, anywhere))
        case "gitlab":
            sys.stdout.write(findings_report(findings, anywhere))
        case _:
            return False
    return True


def here() -> str:
    """Return the folder of the run below the top of its git repository; empty at the top, and outside of one."""
    folder = Path.cwd()
    top = next((above for above in (folder, *folder.parents) if (above / ".git").exists()), folder)
    return "" if folder == top else folder.relative_to(top).as_posix()


def any_grant(manifest: Manifest) -> str:
    """Return the file at which is shown what has no place of its own: that of the first grant."""
    return next((grant.place.file for grant in manifest.grants), "")
