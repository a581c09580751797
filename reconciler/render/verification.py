"""What verify found, as text and as data. No credentials are in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from reconciler.model import UNSEEN, Check, Door, Side, Verdict, Verification, Way
from reconciler.render.data import dumps
from reconciler.render.escape import escape
from reconciler.wording import few

FORMAT = "1.1"

_SHOWN = 10
"""So many lines of a kind are shown of a door; the data have all."""


def verification_text(found: Verification) -> str:
    """Return a paragraph for each door, what the ways that were gone cannot see, and a summary."""
    lines = [line for door in found.doors for line in _door(door)]
    ways = [way for way in Way if any(way in door.ways() for door in found.doors)]
    lines += ["", *(f"Not seen by {way}: {UNSEEN[way]}." for way in ways)]
    lines += [f"Note: {note.words}: {few(note.names)}." for note in found.notes]
    lines += [f"Not read: account {name}: {why}" for name, why in sorted(found.unread.items())]
    counts = Counter(door.verdict() for door in found.doors)
    said = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
    total = len(found.doors)
    lines.append(f"{total} door{'' if total == 1 else 's'}: {said}.")
    return "".join(f"{escape(line)}\n" for line in lines)


def verification_json(found: Verification) -> str:
    """Return the same as JSON that ends with a line break; see schemas/verification.schema.json."""
    return dumps({
        "format_version": FORMAT,
        "doors": [_data(door) for door in found.doors],
        "unread": dict(sorted(found.unread.items())),
        "notes": [f"{note.words}: {', '.join(note.names)}" for note in found.notes],
        "unseen": {way.value: text for way, text in UNSEEN.items()},
    })  # fmt: skip


def _door(door: Door) -> Iterator[str]:
    by = f" (profile {door.profile})" if door.profile else ""
    ways = f", by {', '.join(door.ways())}" if door.ways() else ""
    yield f"{door.grant}: {door.who}{by}: {door.verdict()}{ways}"
    for name, side in (("caller's side", door.caller), ("role's side", door.trust)):
        if side.why and side.allowed is not True:
            whole = side.way is Way.SESSION and not door.meant
            yield f"  {side.why if whole else f'{name}: {side.why}'}"
    if not door.meant and door.verdict() is Verdict.WIDER and not door.wider:
        yield "  it gets in, and is not meant to"
    tried = [check for check in door.checks if check.allowed is not None]
    fine = Counter(check.probe.meant for check in tried if check.allowed == check.probe.meant)
    if tried:
        yield f"  granted and allowed: {fine[True]}; not granted and refused: {fine[False]}"
    yield from (f"  {_check(check)}" for check in door.checks if check.allowed != check.probe.meant)
    for what, several in (("wider", door.wider), ("narrower", door.narrower), ("note", door.notes)):
        yield from (f"  {what}: {one}" for one in _some(several))


def _some(several: tuple[str, ...]) -> tuple[str, ...]:
    """Return what is said of a door; of very much the first lines, and how many more they are."""
    return several if len(several) <= _SHOWN else (*several[:_SHOWN], f"and {len(several) - _SHOWN} more")


def _check(check: Check) -> str:
    found = {True: "allowed, though it is not granted", False: "refused, though it is granted", None: "not known"}
    why = f", {check.why}" if check.why else ""
    return f"{check.probe.action} on {check.probe.resource}: {found[check.allowed]} ({check.way}{why})"


def _data(door: Door) -> dict[str, Any]:
    return {
        "grant": door.grant,
        "who": door.who,
        "profile": door.profile or None,
        "verdict": door.verdict().value,
        "meant": door.meant,
        "ways": [way.value for way in door.ways()],
        "caller": _side(door.caller),
        "trust": _side(door.trust),
        "checks": [
            {**asdict(check.probe), "allowed": check.allowed, "way": check.way.value, "why": check.why}
            for check in door.checks
        ],
        "wider": list(door.wider),
        "narrower": list(door.narrower),
        "notes": list(door.notes),
    }


def _side(side: Side) -> dict[str, Any]:
    return {"allowed": side.allowed, "way": side.way.value, "why": side.why}
