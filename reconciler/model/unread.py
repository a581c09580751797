"""Tags of accounts that were not read, since most manifests do not need them, and they cost a call for each account."""

from __future__ import annotations

from collections.abc import Iterator, Mapping


class UnreadTagsError(Exception):
    """The tags of the organization's accounts are needed."""


class UnreadTags(Mapping[str, str]):
    """Stands for tags that were not read; whoever looks at them raises UnreadTagsError."""

    def __getitem__(self, key: str) -> str:
        raise UnreadTagsError(key)

    def __iter__(self) -> Iterator[str]:
        raise UnreadTagsError

    def __len__(self) -> int:
        raise UnreadTagsError
