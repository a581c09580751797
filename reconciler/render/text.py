"""A plan as text for a person. The legend is Terraform's: `+` create, `~` update, `-/+` replace, `-` delete.

It has no sign for what is taken over: `>` adopt.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.model import Action, Address, Change, Finding, Plan, Severity
from reconciler.policy.document import PolicyDocument
from reconciler.render.differences import MISSING, Difference, differences
from reconciler.render.escape import HIDDEN, escape
from reconciler.render.fold import Line, folded, folded_findings, named, shortened
from reconciler.render.rollout import rollout_lines
from reconciler.render.statements import Rows, head_changes, masked, paired, shown, statement_rows
from reconciler.wording import few

SYMBOLS = {Action.CREATE: "+", Action.UPDATE: "~", Action.REPLACE: "-/+", Action.DELETE: "-", Action.ADOPT: ">"}
_COLOURS = {"+": "32", "~": "33", "-/+": "33", "-": "31", ">": "36", "error": "1;31", "warning": "33", "note": "36"}
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


@dataclass(frozen=True, slots=True)
class Painter:
    """Colours marks where that is wanted."""

    colour: bool = False

    def paint(self, mark: str, text: str) -> str:
        """Return the text in the mark's colour."""
        code = _COLOURS.get(mark)
        return f"\033[{code}m{text}\033[0m" if self.colour and code else text


_PLAIN = Painter()


def text(plan: Plan, painter: Painter = _PLAIN, *, expand: bool = False) -> str:
    """Return the plan as text with a closing line that counts the changes; ends with a line break.

    Equal changes and findings of several accounts are one, unless it is to `expand`.
    """
    ids = {} if expand else plan.account_ids()
    return text_of(
        plan.changes, plan.findings, wanted=bool(plan.wanted()), painter=painter, ids=ids, unread=plan.unread(),
        rollout=rollout_lines(plan, expand=expand),
    )  # fmt: skip


def text_of(
    changes: Sequence[Change], findings: Iterable[Finding], *, wanted: bool, painter: Painter = _PLAIN,
    ids: Mapping[str, str] | None = None, unread: Sequence[str] = (), rollout: Iterable[str] = (),
) -> str:  # fmt: skip
    """Return changes and findings as text, as of a plan; `wanted` says whether anything is to be there.

    `ids` are those of the accounts by their names; without them every change is shown by itself. `unread` are the
    accounts that could not be read, `rollout` the lines that say in which waves it goes.
    """
    lines: list[str] = []
    if ids:
        names = {account_id: name for name, account_id in ids.items()}
        for found in folded(((change, tuple(_body(change))) for change in changes), ids):
            lines += _titles(found.change, found.accounts, painter, found.body)
            lines += [_painted(line, painter) for line in shortened(found.body, names)]
            lines.append("")
    else:
        for change in changes:
            lines += [*change_lines(change, painter), ""]
    changed = {change.grant for change in changes}
    ordered = sorted(findings, key=lambda found: found.severity is not Severity.NOTE)
    for finding, accounts in folded_findings(ordered, ids or {}):
        # What is of several grants is shown whole as long as anything changes.
        whole = finding.grant in changed if finding.grant else bool(changes)
        lines += [*finding_lines(finding, painter, whole=whole, accounts=accounts), ""]
    if any(finding.severity is Severity.ERROR for finding in ordered):
        lines += [painter.paint("error", "The plan is refused: mend the errors above. Nothing can be applied."), ""]
    elif not changes and unread:
        lines += ["No changes in what could be read.", ""]
    elif not changes and not wanted:
        lines += ["No changes. Nothing is wanted, and nothing is there to be removed.", ""]
    elif not changes:
        lines += ["No changes. AWS is as the manifests say.", ""]
    lines += rollout
    lines.append(counts(changes) + (f" Left out: {unread_text(unread)}." if unread else ""))
    return "\n".join(lines) + "\n"


def unread_text(names: Sequence[str]) -> str:
    """Return how many accounts could not be read, and the first of them."""
    return f"{len(names)} account{'s' if len(names) != 1 else ''} that could not be read ({escape(few(names))})"


