"""Drift as Markdown: where AWS is not as the manifests say, for a comment or the summary of a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.model import Plan
from reconciler.render.drift import (
    EACH,
    KINDS,
    Told,
    drift_by_account,
    drift_counts,
    drift_verdict,
    drifted,
    due,
    kind_of,
    obstacles,
)
from reconciler.render.fold import named
from reconciler.render.markdown.comment import UNKNOWN, Comment, marker, text_of
from reconciler.render.markdown.escape import code, fenced, prose
from reconciler.render.markdown.findings import finding_parts
from reconciler.render.markdown.limit import Part, Piece
from reconciler.render.markdown.table import table


def drift_markdown(plan: Plan, *, limit: int | None, hidden: bool, scope: str = "") -> str:
    """Return the drift that a plan shows as Markdown, as `plan_markdown` does a plan."""
    changes = drifted(plan)
    findings = (*obstacles(plan), *due(plan))
    errors, warnings, notes = finding_parts(findings, plan.account_ids(), {change.grant for change in changes}, EACH)
    parts = [_part(accounts, told) for accounts, told in drift_by_account(plan)]
    comment = Comment(
        head=(_hidden(plan) if hidden else "") + _heading(plan, scope),
        # Where there is drift, the heading has said all of it.
        state="" if changes else f"{prose(drift_verdict(plan, where='below'))}\n\n",
        table=table(KINDS, ((change.address.account, kind_of(change)) for change in changes)),
        changes=tuple(parts),
        errors=errors,
        warnings=warnings,
        notes=notes,
        foot="".join(f"{line}\n\n" for line in _next(plan)) + f"Fingerprint of the drift: {code(plan.fingerprint)}\n",
        what="differences",
        source="`xgrant drift` shows all of them",
    )
    return text_of(comment, limit)


def _hidden(plan: Plan) -> str:
    return marker("drift", plan.stack) + ("" if plan.complete() or drifted(plan) else UNKNOWN)


def _heading(plan: Plan, scope: str) -> str:
    of = f" ({prose(scope)})" if scope else ""
    counted = drift_counts(drifted(plan)) if drifted(plan) else "none"
    return f"## Drift of {code(plan.stack)}{of}: {counted}{'' if plan.complete() else '; in part'}\n\n"


def _part(accounts: tuple[str, ...], told: Sequence[Told]) -> Part:
    texts = [text for line in told for text in line]
    where = code(accounts[0])
    if len(accounts) > 1:
        where = f"{len(accounts)} accounts: {prose(named(accounts, EACH, texts))}"
    lines = [f"{mark.replace('~', '!') or ' '} {painted}{rest}" for mark, painted, rest in told]
    first, *_, last = fenced(lines, "diff").splitlines(keepends=True)
    pieces = tuple(Piece("".join(f"{line}\n" for line in one), len(accounts)) for one in _by_change(told, lines))
    return Part(pieces, f"**In** {where}\n\n{first}", f"{last}\n")


def _by_change(told: Iterable[Told], lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the lines of each change; only its first one has a mark."""
    found: list[str] = []
    for (mark, *_), line in zip(told, lines, strict=True):
        if mark and found:
            yield found
            found = []
        found.append(line)
    if found:
        yield found


def _next(plan: Plan) -> Iterator[str]:
    yield "### What to do next"
    if drifted(plan):
        yield (
            "`xgrant plan` shows how apply makes AWS what the manifests say. If what AWS has is meant, say so in the "
            "manifests."
        )
    if plan.unread():
        yield "Mend why accounts could not be read: nothing is known of them."
    if plan.complete() and not drifted(plan):
        yield "Nothing, but for what findings say."
