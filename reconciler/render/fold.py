"""Equal changes and findings of many accounts as one: so a grant over hundreds of accounts can be reviewed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from reconciler.model import Change, Finding

FEW = 6
"""So many accounts, or values, are named; of more the number is said."""

_RESOURCE = re.compile(r"(Resource: arn:[a-z-]+:iam::)(\d{12})(:role/.*)")

Line = tuple[str, int, str]
"""Mark, depth and text."""


@dataclass(frozen=True, slots=True)
class Folded:
    """Changes that differ in nothing but the account: the first one, all accounts, and the lines below its title."""

    change: Change
    accounts: tuple[str, ...]
    body: tuple[Line, ...]


def folded(changes: Iterable[tuple[Change, tuple[Line, ...]]], ids: Mapping[str, str]) -> list[Folded]:
    """Fold changes, each with the lines below its title, in the order of their first ones.

    `ids` are those of the accounts, by their names: where there is more than one account, an account's own id and name
    are written `${account.id}` and `${account.name}` in the lines.
    """
    groups: dict[tuple[object, ...], list[tuple[Change, tuple[Line, ...]]]] = {}
    for change, body in changes:
        address = change.address
        key = (change.action, address.kind, address.holder, address.name, change.grant, _general(change, body, ids))
        groups.setdefault(key, []).append((change, body))
    found: list[Folded] = []
    for members in groups.values():
        change, body = members[0]
        accounts = tuple(member.address.account for member, _ in members)
        found.append(Folded(change, accounts, body if len(members) == 1 else _general(change, body, ids)))
    return found


def folded_findings(findings: Iterable[Finding], ids: Mapping[str, str]) -> list[tuple[Finding, tuple[str, ...]]]:
    """Fold findings that differ in nothing but the account of their address, in the order of their first ones.

    Each comes with the accounts, none if its address has none. Those with documents stand alone.
    """
    groups: dict[object, list[tuple[Finding, Finding]]] = {}
    for finding in findings:
        texts = (
            _general_texts((finding.message, finding.way_out), finding.address.account, ids)
            if finding.address
            else None
        )
        if finding.address is None or texts is None or finding.documents:
            groups[len(groups)] = [(finding, finding)]
            continue
        general = replace(finding, message=texts[0], way_out=texts[1])
        groups.setdefault(replace(general, address=replace(finding.address, account="")), []).append((finding, general))
    found: list[tuple[Finding, tuple[str, ...]]] = []
    for members in groups.values():
        accounts = tuple(dict.fromkeys(one.address.account for one, _ in members if one.address))
        found.append((members[0][0] if len(members) == 1 else members[0][1], accounts))
    return found


def _general(change: Change, body: tuple[Line, ...], ids: Mapping[str, str]) -> tuple[Line, ...]:
    account = change.address.account
    texts = _general_texts(
        [words.replace(f"in place of {account}/", "in place of ", 1) for _, _, words in body], account, ids
    )
    if texts is None:
        return (*body, (" ", 0, account))
    return tuple((mark, depth, words) for (mark, depth, _), words in zip(body, texts, strict=True))


def _general_texts(texts: Sequence[str], account: str, ids: Mapping[str, str]) -> list[str] | None:
    """Return texts with variables for an account's own name and id; None where they could not be told from others."""
    if account not in ids or any("${account." in words for words in texts):
        # What looks like a variable already would not be told from one: such a change stands alone.
        return None
    own_name = re.compile(rf"(?<![A-Za-z0-9]){re.escape(account)}(?![A-Za-z0-9])")
    return [own_name.sub("${account.name}", words).replace(ids[account], "${account.id}") for words in texts]


def named(accounts: tuple[str, ...]) -> str:
    """Return accounts as text: a few by their names, of more how many they are."""
    return few(accounts) + ("; --expand shows each" if len(accounts) > FEW else "")


def few(accounts: tuple[str, ...]) -> str:
    """Return accounts as text as `named` does, where nothing shows each."""
    if len(accounts) <= FEW:
        return ", ".join(accounts)
    return f"{', '.join(accounts[: FEW - 1])} and {len(accounts) - FEW + 1} more"


def shortened(lines: Iterable[Line], known: frozenset[str]) -> list[Line]:
    """Return the lines with those as one that name one role in many accounts, as a caller policy does.

    Only lines that stand together are one, and only accounts whose ids are `known`. Who is trusted is never shortened.
    """
    shown: list[Line] = []
    for (mark, depth, general), together in groupby(lines, key=lambda line: (*line[:2], _general_role(line[2], known))):
        several = list(together)
        if general and len(several) > FEW:
            shown.append((mark, depth, general.replace("*", f"({len(several)} accounts)", 1)))
        else:
            shown += several
    return shown


def _general_role(words: str, known: frozenset[str]) -> str:
    """Return a line that names a role with a star for its account; nothing for any other line."""
    found = _RESOURCE.fullmatch(words)
    return f"{found.group(1)}*{found.group(3)}" if found is not None and found.group(2) in known else ""
