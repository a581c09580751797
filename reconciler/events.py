"""What happens on the way and is told while it happens: progress, and the calls to AWS. None of it decides anything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AccountRead:
    """An account was read, or could not be; the `number`th of `total`."""

    account: str
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Called:
    """AWS was called. `code` is its error code, empty where it did what was asked; `seconds` is how long it took."""

    account: str
    operation: str
    seconds: float
    request_id: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class Retried:
    """A call that failed with `code` will be made again, after so many seconds, for the `tries`th time.

    `endpoint` is what could not be connected to, where that is why it failed.
    """

    account: str
    operation: str
    code: str
    tries: int
    seconds: float
    endpoint: str = ""


@dataclass(frozen=True, slots=True)
class Listed:
    """The accounts of the organization are known: how many, from a list that is so many seconds old.

    `unused` are those that cannot be used, each with its state.
    """

    number: int
    age: float
    unused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventsRead:
    """So many events of CloudTrail were read so far, and so many regions or files to their end: `places` says which."""

    events: int
    number: int
    places: str


Notice = AccountRead | Called | EventsRead | Listed | Retried
