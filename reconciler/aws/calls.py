"""Makes the calls of a run as `retry.py` says: tried again, at a pace that the account bears, told and counted.

botocore's own retries are switched off: what they wait for cannot be shown, and their pace is not to be had without
their count of tries (facts sheet 5.2).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree

from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
    ProxyConnectionError,
)

from reconciler import clock
from reconciler.aws.retry import (
    CEILING,
    CUT,
    IN_DOUBT,
    NOBODY_THERE,
    SERVER_ERROR,
    TOO_OFTEN,
    UNREACHABLE,
    Memory,
    Rule,
    When,
    delay,
    rules_for,
)
from reconciler.errors import XgrantError
from reconciler.events import Called, Retried
from reconciler.model import ApiCall

_TUNNEL_FORBIDDEN = "Tunnel connection failed: 4"
"""How Python's http.client begins to say that a proxy does not let through, with the status of its answer."""


class Pace:
    """How fast an account is asked: as fast as can be, until it throttles; then slower, and little by little faster.

    It is never asked again within `least` seconds.
    """

    _LEAST, _MOST = 0.05, 2.0

    def __init__(self, least: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._floor = least
        self._connected = False
        self._interval = least
        self._next = 0.0

    def wait(self) -> None:
        """Wait until the account may be asked again."""
        with self._lock:
            now = clock.monotonic()
            at = max(now, self._next)
            self._next = at + self._interval
        if at > now:
            clock.sleep(at - now)

    def sent(self) -> None:
        """Note that a call is sent at this moment: whoever comes late must not be followed at once."""
        if self._floor:
            with self._lock:
                # The first one has to connect, and comes in later than it is sent.
                pause = self._floor if self._connected else 2 * self._floor
                self._connected = True
                self._next = max(self._next, clock.monotonic() + pause)

    def slower(self) -> None:
        """Ask less often from now on."""
        with self._lock:
            self._interval = min(self._MOST, max(self._LEAST, 1.5 * self._interval))

    def faster(self) -> None:
        """Ask a little more often."""
        with self._lock:
            slower = 0.0 if self._interval < self._LEAST else 0.7 * self._interval
            self._interval = max(self._floor, slower)


@dataclass(slots=True)
class _Tries:
    """What is known of what is tried: when each kind of failure came first, and when the call was last sent."""

    first: dict[str, float] = field(default_factory=dict)
    sent: float = 0.0

    def left(self, rule: Rule, now: float) -> float:
        """Return for how many seconds more the rule lets it be tried."""
        return self.first.setdefault(rule.code, now) + rule.seconds - now


@dataclass(slots=True)
class _Step:
    """A step under way: until when it may go on, what may forbid it, its calls, and which of them were in vain.

    `failed` are calls, by operation and name of what they are about, of which an earlier try may have had its effect.
    `looks` counts by operation how often it was the reason to look again since it last went well.
    """

    until: float
    forbidden: Callable[[], str]
    calls: list[ApiCall] = field(default_factory=list)
    failed: set[tuple[str, str]] = field(default_factory=set)
    looks: dict[str, int] = field(default_factory=dict)
    tries: dict[str, _Tries] = field(default_factory=dict)
    passing: tuple[Rule, str, str] | None = None


class _UnderWay(threading.local):
    step: _Step | None = None
    account: str = ""


class Retries:
    """Hangs on the clients of a run, and tries again what a rule says."""

    def __init__(self, on_event: Callable[[Called | Retried], None]) -> None:
        self.memory = Memory()
        self._on_event = on_event
        self._thread = _UnderWay()
        self._paces: dict[str, Pace] = {}
        self._stopped: Callable[[], str] = str

    @contextmanager
    def until(self, stopped: Callable[[], str]) -> Iterator[None]:
        """Inside the block wait for nothing, in whatever thread, once `stopped` says why; a step is not concerned."""
        self._stopped = stopped
        try:
            yield
        except BaseException:
            # Threads that still wait have nobody who waits for them.
            self._stopped = lambda: "given up"
            raise
        self._stopped = str

    @contextmanager
    def step(self, forbidden: Callable[[], str]) -> Iterator[list[ApiCall]]:
        """Let what is called in this thread, all in all, be tried no longer than `CEILING`; yield the calls made.

        No call is made any more once `forbidden` says why: it raises that as an XgrantError.
        """
        step = _Step(clock.monotonic() + CEILING, forbidden)
        self._thread.step = step
        try:
            yield step.calls
        finally:
            self._thread.step = None

    def look_again(self, operation: str) -> bool:
        """Return, after a pause, whether the step under way may look again and go on: its last call failed so."""
        step = self._thread.step
        if step is None or step.passing is None or step.passing[2] != operation:
            return False
        rule, account, _ = step.passing
        step.passing = None
        looks = step.looks[operation] = step.looks.get(operation, 0) + 1
        now = clock.monotonic()
        left = min(step.tries.setdefault(operation, _Tries()).left(rule, now), step.until - now)
        return self._pause(Retried(account, operation, rule.code, looks, delay(looks)), left)

    def sent_before(self, operation: str, name: str) -> bool:
        """Return whether an earlier try of such a call, in the step under way, may have had its effect."""
        step = self._thread.step
        return step is not None and (operation, name) in step.failed

    @contextmanager
    def about(self, account: str) -> Iterator[None]:
        """Inside the block, in this thread, the calls of clients of a `caller` are about this account."""
        before, self._thread.account = self._thread.account, account
        try:
            yield
        finally:
            self._thread.account = before

    def watch(
        self, client: Any, account: str, caller: str = "", least: Mapping[str, float] = MappingProxyType({})
    ) -> None:
        """Try the calls of a client again; it must not do so itself.

        A `caller` is who is throttled where that is not the account that the calls are about (facts sheet 5.1); which
        one that is, is for `about` to say. No two calls of an operation of `least`, to the account in the client's
        region, are within so many seconds.
        """
        service = client.meta.service_model.service_id.hyphenize()
        region = f"/{client.meta.region_name}" if least else ""
        pace = self._paces.setdefault(f"{caller or account}/{service}{region}", Pace())
        for operation, seconds in least.items():
            rare = self._paces.setdefault(f"{caller or account}/{service}{region}/{operation}", Pace(seconds))
            keep(client, f"{service}.{operation}", rare)

        def before(**_: Any) -> None:
            pace.wait()

        def at_last(request: Any, **_: Any) -> None:
            # After it was signed: for that, credentials may have had to be renewed, and that takes time.
            step = self._thread.step
            if step is not None and (why := step.forbidden()):
                raise XgrantError(why)
            tries = request.context.setdefault("xgrant", _Tries())
            tries.sent = clock.monotonic()

        def after(**what: Any) -> float | None:
            return self._after(self._thread.account if caller else account, pace, **what)

        client.meta.events.register_first(f"request-created.{service}", before)
        client.meta.events.register_last(f"request-created.{service}", at_last)
        client.meta.events.register_first(f"before-parse.{service}", _readable)
        client.meta.events.register_first(f"needs-retry.{service}", after)

    def _after(
        self, account: str, pace: Pace, *, response: Any, attempts: int, caught_exception: Exception | None,
        operation: Any, request_dict: Mapping[str, Any], **_: Any,
    ) -> float | None:  # fmt: skip
        """Return 0 to send the call again, after having waited; None where its answer stands."""
        code, message, request_id = _failure(response, caught_exception)
        tries: _Tries = request_dict["context"].setdefault("xgrant", _Tries())
        now = clock.monotonic()
        self._on_event(Called(account, operation.name, now - tries.sent, request_id, code))
        sent: Mapping[str, Any] = request_dict["body"] if isinstance(request_dict.get("body"), dict) else {}
        this = (operation.name, str(sent.get("RoleName") or sent.get("PolicyName") or ""))
        step = self._thread.step
        if step is not None:
            step.calls.append(ApiCall(operation.name, request_id, code))
            step.passing = None
        if not code:
            pace.faster()
            if operation.name == "GetRole" and self.sent_before("CreateRole", this[1]):
                self.memory.note_repeated(account, "CreateRole", sent, "EntityAlreadyExists")
            self.memory.note(account, operation.name, sent, response[1])
            if step is not None:
                step.looks.pop(operation.name, None)
                step.tries.pop(operation.name, None)
            return None
        if attempts > 1 or self.sent_before(*this):
            self.memory.note_repeated(account, operation.name, sent, code)
        rules = rules_for(operation.name, code, message)
        rule = next((rule for rule in rules if self.memory.holds(rule.when, account, sent)), None)
        if rule is None:
            return None
        if step is not None:
            self._note_failed(step, rule, account, this, sent)
        if rule.look:
            return None
        if rule.why == TOO_OFTEN:
            pace.slower()
        left = tries.left(rule, now) if step is None else min(tries.left(rule, now), step.until - now)
        retried = Retried(account, operation.name, code, attempts, delay(attempts), _endpoint(caught_exception))
        return 0 if self._pause(retried, left) else None

    def _note_failed(
        self, step: _Step, rule: Rule, account: str, this: tuple[str, str], sent: Mapping[str, Any]
    ) -> None:
        if rule.when is not When.ASSUMED:  # AWS does nothing for a session that is over.
            step.failed.add(this)
            self.memory.note_in_doubt(account, this[0], sent)
        if rule.look:
            step.passing = rule, account, this[0]

    def _pause(self, retried: Retried, left: float) -> bool:
        """Wait before the next try; False where no time is left."""
        # The last try is made when the time is over, not a whole pause earlier.
        seconds = min(retried.seconds, left)
        if seconds <= 0:
            return False
        self._on_event(replace(retried, seconds=seconds))
        if self._thread.step is not None:
            clock.sleep(seconds)
            return True
        clock.wait(seconds, self._stopped)
        return not self._stopped()


def keep(client: Any, what: str, pace: Pace) -> None:
    """Let the calls of a client keep a pace: those of a service, or of one operation of it."""
    client.meta.events.register_first(f"request-created.{what}", lambda **_: pace.wait())
    # After it was signed: for that, credentials may have had to be renewed, and that takes time.
    client.meta.events.register_last(f"request-created.{what}", lambda **_: pace.sent())


def _readable(response_dict: dict[str, Any], **_: Any) -> None:
    """Take away the body of a 5xx that is no error in XML, before botocore parses it.

    Whatever stands between here and AWS answers with any text; botocore would fail on it, outside of its retries, and
    takes an empty body for what it is. A service that answers in JSON loses its message by that, and is tried again for
    its status all the same.
    """
    if response_dict["status_code"] >= 500 and not _is_error(response_dict["body"]):
        response_dict["body"] = b""


def _is_error(body: bytes) -> bool:
    """Return whether a body is XML, read as botocore reads it, with an error that has a code."""
    parser = ElementTree.XMLParser(encoding="utf-8")  # noqa: S314 - botocore parses with the same
    try:
        parser.feed(body)
        root = parser.close()
    except (ElementTree.ParseError, ValueError, LookupError):
        return False
    errors = (element for element in root.iter() if element.tag.rpartition("}")[2] == "Error")
    return any(child.tag.rpartition("}")[2] == "Code" for error in errors for child in error)


def tell(client: Any, where: str, notify: Callable[[Called], None]) -> None:
    """Tell of every call of a client that tries again by itself. `where` is what its calls are about."""
    service = client.meta.service_model.service_id.hyphenize()

    def before(request: Any, **_: Any) -> None:
        request.context["xgrant"] = _Tries(sent=clock.monotonic())

    def after(response: Any, caught_exception: Any, operation: Any, request_dict: Any, **_: Any) -> None:
        code, _message, request_id = _failure(response, caught_exception)
        seconds = clock.monotonic() - request_dict["context"]["xgrant"].sent
        notify(Called(where, operation.name, seconds, request_id, code))

    client.meta.events.register_first(f"request-created.{service}", before)
    client.meta.events.register_first(f"before-parse.{service}", _readable)
    client.meta.events.register_first(f"needs-retry.{service}", after)


def in_doubt(error: ClientError | HTTPClientError) -> bool:
    """Return whether a call that failed so may have had its effect."""
    if isinstance(error, ClientError):
        status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        return error.response["Error"]["Code"] in IN_DOUBT or int(status) >= 500
    return True


def _refused(caught: Exception) -> bool:
    """Return whether nobody listens at an endpoint, or at the proxy on the way to it, which is known at once."""
    reason = getattr(caught, "kwargs", {}).get("error")
    while reason is not None and not isinstance(reason, ConnectionRefusedError):
        reason = reason.__cause__ or reason.__context__
    return reason is not None


def _proxy_away(caught: Exception) -> bool:
    """Return whether a proxy could not be reached, or AWS by it; what it forbids (4xx) no later try will get."""
    if not isinstance(caught, ProxyConnectionError):
        return False
    return _TUNNEL_FORBIDDEN not in str(getattr(caught, "kwargs", {}).get("error"))


def _endpoint(caught: Exception | None) -> str:
    """Return the endpoint, or the proxy, that could not be connected to; empty where it was another failure."""
    if not isinstance(caught, EndpointConnectionError | ProxyConnectionError):
        return ""
    kind = "endpoint_url" if isinstance(caught, EndpointConnectionError) else "proxy_url"
    parts = urlsplit(str(getattr(caught, "kwargs", {}).get(kind, "")))
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def _failure(response: Any, caught: Exception | None) -> tuple[str, str, str]:
    """Return code, message and request id of an attempt; no code where it went well."""
    if caught is not None:
        unsent = isinstance(caught, EndpointConnectionError | ConnectTimeoutError) or _proxy_away(caught)
        cut = isinstance(caught, HTTPClientError)
        if unsent and _refused(caught):
            return NOBODY_THERE, str(caught), ""
        return (UNREACHABLE if unsent else CUT if cut else type(caught).__name__), str(caught), ""
    http, parsed = response
    request_id = parsed.get("ResponseMetadata", {}).get("RequestId", "")
    if http.status_code < 300:
        return "", "", request_id
    error = parsed.get("Error", {})
    code = str(error.get("Code", "")) or str(http.status_code)
    if http.status_code >= 500 and not any(rules_for("", code, "")):
        code = SERVER_ERROR
    return code, str(error.get("Message", "")), request_id
