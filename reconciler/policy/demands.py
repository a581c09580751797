"""What a condition block demands of a condition key: the one answer that all guardrails go by.

IAM user guide, "IAM JSON policy elements: Condition operators" and "Multivalued context keys": operators and keys are
joined with AND, values with OR. A request that lacks a key meets what negates, `...IfExists` and `ForAllValues`, and
nothing else; `Null` asks whether it lacks it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconciler.policy.arn import covers
from reconciler.policy.canonical import canonical_key
from reconciler.policy.case import fold

_NAMING = ("stringequals", "stringlike", "stringequalsignorecase", "arnequals", "arnlike")
"""The operators, in their basic form, that say which values there may be."""

_WITH_WILDCARDS = ("stringlike", "arnequals", "arnlike")
_NUMBERS_BELOW = ("numericlessthan", "numericlessthanequals", "numericequals")
_VARIABLE = re.compile(r"\$\{([^},]*)[^}]*\}")

NAMES = (
    "abcdefghijklmnopqrstuvwxyz/ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-",
    "-_@.,=+9876543210ZYXWVUTSRQPONMLKJIHGFEDCBA/zyxwvutsrqponmlkjihgfedcba",
)
"""Two invented names: a pattern that fits both, like `*`, `?*` or `*a*`, says of a name next to nothing."""

_PROBES: Mapping[str, tuple[str, ...]] = {
    "aws:principalorgid": ("o-a1b2c3d4e5", "o-zz99zz99zz"),
    "aws:principalorgpaths": ("o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/", "o-zz99zz99zz/r-zz99/ou-zz99-zzzzzzzz/"),
    "aws:principalaccount": ("111122223333", "444455556666"),
    "aws:resourceaccount": ("111122223333", "444455556666"),
    "aws:resourceorgid": ("o-a1b2c3d4e5", "o-zz99zz99zz"),
    "aws:userid": ("AIDACKCEVSQ6C2EXAMPLE", "AROADBQP57FF2AEXAMPLE:zz.Z9"),
    "iam:passedtoservice": ("ec2.amazonaws.com", "lambda.amazonaws.com"),
    "iam:permissionsboundary": ("arn:aws:iam::111122223333:policy/a", "arn:aws:iam::444455556666:policy/zz/Z9"),
}
"""By key, values that have nothing in common but their form: what all of them meet holds nobody back."""


@dataclass(frozen=True, slots=True)
class Demand:
    """A condition: its operator and key as they are spelt, its values.

    `kind` is the operator in lower case without what stands before and behind it, `name` the key in its one spelling.
    One that is `there` is not met by a request that lacks the key.
    """

    operator: str
    key: str
    values: tuple[str, ...]
    kind: str
    name: str
    there: bool

    def base(self) -> str:
        """Return the key without that of a tag: `aws:resourcetag` of `aws:ResourceTag/team`."""
        return self.name.split("/", 1)[0]

    def names(self) -> bool:
        """Return whether it says which values there may be, and is not met where there is none."""
        return self.there and self.kind in _NAMING

    def narrows(self, *groups: Iterable[str]) -> bool:
        """Return whether it lets in only some of all values that there are.

        It does not where its values, taken together, fit every one of a group of invented values, or where one of them
        stands for the key itself. Without `groups` those are taken that are known of the key.
        """
        if not self.names() or any(_says_nothing(self.name, value) for value in self.values):
            return False
        probes = groups or (_PROBES.get(self.name, NAMES),)
        return not any(all(self.fits(probe) for probe in group) for group in probes)

    def fits(self, value: str) -> bool:
        """Return whether one of its values is, or is a pattern of, a value."""
        if self.kind in _WITH_WILDCARDS:
            return any(covers(_bare(self.name, stated), value) for stated in self.values)
        return value in self.values


def demands(conditions: Mapping[str, Mapping[str, Iterable[str]]]) -> Iterator[Demand]:
    """Yield what a condition block demands, one for each operator and key."""
    stated = [
        (operator, key, tuple(values), kind_of(operator), canonical_key(key))
        for operator, keys in conditions.items()
        for key, values in keys.items()
    ]
    present = {name for _, _, values, kind, name in stated if kind == "null" and {*map(fold, values)} == {"false"}}
    for operator, key, values, kind, name in stated:
        folded = fold(operator)
        if kind == "null":
            there = name in present
        else:
            lax = folded.endswith("ifexists") or folded.startswith("forallvalues:")
            there = "not" not in kind and (not lax or name in present)
        yield Demand(operator, key, values, kind, name, there)


def narrowed(
    conditions: Mapping[str, Mapping[str, Iterable[str]]], concerned: Callable[[Demand], bool], *groups: Iterable[str]
) -> bool:
    """Return whether a condition block lets in only some of the values of a key that is `concerned`."""
    return any(concerned(one) and one.narrows(*groups) for one in demands(conditions))


def on(*keys: str) -> Callable[[Demand], bool]:
    """Return what is true of a demand on one of these keys, in their one spelling; of tags without the tag's key."""
    return lambda one: one.base() in keys


def demands_mfa(conditions: Mapping[str, Mapping[str, Iterable[str]]]) -> bool:
    """Return whether only sessions with MFA meet the conditions.

    Requests without MFA lack aws:MultiFactorAuthAge, and may have aws:MultiFactorAuthPresent as false or lack it (user
    guide, "AWS global condition context keys"): so `BoolIfExists` true lets in the keys of a user.
    """
    for one in demands(conditions):
        if one.name == "aws:multifactorauthpresent" and one.there and one.kind == "bool":
            if {*map(fold, one.values)} == {"true"}:
                return True
        elif one.name == "aws:multifactorauthage" and one.there and (one.kind in (*_NUMBERS_BELOW, "null")):
            return True
    return False


def kind_of(operator: str) -> str:
    """Return a condition operator in lower case, without what stands before and behind it."""
    return fold(operator).rsplit(":", 1)[-1].removesuffix("ifexists")


def _says_nothing(name: str, value: str) -> bool:
    """Return whether a value is nothing but wildcards, or the key's own value by a policy variable."""
    itself = any(canonical_key(variable.strip()) == name for variable in _VARIABLE.findall(value))
    return itself or (value != "" and not set(value) - {"*", "?"})


_OF_CALLERS = ("aws:principalarn", "aws:userid", "aws:username", "aws:principalaccount", "aws:principalorgid")
"""Keys that tell of the caller, so that each says of the others what they are anyway."""


def _bare(name: str, pattern: str) -> str:
    """Return a pattern of a key without policy variables: as a star what is so anyway, else as what nothing fits."""

    def meant(match: re.Match[str]) -> str:
        its_own = name in _OF_CALLERS and canonical_key(match.group(1).strip()) in _OF_CALLERS
        return "*" if its_own else "\N{REPLACEMENT CHARACTER}"

    return _VARIABLE.sub(meant, pattern)
