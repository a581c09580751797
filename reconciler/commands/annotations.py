"""What is said of manifests in the forms that GitHub and GitLab show at their lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from reconciler.errors import ManifestError
from reconciler.model import Finding, Manifest
from reconciler.render.github import finding_commands, problem_commands
from reconciler.render.gitlab import findings_report, problems_report


@contextmanager
def problems_as(form: str) -> Iterator[None]:
    """Print the problems of manifests that are found inside the block on stdout, where `form` is one of a forge.

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
        raise


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


def any_grant(manifest: Manifest) -> str:
    """Return the file at which is shown what has no place of its own: that of the first grant."""
    return next((grant.place.file for grant in manifest.grants), "")
