"""XG310 to XG313: who assumes roles has to be seen (facts sheet 8)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from reconciler.model import Ailment, Severity, Trail

_WHY = (
    "AssumeRole is a management event that reads: without a trail that has it, only the event history of 90 days shows "
    "who used a grant, one region at a time"
)
_STS = "sts.amazonaws.com"


def has_reads(basic: Iterable[Mapping[str, Any]], advanced: Iterable[Mapping[str, Any]]) -> bool:
    """Return whether the event selectors of a trail let in management events that read, of STS too.

    CloudTrail API reference, EventSelector and AdvancedEventSelector; a trail with neither has all management events.
    """
    basic, advanced = tuple(basic), tuple(advanced)
    if not basic and not advanced:
        return True
    return any(
        one.get("IncludeManagementEvents", True) and one.get("ReadWriteType", "All") in ("All", "ReadOnly")
        for one in basic
    ) or any(_lets_in({field["Field"]: field for field in one.get("FieldSelectors", ())}) for one in advanced)


def _lets_in(fields: Mapping[str, Mapping[str, Any]]) -> bool:
    known = {"eventCategory": "Management", "readOnly": "true", "eventSource": _STS, "eventName": "AssumeRole"}
    if "eventCategory" not in fields:
        return False
    return all(_met(field, known[name]) for name, field in fields.items() if name in known)


def _met(field: Mapping[str, Any], value: str) -> bool:
    """Return whether a field selector lets in a value: one of the positive operators, and none of the negated."""
    positive = [
        value in field.get("Equals", ()),
        value.startswith(tuple(field.get("StartsWith", ()))),
        value.endswith(tuple(field.get("EndsWith", ()))),
    ]
    negated = [
        value in field.get("NotEquals", ()),
        value.startswith(tuple(field.get("NotStartsWith", ()))),
        value.endswith(tuple(field.get("NotEndsWith", ()))),
    ]
    has_positive = any(field.get(name) for name in ("Equals", "StartsWith", "EndsWith"))
    return (any(positive) or not has_positive) and not any(negated)


def trails(account: str, found: Sequence[Trail]) -> Iterator[Ailment]:
    """Yield what is wrong with the trails of an account; one that is right is enough."""
    if any(one.logging and one.all_regions and one.reads for one in found):
        return
    if perhaps := [one for one in found if one.perhaps()]:
        why = f"of {_names(perhaps)}: {perhaps[0].unseen}"
        yield unseen(account, why, denied=any(one.denied for one in perhaps))
        return
    logging = [one for one in found if one.logging is not False]
    if not logging:
        what = f"its trails are off: {_names(found)}" if found else "it has no trail"
        yield _ailment("XG310", account, what, "make a trail for all regions, or of the organization, and start it")
        return
    names = _names(logging)
    if not any(one.all_regions for one in logging):
        yield _ailment("XG311", account, f"no trail that is on has all regions: {names}", "make it one for all regions")
    elif not any(one.reads for one in logging):
        yield _ailment(
            "XG312", account, f"no trail that is on has management events that read: {names}",
            "let its event selectors have management events, reads and writes, those of STS included",
        )  # fmt: skip
    else:
        yield _ailment(
            "XG312", account, f"no single trail that is on has all regions and management events that read: {names}",
            "let one trail have both",
        )  # fmt: skip


def _names(found: Iterable[Trail]) -> str:
    return ", ".join(f"{one.name} (of the organization)" if one.organization else one.name for one in found)


def unseen(account: str, why: str, *, denied: bool) -> Ailment:
    """Return that the trails of an account are not seen; `denied` says that they may not be looked at."""
    way_out = (
        "allow cloudtrail:DescribeTrails, GetTrailStatus and GetEventSelectors to the identity that xgrant plans with"
        if denied
        else "look at the trail in the account that it is of, as the management account is that of an organization's"
    )
    return Ailment(
        "XG313", Severity.NOTE, account, f"whether CloudTrail is on cannot be seen: {why}", _WHY, way_out,
    )  # fmt: skip


def _ailment(rule: str, account: str, message: str, way_out: str) -> Ailment:
    return Ailment(rule, Severity.WARNING, account, message, _WHY, way_out)
