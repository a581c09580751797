"""What the trust conditions of a grant demand of a session, and which of them a request is known not to meet."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.model import Identity, SessionRequest
from reconciler.policy.arn import covers
from reconciler.policy.case import fold
from reconciler.policy.conditions import Conditions
from reconciler.policy.instants import instant_of
from reconciler.policy.sessions import REQUEST_TAG

MFA_KEYS = ("aws:multifactorauthpresent", "aws:multifactorauthage")
_EXTERNAL_ID = "sts:externalid"
# User guide, "AWS global condition context keys": properties of the network.
_PLACES = frozenset({
    "aws:sourceip", "aws:vpcsourceip", "aws:sourcevpc", "aws:sourcevpcarn", "aws:sourcevpce", "aws:vpceaccount",
    "aws:vpceorgid", "aws:vpceorgpaths", "aws:requestedregion", "aws:useragent", "aws:referer",
})  # fmt: skip
_USER_VARIABLE = "${aws:username}"
_CURRENT_TIME = "aws:currenttime"
_DATES: Mapping[str, Callable[[int, int], bool]] = {
    "datelessthan": operator.lt, "datelessthanequals": operator.le, "dategreaterthan": operator.gt,
    "dategreaterthanequals": operator.ge,
}  # fmt: skip
_WAYS = {
    _EXTERNAL_ID: "--external-id", "sts:rolesessionname": "--session-name", **dict.fromkeys(MFA_KEYS, "--mfa-serial"),
}  # fmt: skip
_JUDGED = ("null", "bool", "stringequals", "stringlike", "arnlike", "arnequals")


@dataclass(frozen=True, slots=True)
class Judged:
    """Conditions in words: those that are not met for certain, and those that cannot be judged from here.

    `ways` are the options of the command line by which the former could be met.
    """

    unmet: tuple[str, ...]
    unknown: tuple[str, ...]
    ways: tuple[str, ...] = ()


def demands(conditions: Conditions, *wanted: str) -> bool:
    """Return whether a condition is on one of these keys, which are in lower case."""
    return any(fold(key) in wanted for keys in conditions.values() for key in keys)


def demands_mfa(conditions: Conditions) -> bool:
    """Return whether only sessions with MFA can meet the conditions: without it the keys are absent (facts sheet 6)."""
    return any(
        fold(key) in MFA_KEYS and (_is_false(values) == (fold(name) == "null"))
        for name, key, values in _each(conditions)
        if not fold(name).endswith("ifexists")
    )


def of_place(conditions: Conditions) -> tuple[str, ...]:
    """Return the conditions, in words, that are about where a request comes from, which no other machine can meet."""
    return tuple(words(name, key, values) for name, key, values in _each(conditions) if fold(key) in _PLACES)


def value_for(conditions: Conditions, wanted: str, who: Identity) -> str:
    """Return the first value that meets what the conditions say of a key; empty where they name none outright.

    `${aws:username}` stands for the name of an IAM user (user guide, "IAM policy elements: Variables").
    """
    for name, keys in conditions.items():
        if fold(name).removesuffix("ifexists") not in ("stringequals", "stringlike", "stringequalsignorecase"):
            continue
        for key, values in keys.items():
            for value in values if fold(key) == wanted else ():
                meant = value.replace(_USER_VARIABLE, who.user()) if who.user() else value
                if not set(meant) & set("*?$"):
                    return meant
    return ""


def tags_for(conditions: Conditions, who: Identity) -> Mapping[str, str]:
    """Return the tags that are sent: those for which the conditions name a value outright."""
    keys = {key for _, key, _ in _each(conditions) if fold(key).startswith(f"{REQUEST_TAG}/")}
    values = {key.partition("/")[2]: value_for(conditions, fold(key), who) for key in sorted(keys)}
    return {key: value for key, value in values.items() if value}


def judged(conditions: Conditions, request: SessionRequest, who: Identity, *, arn: str = "") -> Judged:
    """Judge the trust conditions of a grant against a request that AWS has refused.

    `arn` is that of the user or role of who asks, which the ARN of a session does not tell; empty if it is not known.
    """
    context = {**_context(request, who), **({"aws:principalarn": arn} if arn else {})}
    unmet: list[str] = []
    unknown: list[str] = []
    ways: list[str] = []
    for name, key, values in _each(conditions):
        met = _met(name, context, fold(key), values, who)
        if fold(key) == _CURRENT_TIME and request.at is not None:
            met = _met_by_time(name, request.at, values)
        if met is not True:
            (unknown if met is None else unmet).append(words(name, key, values))
        if met is False and fold(key) in _WAYS:
            ways.append(_WAYS[fold(key)])
    return Judged(tuple(unmet), tuple(unknown), tuple(dict.fromkeys(ways)))


def _each(conditions: Conditions) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for name, keys in conditions.items():
        for key, values in keys.items():
            yield name, key, values


def _context(request: SessionRequest, who: Identity) -> Mapping[str, str]:
    """Return what is known of the request's context; an absent key is empty (facts sheet 6)."""
    known = {
        _EXTERNAL_ID: request.external_id,
        "sts:rolesessionname": request.session_name,
        "sts:sourceidentity": request.source_identity,
        "aws:principalaccount": who.account,
    }
    known |= {f"{REQUEST_TAG}/{fold(key)}": value for key, value in request.tags.items()}
    if who.user():
        known |= {"aws:principalarn": who.arn, "aws:username": who.user()}
    if request.mfa_serial or who.role() or not who.temporary:
        # Of a session that GetSessionToken gave nobody can say whether it was with MFA.
        known["aws:multifactorauthpresent"] = "true" if request.mfa_serial else ""
    return known


def _met(operator: str, context: Mapping[str, str], key: str, values: tuple[str, ...], who: Identity) -> bool | None:
    """Return whether a condition is met; None where that cannot be judged."""
    folded = fold(operator)
    name = folded.removesuffix("ifexists")
    if key.startswith(f"{REQUEST_TAG}/"):
        context = {key: "", **context}  # What is not sent is known to be absent.
    if key not in context or name not in _JUDGED:
        return None
    value = context[key]
    if name == "null":
        return bool(value) == _is_false(values)
    if not value:
        return name != folded
    wanted = [one.replace(_USER_VARIABLE, who.user()) for one in values]
    if any("${" in one for one in wanted):
        return None
    if name == "bool":
        return value in map(fold, wanted)
    if name == "stringequals":
        return value in wanted
    return any(covers(pattern, value) for pattern in wanted)


def _is_false(values: tuple[str, ...]) -> bool:
    """Return whether what a condition of `Bool` or `Null` states is false, in whatever case."""
    return [fold(value) for value in values] == ["false"]


def _met_by_time(name: str, at: int, values: tuple[str, ...]) -> bool | None:
    """Return whether a condition on the time is met at a moment; None where that cannot be judged."""
    compare = _DATES.get(fold(name).removesuffix("ifexists"))
    try:
        return None if compare is None else any(compare(at, instant_of(value)) for value in values)
    except ValueError:
        return None


def words(operator: str, key: str, values: tuple[str, ...]) -> str:
    """Return a condition in words; an external id is not shown."""
    shown = "(hidden)" if fold(key) == _EXTERNAL_ID else ", ".join(values)
    return f"{operator} {key}: {shown}"
