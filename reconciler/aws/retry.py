"""Which failed calls are tried again, for how long, and why; `calls.py` does it.

No mode of botocore's tries ConcurrentModification again, and none knows what this run has made (facts sheet 5.2).
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

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
    ASSUMED = auto()
    """The account is reached by a role, whose session can be had anew."""


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
NOBODY_THERE = "connection refused"
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

TOO_OFTEN = "the account is asked too often (5.1)"
_OVER = "the session of a role ended early; the step goes on with a new one (5.5)"
_AT_WORK = "somebody writes the same thing at this moment (3.2, 4.2)"

RULES = (
    Rule("Throttling", PROPAGATION, TOO_OFTEN),
    Rule("TooManyRequests", PROPAGATION, TOO_OFTEN),
    Rule("RequestLimitExceeded", PROPAGATION, TOO_OFTEN),
    Rule("ServiceFailure", PROPAGATION, "AWS's own failure, 500 (3.2)"),
    Rule("InternalFailure", PROPAGATION, "AWS's own failure, 500 (3.2)"),
    Rule("ServiceUnavailable", PROPAGATION, "AWS's own failure, 503 (3.2)"),
    Rule("InternalServer", PROPAGATION, "AWS's own failure, 500 (9)"),
    Rule("UnprocessableEntity", 15.0, "Access Analyzer could not read the document just now (9)"),
    Rule(SERVER_ERROR, PROPAGATION, "any other 5xx, from whatever stands between"),
    Rule("ConcurrentModification", PROPAGATION, _AT_WORK, look=True),
    Rule("EntityTemporarilyUnmodifiable", PROPAGATION, _AT_WORK, look=True),
    Rule("ExpiredToken", 15.0, _OVER, when=When.ASSUMED, look=True),
    Rule("InvalidClientTokenId", 15.0, _OVER, when=When.ASSUMED, look=True),
    Rule(CUT, PROPAGATION, "the connection ended before the answer came (3.1)"),
    Rule(UNREACHABLE, PROPAGATION, "the network is down for a while (nothing was sent)", when=When.ANSWERED),
    Rule(UNREACHABLE, 15.0, "the network is down, or the endpoint is none: not for long"),
    Rule(NOBODY_THERE, PROPAGATION, "the endpoint is started anew (nothing was sent)", when=When.ANSWERED),
    Rule(NOBODY_THERE, 3.0, "nobody listens at the endpoint, which is wrong or not started yet: not for long"),
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
    assumed: set[str] = field(default_factory=set)
    made: set[object] = field(default_factory=set)
    taken: set[object] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def learn(self, made: Iterable[object] = (), taken: Iterable[object] = (), *, answered: Iterable[str] = ()) -> None:
        """Note what the run has made elsewhere, from what it has taken something away, and which accounts answered."""
        with self.lock:
            self.answered |= {*answered}
            self.made |= {*made}
            self.taken |= {*taken}

    def known(self, about: Iterable[object]) -> tuple[frozenset[object], frozenset[object]]:
        """Return of these what the run has made, and from what it has taken something away, as far as is known here."""
        with self.lock:
            return frozenset(about) & self.made, frozenset(about) & self.taken

    def note_assumed(self, account: str) -> None:
        """Note that an account is reached by a role."""
        with self.lock:
            self.assumed.add(account)

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
            if when is When.ASSUMED:
                return account in self.assumed
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
