"""What is known of AWS's actions. A package has it, which not everybody has installed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Action:
    """An action as the Service Authorization Reference has it.

    `levels` are its access levels, like `Write`; `on_resources` says whether a policy can name the resources.
    """

    name: str
    levels: frozenset[str]
    on_resources: bool


@dataclass(frozen=True, slots=True)
class Service:
    """A service by the prefix of its actions: its actions by their folded names, and its own condition keys."""

    prefix: str
    actions: Mapping[str, Action]
    condition_keys: frozenset[str]


class Catalogue(Protocol):
    """The services of AWS."""

    def __hash__(self) -> int:
        """Return a hash: what is found in it is kept."""
        ...

    def prefixes(self) -> frozenset[str]:
        """Return the prefixes of all services, in lower case."""
        ...

    def service(self, prefix: str) -> Service | None:
        """Return the service of a prefix, whatever its case; None if there is none."""
        ...
