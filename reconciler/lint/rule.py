"""What a guardrail is, and what it is looked for in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from reconciler.lint.catalogue import Catalogue
from reconciler.model import Account, Address, Grant, Level, Manifest, Plan, Spot
from reconciler.policy.document import PolicyDocument


@dataclass(frozen=True, slots=True)
class Breach:
    """That a grant breaks a rule: what is wrong in words, and where.

    `beside` is another grant without which it would not, empty where there is none.
    """

    message: str
    spot: Spot = Spot()  # noqa: RUF009 - frozen
    grant: str = ""
    address: Address | None = None
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the rules of grants see: the manifest, and the catalogue if there is one.

    `today` is like `2026-12-31`, `now` a moment (see `policy/instants.py`). `documents` are those of managed policies
    by their ARNs, as far as they have been read.
    """

    manifest: Manifest
    today: str
    now: int
    catalogue: Catalogue | None = None
    documents: Mapping[str, PolicyDocument] = field(default_factory=dict)

    def sources(self, grant: Grant) -> tuple[Account, ...]:
        """Return the source accounts of a grant, each once."""
        names = dict.fromkeys(principal.account for principal in grant.principals)
        return tuple(self.manifest.accounts[name] for name in names)


GrantCheck = Callable[[Grant, Seen], Iterator[Breach]]
CatalogueCheck = Callable[[Grant, Catalogue], Iterator[Breach]]
PlanCheck = Callable[[Plan], Iterator[Breach]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A guardrail. It has a check for each thing that it is looked for in; none if others find it.

    `title` is what is wrong where it is broken; `why` why that matters, `mend` what to do, `source` who says so,
    `level_because` why it has its level. One that is `of_permissions` looks at nothing else of a grant, so that it
    judges managed policies, too.
    """

    id: str
    level: Level
    title: str
    why: str
    mend: str
    source: str
    level_because: str
    of_grant: GrantCheck | None = field(default=None, repr=False)
    of_catalogue: CatalogueCheck | None = field(default=None, repr=False)
    of_plan: PlanCheck | None = field(default=None, repr=False)
    of_permissions: bool = False
