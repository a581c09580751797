"""Reading history: the lines of a log as a record, however its writer ended."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from reconciler.history.journal import FORMAT, log_of
from reconciler.model import ApiCall, Caller
from reconciler.ports import Store

T = TypeVar("T")

_ID = re.compile(r"[0-9]{8}T[0-9]{9}Z-[0-9a-f]{8}")


NOBODY = Caller("", "", 0, "")
"""Who ran what, where the log does not say."""


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """What became of a step; `status` and `ended` are empty where its end was not written.

    `wave` is the place of its wave among those of the record, counted from 0.
    """

    number: int
    address: str
    action: str
    verb: str
    grant: str
    attributes: tuple[str, ...]
    started: str
    status: str = ""
    error: str = ""
    ended: str = ""
    calls: tuple[ApiCall, ...] = ()
    wave: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A run of apply or destroy. Without an `outcome` it was killed, or is under way.

    `total` is how many steps its plan had, `waves` are the names of the waves of its rollout. `unlike` says by address
    what AWS showed otherwise than it was written, `unread` are the accounts that were left out since they could not be
    read. `damaged` is how many lines could not be read.
    """

    id: str
    stack: str
    verb: str = ""
    plan: str = ""
    lock: str = ""
    total: int = 0
    started: str = ""
    caller: Caller = NOBODY
    steps: tuple[RecordedStep, ...] = ()
    outcome: str = ""
    ended: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)
    unlike: Mapping[str, str] = field(default_factory=dict)
    damaged: int = 0
    waves: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()


def is_id(text: str) -> bool:
    """Return whether a text has the form of a record's id."""
    return _ID.fullmatch(text) is not None


def may_begin_id(text: str) -> bool:
    """Return whether a text may be the beginning of a record's id, the day at least."""
    return re.fullmatch(r"[0-9]{8}(T[0-9]{0,9}|T[0-9]{9}Z(-[0-9a-f]{0,8})?)?", text) is not None


def newest(store: Store, stack: str, number: int) -> tuple[tuple[Record, ...], int]:
    """Return the newest records of a stack, the newest first and without their steps, and how many older ones are."""
    prefix = log_of(stack, "")
    ids = [name for log in store.logs(prefix) if is_id(name := log.removeprefix(prefix))]
    chosen = sorted(ids, reverse=True)[:number]
    return tuple(_brief(store, stack, record_id) for record_id in chosen), len(ids) - len(chosen)


def with_prefix(store: Store, stack: str, text: str) -> tuple[str, ...]:
    """Return the ids of the records of a stack that begin so."""
    prefix = log_of(stack, "")
    names = (log.removeprefix(prefix) for log in store.logs(prefix))
    return tuple(name for name in names if is_id(name) and name.startswith(text))


def _brief(store: Store, stack: str, record_id: str) -> Record:
    """Return a record without its steps: by its ends, or where it has none, by all of it, counting what was done."""
    found = _record(record_id, stack, store.lines(log_of(stack, record_id), ends=True))
    if found.outcome:
        return found
    whole = _record(record_id, stack, store.lines(log_of(stack, record_id)))
    counts = Counter(step.status for step in whole.steps if step.status)
    return replace(whole, steps=(), counts=whole.counts or counts)


def read_record(store: Store, stack: str, record_id: str) -> Record | None:
    """Return one record with its steps; None where there is none."""
    lines = store.lines(log_of(stack, record_id))
    return _record(record_id, stack, lines) if lines else None


def _record(record_id: str, stack: str, lines: Iterable[bytes]) -> Record:
    head: dict[str, Any] = {}
    tail: dict[str, Any] = {}
    steps: dict[int, RecordedStep] = {}
    unlike: dict[str, str] = {}
    damaged = 0
    for line in lines:
        try:
            data = json.loads(line)
            kind, at = _part(data, "kind", str), _part(data, "at", str)
            if kind == "begin":
                head = _head(data, at)
            elif kind == "end":
                tail = {"outcome": _part(data, "outcome", str), "counts": _counts(data), "ended": at}
            elif kind == "unlike":
                unlike[_part(data, "address", str)] = _part(data, "error", str)
            else:
                step = _step(data, at, ended=kind == "ended")
                steps[step.number] = step
        except (ValueError, TypeError, KeyError):
            damaged += 1
    listed = tuple(steps[number] for number in sorted(steps))
    return Record(record_id, stack, steps=listed, unlike=unlike, damaged=damaged, **head, **tail)


def _head(data: Any, at: str) -> dict[str, Any]:
    if _part(data, "format", int) != FORMAT:
        raise ValueError("another format")
    texts = {name: _part(data, name, str) for name in ("user", "host", "command", "commit", "identity")}
    return {
        "verb": _part(data, "verb", str), "plan": _part(data, "plan", str), "lock": _part(data, "lock", str),
        "total": _part(data, "steps", int), "started": at, "waves": tuple(map(str, data.get("waves", ()))),
        "unread": tuple(map(str, data.get("unread", ()))),
        "caller": Caller(process=_part(data, "process", int), **texts),
    }  # fmt: skip


def _counts(data: Any) -> dict[str, int]:
    counts = _part(data, "counts", dict)
    return {str(status): _part(counts, status, int) for status in counts}


def _step(data: Any, at: str, *, ended: bool) -> RecordedStep:
    step = RecordedStep(
        number=_part(data, "number", int), address=_part(data, "address", str), action=_part(data, "action", str),
        verb=_part(data, "verb", str), grant=_part(data, "grant", str), started=at,
        attributes=tuple(str(name) for name in _part(data, "attributes", list)),
        wave=_part({"wave": 0, **data}, "wave", int),
    )  # fmt: skip
    if not ended:
        return step
    calls = tuple(
        ApiCall(_part(call, "operation", str), _part(call, "request_id", str), _part(call, "code", str))
        for call in _part(data, "calls", list)
    )
    return replace(
        step, started=_part(data, "started", str), ended=at, status=_part(data, "status", str),
        error=_part(data, "error", str), calls=calls,
    )  # fmt: skip


def _part(data: Any, key: str, kind: type[T]) -> T:
    value = data[key]
    if not isinstance(value, kind):
        raise TypeError(key)
    return value
