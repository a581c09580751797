"""What guardrails are made of: levels, where in a manifest one is broken, and what a team says of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.errors import Place


class Level(StrEnum):
    """What a rule does that is broken: DENY stops, WARN and ADVICE speak, OFF is not looked at."""

    OFF = "off"
    ADVICE = "advice"
    WARN = "warn"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Spot:
    """A place inside a grant, in the words of its meaning; the files know line and column.

    `path` are keys as the manifest has them, like `("session", "max_duration")`, below the grant or what it inherits.
    With a `statement`, it is one of the permissions, counted from 0: those of the inline policy that `policy` names,
    else of the grant. `element` is an element of it as IAM calls it, `value` one of its values.
    """

    path: tuple[str, ...] = ()
    policy: str = ""
    statement: int | None = None
    element: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True)
class Exemption:
    """That a rule may be broken: by one grant, or by all (`*`), until a day like `2026-12-31`, that day included."""

    rule: str
    grant: str
    reason: str
    owner: str
    until: str
    place: Place


@dataclass(frozen=True, slots=True)
class OwnCheck:
    """A program that reads a plan as JSON, and what its objection counts as; `timeout` is in seconds.

    `folder` is the one that it runs in; where it is empty, that of the run.
    """

    name: str
    run: tuple[str, ...]
    level: Level
    timeout: float
    place: Place
    folder: str = ""


@dataclass(frozen=True, slots=True)
class Policies:
    """What a team says of guardrails: levels by rule, exemptions, and checks of their own.

    `places` are where the levels stand, `folders` what was read, the nearest first. Exemptions that have `ended` let
    nothing through any more.
    """

    levels: Mapping[str, Level] = field(default_factory=dict)
    exemptions: tuple[Exemption, ...] = ()
    checks: tuple[OwnCheck, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    folders: tuple[str, ...] = ()
    ended: tuple[Exemption, ...] = ()
