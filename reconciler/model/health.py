"""What is found of the set-up in which xgrant works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from reconciler.model.plan import Severity


@dataclass(frozen=True, slots=True)
class Ailment:
    """One thing wrong with the set-up: a stable code (`XG3nn`), what it is, why that matters, and what to do.

    `account` is the manifest's name; empty where it is of none. A note is no reason to fail.
    """

    rule: str
    severity: Severity
    account: str
    message: str
    why: str
    way_out: str


@dataclass(frozen=True, slots=True)
class Trail:
    """A trail of CloudTrail, as far as it concerns an account. `reads` says whether it has management events that read.

    AssumeRole is one of those (facts sheet 8.1). `logging` and `reads` are None where that is not seen; then `unseen`
    says why, and `denied` that it may not be asked.
    """

    name: str
    logging: bool | None
    all_regions: bool
    organization: bool
    reads: bool | None
    unseen: str = ""
    denied: bool = False

    def perhaps(self) -> bool:
        """Return whether it may be right as far as it is seen."""
        return self.logging is not False and self.all_regions and self.reads is not False


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the identity that xgrant uses in an account may do: by action and resource."""

    who: str
    decisions: Mapping[tuple[str, str], bool]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was looked at, accounts with their ids, and what was found. `unread` says why nothing is known of one."""

    accounts: Mapping[str, str]
    ailments: tuple[Ailment, ...]
    unread: Mapping[str, str]
