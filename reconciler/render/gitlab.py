"""Reports that GitLab shows beside a merge request."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from reconciler.errors import Place, Problem
from reconciler.model import Change, Finding, Severity
from reconciler.render.data import ACTIONS, dumps
from reconciler.render.escape import escape
from reconciler.render.lint import in_order

_SEVERITIES = {Severity.ERROR: "critical", Severity.WARNING: "major", Severity.NOTE: "minor"}


def terraform_report(changes: Iterable[Change]) -> str:
    """Return how many changes there are, for `artifacts:reports:terraform`.

    GitLab knows create, update and delete, and counts as its own template does: the actions that Terraform would name,
    so that a replacement is one of each ("Terraform integration in merge requests").
    """
    number = Counter(action for change in changes for action in ACTIONS[change.action])
    return json.dumps({action: number[action] for action in ("create", "update", "delete")}) + "\n"


def findings_report(findings: Iterable[Finding], anywhere: str = "") -> str:
    """Return findings for `artifacts:reports:codequality`; one without a place stands at the file `anywhere`.

    GitLab tells findings apart by their fingerprint, and shows one of those that share it ("Code Quality report
    format").
    """
    return _report(
        (
            one.rule, escape(f"{f'{one.grant}: ' if one.grant else ''}{one.message}. What to do: {one.way_out}"),
            _SEVERITIES[one.severity], one.place or Place(anywhere),
        )
        for one in in_order(findings)
    )  # fmt: skip


def problems_report(problems: Iterable[Problem]) -> str:
    """Return problems of manifests, as `findings_report` does findings."""
    return _report((one.code, escape(one.message), "blocker", one.place) for one in problems)


def _report(entries: Iterable[tuple[str, str, str, Place]]) -> str:
    seen: Counter[tuple[str, str, str]] = Counter()
    found: list[dict[str, Any]] = []
    for check, description, severity, place in entries:
        path = PurePath(place.file).as_posix()
        same = (check, path, description)
        # Lines move, the rest stays; what is said twice of one file is numbered.
        digest = hashlib.sha256("\0".join((*same, str(seen[same]))).encode()).hexdigest()
        seen[same] += 1
        location = {"path": path, "lines": {"begin": place.line}}
        found.append(
            {
                "description": description, "check_name": check, "fingerprint": digest, "severity": severity,
                "location": location,
            }
        )  # fmt: skip
    return dumps(found)
