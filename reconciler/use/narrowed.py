"""The `from` of a grant, narrowed to some of its callers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reconciler.errors import UsageError
from reconciler.model import Principal, PrincipalKind
from reconciler.policy.arn import split_path
from reconciler.wording import few

_KEYS = {
    "user": (PrincipalKind.USER, "users"),
    "group": (PrincipalKind.GROUP, "groups"),
    "role": (PrincipalKind.ROLE, "roles"),
    "permission-set": (PrincipalKind.PERMISSION_SET, "permission_sets"),
}
"""By the word of the command line a kind of principal, and under which key of `from` it stands."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """A principal that the command line names: its kind, the key of `from`, and its name with its path.

    `account` is the name of its account, empty where that is not said.
    """

    kind: PrincipalKind
    key: str
    text: str
    account: str = ""

    @property
    def name(self) -> str:
        """Return the name without the path, as IAM compares names."""
        return split_path(self.text)[1].casefold()

    @property
    def word(self) -> str:
        """Return what the command line calls its kind."""
        return next(word for word, (kind, _) in _KEYS.items() if kind is self.kind)


def choose_principal(text: str) -> Chosen:
    """Return what `user/NAME`, `group/NAME`, `role/NAME` or `permission-set/NAME` means, or that behind `ACCOUNT/`.

    Raises:
        UsageError: it is nothing of that.

    """
    account, _, rest = ("", "", text) if text.partition("/")[0] in _KEYS else text.partition("/")
    word, _, name = rest.partition("/")
    kind, key = _KEYS.get(word, (None, ""))
    if kind is None or not split_path(name)[1]:
        raise UsageError(
            f"--principal: a principal is one of {', '.join(f'{one}/NAME' for one in _KEYS)}, or that behind the name "
            f"of its account, like dev/user/NAME; this is {text}"
        )
    return Chosen(kind, key, name, account)


def narrowed(callers: Collection[Principal], wanted: Sequence[Chosen]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a `from` with the principals that are wanted only, and the names of users who are of none that it names.

    `callers` are the principals of the grant. A user who is none of them may be of a group that is. All are of the one
    account that is named, or that alone can be meant.

    Raises:
        UsageError: one is no caller of the grant, for certain, or may be of several accounts; or they are of several.

    """
    found: dict[str, list[str]] = {}
    unchecked: list[str] = []
    accounts: set[str] = set()
    for one in wanted:
        account = _account_of(one, callers)
        accounts.add(account)
        named = next((each for each in callers if _is(each, one) and each.account == account), None)
        if named is None:
            unchecked.append(one.text)
        text = one.text if named is None else f"{named.path}{named.name}".removeprefix("/")
        if text not in found.setdefault(one.key, []):
            found[one.key].append(text)
    if len(accounts) > 1:
        raise UsageError(f"--principal: these are of {few(sorted(accounts))}; ask for those of each account by itself")
    return {"account": accounts.pop(), **found}, tuple(unchecked)


def _account_of(one: Chosen, callers: Collection[Principal]) -> str:
    """Return the account of which a principal is: the one where the grant names it, or a group that it may be of."""
    named = {each.account for each in callers if _is(each, one)}
    grouped = {each.account for each in callers if each.kind is PrincipalKind.GROUP and one.kind is PrincipalKind.USER}
    if one.account in named | grouped:
        return one.account
    if one.account or not named | grouped:
        where = f" of {one.account}" if one.account else ""
        raise UsageError(f"--principal: the {one.kind} {one.text}{where} is no caller of the grant: {_who(callers)}")
    first, *more = sorted(named or grouped)
    if more:
        raise UsageError(
            f"--principal: the {one.kind} {one.text} may be of {few([first, *more])}; name its account, too, like "
            f"{first}/{one.word}/{one.text}"
        )
    return first


def _is(principal: Principal, one: Chosen) -> bool:
    return (principal.kind, principal.name.casefold()) == (one.kind, one.name)


def strangers(before: Iterable[Principal], after: Iterable[Principal], unchecked: Collection[str]) -> tuple[str, ...]:
    """Return who would be let in and may not be meant: who is of an account for which the grant does not name them.

    `unchecked` are users who may be of a group.
    """
    known = {(one.account, one.kind, one.name.casefold()) for one in before}
    grouped = {account for account, kind, _ in known if kind is PrincipalKind.GROUP}
    names = {split_path(text)[1].casefold() for text in unchecked}
    return tuple(
        f"{one.kind} {one.name} of {one.account}"
        for one in after
        if (one.account, one.kind, one.name.casefold()) not in known
        and not (one.kind is PrincipalKind.USER and one.name.casefold() in names and one.account in grouped)
    )


def _who(callers: Collection[Principal]) -> str:
    if any(one.kind is PrincipalKind.ACCOUNT for one in callers):
        return "it is for a whole account, whose own policies choose; narrow the new file by hand"
    several = len({one.account for one in callers}) > 1
    names = dict.fromkeys(f"{one.kind} {one.name}{f' of {one.account}' if several else ''}" for one in callers)
    return f"those are {few([*names])}"
