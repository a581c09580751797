"""Where AWS is not as the manifests say, by account and attribute. A plan seen from the other side."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from reconciler.model import Action, Change, Finding, Plan, Resource, Severity
from reconciler.policy.document import PolicyDocument
from reconciler.render.changes import statement_lines
from reconciler.render.data import dumps
from reconciler.render.differences import MISSING, Difference, differences
from reconciler.render.escape import escape
from reconciler.render.fold import folded_findings, folded_texts, named
from reconciler.render.stale import value_text
from reconciler.render.statements import Masks, Rows, document_data, head_changes, paired, statement_rows
from reconciler.render.text import Painter, finding_lines
from reconciler.shards import Shard

FORMAT_VERSION = "1.0"

# Whatever else a change does, it is to something that is there and is not as it should be.
_WORDS = {Action.CREATE: "missing", Action.DELETE: "unexpected"}
_CHANGED = "changed"
_SEEN = {"missing": "missing in AWS", "unexpected": "not in the manifests", _CHANGED: "changed"}
KINDS = tuple(_SEEN)
"""What may be with a resource that has drifted."""
_MARKS = {"missing": "-", "unexpected": "+", _CHANGED: "~"}

_UNREAD = "XG209"
_OF_THE_TIME = ("XG240", "XG241", "XG243")
EACH = "`--format json` has each"
"""What tells of each of many accounts."""

Told = tuple[str, str, str]
"""A line: its mark, empty for one that tells more of the line above; what is painted by the mark; and the rest."""


def drifted(plan: Plan) -> tuple[Change, ...]:
    """Return the changes that are differences; some only go along with another one's order."""
    return tuple(change for change in plan.changes if change.before != change.after or change.replaces is not None)


def obstacles(plan: Plan) -> tuple[Finding, ...]:
    """Return the errors that say that AWS is not as declared, or not known; limits are only about what apply does."""
    return tuple(f for f in plan.findings if f.rule == _UNREAD or (f.severity is Severity.ERROR and not f.acceptable))


def due(plan: Plan) -> tuple[Finding, ...]:
    """Return what has to be seen to since time has passed; no drift."""
    return tuple(finding for finding in plan.findings if finding.rule in _OF_THE_TIME)


def drift_json(plan: Plan, shard: Shard | None = None) -> str:
    """Return the drift as indented JSON in plain ASCII that ends with a line break. External ids are hidden.

    `shard` is which part of the accounts was compared, if not all were.
    """
    accounts = [
        {
            "name": name,
            "id": facts.account.id,
            "error": facts.error,
            "changes": [_change_data(change) for change in changes],
        }
        for name, facts, changes in _by_account(plan)
    ]
    findings = [{"rule": f.rule, "message": f.message} for f in (*obstacles(plan), *due(plan))]
    data = {
        "format_version": FORMAT_VERSION,
        "stack": plan.stack,
        **({"shard": str(shard)} if shard is not None else {}),
        "complete": plan.complete(),
        "drifted": bool(drifted(plan)),
        "accounts": accounts,
        "findings": findings,
    }
    return dumps(data)


def drift_text(plan: Plan, painter: Painter) -> str:
    """Return the drift as text with a closing line that counts it; ends with a line break.

    Accounts that have drifted alike are one.
    """
    lines: list[str] = []
    ids = plan.account_ids()
    for accounts, told in drift_by_account(plan):
        texts = [text for line in told for text in line]
        one, several = f"account {accounts[0]} ({ids[accounts[0]]})", named(accounts, EACH, texts)
        lines.append(escape(one if len(accounts) == 1 else f"{len(accounts)} accounts: {several}"))
        lines += [f"  {painter.paint(mark, painted)}{rest}" for mark, painted, rest in told]
        lines.append("")
    for finding, accounts in folded_findings((*obstacles(plan), *due(plan)), ids):
        lines += [*finding_lines(finding, painter, accounts=accounts, each=EACH), ""]
    lines.append(drift_verdict(plan))
    return "\n".join(lines) + "\n"


def drift_by_account(plan: Plan) -> Iterator[tuple[tuple[str, ...], list[Told]]]:
    """Yield accounts that have drifted alike, and the lines about that, escaped but for what is in no line."""
    told = ((name, tuple(_told(changes))) for name, _, changes in _by_account(plan) if changes)
    for texts, accounts in folded_texts(told, plan.account_ids()):
        yield accounts, [*zip(texts[::3], texts[1::3], texts[2::3], strict=True)]


def drift_counts(changes: Iterable[Change]) -> str:
    """Return how many changes there are of each kind, like `1 missing in AWS, 0 not in the manifests, 0 changed`."""
    found = Counter(kind_of(change) for change in changes)
    return ", ".join(f"{found[word]} {seen}" for word, seen in _SEEN.items())


def drift_verdict(plan: Plan, where: str = "above") -> str:
    """Return what the drift comes to, in a sentence; `where` is where the findings stand."""
    if found := drifted(plan):
        return f"Drift: {drift_counts(found)}."
    if obstacles(plan) or not plan.complete():
        return f"No drift in what could be compared; see {where} for the rest."
    return "No drift. AWS is as the manifests say."


