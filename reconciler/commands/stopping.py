"""Ctrl-C, SIGTERM and SIGHUP: nothing new begins, what is under way ends; a second one leaves at once."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# A terminal that is closed hangs up; not every system has that.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
_FIRST = b"\ninterrupted: what is under way is brought to its end; once more leaves at once\n"
_SECOND = "\nleft at once: what was under way may be done or not; `xgrant plan` shows it. {locks}\n"


class Stop:
    """Whether, and why, nothing further may begin."""

    def __init__(self) -> None:
        self.why = ""

    def __call__(self) -> str:
        """Return why nothing further may begin; nothing while it may."""
        return self.why


def heard() -> Iterator[signal.Signals]:
    """Yield the signals that are to end a command; what nohup has made deaf to the terminal stays so."""
    for number in _SIGNALS:
        if number in (signal.SIGINT, signal.SIGTERM) or signal.getsignal(number) is not signal.SIG_IGN:
            yield number


@contextmanager
def stopping(locks: str) -> Iterator[Stop]:
    """Let the first signal inside the block set the Stop that it yields, and the second end the process.

    `locks` says what then becomes of the locks.
    """
    stop = Stop()
    second = _SECOND.format(locks=locks).encode()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        # Not by print: the signal may have come in the middle of one.
        if stop.why:
            os.write(2, second)
            os._exit(130)
        stop.why = "interrupted"
        os.write(2, _FIRST)

    with _handled(on_signal):
        yield stop


@contextmanager
def terminating() -> Iterator[None]:
    """Let SIGTERM and SIGHUP inside the block end it as Ctrl-C does, so that what is held is given back."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    with _handled(on_signal):
        yield


@contextmanager
def _handled(handler: Any) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in heard()}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
