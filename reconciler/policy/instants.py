"""Moments as whole seconds since 1970, and the ways to write them; what time it is now, nobody here knows.

They are read as YAML and RFC 3339 write them, and written in the one spelling that AWS's own examples have:
`2026-12-31T00:00:00Z` (user guide, "Date condition operators").
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

EXAMPLE = "2026-12-31T18:00:00Z"

A_DAY = 24 * 60 * 60

_DATE = r"(\d{4})-(\d{1,2})-(\d{1,2})"
# What YAML 1.1 calls a timestamp, and RFC 3339; the seconds may be left out, as ISO 8601 has it.
_TIME = r"(?:[Tt]|[ \t]+)(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d*))?)?"
_ZONE = r"[ \t]*(?:([Zz])|([-+])(\d{1,2})(?::?(\d{2}))?)"
_STATED = re.compile(f"{_DATE}(?:{_TIME}({_ZONE})?)?", re.ASCII)
_EXACT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.0+)?)?(?:Z|[-+]\d\d:\d\d)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


def instant_of(text: str) -> int:
    """Return the moment that a text says. A date is its beginning in UTC, as S3's lifecycle rules take it.

    Raises:
        ValueError: it is none, or says a time without its zone; the text says what to write.

    """
    match = _STATED.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"a date is written like 2026-12-31, a time with its zone like {EXAMPLE}")
    year, month, day, hour, minute, second, fraction, zone, _, sign, zone_hours, zone_minutes = match.groups()
    if hour is not None and zone is None:
        raise ValueError(
            f"a time needs its zone: Z for UTC, or an offset like +01:00; write {text.strip()}Z if UTC is meant"
        )
    if (fraction or "").strip("0"):
        raise ValueError(f"a time is of whole seconds, like {EXAMPLE}")
    offset = timedelta(hours=int(zone_hours or 0), minutes=int(zone_minutes or 0))
    try:
        if int(zone_minutes or 0) > 59:
            raise ValueError
        there = timezone(-offset if sign == "-" else offset)
        clock = (int(hour or 0), int(minute or 0), int(second or 0))
        moment = datetime(int(year), int(month), int(day), *clock, tzinfo=there).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError("there is no such day, time or zone; mend it") from None
    if not _EPOCH <= moment <= _LAST:
        raise ValueError("a date is one from 1970 to 9999")
    return int((moment - _EPOCH).total_seconds())


def instant_text(instant: int) -> str:
    """Return a moment in the one spelling, in UTC."""
    return f"{_EPOCH + timedelta(seconds=instant):%Y-%m-%dT%H:%M:%SZ}"


def date_text(instant: int) -> str:
    """Return the day of a moment, in UTC."""
    return instant_text(instant)[:10]


def respelt(text: str) -> str:
    """Return in the one spelling what is surely a moment: a day, a time and a zone; anything else as it is."""
    if _EXACT.fullmatch(text) is None:
        return text
    try:
        return instant_text(instant_of(text))
    except ValueError:
        return text