def attribute_differences(change: Change) -> tuple[Difference, ...]:
    """Return how an attribute stands in the manifests (`before`) and in AWS (`after`); secrets are masked."""
    if change.before is None or change.after is None:
        return ()
    masks = Masks()
    wanted, standing = (_shown(resource, masks) for resource in (change.after, change.before))
    return tuple(
        row
        for name in {**wanted, **standing}
        for row in _compared((name,), wanted.get(name, MISSING), standing.get(name, MISSING))
    )


def _by_account(plan: Plan) -> Iterator[tuple[str, Any, list[Change]]]:
    for name, facts in sorted(plan.live.facts.items()):
        if facts.account.managed and not facts.elsewhere:
            yield name, facts, [change for change in drifted(plan) if change.address.account == name]


def kind_of(change: Change) -> str:
    """Return which of `KINDS` a change is."""
    return _WORDS.get(change.action, _CHANGED)


def _change_data(change: Change) -> dict[str, Any]:
    return {
        "address": str(change.address),
        "grant": change.grant,
        "drift": kind_of(change),
        "replaces": str(change.replaces) if change.replaces else None,
        "reason": change.reason,
        "differences": [
            {"path": list(row.path)}
            | ({"manifest": row.before} if row.before is not MISSING else {})
            | ({"aws": row.after} if row.after is not MISSING else {})
            for row in attribute_differences(change)
        ],
    }


def _told(changes: Iterable[Change]) -> Iterator[str]:
    """Yield three texts for each line about changes: a mark, what is painted by it, and the rest."""
    for change in changes:
        word = kind_of(change)
        grant = f"  (grant {escape(change.grant)})" if change.grant else ""
        yield from (_MARKS[word], escape(str(change.address)), f": {_SEEN[word]}{grant}")
        for line in _details(change):
            yield from ("", "", f"    {line}")


def _details(change: Change) -> Iterator[str]:
    if change.replaces is not None:
        yield f"stands in AWS as {escape(str(change.replaces))}"
    if change.reason:
        yield escape(change.reason)
    for row in attribute_differences(change):
        path = ".".join(escape(part) for part in row.path)
        if any(isinstance(value, Mapping) for value in (row.before, row.after)):
            yield from _policy_lines(path, row)
        else:
            yield f"{path}: {value_text(row.before)} in the manifests, {value_text(row.after)} in AWS"


def _policy_lines(path: str, row: Difference) -> Iterator[str]:
    """Yield a policy, or a statement of one, that only one side has, as a plan shows it."""
    for where, value in (("the manifests", row.before), ("AWS", row.after)):
        if value in (MISSING, None):
            continue
        yield f"{path}: only in {where}"
        for statement in _statements(value):
            yield from (f"  {'  ' * (depth - 1)}{words}" for _, depth, words in statement_lines(" ", statement))


def _statements(value: Any) -> list[Rows]:
    """Return the statements of what differs, which is a whole document or one statement in rows."""
    if not isinstance(value, Mapping):
        return [{"Value": [value_text(value)]}]
    if "Statement" in value and not isinstance(value["Statement"], str):
        return [*statement_rows(PolicyDocument.parse(value))]
    if "Unreadable" in value:
        return [{"Unreadable": [str(value["Unreadable"])]}]
    return [value]


def _shown(resource: Resource, masks: Masks) -> dict[str, Any]:
    return {name: _masked(value, masks) for name, value in resource.attributes().items()}


def _masked(value: Any, masks: Masks) -> Any:
    if isinstance(value, PolicyDocument):
        data = document_data(value, masks)
        if value.unreadable() is None:
            return PolicyDocument.parse(data)
        text = json.dumps(data)
        return PolicyDocument(text, text)
    return {key: _masked(item, masks) for key, item in value.items()} if isinstance(value, Mapping) else value


def _compared(path: tuple[str, ...], wanted: Any, standing: Any) -> Iterator[Difference]:
    if wanted == standing:
        return
    if isinstance(wanted, PolicyDocument) and isinstance(standing, PolicyDocument):
        yield from _documents(path, wanted, standing)
    elif isinstance(wanted, Mapping) and isinstance(standing, Mapping):
        for key in sorted({*wanted, *standing}):
            yield from _compared((*path, key), wanted.get(key, MISSING), standing.get(key, MISSING))
    elif isinstance(wanted, list) and isinstance(standing, list):
        for row in differences({"": wanted}, {"": standing}):
            yield Difference(path, row.before, row.after)
    else:
        yield Difference(path, *(v.data() if isinstance(v, PolicyDocument) else v for v in (wanted, standing)))


def _documents(path: tuple[str, ...], wanted: PolicyDocument, standing: PolicyDocument) -> Iterator[Difference]:
    for key, one, other in head_changes(wanted, standing):
        yield Difference((*path, key), one, other)
    for mine, theirs in paired(wanted, standing):
        if mine is None or theirs is None:
            sides = (MISSING if rows is None else dict(rows) for rows in (mine, theirs))
            yield Difference((*path, "Statement"), *sides)
        else:
            title = (mine.get("Sid") or mine.get("Action") or mine.get("NotAction") or [""])[0]
            for row in differences(mine, theirs):
                yield replace(row, path=(*path, "Statement", title, *row.path))
