"""What goes on, on stderr: in place on a terminal, as plain lines elsewhere. stdout keeps the data."""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime

from reconciler.commands.output import painter, warn
from reconciler.events import AccountRead, Called, EventsRead, Listed, Notice, Retried
from reconciler.model import Event, Status, StepEnded, StepStarted, WaveStarted
from reconciler.render.escape import escape
from reconciler.render.outcomes import SAME_REASON, event_line
from reconciler.render.text import Painter

LEVELS = ("error", "warning", "info", "debug")
_FEW = 10
"""So many accounts are soon read; of more, so many lines at most are told where lines cannot be taken back."""

_CLEAR = "\r\x1b[K"


class Progress:
    """Tells notices from any thread, and events of an apply, as far as the level lets it."""

    def __init__(self, level: str, painter: Painter, *, in_place: bool) -> None:
        self._level = LEVELS.index(level)
        self._painter = painter
        self._in_place = in_place and self._tells("info")
        self._lock = threading.Lock()
        self._shown = False
        self._ended = 0
        self._skipped_for = ""

    def notice(self, notice: Notice) -> None:
        """Tell what was read, and what is tried again; every call at the level debug."""
        match notice:
            case AccountRead():
                self._counted(f"{notice.number} of {notice.total} accounts read", notice.number, notice.total)
            case EventsRead() if self._in_place:
                self._status(f"{notice.events} events read, {notice.number} {notice.places} done")
            case Listed() if self._tells("info"):
                old = f", as listed {notice.age / 60:.0f} min ago" if notice.age else ""
                more = " and more" if len(notice.unused) > _FEW else ""
                unused = ", ".join(map(escape, notice.unused[:_FEW])) + more
                left_out = f"; left out, since they cannot be used: {unused}" if unused else ""
                self._line(f"the organization has {notice.number} accounts{old}{left_out}")
            case Retried() if self._tells("info"):
                waits = f"waiting for {escape(notice.endpoint)}: " if notice.endpoint else ""
                self._line(
                    f"{escape(notice.account)}: {notice.operation}: {waits}{escape(notice.code)}; "
                    f"try {notice.tries + 1} in {notice.seconds:.1f} s"
                )
            case Called() if self._tells("debug"):
                code = f" {escape(notice.code)}" if notice.code else ""
                request = f" request {escape(notice.request_id)}" if notice.request_id else ""
                at = f"{datetime.now(UTC):%H:%M:%S.%f}"[:-3] + "Z"
                self._line(f"{at} {escape(notice.account)}: {notice.operation}: {notice.seconds:.3f} s{code}{request}")

    def event(self, event: Event) -> None:
        """Tell a step or a wave of an apply."""
        match event:
            case WaveStarted() if self._tells("info"):
                self._line(event_line(event, self._painter))
            case StepStarted():
                if self._in_place:
                    self._status(f"{self._ended} of {event.total} steps done; {event_line(event, Painter(False))}")
            case StepEnded():
                self._ended += 1
                again = event.status is Status.SKIPPED and event.error == self._skipped_for
                self._skipped_for = event.error if event.status is Status.SKIPPED else ""
                if self._tells("info"):
                    told = replace(event, error=SAME_REASON) if again else event
                    self._line(event_line(told, self._painter, self._ended))

    def close(self) -> None:
        """Leave no line in place behind."""
        self._status("")

    def _tells(self, level: str) -> bool:
        return LEVELS.index(level) <= self._level

    def _counted(self, text: str, number: int, total: int) -> None:
        if self._in_place:
            self._status(text if number < total else "")
        elif self._tells("info") and total > _FEW and (number == total or number % -(-total // _FEW) == 0):
            self._line(text)

    def _line(self, text: str) -> None:
        with self._lock:
            self._write((_CLEAR if self._shown else "") + text + "\n")
            self._shown = False

    def _status(self, text: str) -> None:
        with self._lock:
            if self._in_place and (text or self._shown):
                # A line that is broken cannot be taken back.
                self._write(_CLEAR + text[: shutil.get_terminal_size().columns - 1])
                self._shown = bool(text)

    @staticmethod
    def _write(text: str) -> None:
        warn(text, end="")


def progress(arguments: argparse.Namespace) -> Progress:
    """Return the progress that the command line asks for."""
    level = "debug" if arguments.debug else arguments.log_level
    return Progress(level, painter(getattr(arguments, "color", "auto"), sys.stderr), in_place=sys.stderr.isatty())
