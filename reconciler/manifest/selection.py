"""Which accounts a grant means: one, a list, a named group, or those that have some tags or lie below a unit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from reconciler.manifest.reasons import unknown, unmet
from reconciler.manifest.source import PathTo
from reconciler.model import Account, UnresolvedError
from reconciler.policy.document import listed
from reconciler.wording import FEW, few

_DEEPEST = 20


class SelectionError(Exception):
    """What is wrong with a selection, and below which path of it."""

    def __init__(self, code: str, message: str, path: PathTo = ()) -> None:
        self.code = code
        self.path = path
        super().__init__(message)


class Selection:
    """The accounts of a manifest and its groups of accounts, by name. A group is said as a grant says its accounts.

    With `unasked` there is an organization whose accounts are not among them. `inactive` are accounts that can be named
    and not used: they are left out. `excluded` are the names of those that the organization has and the manifest
    excludes. With `kept` the list of its accounts may be old.
    """

    def __init__(
        self, accounts: Mapping[str, Account], groups: Mapping[str, Any], *, unasked: bool = False,
        inactive: Iterable[Account] = (), excluded: frozenset[str] = frozenset(), kept: bool = False,
    ) -> None:  # fmt: skip
        self._accounts = accounts
        self._groups = groups
        self._unasked = unasked
        self._inactive = {account.name: account for account in inactive}
        self._excluded = excluded
        self._kept = kept
        self._known: dict[str, dict[str, Account]] = {}

    def select(
        self, stated: Any, exclude: Iterable[str] = (), *, otherwise: str = "remove the grant"
    ) -> tuple[Account, ...]:
        """Return the accounts that are meant, by name: `stated` is a name, a list of names, or criteria.

        Criteria are `accounts`, `tags` and `ou`, of which all have to hold, and `exclude`. Names are of accounts or of
        groups. `otherwise` is what can be done where no account is meant, save to mend it.

        Raises:
            SelectionError: a name is unknown, a group contains itself, or no account is left.
            UnresolvedError: only the organization knows.

        """
        found = self._of(stated, ())
        meant = sorted(found)
        for index, name in enumerate(exclude):
            for account in self._named(name, ("exclude", index), ()):
                found.pop(account, None)
        if not found:
            why = f"exclude takes out {few(meant)}" if meant else self._why_none(stated)
            raise SelectionError("XG046", f"no account is meant by this: {why}; mend it, or {otherwise}")
        return tuple(found[name] for name in sorted(found))

    def members(self, group: str) -> frozenset[str]:
        """Return the accounts of a group, by name; it may be empty. Raises as `select` does."""
        return frozenset(self._of(self._groups[group], (group,)))

    def _why_none(self, stated: Any) -> str:
        """Say why nothing is found by what is stated."""
        if isinstance(stated, str):
            gone = self._inactive.get(stated)
            return f"{stated} is {gone.state}" if gone else f"{stated}: {self._why_none(self._groups[stated])}"
        if isinstance(stated, list):
            return "; ".join(map(self._why_none, stated[:FEW]))
        names, rest = stated.get("accounts"), {key: value for key, value in stated.items() if key != "exclude"}
        if names is not None and not self._any(names, (), ()):
            return self._why_none(names)
        managed = [account for account in self._accounts.values() if account.managed]
        found = managed if names is None else [*self._any(names, (), ()).values()]
        return unmet(rest, found) or f"exclude takes out {few(sorted(self._of(rest, ())))}"

    def _of(self, stated: Any, inside: tuple[str, ...]) -> dict[str, Account]:
        if isinstance(stated, str):
            return self._named(stated, (), inside)
        if isinstance(stated, list):
            return self._any(stated, (), inside)
        if "accounts" in stated:
            found = self._any(stated["accounts"], ("accounts",), inside)
        elif self._unasked:
            raise UnresolvedError
        else:
            # Somebody else's account is meant only where it is named.
            found = {name: account for name, account in self._accounts.items() if account.managed}
        for key, values in stated.get("tags", {}).items():
            found = {name: account for name, account in found.items() if account.tags.get(key) in listed(values)}
        if "ou" in stated:
            if self._unasked:
                raise UnresolvedError
            units = set(listed(stated["ou"]))
            found = {name: account for name, account in found.items() if units.intersection(account.ou)}
        for name in self._any(stated.get("exclude", []), ("exclude",), inside):
            found.pop(name, None)
        return found

    def _any(self, names: Iterable[str], at: PathTo, inside: tuple[str, ...]) -> dict[str, Account]:
        found: dict[str, Account] = {}
        for index, name in enumerate(names):
            found |= self._named(name, (*at, index), inside)
        return found

    def _named(self, name: str, at: PathTo, inside: tuple[str, ...]) -> dict[str, Account]:
        if name in self._accounts:
            return {name: self._accounts[name]}
        if name in self._inactive:
            return {}
        if name in inside:
            circle = " -> ".join((*inside[inside.index(name) :], name))
            raise SelectionError("XG045", f"the group {name} contains itself: {circle}; take one of them out", at)
        if name not in self._groups and self._unasked:
            raise UnresolvedError
        if name not in self._groups:
            message = unknown(name, self._accounts, self._groups, self._excluded, kept=self._kept)
            raise SelectionError("XG024", message, at)
        if len(inside) >= _DEEPEST:
            raise SelectionError("XG045", f"groups are nested more than {_DEEPEST} deep; name the accounts", at)
        try:
            if name not in self._known:
                self._known[name] = self._of(self._groups[name], (*inside, name))
            # A copy: whoever asks may take accounts out of it.
            return dict(self._known[name])
        except SelectionError as error:
            # Where the group stands is said when the group itself is checked.
            raise SelectionError(error.code, str(error), at) from None
