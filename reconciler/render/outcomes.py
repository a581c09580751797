"""What apply does, as it does it and at the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler.model import (
    Action,
    Address,
    Change,
    Event,
    Outcome,
    Role,
    Status,
    StepStarted,
    Verb,
    WaveStarted,
)
from reconciler.render.escape import escape
from reconciler.render.fold import folded_messages, named
from reconciler.render.text import Painter
from reconciler.render.verdict import unread_text
from reconciler.wording import FEW, few

_DOING = {
    (Action.CREATE, Verb.WRITE): ("creating", "created"),
    (Action.CREATE, Verb.MAKE): ("creating, for nobody to assume yet", "created, for nobody to assume yet"),
    (Action.UPDATE, Verb.WRITE): ("updating", "updated"),
    (Action.UPDATE, Verb.REMOVE): ("closing what goes", "closed"),
    (Action.REPLACE, Verb.REMOVE): ("deleting, to replace it", "deleted"),
    (Action.REPLACE, Verb.MAKE): ("creating, as a replacement, for nobody to assume yet", "created, for nobody yet"),
    (Action.REPLACE, Verb.WRITE): ("creating, as a replacement", "created"),
    (Action.DELETE, Verb.REMOVE): ("deleting", "deleted"),
    (Action.ADOPT, Verb.WRITE): ("adopting", "adopted"),
}
SAME_REASON = "for the same reason"
"""Stands for why a step was skipped, where the step before was skipped for the same."""

_MARKS = {Status.DONE: "+", Status.FAILED: "error"}


def event_line(event: Event, painter: Painter, ended: int | None = None) -> str:
    """Return the line that says what has just begun or ended; `ended` is how many steps have, with this one."""
    if isinstance(event, WaveStarted):
        number = len(event.wave.accounts)
        return f"wave {event.number} of {event.total}, {event.wave.name}: {number} account{'s' * (number != 1)}"
    change, verb = event.step.change, event.step.verb
    address = escape(str(change.removed_address() if verb is Verb.REMOVE else change.address))
    doing, done = _DOING[change.action, verb]
    if verb is Verb.WRITE and isinstance(change.interim, Role):
        doing, done = "giving it its trust policy", "trusts its callers"
    if isinstance(event, StepStarted):
        return f"{address}: {doing} ..."
    head = f"[{event.number if ended is None else ended}/{event.total}] {address}:"
    if event.status is Status.DONE:
        return f"{head} {painter.paint('+', done)}"
    return f"{head} {painter.paint(_MARKS.get(event.status, 'warning'), event.status)}: {escape(event.error)}"


def summary(
    outcomes: Iterable[Outcome], verb: str = "apply", *, interrupted: bool = False, unread: Sequence[str] = (),
    ids: Mapping[str, str] | None = None, way_out: str = "", left_out: Sequence[Address] = (),
) -> str:  # fmt: skip
    """Return the closing lines: what failed, was skipped or not read back, by address, then the counts.

    `verb` is `apply` or `destroy`; `interrupted` says that the run was told to stop. `unread` are the accounts that
    could not be read. `ids` are those of the accounts by their names; with them, what went alike in several is one.
    `way_out` is what to do where the same command would never do the rest. `left_out` is what was not tried.
    """
    listed = tuple(outcomes)
    lines = [*_not_done(listed, ids or {})]
    done = [outcome.change for outcome in listed if outcome.status in (Status.DONE, Status.PARTLY)]
    counts = [f"{_count(done, action)} {action}d" for action in (Action.CREATE, Action.UPDATE, Action.DELETE)]
    if _count(done, Action.REPLACE):
        counts.insert(2, f"{_count(done, Action.REPLACE)} replaced")
    if _count(done, Action.ADOPT):
        counts.insert(0, f"{_count(done, Action.ADOPT)} adopted")
    for status in (Status.PARTLY, Status.UNVERIFIED, Status.FAILED, Status.SKIPPED):
        number = sum(outcome.status is status for outcome in listed)
        if number:
            counts.append(f"{number} {status}")
    if lines:
        cause = "" if interrupted else "mend the cause and "
        again = escape(way_out) or f"{cause}run the same command again"
        lines.append(f"What was not done stays in the plan: {again}.")
    without = f" Left out: {unread_text(unread)}." if unread else ""
    without += f" Not tried: {escape(few([str(one) for one in left_out]))}." if left_out else ""
    return "\n".join([*lines, f"{verb.capitalize()}: {', '.join(counts)}.{without}"]) + "\n"


def _not_done(outcomes: Sequence[Outcome], ids: Mapping[str, str]) -> Iterator[str]:
    """Yield what is not done; once what many were skipped for, and what went alike in several accounts."""
    skipped: dict[str, list[Change]] = {}
    for outcome in outcomes:
        if outcome.status is Status.SKIPPED:
            skipped.setdefault(outcome.error, []).append(outcome.change)
    messages = []
    for outcome in outcomes:
        account, what = outcome.change.address.account, str(outcome.change.address)
        together = skipped.get(outcome.error, []) if outcome.status is Status.SKIPPED else []
        if outcome.status is Status.DONE or (together and outcome.change is not together[0]):
            continue
        if len(together) > FEW:
            account, what = "", f"{len(together)} changes of {few(sorted({one.address.account for one in together}))}"
        elif len(together) > 1:
            account, what = "", ", ".join(str(one.address) for one in together)
        messages.append((account, f"{outcome.status}: {what}: {outcome.error}"))
    for message, accounts in folded_messages(messages, ids):
        yield escape(message)
        if len(accounts) > 1:
            which = named(accounts, "`xgrant history` has each", [message])
            yield f"    in {len(accounts)} accounts: {escape(which)}"


def _count(changes: list[Change], action: Action) -> int:
    return sum(change.action is action for change in changes)
