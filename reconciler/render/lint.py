"""What guardrails find in manifests, as text and as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from reconciler.lint import SEVERITIES
from reconciler.model import Finding
from reconciler.render.data import dumps, finding_data
from reconciler.render.escape import escape

_LEVELS = {severity: level for level, severity in SEVERITIES.items()}


def as_text(findings: Sequence[Finding]) -> str:
    """Return a line for each finding, what to do below it, and at the end how many there are."""
    lines: list[str] = []
    for one in in_order(findings):
        where = f"{escape(str(one.place))}: " if one.place else ""
        grant = f"{escape(one.grant)}: " if one.grant else ""
        lines += [f"{where}{_LEVELS[one.severity]} {one.rule} {grant}{escape(one.message)}"]
        lines += [f"    what to do: {escape(one.way_out)}"]
    number = Counter(_LEVELS[one.severity] for one in findings)
    counts = ", ".join(f"{number[level]} {level}" for level in SEVERITIES if number[level])
    why = "; `xgrant lint --explain RULE` tells more of a rule" if findings else ""
    return "\n".join([*lines, f"{counts or 'nothing found'}{why}"]) + "\n"


def as_json(findings: Sequence[Finding]) -> str:
    """Return the findings as data, as they stand in a plan, each with its level."""
    return dumps(
        {"findings": [{"level": _LEVELS[one.severity].value, **finding_data(one)} for one in in_order(findings)]}
    )


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings as they are read: by file and place, those of none first."""
    return sorted(
        findings,
        key=lambda one: (
            (one.place.file, one.place.line, one.place.column) if one.place else ("", 0, 0), one.rule, one.message,
        ),
    )  # fmt: skip
