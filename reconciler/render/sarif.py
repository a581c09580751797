"""Findings as SARIF 2.1.0, for GitHub's code scanning and whatever else reads it.

GitHub shows a result at its first location, needs a `ruleId` that is among the rules, and tells results apart by
`partialFingerprints` ("SARIF support for code scanning"). A result without a place cannot be shown there, so it gets
the file that the run was asked about.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from reconciler.errors import Place
from reconciler.lint.rule import Rule
from reconciler.model import Finding, Level, Severity
from reconciler.render.data import dumps
from reconciler.render.escape import escape
from reconciler.render.lint import in_order

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_DEFAULTS = {Level.DENY: "error", Level.WARN: "warning", Level.ADVICE: "note", Level.OFF: "none"}


def sarif(
    findings: Sequence[Finding], rules: Iterable[Rule], *, version: str, anywhere: str = "", folder: str = "",
    grants: Mapping[str, Place] | None = None,
) -> str:  # fmt: skip
    """Return findings as one SARIF log of one run.

    `rules` are told of where a finding is of them; one of no rule among them gets a description by its id. A finding
    without a place is shown at that of its grant in `grants`, else at the file `anywhere`, if there is one. `folder` is
    where the run is, below the top of the repository: GitHub takes files from there.
    """
    ordered = in_order(findings)
    known = {rule.id: rule for rule in rules}
    ids = sorted({one.rule for one in ordered})
    driver = {
        "name": "xgrant",
        "semanticVersion": version,
        "rules": [_rule(one, known.get(one)) for one in ids],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the top of the repository"}}},
        "results": [
            _result(one, ids.index(one.rule), digest, _Where(anywhere, folder, grants or {}))
            for one, digest in zip(ordered, _digests(ordered), strict=True)
        ],
    }
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule_id: str, rule: Rule | None) -> dict[str, Any]:
    if rule is None:
        # GitHub wants both of each rule ("SARIF support for code scanning", reportingDescriptor).
        return {
            "id": rule_id,
            "shortDescription": {"text": f"{rule_id} of xgrant"},
            "fullDescription": {"text": "What a plan or the reading of manifests found; the message says what to do."},
        }
    return {
        "id": rule_id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"What to do: {rule.mend}\nSource: {rule.source}"},
        "defaultConfiguration": {"level": _DEFAULTS[rule.level]},
        "properties": {"tags": ["security"]},
    }


def _literal(text: str) -> str:
    """Return a text as a message of SARIF: in braces are placeholders, in brackets links (2.1.0, 3.11.5 and 3.11.6).

    Who reads no backslashes finds no link either.
    """
    return re.sub(r"([\\\[\]])", r"\\\1", text.replace("](", "] (")).replace("{", "{{").replace("}", "}}")


def _result(finding: Finding, index: int, digest: str, where: _Where) -> dict[str, Any]:
    about = f"{finding.grant}: " if finding.grant else ""
    to_do = f". What to do: {finding.way_out}" if finding.way_out else ""
    text = _literal(escape(f"{about}{finding.message}{to_do}"))
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        # Lines move, the rest of a finding stays.
        "partialFingerprints": {"finding/v1": digest},
    }
    if place := finding.place or where.grants.get(finding.grant):
        region = {"startLine": place.line, "startColumn": place.column}
        result["locations"] = [where.location(place.file, region)]
    elif where.anywhere:
        result["locations"] = [where.location(where.anywhere, {"startLine": 1})]
    return result


@dataclass(frozen=True, slots=True)
class _Where:
    """Where things are: the file for what has no place, the folder of the run in the repository, and the grants."""

    anywhere: str
    folder: str
    grants: Mapping[str, Place]

    def location(self, file: str, region: dict[str, int]) -> dict[str, Any]:
        path = posixpath.normpath(posixpath.join(self.folder, PurePath(file).as_posix()))
        artifact = {"uri": quote(path)} if path.startswith("/") else {"uri": quote(path), "uriBaseId": "SRCROOT"}
        return {"physicalLocation": {"artifactLocation": artifact, "region": region}}


def _digests(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a digest for each finding: lines move, so they do not count; of two that are alike each has one."""
    times: dict[str, int] = {}
    for finding in findings:
        digest = _digest(finding)
        times[digest] = times.get(digest, 0) + 1
        yield digest if times[digest] == 1 else f"{digest}:{times[digest]}"


def _digest(finding: Finding) -> str:
    parts = (finding.rule, finding.grant, str(finding.address or ""), finding.message)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
