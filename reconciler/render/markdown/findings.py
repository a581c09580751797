"""Findings as Markdown: a list, each with what to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import replace

from reconciler.model import Finding, Severity
from reconciler.render.changes import place
from reconciler.render.findings import document_lines, shown_whole, without_documents
from reconciler.render.fold import folded_findings, named
from reconciler.render.markdown.escape import code, fenced, prose
from reconciler.render.markdown.limit import Part, Piece

_MOST_NOTES = 3


def finding_parts(
    findings: Iterable[Finding], ids: Mapping[str, str], changed: Set[str], each: str
) -> tuple[Part, Part, Part]:
    """Return the errors, the warnings and the notes; equal ones of several accounts are one.

    `ids` are those of the accounts by their names, `changed` the grants that change; of many accounts, `each` says what
    tells of all.
    """
    pieces: dict[Severity, list[Piece]] = {severity: [] for severity in Severity}
    for finding, accounts in folded_findings(findings, ids):
        text = _text(finding, accounts, each, whole=shown_whole(finding, changed))
        pieces[finding.severity].append(Piece(text))
    errors, warnings, notes = (
        Part(tuple(pieces[severity]), rest=f"- More {severity}s are not shown here.\n") for severity in Severity
    )
    return errors, warnings, _folded_away(notes)


def _folded_away(notes: Part) -> Part:
    """Return notes that stand open only if they are few: most are on what does not change."""
    number = len(notes.pieces)
    if number <= _MOST_NOTES:
        return notes
    return replace(notes, opening=f"\n<details>\n<summary>{number} notes</summary>\n\n", closing="\n</details>\n")


def _text(finding: Finding, accounts: tuple[str, ...], each: str, *, whole: bool) -> str:
    accepted = ", accepted" if finding.accepted else ""
    where = [code(str(finding.place))] if finding.place is not None else []
    if finding.address is not None:
        where.append(code(place(finding.address, accounts)))
    elif len(accounts) > 1:
        where.append(f"in {len(accounts)} accounts")
    head = " ".join((f"**{finding.severity}** {code(finding.rule)}{accepted}", *where))
    lines = [f"- {head}: {prose(finding.message)}"]
    if len(accounts) > 1:
        lines.append(f"In: {prose(named(accounts, each, (finding.message, finding.way_out)))}")
    # What is accepted is done with.
    if finding.way_out and not finding.accepted:
        lines.append(f"What to do: {prose(finding.way_out)}")
    if finding.documents and not whole:
        lines.append(f"To know: {prose(without_documents(finding))}")
    text = "\\\n  ".join(lines) + "\n"
    for title, document in finding.documents if whole else ():
        text += f"\n  Here is the {prose(title)}:\n\n{fenced(document_lines(document), 'json', '  ')}"
    return text
