"""What is wrong with variables, by where they stand; what many accounts lack is said once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.errors import Place, Problem
from reconciler.manifest.variables import LackingTagError, VariableError
from reconciler.model import UnresolvedError

_NAMED = 5
"""So many accounts are named; of more the number is said."""


class VariableProblems:
    """Collects what is wrong with the variables of one thing that is made in many accounts."""

    def __init__(self) -> None:
        self._wrong: list[Problem] = []
        self._lacking: dict[tuple[Place, str, str], dict[str, None]] = {}
        self._places: set[Place] = set()
        self._unknown = False

    def note(self, place: Place, error: VariableError | UnresolvedError) -> None:
        """Note an error of the string that stands at a place."""
        self._places.add(place)
        match error:
            case UnresolvedError():
                self._unknown = True
            case LackingTagError():
                self._lacking.setdefault((place, error.variable, error.key), {})[error.account] = None
            case _:
                self._wrong.append(Problem("XG047", str(error), place))

    def unknown(self) -> bool:
        """Return whether only the organization knows what some variable stands for."""
        return self._unknown

    def wrong(self) -> bool:
        """Return whether something is wrong that is so in every account."""
        return bool(self._wrong)

    def empty(self) -> bool:
        """Return whether every variable stands for something that is known."""
        return not self._places

    def judged(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return the problems without those of strings of which nobody knows what they say."""
        return [problem for problem in problems if problem.place not in self._places]

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong."""
        yield from self._wrong
        for (place, variable, key), accounts in self._lacking.items():
            yield Problem("XG047", f"{variable}: {_lacks(list(accounts), key)}", place)


def _lacks(accounts: list[str], key: str) -> str:
    if len(accounts) == 1:
        return f"the account {accounts[0]} has no tag {key!r}; give it one, or exclude it"
    more = f" and {len(accounts) - _NAMED} more" if len(accounts) > _NAMED else ""
    named = ", ".join(accounts[:_NAMED])
    return f"the accounts {named}{more} have no tag {key!r}; give them one, or exclude them"
