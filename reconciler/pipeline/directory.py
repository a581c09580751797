"""Manifests with the accounts of their organization, which are listed anew or taken from a list that is new enough."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

from reconciler.events import Listed, Notice
from reconciler.manifest import load
from reconciler.model import ACTIVE, Account, Manifest, Organization, UnreadTags
from reconciler.pipeline.stores import store_folder
from reconciler.ports import Directory, Entry, Store


def load_with_accounts(
    paths: Iterable[str], notify: Callable[[Notice], None] = lambda _: None, *, anew: bool = False, tags: bool = False,
    writing: bool = False,
) -> Manifest:  # fmt: skip
    """Read manifests as `manifest.load` does; where they name an organization, it is asked for its accounts.

    `anew` takes no list that was made before: what writes must not go by one that somebody else may have put there.
    `tags` reads the tags of all accounts, whether they are needed or not. With `writing` the accounts are to be reached
    as an apply reaches them, else as a plan does.

    Raises:
        ManifestError: with every problem of every file.
        AwsError: the organization cannot be asked.
        StoreError: the list cannot be kept.

    """
    from reconciler.store import FileStore

    named = list(paths)
    store = FileStore(store_folder(named[0]))
    manifest = load(named, directory=_Kept(store, notify, anew=anew, tags=tags))
    if not writing:
        return manifest
    return replace(manifest, accounts={name: one.as_applied_to() for name, one in manifest.accounts.items()})


@dataclass(slots=True)
class _Kept:
    """A directory that keeps its lists as long as the organization says."""

    store: Store
    notify: Callable[[Notice], None]
    anew: bool
    tags: bool
    told: Listed | None = None

    def accounts(self, organization: Organization, *, tags: bool) -> tuple[Account, ...]:
        tags = tags or self.tags
        # Whose list it is, without what is secret of how it is asked for.
        asked = asdict(replace(organization, access=replace(organization.access, external_id=None)))
        key = f"accounts/{sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]}.json"
        kept = self.store.read(key) if organization.refresh else None
        if kept is not None and not self.anew and 0 <= kept.age <= organization.refresh:
            found = _read(kept, tags=tags)
            if found is not None:
                self._tell(found, kept.age)
                return found
        found = _directory(self.notify).accounts(organization, tags=tags)
        self._tell(found, 0)
        if organization.refresh:
            content = _content(found, tags=tags)
            if kept is None:
                self.store.create(key, content)
            else:
                self.store.replace(key, content, kept.etag)
        return found

    def _tell(self, found: tuple[Account, ...], age: float) -> None:
        """Tell of a list; once, where it is listed again only for the tags."""
        unused = sorted(f"{account.name} ({account.state})" for account in found if account.state != ACTIVE)
        told = Listed(len(found), age, tuple(unused))
        if told != self.told:
            self.notify(told)
        self.told = told


def _directory(notify: Callable[[Notice], None]) -> Directory:
    # boto3 takes long to import, and most manifests name no organization.
    from reconciler.aws import AwsDirectory, Connections

    return AwsDirectory(Connections("", notify))


def _content(accounts: tuple[Account, ...], *, tags: bool) -> bytes:
    rows = [
        {
            "name": account.name, "id": account.id, "partition": account.partition, "ou": list(account.ou),
            "units": account.units, "state": account.state, "tags": dict(account.tags) if tags else None,
        }
        for account in accounts
    ]  # fmt: skip
    return json.dumps({"format": 1, "accounts": rows}).encode()


def _read(kept: Entry, *, tags: bool) -> tuple[Account, ...] | None:
    """Return the accounts of a list; None if it is none, or lacks the tags that are needed."""
    try:
        data = json.loads(kept.content)
        rows: list[dict[str, Any]] = data["accounts"]
        if data["format"] != 1 or not all(map(_is_account, rows)):
            return None
        if tags and any(row["tags"] is None for row in rows):
            return None
        return tuple(
            Account(
                row["name"], row["id"], partition=row["partition"], ou=tuple(row["ou"]), units=row["units"],
                state=row["state"], tags=UnreadTags() if row["tags"] is None else row["tags"],
            )
            for row in rows
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _is_account(row: dict[str, Any]) -> bool:
    tags = {} if row["tags"] is None else row["tags"]
    if not isinstance(tags, dict) or not isinstance(row["ou"], list):
        return False
    texts = [row["name"], row["id"], row["partition"], row["units"], row["state"], *row["ou"], *tags, *tags.values()]
    return all(isinstance(text, str) for text in texts) and re.fullmatch(r"[0-9]{12}", row["id"]) is not None
