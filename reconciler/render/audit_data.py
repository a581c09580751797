"""An audit as JSON by schemas/audit.schema.json, and as CSV for a spreadsheet."""

from __future__ import annotations

import csv
import io
from typing import Any

from reconciler.audit import Audit, AuditFinding, Count, RoleAudit, Usage, Values, Who
from reconciler.render.callers import principal_words, who_words
from reconciler.render.data import dumps
from reconciler.render.escape import escape

FORMAT_VERSION = "1.0"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

COLUMNS = (
    "grant", "target", "role", "caller", "kind", "caller_account", "caller_id", "standing", "sessions", "first", "last",
    "mfa", "no_mfa", "mfa_unknown", "refused", "refused_first", "refused_last", "errors", "source_ips", "user_agents",
    "session_names", "behind",
)  # fmt: skip
"""The header of the CSV."""


def audit_json(found: Audit) -> str:
    """Return all of it as JSON that ends with a line break."""
    names = {account.id: name for name, account in found.accounts.items()}
    looked, tally = found.looked, found.tally
    return dumps(
        {
            "format_version": FORMAT_VERSION,
            "since": looked.since,
            "until": looked.until,
            "complete": looked.complete(),
            "looked_at": {
                "regions": {name: list(regions) for name, regions in looked.regions.items()},
                "files": looked.files,
                "events": tally.records,
                "counted": tally.counted,
                "second_copies": tally.copies,
                "unreadable_events": tally.damaged,
                "refused_without_role": tally.unplaced,
                "gaps": [{"account": g.account, "regions": list(g.regions), "error": g.error} for g in looked.gaps],
                "broken_files": [{"file": name, "error": why} for name, why in looked.broken],
                "broken_files_number": looked.broken_number,
            },
            "grants": [_role_data(role, names) for role in found.roles],
            "findings": [_finding_data(finding, names) for finding in found.findings],
        }
    )


def audit_csv(found: Audit) -> str:
    """Return a row for each caller of each role, under `COLUMNS`; a grant without any has none.

    A text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    names = {account.id: name for name, account in found.accounts.items()}
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(COLUMNS)
    for role in found.roles:
        for usage in role.usages:
            rows.writerow([_cell(value) for value in _cells(role, usage, names)])
    return text.getvalue()


def _cells(role: RoleAudit, usage: Usage, names: dict[str, str]) -> list[str]:
    seen = usage.seen
    got, refused = seen.got, seen.refused
    return [
        role.grant.name, role.target.name, role.grant.role_name, who_words(seen.who, names), seen.who.kind,
        names.get(seen.who.account, seen.who.account), seen.who.id, usage.named.standing, str(got.number), got.first,
        got.last, str(seen.mfa[True]), str(seen.mfa[False]), str(seen.mfa[None]), str(refused.number), refused.first,
        refused.last, " ".join(f"{code}:{number}" for code, number in sorted(refused.errors.items())),
        _list(got.source_ips, refused.source_ips), _list(got.user_agents, refused.user_agents),
        _list(got.sessions, refused.sessions), _list(got.behind, refused.behind),
    ]  # fmt: skip


def _list(*several: Values) -> str:
    kept = list(dict.fromkeys(value for values in several for value in values.kept))
    return "; ".join([*kept, *(["..."] if any(values.more for values in several) else [])])


def _cell(value: str) -> str:
    shown = escape(value)
    return f"'{shown}" if value.startswith(_FORMULA) else shown


def _role_data(role: RoleAudit, names: dict[str, str]) -> dict[str, Any]:
    use = role.use
    return {
        "grant": role.grant.name,
        "target": role.target.name,
        "role": role.grant.role_name,
        "role_read": role.read,
        "role_exists": use is not None if role.read else None,
        "created": use.created if use else None,
        "last_used": use.last_used or None if use else None,
        "last_used_region": use.region or None if use else None,
        "sessions": role.sessions(),
        "sessions_of_an_earlier_role": role.of_an_earlier_role(),
        "callers": [_usage_data(usage, names) for usage in role.usages],
        "never_seen": [principal_words(principal) for principal in role.unseen()],
    }


def _usage_data(usage: Usage, names: dict[str, str]) -> dict[str, Any]:
    seen = usage.seen
    return {
        **_who_data(seen.who, names),
        "standing": usage.named.standing.value,
        "named_by": [principal_words(principal) for principal in usage.named.principals],
        "why": usage.named.why or None,
        "sessions": {
            **_count_data(seen.got),
            "mfa": seen.mfa[True],
            "no_mfa": seen.mfa[False],
            "mfa_unknown": seen.mfa[None],
        },
        "refused": {
            **_count_data(seen.refused),
            "errors": [
                {"code": code, "number": number, "message": seen.refused.messages[code]}
                for code, number in sorted(seen.refused.errors.items())
            ],
        },
    }


def _who_data(who: Who, names: dict[str, str]) -> dict[str, Any]:
    return {
        "caller": who_words(who, names),
        "kind": who.kind.value,
        "id": who.id,
        "account": names.get(who.account, who.account) or None,
        "arn": who.arn or None,
    }


def _count_data(count: Count) -> dict[str, Any]:
    return {
        "number": count.number,
        "first": count.first or None,
        "last": count.last or None,
        "source_ips": _values_data(count.source_ips),
        "user_agents": _values_data(count.user_agents),
        "session_names": _values_data(count.sessions),
        "behind": _values_data(count.behind),
    }


def _values_data(values: Values) -> dict[str, Any]:
    return {"values": list(values.kept), "more": values.more}


def _finding_data(finding: AuditFinding, names: dict[str, str]) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "grant": finding.role.grant.name,
        "target": finding.role.target.name,
        "caller": who_words(finding.usage.seen.who, names),
        "sessions": finding.number,
        "message": finding.message,
    }
