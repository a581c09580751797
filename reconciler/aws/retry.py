"""Which failed calls are tried again, for how long, and why; and at which pace an account is asked.

botocore's own retries are switched off: no mode of theirs tries ConcurrentModification again, none knows what this run
has made (facts sheet 5.2), and their pace is not to be had without their count of tries.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from xml.etree import ElementTree

from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError, HTTPClientError

from reconciler import clock
from reconciler.errors import XgrantError
from reconciler.events import Called, Retried
from reconciler.model import ApiCall

PROPAGATION = 120.0
"""Seconds after which what is new is known everywhere; AWS names no figure, Terraform waits as long (4.2)."""

CEILING = 300.0
"""Seconds after which a change is given up, whatever it waits for."""


class When(Enum):
    """On what else it depends, beside the error, that a call is tried again."""

    ALWAYS = auto()
    MADE_PRINCIPAL = auto()
    """The trust policy names a user or role that this run made."""
    MADE = auto()
    """This run made the role or the policy that the call is about."""
    ANSWERED = auto()
    """The account has answered in this run before."""
    TAKEN_AWAY = auto()
    """This run took something away from the role or policy that is to be deleted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """An error that passes: AWS's code, without `Exception`, and how long it is waited for.

    `operations` restricts the rule; empty is any. `message` is what the error's text must contain. With `look` the
    call of a step is not sent again as it is: somebody else may be at work, so the step looks anew what stands, and
    goes on from there or stops.
    """

    code: str
    seconds: float
    why: str
    message: str = ""
    operations: frozenset[str] = frozenset()
    when: When = When.ALWAYS
    look: bool = False


UNREACHABLE = "(nothing was sent)"
CUT = "(no answer)"
SERVER_ERROR = "(server error)"

# These hide whether the call had its effect. All operations of xgrant may be sent twice: what is there already is
# compared (CreateRole, CreatePolicy), what is gone already is as wanted. But two equal versions of a policy would
# stand, so whoever makes one looks before the second try (3.1).
IN_DOUBT = frozenset({CUT, SERVER_ERROR, "ServiceFailure", "InternalFailure", "ServiceUnavailable"})
_NOT_TWICE = "CreatePolicyVersion"

# GetRolePolicy is not among them: that a role has no policy of that name is an answer, and where a list has just
# named it, the list is old.
_ABOUT_THE_NEW = frozenset({
    "AttachRolePolicy", "AttachGroupPolicy", "AttachUserPolicy", "CreatePolicyVersion", "GetPolicy",
    "GetPolicyVersion", "GetRole", "ListAttachedRolePolicies", "ListEntitiesForPolicy",
    "ListInstanceProfilesForRole", "ListRolePolicies", "PutRolePermissionsBoundary", "PutRolePolicy", "TagPolicy",
    "TagRole", "UpdateAssumeRolePolicy", "UpdateRole",
})  # fmt: skip

_TOO_OFTEN = "the account is asked too often (5.1)"
_AT_WORK = "somebody writes the same thing at this moment (3.2, 4.2)"

