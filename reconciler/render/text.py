"""A plan as text for a person. The legend is Terraform's: `+` create, `~` update, `-/+` replace, `-` delete.

It has no sign for what is taken over: `>` adopt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.model import Change, Finding, Plan, Severity
from reconciler.render.changes import SYMBOLS, body, place
from reconciler.render.escape import escape
from reconciler.render.findings import document_lines, shown_whole, without_documents
from reconciler.render.fold import Line, folded, folded_findings, named, shortened
from reconciler.render.rollout import rollout_lines
from reconciler.render.verdict import counts, refused, verdict

_COLOURS = {"+": "32", "~": "33", "-/+": "33", "-": "31", ">": "36", "error": "1;31", "warning": "33", "note": "36"}


_MOST_NOTES = 3
"""So many notes are shown by a plan without changes; of more, how many they are."""


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
        for found in folded(((change, tuple(body(change))) for change in changes), ids):
            lines += _titles(found.change, found.accounts, painter, found.body)
            lines += [_painted(line, painter) for line in shortened(found.body, names)]
            lines.append("")
    else:
        for change in changes:
            lines += [*change_lines(change, painter), ""]
    changed = {change.grant for change in changes}
    ordered = sorted(findings, key=lambda found: found.severity is not Severity.NOTE)
    findings_of = [*folded_findings(ordered, ids or {})]
    notes = [found for found, _ in findings_of if found.severity is Severity.NOTE]
    standing = notes if ids and not changes and len(notes) > _MOST_NOTES else []
    if standing:
        lines += [painter.paint("note", _standing(standing)), ""]
    for finding, accounts in findings_of:
        if finding in standing:
            continue
        whole = shown_whole(finding, changed)
        lines += [*finding_lines(finding, painter, whole=whole, accounts=accounts), ""]
    if said := verdict(changes, ordered, wanted=wanted, unread=unread):
        lines += [painter.paint("error", said) if refused(ordered) else said, ""]
    lines += rollout
    lines.append(counts(changes, unread))
    return "\n".join(lines) + "\n"


def _standing(notes: Sequence[Finding]) -> str:
    """Say that there are notes, all of what does not change; else they would be a page at every plan."""
    rules = ", ".join(sorted({note.rule for note in notes}))
    return f"{len(notes)} notes on what does not change ({rules}); --expand shows them."


def _titles(change: Change, accounts: tuple[str, ...], painter: Painter, lines: Iterable[Line] = ()) -> Iterator[str]:
    symbol = SYMBOLS[change.action]
    where = place(change.address, accounts)
    grant = f"  (grant {escape(change.grant)})" if change.grant else ""
    yield painter.paint(symbol, f"{symbol} {escape(where)}") + grant
    if len(accounts) > 1:
        yield f"      {escape(named(accounts, texts=(words for _, _, words in lines)))}"


def change_lines(change: Change, painter: Painter = _PLAIN) -> Iterator[str]:
    """Yield the lines of one change, without a line break."""
    yield from _titles(change, (change.address.account,), painter)
    for line in body(change):
        yield _painted(line, painter)


def _painted(line: Line, painter: Painter) -> str:
    mark, depth, words = line
    return "    " + "  " * depth + painter.paint(mark, f"{mark} {words}")


def finding_lines(
    finding: Finding, painter: Painter = _PLAIN, *, whole: bool = True, accounts: tuple[str, ...] = (),
    each: str = "--expand shows each",
) -> Iterator[str]:  # fmt: skip
    """Yield the lines of one finding, without a line break; its documents only if it is to be shown whole.

    `accounts` are those that it is of, if there are several; of many, `each` says what tells of all.
    """
    where = f" {escape(place(finding.address, accounts))}:" if finding.address else ""
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
        yield f"    {without_documents(finding)}"
        return
    for title, document in finding.documents:
        yield f"    {escape(title)}:"
        yield from (f"      {line}" for line in document_lines(document))
