"""The statements of a grant's permissions, each with where it stands, and what wildcards in them match."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from reconciler.model import Grant, Spot
from reconciler.policy.arn import covers
from reconciler.policy.case import fold
from reconciler.policy.document import PolicyDocument


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement: its elements as `PolicyDocument.statements` has them, its place among those of its policy.

    `policy` is the name of the inline policy that it is of; empty for the permissions of the grant.
    """

    data: Mapping[str, Any]
    index: int
    policy: str = ""

    def allows(self) -> bool:
        """Return whether it is an Allow."""
        return bool(self.data.get("Effect") == "Allow")

    def values(self, element: str) -> list[str]:
        """Return the values of an element, like `Action`; none where it is not there."""
        return list(self.data.get(element, ()))

    def conditions(self) -> Mapping[str, Mapping[str, Any]]:
        """Return its condition block; an empty one where it has none."""
        found: Mapping[str, Mapping[str, Any]] = self.data.get("Condition", {})
        return found

    def condition_keys(self) -> Iterator[tuple[str, str]]:
        """Yield its condition operators and keys, as they are spelt."""
        for operator, keys in self.data.get("Condition", {}).items():
            for key in keys:
                yield operator, key

    def spot(self, element: str = "", value: str = "") -> Spot:
        """Return where it stands, or a part of it."""
        return Spot(policy=self.policy, statement=self.index, element=element, value=value)


def statements(grant: Grant) -> Iterator[Statement]:
    """Yield the statements of the permissions and of the inline policies of a grant."""
    documents = {"": grant.permissions, **grant.inline_policies}
    for name, document in documents.items():
        if document is not None:
            for index, data in enumerate(_read(document.written)):
                yield Statement(data, index, name)


@lru_cache(maxsize=256)
def _read(written: str) -> tuple[dict[str, Any], ...]:
    # One rule after the other asks for those of one grant. By the text: equal documents may have another order.
    return PolicyDocument(written, written).statements()


def allowing(grant: Grant) -> Iterator[Statement]:
    """Yield those of them that allow."""
    return (statement for statement in statements(grant) if statement.allows())


@lru_cache(maxsize=65_536)
def matches(pattern: str, action: str) -> bool:
    """Return whether an action of a policy, which may have wildcards, is or includes an action; case does not count."""
    return covers(fold(pattern), fold(action))


def prefix_of(action: str) -> str:
    """Return the service's part of an action, in lower case; `*` of the action `*`."""
    return fold(action.split(":", 1)[0])


def has_wildcard(text: str) -> bool:
    """Return whether a text has a wildcard outside of policy variables."""
    return re.search(r"[*?]", re.sub(r"\$\{[^}]*\}", "", text)) is not None


def in_words(names: list[str]) -> str:
    """Return names as a list in a sentence."""
    return ", ".join(names)
