"""The accounts of a manifest, and how each is reached, as text and as data."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from reconciler.model import Access, Account, Departed, Hub, Manifest
from reconciler.render.data import dumps
from reconciler.render.escape import escape


def accounts_text(manifest: Manifest) -> str:
    """Return a table of all accounts, those that cannot be used at the end; ends with a line break."""
    used = [account for _, account in sorted(manifest.accounts.items())]
    rows: list[tuple[str, ...]] = [("ACCOUNT", "ID", "STATE", "UNIT", "GROUPS", "REACHED BY")]
    hubs = {way.hub for account in used if account.managed for way in account.ways() if way.role and way.hub}
    # One hub for all would make every row twice as wide.
    hub = next(iter(hubs)) if len(hubs) == 1 else None
    rows += [_row(account, manifest, how(account, hub)) for account in used]
    rows += [_row(account, manifest, "not at all") for account in manifest.inactive]
    lines = [*_table(rows), *([escape(f"The hub is{_named(hub)}.")] if hub else [])]
    return "".join(f"{line}\n" for line in lines)


def accounts_json(manifest: Manifest) -> str:
    """Return all accounts as JSON that ends with a line break. How an account is reached holds no secret."""
    used = [_data(account, manifest, used=True) for _, account in sorted(manifest.accounts.items())]
    return dumps({"accounts": [*used, *(_data(account, manifest, used=False) for account in manifest.inactive)]})


def departed_text(found: Sequence[Departed]) -> str:
    """Return what is left in the accounts that have left; ends with a line break."""
    lines: list[str] = []
    for one in found:
        known = ", ".join(escape(word) for word in (one.name, one.state) if word)
        name = f" ({known})" if known else ""
        if one.resources is None:
            lines.append(f"{one.id}{name}: it is not known what is left there: {escape(one.error)}")
        elif one.resources:
            lines.append(f"{one.id}{name}: {len(one.resources)} left:")
            lines += [f"  {escape(address)}" for address in one.resources]
        else:
            lines.append(f"{one.id}{name}: nothing is left there")
    if any(one.resources for one in found):
        lines.append("To remove what is left, state the account under accounts again, without grants, and apply.")
    if not found:
        lines.append("No account that was applied to has left, as far as the store knows.")
    return "\n".join(lines) + "\n"


def departed_json(found: Iterable[Departed]) -> str:
    """Return the same as JSON that ends with a line break."""
    return dumps({"departed": [asdict(one) for one in found]})


def how(account: Account, known: Hub | None = None) -> str:
    """Return in words how an account is reached; which hub that is is not said of one that is `known`."""
    if not account.managed:
        return "not at all: it is somebody else's"
    reads, writes = _way(account.access, known), _way(account.as_applied_to().access, known)
    return reads if reads == writes else f"{reads}; to apply, {writes}"


def _way(access: Access, known: Hub | None) -> str:
    if access.profile:
        return f"profile {access.profile}"
    if access.role:
        hub = access.hub
        return f"role {access.role}" + (f" by the hub{'' if hub == known else _named(hub)}" if hub else "")
    return "the credentials of the caller"


def _named(hub: Hub) -> str:
    return f" {hub.arn}" + (f" of profile {hub.profile}" if hub.profile else "")


def _row(account: Account, manifest: Manifest, reached: str) -> tuple[str, ...]:
    state = account.state if account.listed else "stated"
    return account.name, account.id, state, account.units or "-", ", ".join(_groups(account, manifest)) or "-", reached


def _groups(account: Account, manifest: Manifest) -> list[str]:
    return sorted(name for name, members in manifest.groups.items() if account.name in members)


def _data(account: Account, manifest: Manifest, *, used: bool) -> dict[str, Any]:
    return {
        "name": account.name,
        "id": account.id,
        "partition": account.partition,
        "managed": account.managed,
        "listed": account.listed,
        "state": account.state if account.listed else None,
        "used": used,
        "unit": account.units or None,
        "ou": list(account.ou),
        "tags": dict(account.tags),
        "groups": _groups(account, manifest),
        **_way_data(account.access if used else Access()),
        "apply": _way_data(account.as_applied_to().access if used else Access()),
    }


def _way_data(access: Access) -> dict[str, Any]:
    hub = access.hub
    return {
        "profile": access.profile,
        "role": access.role,
        "hub": hub.arn if hub else None,
        "hub_profile": hub.profile if hub else None,
    }


def _table(rows: Sequence[tuple[str, ...]]) -> Iterable[str]:
    shown = [tuple(escape(cell) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in shown) for column in range(len(shown[0]))]
    return ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown)