RULES = (
    Rule("Throttling", PROPAGATION, _TOO_OFTEN),
    Rule("TooManyRequests", PROPAGATION, _TOO_OFTEN),
    Rule("RequestLimitExceeded", PROPAGATION, _TOO_OFTEN),
    Rule("ServiceFailure", PROPAGATION, "AWS's own failure, 500 (3.2)"),
    Rule("InternalFailure", PROPAGATION, "AWS's own failure, 500 (3.2)"),
    Rule("ServiceUnavailable", PROPAGATION, "AWS's own failure, 503 (3.2)"),
    Rule(SERVER_ERROR, PROPAGATION, "any other 5xx, from whatever stands between"),
    Rule("ConcurrentModification", PROPAGATION, _AT_WORK, look=True),
    Rule("EntityTemporarilyUnmodifiable", PROPAGATION, _AT_WORK, look=True),
    Rule(CUT, PROPAGATION, "the connection ended before the answer came (3.1)"),
    Rule(UNREACHABLE, PROPAGATION, "the network is down for a while (nothing was sent)", when=When.ANSWERED),
    Rule(UNREACHABLE, 15.0, "the network is down, or the endpoint is none: not for long"),
    Rule(
        "MalformedPolicyDocument", PROPAGATION, "a new principal is not known everywhere at once (4.2, 4.3)",
        message="Invalid principal in policy", when=When.MADE_PRINCIPAL,
        operations=frozenset({"CreateRole", "UpdateAssumeRolePolicy"}),
    ),
    Rule(
        "NoSuchEntity", PROPAGATION, "what is new is not known everywhere at once (4.2)",
        when=When.MADE, operations=_ABOUT_THE_NEW,
    ),
    Rule(
        "NoSuchEntity", PROPAGATION, "what was taken away is still listed for a moment (4.2)",
        when=When.TAKEN_AWAY, operations=frozenset({"GetRolePolicy"}), look=True,
    ),
    Rule(
        "DeleteConflict", PROPAGATION, "what was taken away is still seen for a moment (3.2, 4.2)",
        when=When.TAKEN_AWAY, operations=frozenset({"DeleteRole", "DeletePolicy"}), look=True,
    ),
)  # fmt: skip
"""Every error that is waited for; all others are final at once (facts sheet 3.2)."""


_TAKES = ("Detach", "Delete", "RemoveRole")


@dataclass(slots=True)
class Memory:
    """What a run has made, and from what it has taken something away: the ARNs, and (account, name) of roles.

    A policy that was made by a call whose answer was lost is known by (account, `policy/path/name`).
    """

    answered: set[str] = field(default_factory=set)
    made: set[object] = field(default_factory=set)
    taken: set[object] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, account: str, operation: str, sent: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        """Note what a call that was answered has done."""
        with self.lock:
            self.answered.add(account)
            if operation == "CreateRole":
                self.made |= {(account, sent["RoleName"]), answer["Role"]["Arn"]}
            elif operation in ("DeleteRole", "DeletePolicy"):
                self.made -= set(_about(account, sent))
            elif operation == "CreatePolicy":
                self.made.add(answer["Policy"]["Arn"])
            elif operation == "GetRole" and (account, sent["RoleName"]) in self.made:
                self.made.add(answer["Role"]["Arn"])
            elif operation.startswith(_TAKES):
                self.taken |= set(_about(account, sent))

    def note_repeated(self, account: str, operation: str, sent: Mapping[str, Any], code: str) -> None:
        """Note what an earlier try, whose answer was lost, has done, by how the repeated one was refused.

        If a role of the name was somebody else's, whoever sent the call finds that out and stops.
        """
        with self.lock:
            if (operation, code) == ("CreateRole", "EntityAlreadyExists"):
                self.made.add((account, sent["RoleName"]))
            elif (operation, code) == ("CreatePolicy", "EntityAlreadyExists"):
                self.made.add((account, f"policy{sent.get('Path', '/')}{sent['PolicyName']}"))
            elif operation.startswith(_TAKES) and code == "NoSuchEntity":
                self.taken |= set(_about(account, sent))

    def note_in_doubt(self, account: str, operation: str, sent: Mapping[str, Any]) -> None:
        """Note what a call that failed, and may have had its effect, may have taken away."""
        if operation.startswith(_TAKES) and operation not in ("DeleteRole", "DeletePolicy"):
            with self.lock:
                self.taken |= set(_about(account, sent))

    def holds(self, when: When, account: str, sent: Mapping[str, Any]) -> bool:
        """Return whether a condition is met for a call."""
        if when is When.ALWAYS:
            return True
        with self.lock:
            if when is When.ANSWERED:
                return account in self.answered
            if when is When.MADE_PRINCIPAL:
                text = str(sent.get("AssumeRolePolicyDocument") or sent.get("PolicyDocument") or "")
                return any(f'"{arn}"' in text for arn in self.made if isinstance(arn, str))
            known = self.made if when is When.MADE else self.taken
            return not known.isdisjoint(_about(account, sent))


