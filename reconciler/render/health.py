"""What doctor found, as text and as data."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

from reconciler.model import Diagnosis, Severity
from reconciler.render.data import dumps
from reconciler.render.escape import escape
from reconciler.render.fold import folded_texts
from reconciler.wording import few

FORMAT = "1.0"


def diagnosis_text(found: Diagnosis) -> str:
    """Return each ailment with why it matters and what to do, and a summary; ends with a line break.

    What is the same in several accounts is told once, with `<id>` and `<name>` for their own.
    """
    lines: list[str] = []
    told = ((one.account, (f"{one.severity} {one.rule}", one.message, one.why, one.way_out)) for one in found.ailments)
    for (title, message, why, way_out), accounts in folded_texts(told, found.accounts):
        several = f"{len(accounts)} accounts ({few(accounts)}): " if len(accounts) > 1 else ""
        where = several or "".join(f"account {name}: " for name in accounts)
        lines += [f"{title}: {where}{message}", f"  why: {why}", f"  what to do: {way_out}"]
    counts = Counter(one.severity for one in found.ailments)
    said = ", ".join(
        f"{counts[level]} {level}{'' if counts[level] == 1 else 's'}" for level in Severity if counts[level]
    )
    number = len(found.accounts)
    read = f"{number - len(found.unread)} of " if found.unread else ""
    lines.append(f"{read}{number} account{'' if number == 1 else 's'} looked at: {said or 'nothing is wrong'}.")
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
