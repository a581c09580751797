"""The shape of a comment, and what of it stays when it would be too long."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import quote

from reconciler.render.markdown.limit import NOTHING, Part, fitted, size

_ACCESS, _WARNINGS = 0.3, 0.25
"""The part of what is left that these may take, so that changes are shown too."""

_FINDINGS = "### Findings\n\n"


@dataclass(frozen=True, slots=True)
class Comment:
    """What a comment says, in the order in which it stands there; each text ends with an empty line, or is empty.

    `head` are the marker and the heading, `state` what it all comes to, `table` counts by account, `access` who gets
    what, `rollout` the waves. `severe` are changes that a reviewer must not miss, `changes` all others; `errors`,
    `warnings` and `notes` are findings. `foot` says what to do. `what` is the word for changes, `source` what shows all
    of them.
    """

    head: str
    state: str
    table: str
    foot: str
    what: str
    source: str
    access: Part = NOTHING
    rollout: Part = NOTHING
    severe: Part = NOTHING
    changes: tuple[Part, ...] = ()
    errors: Part = NOTHING
    warnings: Part = NOTHING
    notes: Part = NOTHING

    def total(self) -> int:
        """Return how many changes it is of."""
        return sum(part.total() for part in (self.severe, *self.changes))

    def findings(self) -> int:
        """Return how many findings it is of."""
        return sum(part.total() for part in (self.errors, self.warnings, self.notes))


def marker(kind: str, stack: str) -> str:
    """Return the hidden line by which the comment on a stack is found again, to be written anew in its place."""
    return f"<!-- xgrant:{kind}:{quote(stack, safe='')} -->\n"


UNKNOWN = "<!-- xgrant:unknown -->\n"
"""The second line of a comment about drift where none was found, and not all accounts could be read."""


def text_of(comment: Comment, limit: int | None) -> str:
    """Return a comment of at most so many bytes, and so characters; None for no limit.

    One that is too long is cut where a change ends, and says so, first at its top. The counts by account and all errors
    are always there, or, where even they do not fit, the counts of its heading.
    """
    everything = _joined(
        comment, table=comment.table, access=_all(comment.access), rollout=_all(comment.rollout),
        changes=_all(comment.severe, *comment.changes), errors=_all(comment.errors), warnings=_all(comment.warnings),
        notes=_all(comment.notes),
    )  # fmt: skip
    return everything if limit is None or size(everything) <= limit else _cut(comment, limit)


def _all(*parts: Part) -> str:
    return "".join(part.text(len(part.pieces)) for part in parts)


def _joined(
    comment: Comment, *, warning: str = "", table: str = "", access: str = "", rollout: str = "", changes: str = "",
    end: str = "", errors: str = "", warnings: str = "", notes: str = "",
) -> str:  # fmt: skip
    found = f"{errors}{warnings}{notes}"
    findings = f"{_FINDINGS}{found}\n" if found else ""
    return f"{comment.head}{warning}{comment.state}{table}{access}{rollout}{changes}{end}{findings}{comment.foot}"


def _cut(comment: Comment, limit: int) -> str:
    # With the largest numbers, which take the most room.
    longest = _warning(comment, comment.total(), comment.findings()) + _end(comment, comment.total())
    bare = size(_joined(comment, warning=f"{longest}{_FINDINGS}\n"))
    if bare > limit:
        return f"{comment.head}{_warning(comment, 0, 0)}"
    with_table = limit - bare - size(comment.table)
    table = comment.table if comment.errors.fits(with_table) else ""
    errors = fitted((comment.errors,), with_table if table else limit - bare)
    warnings = fitted((replace(comment.warnings, room=_WARNINGS),), errors.left)
    access = fitted((replace(comment.access, room=_ACCESS),), warnings.left)
    changes = fitted((comment.severe, *comment.changes), access.left)
    notes = fitted((comment.notes,), changes.left)
    rollout = fitted((comment.rollout,), notes.left)
    return _joined(
        comment, warning=_warning(comment, changes.shows, sum(one.shows for one in (errors, warnings, notes))),
        table=table, access=access.text, rollout=rollout.text, changes=changes.text,
        end=_end(comment, changes.shows) if changes.cut() else "", errors=errors.text, warnings=warnings.text,
        notes=notes.text,
    )  # fmt: skip


def _warning(comment: Comment, changes: int, findings: int) -> str:
    found = f", and {findings} of {comment.findings()} findings" if comment.findings() else ""
    return (
        f"> [!WARNING]\n> **This comment is cut: {changes} of {comment.total()} {comment.what} are shown{found}.** "
        f"Do not approve from here; {comment.source}.\n\n"
    )


def _end(comment: Comment, changes: int) -> str:
    return f"> [!WARNING]\n> **Cut here, after {changes} of {comment.total()} {comment.what}.** See the top.\n\n"
