"""`${account.name}` and its like in the strings of a grant. What is IAM's own (`${aws:username}`) is left for IAM."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.manifest.source import PathTo
from reconciler.model import Account

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_IAMS_OWN = ("*", "?", "$")

Wrong = Callable[[PathTo, str], None]
"""Is told what is wrong with a variable, and at which path."""


class _UnknownError(Exception):
    pass


@dataclass(frozen=True, slots=True)
class Variables:
    """What the variables stand for: `account` is where the thing with the string is made.

    None stands for an account that is not known, of which everything is `x`. `sources` are those of the grant.
    """

    account: Account | None
    target: Account | None
    sources: tuple[Account, ...]
    source: Account | None = None
    """The source account whose principals are meant, inside `from`."""

    def fill(self, value: Any, wrong: Wrong, at: PathTo = ()) -> Any:
        """Return plain data with every variable in its values replaced; keys are left as they are."""
        if isinstance(value, str):
            return self._text(value, wrong, at) if "${" in value else value
        if isinstance(value, Mapping):
            return {key: self.fill(item, wrong, (*at, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, wrong, (*at, index)) for index, item in enumerate(value)]
        return value

    def _text(self, text: str, wrong: Wrong, at: PathTo) -> str:
        def replaced(match: re.Match[str]) -> str:
            name = match.group(1)
            if ":" in name or name in _IAMS_OWN:
                return match.group()
            try:
                return self._value(name)
            except _UnknownError as error:
                wrong(at, f"{match.group()}: {error}")
                return "x"

        return _VARIABLE.sub(replaced, text)

    def _value(self, name: str) -> str:
        whose, _, what = name.partition(".")
        match whose:
            case "account":
                account = self.account
            case "target":
                account = self.target
            case "source":
                account = self.source or self._only_source()
            case _:
                raise _UnknownError(
                    "unknown variable; there are account, source and target, each with .id, .name, .partition and "
                    ".tags.KEY, and IAM's own, which have a colon in them"
                )
        if what in ("id", "name", "partition"):
            return str(getattr(account, what)) if account else "x"
        if what.startswith("tags."):
            key = what.removeprefix("tags.")
            if account is not None and key not in account.tags:
                raise _UnknownError(f"the account {account.name} has no tag {key!r}; give it one, or exclude it")
            return account.tags[key] if account else "x"
        raise _UnknownError(f"{whose} has .id, .name, .partition and .tags.KEY")

    def _only_source(self) -> Account | None:
        if len(self.sources) > 1:
            raise _UnknownError(f"there are {len(self.sources)} source accounts; it stands for each of them in `from`")
        return self.sources[0] if self.sources else None
