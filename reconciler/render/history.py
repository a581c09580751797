"""History as text and JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from reconciler.history import Record, RecordedStep
from reconciler.model import Caller, Status
from reconciler.render.data import dumps
from reconciler.render.escape import escape
from reconciler.render.outcomes import SAME_REASON

_NOT_ENDED = "not ended"


def history_text(records: Sequence[Record], older: int, place: str) -> str:
    """Return a line for each record, and how many older ones there are; `place` is what the store is called."""
    lines = [_row(record) for record in records] or [f"Nothing has been applied yet, as far as {escape(place)} knows."]
    if older:
        lines.append(f"{older} older: see them with --limit")
    return "\n".join(lines) + "\n"


def record_text(record: Record) -> str:
    """Return all that is known of one record."""
    caller = record.caller
    facts = {
        "id": record.id,
        "stack": record.stack,
        "outcome": _outcome(record),
        "started": record.started,
        "ended": record.ended,
        "by": _who(caller) + (f" (process {caller.process})" if caller.process else ""),
        "identity": caller.identity,
        "command": caller.command,
        "commit": caller.commit,
        "plan": record.plan,
        "lock": record.lock,
    }
    lines = [f"{name + ':':10}{escape(value)}" for name, value in facts.items() if value]
    for place, wave in enumerate(record.waves):
        steps = [step for step in record.steps if step.wave == place]
        begun = "" if any(step.started for step in steps) else " not begun"
        lines.append(f"wave {place + 1} of {len(record.waves)}, {escape(wave)}:{begun}")
        lines.extend(_steps_lines(steps, record.total))
    # All of them, where there was no rollout.
    lines.extend(_steps_lines([step for step in record.steps if step.wave >= len(record.waves)], record.total))
    lines.extend(f"read back: {escape(address)}: {escape(error)}" for address, error in record.unlike.items())
    lines.extend(_damage(record))
    return "\n".join(lines) + "\n"


def history_json(records: Iterable[Record], older: int) -> str:
    """Return the records as JSON, escaped as plain ASCII."""
    return dumps({"records": [_data(record, with_steps=False) for record in records], "older": older})


def record_json(record: Record) -> str:
    """Return one record as JSON, escaped as plain ASCII."""
    return dumps(_data(record, with_steps=True))


def _row(record: Record) -> str:
    parts = [record.id, f"{record.verb or '?':7}", f"{_outcome(record)};", f"by {_who(record.caller)}"]
    return escape(" ".join([*parts, *(f"({line})" for line in _damage(record))]))


def _outcome(record: Record) -> str:
    counts = ", ".join(f"{number} {status}" for status, number in record.counts.items() if number)
    steps = f"of {record.total} step{'s' * (record.total != 1)}"
    left_out = f"; could not be read: {', '.join(record.unread)}" if record.unread else ""
    return f"{record.outcome or _NOT_ENDED} ({f'{counts} {steps}' if counts else steps}{left_out})"


def _who(caller: Caller) -> str:
    return f"{caller.user or '?'} on {caller.host or '?'}"


def _steps_lines(steps: Iterable[RecordedStep], total: int) -> Iterator[str]:
    """Yield the lines of steps; why one was skipped once, where the next ones were skipped for the same."""
    last = ""
    for step in steps:
        skipped_for = step.error if step.status == Status.SKIPPED else ""
        yield from _step_lines(replace(step, error=SAME_REASON) if skipped_for and skipped_for == last else step, total)
        last = skipped_for


def _step_lines(step: RecordedStep, total: int) -> Iterator[str]:
    head = f"[{step.number}/{total}] {escape(step.address)}: {escape(step.action)}"
    a_part = step.verb == "make" or (step.action in ("replace", "update") and step.verb == "remove")
    head += f", {escape(step.verb)}" if a_part else ""
    attributes = f" ({escape(', '.join(step.attributes))})" if step.attributes else ""
    status = escape(step.status) if step.status else "its end is not known"
    error = f": {escape(step.error)}" if step.error else ""
    yield f"{head}{attributes}: {status}{error}"
    yield f"      {escape(step.started or step.ended)}" + (f" to {escape(step.ended)}" if step.ended else "")
    for call in step.calls:
        code = f" {escape(call.code)}" if call.code else ""
        request = f" (request {escape(call.request_id)})" if call.request_id else ""
        yield f"      {escape(call.operation)}{code}{request}"


def _damage(record: Record) -> Iterator[str]:
    if record.damaged:
        lines = "1 line is" if record.damaged == 1 else f"{record.damaged} lines are"
        yield f"{lines} damaged, as where the process was killed while it wrote"


def _data(record: Record, *, with_steps: bool) -> dict[str, Any]:
    data = asdict(record) | {"outcome": record.outcome or _NOT_ENDED}
    if not with_steps:
        del data["steps"]
    return data