def counts(changes: Iterable[Change]) -> str:
    """Return the closing line, like `Plan: 2 to create, 0 to update, 0 to delete`."""
    number = Counter(change.action for change in changes)
    numbers = [f"{number[a]} to {a}" for a in (Action.CREATE, Action.UPDATE, Action.DELETE)]
    if number[Action.REPLACE]:
        numbers.insert(2, f"{number[Action.REPLACE]} to replace")
    if number[Action.ADOPT]:
        numbers.insert(0, f"{number[Action.ADOPT]} to adopt")
    return f"Plan: {', '.join(numbers)}."


def _titles(change: Change, accounts: tuple[str, ...], painter: Painter, body: Iterable[Line] = ()) -> Iterator[str]:
    symbol = SYMBOLS[change.action]
    where = _place(change.address, accounts)
    grant = f"  (grant {escape(change.grant)})" if change.grant else ""
    yield painter.paint(symbol, f"{symbol} {escape(where)}") + grant
    if len(accounts) > 1:
        yield f"      {escape(named(accounts, texts=(words for _, _, words in body)))}"


def _place(address: Address, accounts: tuple[str, ...]) -> str:
    where = str(address)
    if len(accounts) > 1:
        return f"{where.removeprefix(address.account + '/')} in {len(accounts)} accounts"
    return where


def change_lines(change: Change, painter: Painter = _PLAIN) -> Iterator[str]:
    """Yield the lines of one change, without a line break."""
    yield from _titles(change, (change.address.account,), painter)
    for line in _body(change):
        yield _painted(line, painter)


def _painted(line: Line, painter: Painter) -> str:
    mark, depth, words = line
    return "    " + "  " * depth + painter.paint(mark, f"{mark} {words}")


def _body(change: Change) -> Iterator[Line]:
    """Yield what stands below the title of a change."""
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
            yield from _statement(mark, statement)
        return
    yield "~", 0, label
    for key, before, after in head_changes(old, new):
        yield "~", 1, f"{escape(key)}: {escape(before)} -> {escape(after)}"
    for one, other in paired(old, new):
        if one is None or other is None:
            yield from _statement("-" if other is None else "+", one or other or {})
        else:
            yield from _changed_statement(one, other)


def _statement(mark: str, statement: Rows) -> Iterator[Line]:
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


def finding_lines(
    finding: Finding, painter: Painter = _PLAIN, *, whole: bool = True, accounts: tuple[str, ...] = (),
    each: str = "--expand shows each",
) -> Iterator[str]:  # fmt: skip
    """Yield the lines of one finding, without a line break; its documents only if it is to be shown whole.

    `accounts` are those that it is of, if there are several; of many, `each` says what tells of all.
    """
    where = f" {escape(_place(finding.address, accounts))}:" if finding.address else ""
    if finding.address is None and len(accounts) > 1:
        where = f" in {len(accounts)} accounts:"
    if finding.place is not None:
        where = f" {escape(str(finding.place))}:{where}"
    accepted = ", accepted:" if finding.accepted else ""
    head = painter.paint(finding.severity, f"{finding.severity} {finding.rule}{accepted}")
    yield f"{head}{where} {escape(finding.message)}"
    if len(accounts) > 1:
        yield f"    {escape(named(accounts, each, (finding.message, finding.way_out)))}"
    # What is accepted is done with.
    if finding.way_out and not finding.accepted:
        yield f"    what to do: {escape(finding.way_out)}"
    if finding.documents and not whole:
        what = "nothing of this grant changes" if finding.grant else "nothing changes"
        yield f"    {what}, so the documents are left out; `--format json` has them"
        return
    for title, document in finding.documents:
        yield f"    {escape(title)}:"
        shown_text = json.dumps(masked(document.data()), indent=2)
        yield from ("      " + escape(line) for line in shown_text.splitlines())
        if HIDDEN in shown_text:
            yield "      (what is hidden stands in the manifest)"
