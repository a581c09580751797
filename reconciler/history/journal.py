"""Writing history: a line when the run begins, when each step begins and ends, and when the run ends."""

from __future__ import annotations

import json
import secrets
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from reconciler.errors import StoreError
from reconciler.model import Caller, Event, Outcome, Plan, Status, StepEnded, StepStarted, Verb, WaveStarted
from reconciler.ports import Clock, Store

FORMAT = 1

_COUNTED = (Status.DONE, Status.PARTLY, Status.FAILED, Status.SKIPPED)


class Journal:
    """The log of one run. Safe for threads. It holds names of attributes and never what they say.

    `mask` hides what is secret in an error's text.
    """

    def __init__(self, store: Store, clock: Clock, mask: Callable[[str], str], warn: Callable[[str], None]) -> None:
        self._store = store
        self._clock = clock
        self._mask = mask
        self._warn = warn
        self._log = ""
        self._started: dict[int, str] = {}
        self._ended: Counter[Status] = Counter()
        self._total = self._unlike = 0
        self._broken = False
        self._whole = True
        self._mutex = threading.Lock()

    def begin(self, plan: Plan, caller: Caller, *, verb: str, lock: str) -> str:
        """Begin the log, before anything is written to AWS, and return the id of its record.

        `verb` is `apply` or `destroy`, `lock` the locks' id.

        Raises:
            StoreError: it cannot be kept.

        """
        instant = self._clock.instant()
        record_id = f"{instant:%Y%m%dT%H%M%S}{instant.microsecond // 1000:03d}Z-{secrets.token_hex(4)}"
        self._total, self._whole = len(plan.steps), plan.complete()
        log = log_of(plan.stack, record_id)
        head = {
            "format": FORMAT, "id": record_id, "stack": plan.stack, "verb": verb, "plan": plan.fingerprint,
            "lock": lock, "steps": self._total,
            "waves": [wave.name for wave in plan.waves], "unread": list(plan.unread()), **asdict(caller),
        }  # fmt: skip
        self._store.append(log, _line("begin", instant, head))
        self._log = log
        return record_id

    def note(self, event: Event) -> None:
        """Write that a step has begun or ended. Where that fails it is said once, and nothing more is written."""
        if isinstance(event, WaveStarted):
            return  # Each step says of which wave it is.
        with self._mutex:
            instant = self._clock.instant()
            if isinstance(event, StepStarted):
                self._started[event.number] = _text(instant)
                self._append("step", instant, _step_data(event))
                return
            self._ended[event.status] += 1
            how = {
                "status": event.status, "error": self._mask(event.error),
                "started": self._started.get(event.number, ""), "calls": [asdict(call) for call in event.calls],
            }  # fmt: skip
            self._append("ended", instant, _step_data(event) | how)

    def unlike(self, outcome: Outcome) -> None:
        """Write that a change was made and AWS shows it otherwise."""
        with self._mutex:
            self._unlike += 1
            data = {"address": str(outcome.change.address), "error": self._mask(outcome.error)}
            self._append("unlike", self._clock.instant(), data)

    def end(self, *, lost: str = "", interrupted: str = "") -> None:
        """Write how the run ended; nothing if it never began.

        `lost` says why its locks were lost, `interrupted` why it was stopped, if they were.
        """
        if not self._log:
            return
        with self._mutex:
            done = self._whole and self._ended[Status.DONE] == self._total and not self._unlike
            stopped = interrupted or self._ended.total() < self._total
            outcome = "done" if done else "lock lost" if lost else "interrupted" if stopped else "in part"
            counts = {status: self._ended[status] for status in _COUNTED}
            self._append("end", self._clock.instant(), {"outcome": outcome, "counts": counts})

    def _append(self, kind: str, instant: datetime, data: dict[str, Any]) -> None:
        if self._broken:
            return
        try:
            self._store.append(self._log, _line(kind, instant, data))
        except StoreError as error:
            self._broken = True
            self._warn(f"xgrant: the history of this run ends here, the run goes on: {error}")


def log_of(stack: str, record_id: str) -> str:
    """Return the log of a run."""
    return f"history/{stack}/{record_id}"


def _step_data(event: StepStarted | StepEnded) -> dict[str, Any]:
    step, change = event.step, event.step.change
    return {
        "number": event.number,
        "address": str(change.removed_address() if step.verb is Verb.REMOVE else change.address),
        "action": change.action,
        "verb": step.verb,
        "grant": change.grant,
        "attributes": list(change.attributes),
        "wave": step.wave,
    }


def _line(kind: str, instant: datetime, data: dict[str, Any]) -> bytes:
    return json.dumps({"kind": kind, "at": _text(instant), **data}).encode()


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%S.") + f"{instant.microsecond // 1000:03d}Z"
