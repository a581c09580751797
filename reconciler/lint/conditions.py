"""XG117: trust conditions that no request can ever meet, beyond what a manifest is refused for (XG040)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from reconciler.lint.rule import Breach, Rule, Seen
from reconciler.lint.statements import has_wildcard
from reconciler.lint.trust import base, demanded
from reconciler.model import Account, Grant, Level, Spot
from reconciler.policy.arn import account_of, covers
from reconciler.policy.canonical import canonical_key
from reconciler.policy.conditions import Conditions

_LITERAL = ("stringequals", "stringequalsignorecase")
_ABSENT = {
    "sts:durationseconds": "is in no request for AssumeRole",
    "aws:sourcearn": "is only in what a service asks for",
    "aws:sourceaccount": "is only in what a service asks for",
}
_WITHOUT_WILDCARDS = ("aws:principalarn", "aws:userid", "aws:principalorgid", "aws:principalaccount", "aws:username")


def _never_met(grant: Grant, seen: Seen) -> Iterator[Breach]:
    for operator, keys in grant.conditions.items():
        for key, values in keys.items():
            if demanded(operator) and (why := _why(operator, canonical_key(key), values, grant, seen)):
                yield Breach(f"{operator} {key} can never be met: {why}", Spot(("trust_conditions", operator, key)))


def _why(operator: str, key: str, values: tuple[str, ...], grant: Grant, seen: Seen) -> str | None:
    kind = base(operator)
    if kind == "null":
        return None
    if key in _ABSENT:
        return f"{key} {_ABSENT[key]}"
    if _must_be_absent(key, grant.conditions):
        return "another condition demands that it is not there (Null)"
    if kind in _LITERAL and key in _WITHOUT_WILDCARDS and all(map(has_wildcard, values)):
        return "StringEquals takes a star for a star; write StringLike, or ArnLike for an ARN"
    if kind == "ipaddress" and key == "aws:sourceip" and all(map(_private, values)):
        return "AWS sees public addresses; through a VPC endpoint the key is aws:VpcSourceIp"
    if (
        grant.expires is None
        and kind in ("datelessthan", "datelessthanequals")
        and key == "aws:currenttime"
        and max(values)[:10] < seen.today
    ):
        return f"that time is over; today is {seen.today}"
    return _of_other_accounts(kind, key, values, seen.sources(grant))


def _must_be_absent(key: str, conditions: Conditions) -> bool:
    return any(
        canonical_key(other) == key and base(operator) == "null" and values == ("true",)
        for operator, keys in conditions.items()
        for other, values in keys.items()
    )


_PRIVATE = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")))
"""RFC 1918, and the machine itself: what reaches AWS over the internet comes from none of them."""


def _private(network: str) -> bool:
    try:
        found = ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
    return isinstance(found, ipaddress.IPv4Network) and any(found.subnet_of(one) for one in _PRIVATE)


def _of_other_accounts(kind: str, key: str, values: tuple[str, ...], sources: tuple[Account, ...]) -> str | None:
    ids = [account.id for account in sources]
    names = ", ".join(account.name for account in sources)
    if not ids or any("${" in value for value in values):
        return None
    if key == "aws:principalaccount" and not any(covers(value, one) for value in values for one in ids):
        return f"the callers are of {names}"
    if key == "aws:principalarn" and kind in ("arnlike", "arnequals", "stringlike", "stringequals"):
        found = [account_of(value) for value in values]
        if all(found) and not any(covers(account, one) for account in found for one in ids):
            return f"the callers are of {names}"
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
)  # fmt: skip
"""The guardrails of this file."""
