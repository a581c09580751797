"""Condition blocks: joining two without losing either."""

from __future__ import annotations

from collections.abc import Mapping

from reconciler.policy.case import fold

Conditions = Mapping[str, Mapping[str, tuple[str, ...]]]
"""Operator, then condition key, then values: `{"Bool": {"aws:MultiFactorAuthPresent": ("true",)}}`."""


def overlaps(left: Conditions, right: Conditions) -> tuple[tuple[str, str], ...]:
    """Return the (operator, key) pairs that stand in both, as spelt on the right; IAM ignores the case of keys."""
    taken = {(fold(operator), fold(key)) for operator, keys in left.items() for key in keys}
    return tuple(
        (operator, key) for operator, keys in right.items() for key in keys if (fold(operator), fold(key)) in taken
    )


def joined(left: Conditions, right: Conditions) -> Conditions:
    """Return a block that demands both: IAM joins operators and keys with AND.

    The two must not overlap: under one operator and key IAM joins values with OR, which would weaken both.
    """
    if overlaps(left, right):
        raise ValueError(f"both blocks hold {overlaps(left, right)}")
    result = {operator: dict(keys) for operator, keys in left.items()}
    for operator, keys in right.items():
        result.setdefault(operator, {}).update(keys)
    return result
