"""Findings as SARIF 2.1.0, for GitHub's code scanning and whatever else reads it.

GitHub shows a result at its first location, needs a `ruleId` that is among the rules, and tells results apart by
`partialFingerprints` ("SARIF support for code scanning"). A result without a place cannot be shown there, so it gets
the file that the run was asked about.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from reconciler.lint.rule import Rule
from reconciler.model import Finding, Level, Severity
from reconciler.render.data import dumps
from reconciler.render.escape import escape
from reconciler.render.lint import in_order

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "note"}
_DEFAULTS = {Level.DENY: "error", Level.WARN: "warning", Level.ADVICE: "note", Level.OFF: "none"}


def sarif(findings: Sequence[Finding], rules: Iterable[Rule], *, version: str, anywhere: str = "") -> str:
    """Return findings as one SARIF log of one run.

    `rules` are told of where a finding is of them; one of no rule among them gets a description by its id. `anywhere`
    is the file that findings without a place are shown at; without it they have none.
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
        "originalUriBaseIds": {"SRCROOT": {"description": {"text": "the folder in which xgrant was run"}}},
        "results": [_result(one, ids.index(one.rule), anywhere) for one in ordered],
    }
    return dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(rule_id: str, rule: Rule | None) -> dict[str, Any]:
    if rule is None:
        return {"id": rule_id}
    return {
        "id": rule_id,
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": rule.why},
        "help": {"text": f"What to do: {rule.mend}\nSource: {rule.source}"},
        "defaultConfiguration": {"level": _DEFAULTS[rule.level]},
        "properties": {"tags": ["security"]},
    }


def _result(finding: Finding, index: int, anywhere: str) -> dict[str, Any]:
    about = f"{finding.grant}: " if finding.grant else ""
    # What has the look of a link would be one (SARIF 2.1.0, 3.11.6).
    text = escape(f"{about}{finding.message}. What to do: {finding.way_out}").replace("](", "] (")
    result: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        # Lines move, the rest of a finding stays.
        "partialFingerprints": {"finding/v1": _digest(finding)},
    }
    if finding.place is not None:
        region = {"startLine": finding.place.line, "startColumn": finding.place.column}
        result["locations"] = [_location(finding.place.file, region)]
    elif anywhere:
        result["locations"] = [_location(anywhere, {"startLine": 1})]
    return result


def _location(file: str, region: dict[str, int]) -> dict[str, Any]:
    path = PurePath(file).as_posix()
    artifact = {"uri": quote(path)} if path.startswith("/") else {"uri": quote(path), "uriBaseId": "SRCROOT"}
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}


def _digest(finding: Finding) -> str:
    parts = (finding.rule, finding.grant, str(finding.address or ""), finding.message)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
