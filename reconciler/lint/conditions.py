"""Conditions that no request ever meets, or every one: XG117 of trust policies, beyond XG040, XG123 of permissions."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.lint.statements import has_wildcard, statements
from reconciler.model import Account, Grant, Level, Spot
from reconciler.policy.arn import covers
from reconciler.policy.case import fold
from reconciler.policy.demands import Demand, demands, demands_mfa
from reconciler.policy.instants import instant_of

_LITERAL = ("stringequals", "stringequalsignorecase")
_ABSENT = {
    "sts:durationseconds": "is in no request for AssumeRole",
    "aws:sourcearn": "is only in what a service asks for",
    "aws:sourceaccount": "is only in what a service asks for",
}
_WITHOUT_WILDCARDS = ("aws:principalarn", "aws:userid", "aws:principalorgid", "aws:principalaccount", "aws:username")


def _never_met(grant: Grant, seen: Seen) -> Iterator[Breach]:
    every = tuple(demands(grant.conditions))
    absent = {one.name for one in every if one.kind == "null" and _only(one, "true")}
    for one in every:
        if why := _must_be_there(one, grant) or (one.there and _why(one, absent, grant, seen)):
            message = f"{one.operator} {one.key} can never be met: {why}"
            yield Breach(message, Spot(("trust_conditions", one.operator, one.key)))


def _only(one: Demand, value: str) -> bool:
    return {*map(fold, one.values)} == {value}


def _must_be_there(one: Demand, grant: Grant) -> str | None:
    """Say why a condition is never met that demands a key to be absent which every signed request has.

    A request with a token of an OpenID Connect provider is signed by nobody.
    """
    if grant.web_identity is None and one.kind == "null" and _only(one, "true") and one.name in _ALWAYS:
        return "every request of a principal has it"
    return None


def _why(one: Demand, absent: set[str], grant: Grant, seen: Seen) -> str | None:
    if one.name in _ABSENT:
        return f"{one.name} {_ABSENT[one.name]}"
    if one.name in absent:
        return "another condition demands that it is not there (Null)"
    if one.kind in _LITERAL and one.name in _WITHOUT_WILDCARDS and all(map(has_wildcard, one.values)):
        return "StringEquals takes a star for a star; write StringLike, or ArnLike for an ARN"
    if one.kind == "ipaddress" and one.name == "aws:sourceip" and all(map(_private, one.values)):
        return "AWS sees public addresses; through a VPC endpoint the key is aws:VpcSourceIp"
    if one.kind in _BEFORE and one.name in _CLOCKS and grant.expires is None and _over(one.values, seen.now):
        return "that time is over"
    if one.kind == "numericlessthan" and one.name == "aws:multifactorauthage" and not any(map(_above_0, one.values)):
        return "no session is younger than 0 seconds"
    return _of_other_accounts(one, seen.sources(grant))


_ALWAYS = ("aws:principalarn", "aws:principalaccount", "aws:userid", "aws:currenttime", "aws:epochtime")
"""What is in every request that a principal signs (user guide, "AWS global condition context keys")."""

_CLOCKS = ("aws:currenttime", "aws:epochtime")
_BEFORE = ("datelessthan", "datelessthanequals", "numericlessthan", "numericlessthanequals", "dateequals")


def _over(values: tuple[str, ...], now: int) -> bool:
    """Return whether all these moments are past. What is none that can be read here is AWS's to judge."""
    try:
        return all(_moment(value) < now for value in values)
    except ValueError:
        return False


def _moment(value: str) -> float:
    # A year has four digits; a date operator takes seconds since 1970 too ("Condition operators: date").
    return float(value) if re.fullmatch(r"\d{5,}(\.\d+)?", value) else instant_of(value)


def _above_0(value: str) -> bool:
    try:
        return float(value) > 0
    except ValueError:
        return True  # What it means is AWS's to judge.


_PRIVATE = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "100.64.0.0/10",
                               "169.254.0.0/16", "fc00::/7", "fe80::/10", "::1/128"))
)  # fmt: skip
"""RFC 1918, 6598, 3927, 4193 and 4291: what reaches AWS over the internet comes from none of them."""


def _private(network: str) -> bool:
    try:
        found = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    return any(
        found.version == one.version and int(one[0]) <= int(found[0]) and int(found[-1]) <= int(one[-1])
        for one in _PRIVATE
    )


def _of_other_accounts(one: Demand, sources: tuple[Account, ...]) -> str | None:
    if not sources or any("${" in value for value in one.values):
        return None
    callers = f"the callers are of {', '.join(account.name for account in sources)}"
    if one.name == "aws:principalaccount" and not any(one.fits(account.id) for account in sources):
        return callers if one.names() else None
    if one.name == "aws:principalarn" and one.names():
        found = [value.split(":", 5) for value in one.values]
        if any(len(parts) < 6 for parts in found):
            return None
        if not any(_may_be(parts, account) for parts in found for account in sources):
            return callers
        if not any(covers(parts[2], "iam") and _may_sign(parts[5]) for parts in found):
            return "it is the ARN of a user or role, like arn:aws:iam::ACCOUNT:role/NAME, also in a session of it"
    return None


def _may_be(parts: list[str], account: Account) -> bool:
    return covers(parts[1], account.partition) and covers(parts[4], account.id)


def _may_sign(last: str) -> bool:
    """Return whether a pattern may be met by a user, a role or the root: groups and sessions are no PrincipalArn."""
    head = re.split("[*?]", last, maxsplit=1)[0]
    return any(kind.startswith(head) or head.startswith(kind) for kind in ("user/", "role/", "root"))


def _mfa_of_a_session(grant: Grant, _: Seen) -> Iterator[Breach]:
    """Yield each statement whose condition on MFA decides against every session of the role.

    "The temporary credentials returned by AssumeRole do not include MFA information in the context" (user guide,
    "Secure API access with MFA"; facts sheet 6).
    """
    for statement in statements(grant):
        for one in demands(statement.conditions()):
            if one.base() not in _MFA or (why := _of_session(one, allows=statement.allows())) is None:
                continue
            yield Breach(f"{one.operator} {one.key}: {why}", statement.spot("Condition", f"{one.operator} {one.key}"))


_MFA = ("aws:multifactorauthpresent", "aws:multifactorauthage")


def _of_session(one: Demand, *, allows: bool) -> str | None:
    if allows and demands_mfa({one.operator: {one.key: one.values}}):
        return "a session of the role carries no MFA, so this allows nothing"
    absent = one.kind == "null" and _only(one, "true")
    without = one.kind == "bool" and _only(one, "false") and not one.there
    if not allows and (absent or without):
        return "a session of the role carries no MFA, so this always denies"
    return None


RULES = (
    Rule(
        "XG117", Level.DENY, "a trust condition that can never be met",
        "The role is there and nobody can use it; whoever then loosens it in a hurry opens too much.",
        "mend the condition as the message says, or take it out",
        "IAM user guide, AWS global condition context keys; Condition operators",
        "Nobody means it.",
        of_grant=_never_met,
    ),
    Rule(
        "XG123", Level.WARN, "permissions that ask for MFA",
        "MFA is a matter of how the role is assumed; its sessions carry nothing of it, so that the statement never, or "
        "always, applies. Who then mends it may open too much.",
        "write require: {mfa: true}, which the trust policy demands, and take the condition out of the permissions",
        "IAM user guide, Secure API access with MFA",
        "A Deny that always applies opens nothing.",
        of_grant=_mfa_of_a_session,
    ),
)  # fmt: skip
"""The guardrails of this file."""
