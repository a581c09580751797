"""XG350 and XG351: the store of locks and history has to be there, and to honour conditional writes."""

from __future__ import annotations

from reconciler.model import Ailment, Severity

_WHY = "apply takes its locks there, by writes on conditions, and stops where it cannot"


def unreachable(why: str) -> Ailment:
    """Return that the store cannot be used."""
    return Ailment(
        "XG350", Severity.ERROR, "", why, _WHY, "give it the permissions of `One apply at a time` in docs/applying.md"
    )


def careless(place: str, what: str) -> Ailment:
    """Return that the store wrote where its condition said not to."""
    return Ailment(
        "XG351", Severity.ERROR, "", f"the store {place} {what}",
        "two runs would have the same lock, and write the same accounts at a time",
        "use an S3 that honours If-None-Match and If-Match on PutObject, as AWS's does",
    )  # fmt: skip
