"""Switches for what goes wrong in AWS now and then; all off until a test sets them (facts sheet 3.2, 4.1, 4.3)."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from enum import StrEnum

from reconciler.sandbox.strict.wire import RefusedError, Request


class Kind(StrEnum):
    """What a fault does to a call."""

    THROTTLING = "Throttling"
    SERVICE_FAILURE = "ServiceFailure"
    CONCURRENT_MODIFICATION = "ConcurrentModification"
    CUT_BEFORE = "cut before the effect"
    CUT_AFTER = "cut after the effect"


_MESSAGES = {
    Kind.THROTTLING: "Rate exceeded",
    Kind.SERVICE_FAILURE: "The request processing has failed because of an unknown error.",
    Kind.CONCURRENT_MODIFICATION: "Multiple requests to change this object were submitted simultaneously.",
}
_READS = ("Get", "List", "Simulate")


@dataclass(slots=True)
class Fault:
    """One switch: it strikes the next `times` calls that fit, each with the probability `rate`.

    `operation` and `account` restrict it; None is any. ConcurrentModification strikes writes only.
    """

    kind: Kind
    times: int = 1
    rate: float = 1.0
    operation: str | None = None
    account: str | None = None

    def fits(self, request: Request) -> bool:
        """Return whether the call is one that this fault may strike."""
        if self.kind is Kind.CONCURRENT_MODIFICATION and request.operation.startswith(_READS):
            return False
        return (
            self.times > 0 and self.operation in (None, request.operation) and self.account in (None, request.account)
        )


class Faults:
    """The faults in force, and how long new entities are not seen."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Switch everything off."""
        self._random = random.Random(self._seed)  # noqa: S311 - nothing secret
        self._faults: list[Fault] = []
        self.principal_delay = 0
        """For how many further IAM calls a new user or role is no valid principal."""
        self.list_delay = 0
        """For how many further IAM calls a list does not show what is new."""
        self._calls = 0
        self._born: dict[str, int] = {}

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        with self._lock:
            self._faults.append(fault)

    def strike(self, request: Request) -> Kind | None:
        """Count the call and return what befalls it."""
        with self._lock:
            self._calls += 1
            for fault in self._faults:
                if fault.fits(request) and self._random.random() < fault.rate:
                    fault.times -= 1
                    return fault.kind
            return None

    def born(self, unique_id: str) -> None:
        """Note an entity that this call made."""
        self._born.setdefault(unique_id, self._calls)

    def visible_as_principal(self, unique_id: str) -> bool:
        """Return whether a trust policy may name it already."""
        return self._age(unique_id) > self.principal_delay

    def visible_in_lists(self, unique_id: str) -> bool:
        """Return whether lists show it already."""
        return self._age(unique_id) > self.list_delay

    def _age(self, unique_id: str) -> float:
        born = self._born.get(unique_id)
        return float("inf") if born is None else self._calls - born


def error_of(kind: Kind) -> RefusedError | None:
    """Return the error that a fault answers with; None of one that cuts the connection."""
    message = _MESSAGES.get(kind)
    return None if message is None else RefusedError(kind.value, message)
