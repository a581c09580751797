"""A plan as Markdown: for the comment on a pull request, the note on a merge request, the summary of a job."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from reconciler.model import Action, Change, Finding, Plan, Severity
from reconciler.render.access import access_lines
from reconciler.render.changes import body
from reconciler.render.escape import escape
from reconciler.render.fold import folded
from reconciler.render.markdown.changes import EACH, change_parts
from reconciler.render.markdown.comment import Comment, marker, text_of
from reconciler.render.markdown.escape import code, fenced, prose
from reconciler.render.markdown.findings import finding_parts
from reconciler.render.markdown.limit import NOTHING, Part, Piece
from reconciler.render.markdown.table import table
from reconciler.render.rollout import rollout_lines
from reconciler.render.verdict import numbers, unread_text, verdict

_EXPIRES_SOON = "XG240"
_COLUMNS = (Action.CREATE, Action.UPDATE, Action.REPLACE, Action.DELETE, Action.ADOPT)


def plan_markdown(
    plan: Plan, *, wanted: bool, limit: int | None, hidden: bool, scope: str = "", expand: bool = False
) -> str:
    """Return a plan as Markdown of at most `limit` bytes, and so characters.

    With a `hidden` marker it is a comment that can be found again. `wanted` says whether anything is to be there,
    `scope` which part of the stack the plan is of, in words. Equal changes and findings of several accounts are one,
    unless it is to `expand`.
    """
    ids = {} if expand else plan.account_ids()
    names = {account_id: name for name, account_id in ids.items()}
    found = folded(((change, tuple(body(change))) for change in plan.changes), ids)
    severe, changes = change_parts(found, names)
    errors, warnings, notes = finding_parts(plan.findings, ids, {change.grant for change in plan.changes}, EACH)
    comment = Comment(
        head=(marker("plan", plan.stack) if hidden else "") + _heading(plan, scope),
        state="".join(f"{line}\n\n" for line in _state(plan, wanted=wanted)),
        table=table(_COLUMNS, ((change.address.account, change.action) for change in plan.changes)),
        access=_access(plan),
        rollout=_rollout(plan, expand=expand),
        severe=severe,
        changes=changes,
        errors=errors,
        warnings=warnings,
        notes=notes,
        foot="".join(f"{line}\n\n" for line in _next(plan)) + f"Fingerprint of the plan: {code(plan.fingerprint)}\n",
        what="changes",
        source="see the artefact `plan.json` with `xgrant show`",
    )
    return text_of(comment, limit)


def _heading(plan: Plan, scope: str) -> str:
    state = ["refused"] if plan.refused() else []
    state += ["in part"] if not plan.complete() else []
    soon = len({finding.grant for finding in plan.findings if finding.rule == _EXPIRES_SOON})
    state += [f"{soon} grant{'s expire' if soon != 1 else ' expires'} soon"] if soon else []
    of = f" ({prose(scope)})" if scope else ""
    return f"## Plan of {code(plan.stack)}{of}: {'; '.join((numbers(plan.changes, zeros=False), *state))}\n\n"


def _state(plan: Plan, *, wanted: bool) -> Iterator[str]:
    if said := verdict(plan.changes, plan.findings, wanted=wanted, unread=plan.unread(), where="below"):
        yield f"**{said}**"
    if plan.unread():
        yield f"Left out: {prose(unread_text(plan.unread()))}."
    if accepted := sorted({finding.rule for finding in plan.findings if finding.accepted}):
        yield f"Accepted: {', '.join(map(code, accepted))}."


def _access(plan: Plan) -> Part:
    groups = [
        [_group_head(grant), *(f"{mark} {words}" for mark, words in lines)] for grant, lines in access_lines(plan)
    ]
    return _block("### Who gets what\n\n", groups, "diff", "More is opened or closed than these lines say.\n\n")


def _group_head(grant: str) -> str:
    # A diff has such heads, which are coloured as its lines are.
    return f"@@ {f'grant {escape(grant)}' if grant else 'several grants'} @@"


def _rollout(plan: Plan, *, expand: bool) -> Part:
    waves = [[line] for line in rollout_lines(plan, expand=expand)]
    return _block("### Rollout\n\n", waves, "", "The waves are not shown here.\n\n")


def _block(heading: str, groups: Sequence[Sequence[str]], language: str, rest: str) -> Part:
    """Return groups of lines as one block of code; a head is not parted from its first line."""
    if not groups:
        return NOTHING
    first, *_, last = fenced((line for lines in groups for line in lines), language).splitlines(keepends=True)
    pieces = tuple(
        Piece("".join(f"{line}\n" for line in together), 0)
        for lines in groups
        for together in (lines[:2], *([line] for line in lines[2:]))
    )
    return Part(pieces, f"{heading}{first}", f"{last}\n", rest)


def _next(plan: Plan) -> Iterator[str]:
    errors = [finding for finding in plan.findings if finding.severity is Severity.ERROR]
    yield "### What to do next"
    if acceptable := _acceptable(errors):
        yield f"Mend the errors; or, if all of it is meant, name them to plan and apply: {code(acceptable)}."
    elif errors:
        yield "Mend the errors, then plan again."
    elif not plan.changes:
        yield "Nothing is to be applied."
    else:
        yield from _to_apply(plan.changes, plan.findings)
    if plan.unread():
        yield "Mend why accounts could not be read, then plan again: what is left out is not applied."


def _to_apply(changes: Sequence[Change], findings: Iterable[Finding]) -> Iterator[str]:
    accepted = sorted({finding.rule for finding in findings if finding.accepted})
    command = " ".join(("xgrant apply", *(f"--accept {rule}" for rule in accepted), "plan.json"))
    severe = (
        " what is deleted and replaced," if any(c.action in (Action.DELETE, Action.REPLACE) for c in changes) else ""
    )
    yield (
        f"Review who gets what,{severe} and the findings. {code(command)} then does what stands here, or nothing: it "
        "plans again and goes on only if it finds the same."
    )


def _acceptable(errors: Sequence[Finding]) -> str:
    if not errors or not all(finding.acceptable for finding in errors):
        return ""
    return " ".join(f"--accept {rule}" for rule in sorted({finding.rule for finding in errors}))