def _about(account: str, sent: Mapping[str, Any]) -> Iterator[object]:
    if "RoleName" in sent:
        yield account, sent["RoleName"]
    if "PolicyArn" in sent:
        yield sent["PolicyArn"]
        yield account, sent["PolicyArn"].rpartition(":")[2]


def rules_for(operation: str, code: str, message: str) -> Iterator[Rule]:
    """Yield the rules for a failed call, the first one first whose condition may hold; none if the failure is final."""
    code = code.removesuffix("Exception")
    if code in IN_DOUBT and operation == _NOT_TWICE:
        return
    for rule in RULES:
        if rule.code == code and rule.message in message and (not rule.operations or operation in rule.operations):
            yield rule


def delay(tries: int, dice: Callable[[], float] = random.random) -> float:
    """Return the seconds to wait after so many tries: twice as long each time up to 20, and never all at once."""
    most = min(20.0, 0.5 * 2.0 ** (tries - 1))
    return most * (0.5 + 0.5 * dice())


class Pace:
    """How fast an account is asked: as fast as can be, until it throttles; then slower, and little by little faster."""

    _LEAST, _MOST = 0.05, 2.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interval = 0.0
        self._next = 0.0

    def wait(self) -> None:
        """Wait until the account may be asked again."""
        with self._lock:
            now = clock.monotonic()
            at = max(now, self._next)
            self._next = at + self._interval
        if at > now:
            clock.sleep(at - now)

    def slower(self) -> None:
        """Ask less often from now on."""
        with self._lock:
            self._interval = min(self._MOST, max(self._LEAST, 1.5 * self._interval))

    def faster(self) -> None:
        """Ask a little more often."""
        with self._lock:
            self._interval = 0.0 if self._interval < self._LEAST else 0.7 * self._interval


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
        return self._pause(account, operation, rule.code, looks, left)

    def sent_before(self, operation: str, name: str) -> bool:
        """Return whether an earlier try of such a call, in the step under way, may have had its effect."""
        step = self._thread.step
        return step is not None and (operation, name) in step.failed

    def watch(self, client: Any, account: str) -> None:
        """Try the calls of a client again; it must not do so itself."""
        service = client.meta.service_model.service_id.hyphenize()
        pace = self._paces.setdefault(f"{account}/{service}", Pace())

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
            return self._after(account, pace, **what)

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
            step.failed.add(this)
            self.memory.note_in_doubt(account, operation.name, sent)
            if rule.look:
                step.passing = rule, account, operation.name
                return None
        if rule.why == _TOO_OFTEN:
            pace.slower()
        left = tries.left(rule, now) if step is None else min(tries.left(rule, now), step.until - now)
        return 0 if self._pause(account, operation.name, code, attempts, left) else None

    def _pause(self, account: str, operation: str, code: str, tries: int, left: float) -> bool:
        """Wait before the next try; False where no time is left."""
        # The last try is made when the time is over, not a whole pause earlier.
        seconds = min(delay(tries), left)
        if seconds <= 0:
            return False
        self._on_event(Retried(account, operation, code, tries, seconds))
        if self._thread.step is not None:
            clock.sleep(seconds)
            return True
        clock.wait(seconds, self._stopped)
        return not self._stopped()


def _readable(response_dict: dict[str, Any], **_: Any) -> None:
    """Take away the body of a 5xx that is no error of AWS, before botocore parses it.

    Whatever stands between here and AWS answers with any text; botocore would fail on it, outside of its retries, and
    takes an empty body for what it is.
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


def _failure(response: Any, caught: Exception | None) -> tuple[str, str, str]:
    """Return code, message and request id of an attempt; no code where it went well."""
    if caught is not None:
        unsent = isinstance(caught, EndpointConnectionError | ConnectTimeoutError)
        cut = isinstance(caught, HTTPClientError)
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
