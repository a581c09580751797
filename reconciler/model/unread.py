"""Tags of accounts that were not read, since most manifests do not need them, and they cost a call for each account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class UnreadTagsError(Exception):
    """The tags of the organization's accounts are needed."""


class UnresolvedError(Exception):
    """Only the organization knows, and it was not asked."""


class UnreadTags(Mapping[str, str]):
    """Stands for tags that were not read; whoever looks at them raises UnreadTagsError."""

    def __getitem__(self, key: str) -> str:
        raise UnreadTagsError(key)

    def __iter__(self) -> Iterator[str]:
        raise UnreadTagsError

    def __len__(self) -> int:
        raise UnreadTagsError


class StatedTags(Mapping[str, str]):
    """The tags that a manifest states of an account whose organization was not asked, and may know more of them.

    Whoever asks for another one raises UnresolvedError.
    """

    def __init__(self, stated: Mapping[str, str]) -> None:
        self._stated = stated

    def __getitem__(self, key: str) -> str:
        if key not in self._stated:
            raise UnresolvedError(key)
        return self._stated[key]

    def __iter__(self) -> Iterator[str]:
        raise UnresolvedError

    def __len__(self) -> int:
        raise UnresolvedError
