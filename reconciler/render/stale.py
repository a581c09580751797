"""How a plan made now differs from the reviewed one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.render.differences import MISSING, differences
from reconciler.render.escape import escape

_Entry = Mapping[str, Any]
_FINGERPRINTS = (("before_fingerprint",), ("after_fingerprint",))


def stale_lines(
    new: Iterable[_Entry],
    gone: Iterable[_Entry],
    different: Iterable[tuple[_Entry, _Entry]],
    findings: Iterable[_Entry],
    rollout: tuple[_Entry, _Entry] | None = None,
) -> Iterator[str]:
    """Yield a line for each change and finding that differs, and one for each attribute of a change that does.

    `rollout` are the reviewed one and that of now, if they differ.
    """
    for entry in new:
        yield f"new: {_named(entry)}; it was not reviewed"
    for entry in gone:
        yield f"gone: {_named(entry)}; it was reviewed, is no longer planned, and AWS is not as it wanted"
    for reviewed, current in different:
        yield f"different: {_named(current)}"
        if reviewed["change"]["action"] != current["change"]["action"]:
            # What stands there differs as a whole, and the plan that is made anew shows it.
            yield f"    reviewed as {_what(reviewed)}, now {_what(current)}"
            continue
        rows = differences(_comparable(reviewed), _comparable(current))
        # A fingerprint follows from the rest; alone it tells of what is hidden.
        telling = [row for row in rows if row.path not in _FINGERPRINTS]
        for row in telling or rows:
            path = ".".join(escape(part) for part in row.path)
            yield f"    {path}: {value_text(row.before)} when reviewed, {value_text(row.after)} now"
    for entry in findings:
        yield f"finding: {entry['rule']} {escape(entry['message'])}; only one of the two plans has it"
    if rollout is not None:
        reviewed_text, current_text = (value_text(stated or MISSING) for stated in rollout)
        yield f"rollout: {reviewed_text} when reviewed, {current_text} now"


def value_text(value: Any) -> str:
    """Return a value of plain data as JSON on one line."""
    return "(none)" if value is MISSING else escape(json.dumps(value, sort_keys=True))


def _what(entry: _Entry) -> str:
    attributes = ", ".join(map(escape, entry["change"]["attributes"]))
    return f"{entry['change']['action']}{f' ({attributes})' if attributes else ''}"


def _named(entry: _Entry) -> str:
    return f"{entry['change']['action']} {escape(entry['address'])}"


def _comparable(entry: _Entry) -> dict[str, Any]:
    return {"grant": entry["grant"], **entry["change"]}
