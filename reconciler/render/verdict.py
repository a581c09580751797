"""What a plan comes to, in one sentence or a few numbers: the words that text and Markdown share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from reconciler.model import Action, Change, Finding, Severity
from reconciler.render.escape import escape
from reconciler.wording import few


def refused(findings: Iterable[Finding]) -> bool:
    """Return whether findings forbid to apply the plan."""
    return any(finding.severity is Severity.ERROR for finding in findings)


def verdict(
    changes: Sequence[Change], findings: Iterable[Finding], *, wanted: bool, unread: Sequence[str], where: str = "above"
) -> str:
    """Return the sentence on a plan that is refused or changes nothing; an empty text for any other.

    `wanted` says whether anything is to be there, `unread` are the accounts that could not be read, `where` the errors
    are shown.
    """
    if refused(findings):
        return f"The plan is refused: mend the errors {where}. Nothing can be applied."
    if changes:
        return ""
    if unread:
        return "No changes in what could be read."
    if not wanted:
        return "No changes. Nothing is wanted, and nothing is there to be removed."
    return "No changes. AWS is as the manifests say."


def counts(changes: Iterable[Change], unread: Sequence[str] = ()) -> str:
    """Return the closing line, like `Plan: 2 to create, 0 to update, 0 to delete.`, and what is left out of it."""
    return f"Plan: {numbers(changes)}." + (f" Left out: {unread_text(unread)}." if unread else "")


def numbers(changes: Iterable[Change], *, zeros: bool = True) -> str:
    """Return how many changes there are of each action, like `2 to create, 0 to update, 0 to delete`.

    Without `zeros` those that there are none of are left out; of no changes it says so.
    """
    number = Counter(change.action for change in changes)
    found = [f"{number[a]} to {a}" for a in (Action.CREATE, Action.UPDATE, Action.DELETE)]
    if number[Action.REPLACE]:
        found.insert(2, f"{number[Action.REPLACE]} to replace")
    if number[Action.ADOPT]:
        found.insert(0, f"{number[Action.ADOPT]} to adopt")
    if not zeros:
        found = [words for words in found if not words.startswith("0 ")] or ["no changes"]
    return ", ".join(found)


def unread_text(names: Sequence[str]) -> str:
    """Return how many accounts could not be read, and the first of them."""
    return f"{len(names)} account{'s' if len(names) != 1 else ''} that could not be read ({escape(few(names))})"
