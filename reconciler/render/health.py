"""What doctor found, as text and as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from reconciler.model import Diagnosis, Severity
from reconciler.render.data import dumps
from reconciler.render.escape import escape

FORMAT = "1.0"


def diagnosis_text(found: Diagnosis) -> str:
    """Return each ailment with why it matters and what to do, and a summary; ends with a line break."""
    lines: list[str] = []
    for one in found.ailments:
        where = f"account {one.account}: " if one.account else ""
        lines += [
            f"{one.severity} {one.rule}: {where}{one.message}",
            f"  why: {one.why}",
            f"  what to do: {one.way_out}",
        ]
    counts = Counter(one.severity for one in found.ailments)
    said = ", ".join(
        f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in Severity if counts[level]
    )
    number = len(found.accounts)
    lines.append(f"{number} account{'' if number == 1 else 's'} looked at: {said or 'nothing is wrong'}.")
    return "".join(f"{escape(line)}\n" for line in lines)


def diagnosis_json(found: Diagnosis) -> str:
    """Return the same as JSON that ends with a line break; see schemas/health.schema.json."""
    return dumps({
        "format_version": FORMAT,
        "accounts": list(found.accounts),
        "unread": dict(sorted(found.unread.items())),
        "findings": [{**asdict(one), "severity": one.severity.value, "account": one.account or None}
                     for one in found.ailments],
    })  # fmt: skip
