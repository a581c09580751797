"""`${account.name}` and its like in the strings of a grant. What is IAM's own (`${aws:username}`) is left for IAM."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.manifest.source import PathTo
from reconciler.model import Account, UnresolvedError

_VARIABLE = re.compile(r"\$\{([^}]*)(\}?)")
_IAMS_OWN = ("*", "?", "$")
_OURS = re.compile(r"\s*(account|target|source)\b", re.IGNORECASE)

# What AWS lets a tag's value hold, without the space: no wildcard, no quote, no variable. A colon or a slash divides an
# ARN and a path; a subject of a token they would make one of another repository.
_PLAIN, _PART = re.compile(r"[A-Za-z0-9_./=+@:-]+"), re.compile(r"[A-Za-z0-9_.=+@-]+")

_ANY = Account("x", "000000000000")
"""Has what any account has: a name, an id, a partition."""


class VariableError(Exception):
    """A variable stands for nothing; the text says why, and what to do."""


class LackingTagError(VariableError):
    """An account has no tag of that key."""

    def __init__(self, variable: str, account: str, key: str) -> None:
        super().__init__(variable)
        self.variable, self.account, self.key = variable, account, key


Wrong = Callable[[PathTo, VariableError | UnresolvedError], None]
"""Is told what is wrong with a variable, and at which path; UnresolvedError where it may be right."""


@dataclass(frozen=True, slots=True)
class Variables:
    """What the variables stand for: `account` is where the thing with the string is made.

    None stands for an account that is not known: what every account has is then that of some account, and its tags
    are unresolved. `sources` are those of the grant; `sourceless` says that it has none, by what it is.
    """

    account: Account | None
    target: Account | None
    sources: tuple[Account, ...]
    source: Account | None = None
    """The source account whose principals are meant, inside `from`."""

    sourceless: bool = False
    parts: bool = False
    """Whether a tag's value has to be a part of the string, with nothing in it that divides parts."""

    def fill(self, value: Any, wrong: Wrong, at: PathTo = ()) -> Any:
        """Return plain data with every variable in its values replaced; in a key there may be none.

        One that is wrong is replaced by `x`, and `wrong` is told.
        """
        if isinstance(value, str):
            return self._text(value, wrong, at) if "${" in value else value
        if isinstance(value, Mapping):
            for key in value:
                for name in _VARIABLE.findall(key) if "$" in key else ():
                    if _OURS.match(name[0]):
                        wrong((*at, key), VariableError(f"{key}: a key can have no variable of accounts in it"))
            return {key: self.fill(item, wrong, (*at, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item, wrong, (*at, index)) for index, item in enumerate(value)]
        return value

    def _text(self, text: str, wrong: Wrong, at: PathTo) -> str:
        def replaced(match: re.Match[str]) -> str:
            name = match.group(1)
            if match.group(2) and not _OURS.match(name) and (":" in name or name in _IAMS_OWN):
                return match.group()
            if not match.group(2):
                wrong(at, VariableError(f"{match.group()[:40]}: the variable has no end; close it with a brace"))
                return "x"
            try:
                return self._value(match.group(), name)
            except (VariableError, UnresolvedError) as error:
                wrong(at, error)
                return "x"

        return _VARIABLE.sub(replaced, text)

    def _value(self, variable: str, name: str) -> str:
        whose, _, what = name.partition(".")
        match whose:
            case "account":
                account = self.account
            case "target":
                account = self.target
            case "source":
                account = self.source or self._only_source(variable)
            case _:
                raise VariableError(
                    f"{variable}: unknown variable; there are account, source and target, each with .id, .name, "
                    ".partition and .tags.KEY, and IAM's own, which have a colon in them"
                )
        if what in ("id", "name", "partition"):
            return str(getattr(account or _ANY, what))
        if what.startswith("tags."):
            key = what.removeprefix("tags.")
            if account is None:
                raise UnresolvedError(variable)
            if key not in account.tags:
                raise LackingTagError(variable, account.name, key)
            return _plain(variable, account, key, part=self.parts)
        raise VariableError(f"{variable}: {whose} has .id, .name, .partition and .tags.KEY")

    def _only_source(self, variable: str) -> Account | None:
        if self.sourceless:
            raise VariableError(
                f"{variable}: the callers of `from.oidc` are of no source account; write target, or the text itself"
            )
        if len(self.sources) > 1:
            raise VariableError(
                f"{variable}: there are {len(self.sources)} source accounts; it stands for each of them in `from`"
            )
        return self.sources[0] if self.sources else None


def _plain(variable: str, account: Account, key: str, *, part: bool) -> str:
    """Return the value of a tag, if it brings no wildcard, quote or variable; a `part` brings nothing that divides."""
    value = account.tags[key]
    if not (_PART if part else _PLAIN).fullmatch(value):
        allowed = "_.=+@- here" if part else "_./=+@:-"
        what = "is empty" if not value else f"has more in it than letters, digits and {allowed}"
        raise VariableError(
            f"{variable}: the tag {key!r} of account {account.name} {what}, so it cannot stand in a string"
        )
    return value
