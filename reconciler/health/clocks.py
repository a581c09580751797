"""XG340: the clock of this machine beside that of AWS."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import Ailment, Severity

WARNED, REFUSED = 60, 300
"""Seconds. AWS refuses a signature that is more than five minutes old or early (IAM user guide, "Signature Version 4
for API requests")."""


def skew(seconds: float) -> Iterator[Ailment]:
    """Yield that this machine's clock is ahead of that of AWS by so many seconds, or behind if negative."""
    off = abs(round(seconds))
    if off <= WARNED:
        return
    way = "ahead of" if seconds > 0 else "behind"
    yield Ailment(
        "XG340",
        Severity.ERROR if off > REFUSED else Severity.WARNING,
        "",
        f"the clock of this machine is {off} s {way} that of AWS",
        "AWS refuses requests that are signed more than five minutes off",
        "let the machine keep time by NTP",
    )
