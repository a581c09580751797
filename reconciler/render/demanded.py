"""What a role demands of those who assume it, in words: `with MFA`, `with an external id`, `until 2026-12-31`."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.model import CURRENT_TIME, Role
from reconciler.ownership import EXPIRY_POLICY
from reconciler.policy.case import fold
from reconciler.policy.document import PolicyDocument
from reconciler.policy.instants import instant_of
from reconciler.render.marks import GAIN, LOSS, OTHER
from reconciler.render.statements import Rows, statement_rows

_BY_KEY = {
    "aws:multifactorauthpresent": "with MFA",
    "aws:multifactorauthage": "with MFA, not long ago",
    "sts:externalid": "with an external id",
    "aws:principalorgid": "from the organization",
    "aws:sourceip": "from certain addresses",
}
"""What is said of a condition, whatever its values: an external id is not to be read here."""

_TIMES = {
    "datelessthan": "until",
    "datelessthanequals": "until",
    "dategreaterthan": "from",
    "dategreaterthanequals": "from",
}
_BOUNDS = ("from 2", "from 1", "until ", "with sessions that end ")
_ENDS = f"Condition DateGreaterThanEquals {CURRENT_TIME}"


def demanded(role: Role) -> tuple[str, ...]:
    """Return what is demanded by every way into a role, each in words, in one order.

    What only some ways demand is left out, as is who somebody has to be. That sessions end is said where the trust
    policy does not say the same end.
    """
    ways = [{*_of_statement(row)} for row in statement_rows(role.trust_policy) if row.get("Effect") == ["Allow"]]
    found = set.intersection(*ways) if ways else set[str]()
    end = expiry(role.inline_policies.get(EXPIRY_POLICY))
    if end and f"until {_moment(end)}" not in found:
        found.add(f"with sessions that end {_moment(end)}")
    return tuple(sorted(found, key=_rank))


def changed_demands(before: Role, after: Role) -> Iterator[tuple[str, str]]:
    """Yield what a role demands no more and what it demands newly: a mark, and `only with MFA now` or its like."""
    old, new = demanded(before), demanded(after)
    if before.trust_policy.unreadable() is not None:
        yield from ((OTHER, f"only {words}") for words in new)
        return
    gone, come = ([one for one in these if one not in others] for these, others in ((old, new), (new, old)))
    for words in gone:
        if not (_bound(words) and _bound(words) in map(_bound, come)):
            yield GAIN, f"no longer only {words}"
    for words in come:
        earlier = [one for one in gone if _bound(words) and _bound(one) == _bound(words)]
        yield (OTHER, f"only {words} now, and not {earlier[0]}") if earlier else (LOSS, f"only {words} now")


def _bound(words: str) -> str:
    """Return which end of a time words say; nothing of others."""
    return next((one for one in _BOUNDS if words.startswith(one)), "")


def expiry(document: PolicyDocument | None) -> str:
    """Return from when on a policy denies everything, and does nothing else; or nothing."""
    if document is None:
        return ""
    match statement_rows(document):
        case [{"Effect": ["Deny"], "Action": ["*"], "Resource": ["*"], **rest}] if set(rest) - {"Sid"} == {_ENDS}:
            (moment, *others) = rest[_ENDS]
            return "" if others else moment
    return ""


def _of_statement(row: Rows) -> Iterator[str]:
    for label, values in row.items():
        if not label.startswith("Condition "):
            continue
        _, operator, key = label.split(" ", 2)
        folded, named = fold(operator), fold(key)
        if named == fold(CURRENT_TIME) and folded in _TIMES and len(values) == 1:
            yield f"{_TIMES[folded]} {_moment(values[0])}"
        elif named in _BY_KEY and "not" not in folded and not folded.endswith("ifexists") and values != ["false"]:
            yield _BY_KEY[named]


def _moment(text: str) -> str:
    """Return a day where the moment is its beginning; else the moment."""
    try:
        instant_of(text)
    except ValueError:
        return text
    return text.removesuffix("T00:00:00Z")


def _rank(words: str) -> tuple[bool, str]:
    # Times come last.
    return (bool(_bound(words)), words)
