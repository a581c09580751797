"""Switches for what goes wrong in AWS now and then; all off until a test sets them (facts sheet 3.2, 4.1, 4.3)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.sandbox.strict.wire import RefusedError, Reply, Request


class Kind(StrEnum):
    """What a fault does to a call."""

    THROTTLING = "Throttling"
    SERVICE_FAILURE = "ServiceFailure"
    CONCURRENT_MODIFICATION = "ConcurrentModification"
    CUT_BEFORE = "cut before the effect"
    CUT_AFTER = "cut after the effect"
    BAD_GATEWAY = "502 of a proxy, after the effect"
    CONCURRENT_MODIFICATION_AFTER = "ConcurrentModification after the effect"
    DELETE_CONFLICT = "DeleteConflict"


_MESSAGES = {
    Kind.THROTTLING: "Rate exceeded",
    Kind.SERVICE_FAILURE: "The request processing has failed because of an unknown error.",
    Kind.CONCURRENT_MODIFICATION: "Multiple requests to change this object were submitted simultaneously.",
    Kind.DELETE_CONFLICT: "Cannot delete entity, must delete policies first.",
}
_READS = ("Get", "List", "Simulate", "Assume")


@dataclass(slots=True)
class Fault:
    """One switch: it strikes the next `times` calls that fit, each with the probability `rate`.

    `operation` and `account` restrict it; None is any. ConcurrentModification strikes writes only. With `once_each`
    it spares a call that was struck before: one with equal parameters. The first `spare` calls that fit are spared.
    """

    kind: Kind
    times: int = 1
    rate: float = 1.0
    operation: str | None = None
    account: str | None = None
    once_each: bool = False
    spare: int = 0
    struck: set[str] = field(default_factory=set)

    def fits(self, request: Request) -> bool:
        """Return whether the call is one that this fault may strike."""
        if self.kind is Kind.CONCURRENT_MODIFICATION and request.operation.startswith(_READS):
            return False
        if self.once_each and _key(request) in self.struck:
            return False
        return (
            self.times > 0 and self.operation in (None, request.operation) and self.account in (None, request.account)
        )


class Faults:
    """The faults in force, and for how many seconds what is new, or was changed, is not seen."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Switch everything off and forget what was made."""
        self._random = random.Random(self._seed)  # noqa: S311 - nothing secret
        self.clock: Callable[[], float] = time.monotonic
        """What the delays are measured by."""
        self._born: dict[str, float] = {}
        self._named: dict[tuple[str, str], float] = {}
        self._written: dict[str, float] = {}
        self._shown: dict[tuple[object, ...], bytes] = {}
        self.calm()

    def calm(self) -> None:
        """Switch everything off."""
        self._faults: list[Fault] = []
        self.principal_delay = 0.0
        """For how long a new user or role is no valid principal."""
        self.entity_delay = 0.0
        """For how long a new role or policy is not found by its name."""
        self.list_delay = 0.0
        """For how long lists and bulk reads show an account as it was before it was last written."""
        self.proxy_says = b"upstream connect error"
        """The body of a 502."""
        self.observer: Callable[[Request], None] = lambda _: None
        """Is told of every IAM and STS call when it has had its effect, and before it is answered."""

    def add(self, fault: Fault) -> None:
        """Switch a fault on."""
        with self._lock:
            self._faults.append(fault)

    def strike(self, request: Request) -> Kind | None:
        """Return what befalls the call."""
        with self._lock:
            for fault in self._faults:
                if fault.fits(request) and fault.spare:
                    fault.spare -= 1
                elif fault.fits(request) and self._random.random() < fault.rate:
                    fault.times -= 1
                    fault.struck.add(_key(request))
                    return fault.kind
            return None

    def written(self, request: Request) -> None:
        """Note that a call has changed its account."""
        if not request.operation.startswith(_READS):
            self._written[request.account] = self.clock()

    def born(self, unique_id: str, account: str, name: str) -> None:
        """Note an entity that was made, with the name by which calls are about it: a role's, or a policy's ARN."""
        self._born.setdefault(unique_id, self.clock())
        self._named[account, name] = self.clock()

    def visible_as_principal(self, unique_id: str) -> bool:
        """Return whether a trust policy may name it already."""
        return self.clock() - self._born.get(unique_id, float("-inf")) >= self.principal_delay

    def check_named(self, request: Request) -> None:
        """Refuse a call about what is too new to be found.

        Raises:
            RefusedError: NoSuchEntity, 404.

        """
        name = request.get("RoleName") or request.get("PolicyArn") or ""
        since = self._named.get((request.account, name))
        if (
            since is not None
            and self.clock() - since < self.entity_delay
            and not request.operation.startswith("Create")
        ):
            raise RefusedError("NoSuchEntity", f"{name} cannot be found.")

    def as_shown(self, request: Request, reply: Reply) -> Reply:
        """Return the answer of a list as it is shown: for a while as it was before the account was last written."""
        key = (request.account, *sorted((k, v) for k, v in request.parameters.items() if k != "MaxItems"))
        age = self.clock() - self._written.get(request.account, float("-inf"))
        if age >= self.list_delay or key not in self._shown:
            self._shown[key] = reply.body
        return Reply(reply.status, reply.headers, self._shown[key])


def _key(request: Request) -> str:
    return repr((request.account, sorted(request.parameters.items())))


def error_of(kind: Kind) -> RefusedError | None:
    """Return the error that a fault answers with in place of the effect; None of one that does otherwise."""
    message = _MESSAGES.get(kind)
    return None if message is None else RefusedError(kind.value, message)


def error_after(kind: Kind) -> RefusedError | None:
    """Return the error that a fault answers with although the call had its effect."""
    if kind is not Kind.CONCURRENT_MODIFICATION_AFTER:
        return None
    return error_of(Kind.CONCURRENT_MODIFICATION)
