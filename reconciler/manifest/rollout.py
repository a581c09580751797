"""In which waves an apply goes over the accounts, as one file says it for all."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

from reconciler.errors import Problem
from reconciler.manifest.selection import Selection, SelectionError
from reconciler.manifest.source import Source
from reconciler.model import Rollout, UnresolvedError
from reconciler.policy.document import listed

_WHOLE = 100


def rollout_of(
    sources: list[tuple[Source, Path]], selection: Selection | None, problems: list[Problem]
) -> Rollout | None:
    """Return the rollout that one file states; append what is wrong with it to `problems`.

    Without a selection, and where only the organization knows which accounts the canary is, that is left out.
    """
    stated = [source for source, _ in sources if isinstance(source.data.get("rollout"), dict)]
    for source in stated[1:]:
        message = f"the rollout stands already in {stated[0].file}; it holds for all files, so keep one"
        problems.append(Problem("XG051", message, source.key_place(("rollout",))))
    if not stated:
        return None
    raw = stated[0].data["rollout"]
    then = tuple(int(text.removesuffix("%")) for text in listed(raw.get("then", [])))
    for index, (percent, following) in enumerate(pairwise(then)):
        if following <= percent:
            message = f"{following}% comes after {percent}%; each is a part of all accounts, so let them rise"
            problems.append(Problem("XG052", message, stated[0].place(("rollout", "then", index + 1))))
    if then[-1:] != (_WHOLE,):
        then = (*then, _WHOLE)
    return Rollout(_canary(raw, stated[0], selection, problems), then, raw.get("stop_on", 1))


def _canary(
    raw: dict[str, Any], source: Source, selection: Selection | None, problems: list[Problem]
) -> frozenset[str]:
    if "canary" not in raw or selection is None:
        return frozenset()
    try:
        found = selection.select(raw["canary"], otherwise="leave canary out")
    except UnresolvedError:
        return frozenset()
    except SelectionError as error:
        problems.append(Problem(error.code, str(error), source.place(("rollout", "canary", *error.path))))
        return frozenset()
    managed = frozenset(account.name for account in found if account.managed)
    if not managed:
        message = "xgrant manages none of these accounts, so nothing is tried there; name others, or leave canary out"
        problems.append(Problem("XG052", message, source.place(("rollout", "canary"))))
    return managed
