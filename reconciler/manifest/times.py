"""When a grant begins and ends, and how long before its end that is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.errors import Problem
from reconciler.manifest.source import PathTo, Source
from reconciler.policy.instants import A_DAY, instant_of, instant_text

EXPIRY_NOTICE = 14 * A_DAY
"""Seconds before a grant's end from which on plan warns, where no file says another time."""

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": A_DAY}
_PERIOD = re.compile(r"([0-9]{1,4})([smhd])")


def moment(stated: str | None, path: PathTo, found: list[tuple[PathTo, str]]) -> int | None:
    """Return the moment that stands at a path; None where there is none, or where it is wrong, which is appended."""
    if stated is None:
        return None
    try:
        return instant_of(stated)
    except ValueError as error:
        found.append((path, f"{error}; this is {stated!r}"))
        return None


def contradictions(starts: int | None, expires: int | None, *, prevent_destroy: bool) -> Iterator[tuple[PathTo, str]]:
    """Yield what cannot be meant together: where it stands, and what is wrong."""
    if expires is None:
        return
    if starts is not None and starts >= expires:
        message = (
            f"the grant would end at {instant_text(expires)}, and begins only at {instant_text(starts)}; let starts be "
            "before expires"
        )
        yield ("expires",), message
    if prevent_destroy:
        message = (
            "expires has the role deleted, and prevent_destroy refuses that; leave one out (expires: null declines "
            "that of defaults). To end the access and keep the role, write the date in trust_conditions, under "
            "DateLessThan aws:CurrentTime; sessions that are under way last on, up to max_duration"
        )
        yield ("prevent_destroy",), message


def period(text: str) -> int:
    """Return the seconds of a time like 90d; the schema has the same pattern."""
    match = _PERIOD.fullmatch(text)
    assert match is not None  # by the schema
    return int(match.group(1)) * _UNITS[match.group(2)]


def expiry_notice_of(sources: list[tuple[Source, Path]], problems: list[Problem]) -> int:
    """Return how many seconds before its end a grant is spoken of, as one file says it for all."""
    stated = [source for source, _ in sources if "expiry_notice" in source.data]
    for source in stated[1:]:
        message = f"expiry_notice stands already in {stated[0].file}; it holds for all files, so keep one"
        problems.append(Problem("XG054", message, source.key_place(("expiry_notice",))))
    text: Any = stated[0].data["expiry_notice"] if stated else None
    return EXPIRY_NOTICE if text is None else period(text)
