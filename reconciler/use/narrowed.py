"""The `from` of a grant, narrowed to some of its callers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
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
    """A principal that the command line names: its kind, the key of `from`, and its name with its path."""

    kind: PrincipalKind
    key: str
    text: str

    @property
    def name(self) -> str:
        """Return the name without the path, as IAM compares names."""
        return split_path(self.text)[1].casefold()


def choose_principal(text: str) -> Chosen:
    """Return what `user/NAME`, `group/NAME`, `role/NAME` or `permission-set/NAME` means; UsageError for all else."""
    word, _, name = text.partition("/")
    kind, key = _KEYS.get(word, (None, ""))
    if kind is None or not split_path(name)[1]:
        raise UsageError(
            f"--principal: a principal is one of {', '.join(f'{one}/NAME' for one in _KEYS)}; this is {text}"
        )
    return Chosen(kind, key, name)


def narrowed(
    stated: Mapping[str, Any], callers: Collection[Principal], wanted: Sequence[Chosen]
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return a `from` with the principals that are wanted only, and the names of users who are of none that it names.

    `stated` is that of the grant, `callers` are its principals. A user whom it does not name may be of a group that it
    names.

    Raises:
        UsageError: one is no caller of the grant, for certain.

    """
    groups = any(one.kind is PrincipalKind.GROUP for one in callers)
    found: dict[str, list[str]] = {}
    unchecked: list[str] = []
    for one in wanted:
        named = any((each.kind, each.name.casefold()) == (one.kind, one.name) for each in callers)
        if not named and not (groups and one.kind is PrincipalKind.USER):
            raise UsageError(f"--principal: the {one.kind} {one.text} is no caller of the grant: {_who(callers)}")
        if not named:
            unchecked.append(one.text)
        as_stated = (text for text in stated.get(one.key, ()) if split_path(text)[1].casefold() == one.name)
        text = next(as_stated, one.text)
        if text not in found.setdefault(one.key, []):
            found[one.key].append(text)
    ends = {key: value for key, value in stated.items() if key in ("account", "exclude")}
    return {**ends, **found}, tuple(unchecked)


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
    names = dict.fromkeys(f"{one.kind} {one.name}" for one in callers)
    return f"those are {few([*names])}"
