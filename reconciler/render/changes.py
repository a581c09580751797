"""What a change does, in the words that text and Markdown share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from reconciler.model import Action, Address, Change
from reconciler.policy.document import PolicyDocument
from reconciler.render.differences import MISSING, Difference, differences
from reconciler.render.escape import HIDDEN, escape
from reconciler.render.fold import Line
from reconciler.render.statements import Rows, head_changes, paired, shown, statement_rows

SYMBOLS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "-/+", Action.DELETE: "-", Action.ADOPT: ">"}
_LABELS = {
    "permissions_boundary": "permissions boundary",
    "max_session_duration": "max session duration",
    "trust_policy": "trust policy",
    "document": "caller policy",
    "inline_policies": "inline policy",
    "managed_policies": "managed policy",
    "instance_profiles": "instance profile",
    "attached_to": "attached to",
    "tags": "tag",
}


def place(address: Address, accounts: tuple[str, ...]) -> str:
    """Return an address as people read it; that of several accounts says how many they are. Not escaped."""
    where = str(address)
    if len(accounts) > 1:
        return f"{where.removeprefix(address.account + '/')} in {len(accounts)} accounts"
    return where


def body(change: Change) -> Iterator[Line]:
    """Yield what stands below the title of a change, escaped: why it is, then what differs.

    Why it is stands at depth 0 without a mark, as nothing else does.
    """
    if change.replaces is not None:
        yield " ", 0, f"in place of {escape(str(change.replaces))}"
    if change.reason:
        yield " ", 0, f"because {escape(change.reason)}"
    before = change.before.attributes() if change.before else {}
    after = change.after.attributes() if change.after else {}
    for name in after or before:
        old, new = before.get(name, MISSING), after.get(name, MISSING)
        if old != new:
            yield from _attribute(name, old, new)


def _attribute(name: str, old: Any, new: Any) -> Iterator[Line]:
    label = _LABELS.get(name, name)
    if isinstance(old, PolicyDocument) or isinstance(new, PolicyDocument):
        yield from _document(label, old, new)
    elif isinstance(old, Mapping) or isinstance(new, Mapping):
        yield from _mapping(label, {} if old is MISSING else old, {} if new is MISSING else new)
    elif isinstance(old, list) or isinstance(new, list):
        gone, come = ([] if value is MISSING else value for value in (old, new))
        for row in differences({"": gone}, {"": come}):
            mark, value = ("+", row.after) if row.before is MISSING else ("-", row.before)
            yield mark, 0, f"{label} {escape(value)}"
    else:
        yield from _scalar(label, name, old, new)


def _scalar(label: str, name: str, old: Any, new: Any) -> Iterator[Line]:
    absent = (MISSING, None, "")
    if old in absent and new not in absent:
        yield "+", 0, f"{label}: {_value(name, new)}"
    elif new in absent and old not in absent:
        yield "-", 0, f"{label}: {_value(name, old)}"
    elif old not in absent:
        yield "~", 0, f"{label}: {_value(name, old)} -> {_value(name, new)}"


def _mapping(label: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Line]:
    for key in sorted(set(old) | set(new)):
        before, after = old.get(key, MISSING), new.get(key, MISSING)
        if before == after:
            continue
        title = f"{label} {escape(key)}"
        if isinstance(before, PolicyDocument) or isinstance(after, PolicyDocument):
            yield from _document(title, before, after)
        elif before is MISSING:
            yield "+", 0, f"{title}: {_quoted(after)}"
        elif after is MISSING:
            yield "-", 0, f"{title}: {_quoted(before)}"
        else:
            yield "~", 0, f"{title}: {_quoted(before)} -> {_quoted(after)}"


def _document(label: str, old: Any, new: Any) -> Iterator[Line]:
    if old is MISSING or new is MISSING:
        mark, document = ("+", new) if old is MISSING else ("-", old)
        yield mark, 0, label
        for statement in statement_rows(document):
            yield from statement_lines(mark, statement)
        return
    yield "~", 0, label
    for key, before, after in head_changes(old, new):
        yield "~", 1, f"{escape(key)}: {escape(before)} -> {escape(after)}"
    for one, other in paired(old, new):
        if one is None or other is None:
            yield from statement_lines("-" if other is None else "+", one or other or {})
        else:
            yield from _changed_statement(one, other)


def statement_lines(mark: str, statement: Rows) -> Iterator[Line]:
    """Yield a statement of a policy with all that it says, escaped; an external id is hidden."""
    effect = statement.get("Effect", ["statement"])[0]
    yield mark, 1, escape(effect)
    for key, values in statement.items():
        if key != "Effect":
            for value in values:
                # The whole statement comes or goes: one mark says it.
                yield " ", 2, f"{escape(key)}: {escape(shown(key, value))}"


def _changed_statement(before: Rows, after: Rows) -> Iterator[Line]:
    effect = escape(after.get("Effect", ["statement"])[0])
    unchanged = sum(len(set(before[key]) & set(after[key])) for key in set(before) & set(after) if key != "Effect")
    title = f"Sid {escape(after['Sid'][0])}" if "Sid" in after else ", ".join(map(escape, after.get("Action", [])[:3]))
    yield "~", 1, f"{effect} {title}  ({unchanged} unchanged)"
    for row in _without_hidden(differences(before, after), before, after):
        key = row.path[0]
        for mark, value in (("-", row.before), ("+", row.after)):
            if value is not MISSING:
                for item in value if isinstance(value, list) else [value]:
                    yield mark, 2, f"{escape(key)}: {escape(shown(key, item))}"
    for key in before:
        if key in after and before[key] != after[key] and _is_hidden(key):
            yield "~", 2, f"{escape(key)}: {HIDDEN}, changed"


def _without_hidden(found: Iterable[Difference], before: Rows, after: Rows) -> Iterator[Difference]:
    """Leave out values that stand on both sides and cannot be told apart once they are hidden."""
    return (row for row in found if not (_is_hidden(row.path[0]) and row.path[0] in before and row.path[0] in after))


def _is_hidden(label: str) -> bool:
    return shown(label, "") == HIDDEN


def _value(name: str, value: Any) -> str:
    return duration(value) if name == "max_session_duration" else _quoted(value)


def _quoted(value: object) -> str:
    return f'"{escape(str(value))}"'


def duration(seconds: int) -> str:
    """Return seconds as people write them: 3600 is `1h`, 5400 is `1h30m`."""
    hours, rest = divmod(seconds, 3600)
    minutes, left = divmod(rest, 60)
    return "".join(f"{n}{unit}" for n, unit in ((hours, "h"), (minutes, "m"), (left, "s")) if n) or "0s"
