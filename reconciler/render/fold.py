"""Equal changes and findings of many accounts as one: so a grant over hundreds of accounts can be reviewed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from reconciler.model import Change, Finding
from reconciler.wording import FEW, few

_NAME, _ID = "<name>", "<id>"
_OWN = (_NAME, _ID)

_ABOUT = re.compile(r"\baccount ([A-Za-z0-9_.-]+)")
_REQUEST = re.compile(r" \(request [^)]*\)")
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
    are written `<id>` and `<name>` in the lines. They say what is in each account, not how the manifest says it.
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
    """Fold findings that differ in nothing but the account that they are of, in the order of their first ones.

    It is that of their address, or else the one that they say they are about. Each comes with the accounts, none if it
    is of none. Those with documents stand alone.
    """
    groups: dict[object, list[tuple[str, Finding, Finding]]] = {}
    for finding in findings:
        address = finding.address
        account = address.account if address else account_meant(finding.message, ids)
        texts = None if finding.documents else _general_texts((finding.message, finding.way_out), account, ids)
        if texts is None:
            groups[len(groups)] = [(account, finding, finding)]
            continue
        general = replace(finding, message=_without_request(texts[0]), way_out=texts[1])
        key = replace(general, address=replace(address, account="") if address else None)
        groups.setdefault(key, []).append((account, finding, general))
    found: list[tuple[Finding, tuple[str, ...]]] = []
    for members in groups.values():
        accounts = tuple(dict.fromkeys(account for account, _, _ in members if account))
        found.append((members[0][1] if len(members) == 1 else members[0][2], accounts))
    return found


def folded_messages(messages: Iterable[tuple[str, str]], ids: Mapping[str, str]) -> list[tuple[str, tuple[str, ...]]]:
    """Fold messages of errors, each with the account that it is about; each comes with its accounts.

    Which requests AWS refused is left out where there are several accounts.
    """
    texts = ((account, (message,)) for account, message in messages)
    return [(text, accounts) for (text,), accounts in folded_texts(texts, ids, telling=_without_request)]


def folded_texts(
    told: Iterable[tuple[str, tuple[str, ...]]], ids: Mapping[str, str], *, telling: Callable[[str], str] = str
) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Fold what is told of accounts, each time in several texts, in the order of the first ones.

    Each comes with its accounts; of several the texts have `<id>` and `<name>` for an account's own, and of each text
    what is `telling`.
    """
    groups: dict[object, list[tuple[str, tuple[str, ...], tuple[str, ...]]]] = {}
    for account, texts in told:
        general = _general_texts([telling(text) for text in texts], account, ids)
        key = len(groups) if general is None else tuple(general)
        groups.setdefault(key, []).append((account, texts, texts if general is None else tuple(general)))
    found = []
    for members in groups.values():
        accounts = tuple(dict.fromkeys(account for account, _, _ in members if account))
        found.append((members[0][2] if len(accounts) > 1 else members[0][1], accounts))
    return found


def _without_request(message: str) -> str:
    return _REQUEST.sub("", message)


def account_meant(message: str, ids: Mapping[str, str]) -> str:
    """Return which of the accounts a message is about, as errors begin: `account NAME`; nothing if it is none."""
    return next((name for name in _ABOUT.findall(message) if name in ids), "")


def _general(change: Change, body: tuple[Line, ...], ids: Mapping[str, str]) -> tuple[Line, ...]:
    account = change.address.account
    texts = _general_texts(
        [words.replace(f"in place of {account}/", "in place of ", 1) for _, _, words in body], account, ids
    )
    if texts is None:
        return (*body, (" ", 0, account))
    return tuple((mark, depth, words) for (mark, depth, _), words in zip(body, texts, strict=True))


def _general_texts(texts: Sequence[str], account: str, ids: Mapping[str, str]) -> list[str] | None:
    """Return texts with marks for an account's own name and id; None where they could not be told from other text."""
    if account not in ids or any(mark in words for words in texts for mark in _OWN):
        # What looks like a mark already would not be told from one: such a change stands alone.
        return None
    own_name = re.compile(rf"(?<![A-Za-z0-9]){re.escape(account)}(?![A-Za-z0-9])")
    return [own_name.sub(_NAME, words).replace(ids[account], _ID) for words in texts]


def named(accounts: tuple[str, ...], each: str = "--expand shows each", texts: Iterable[str] = ()) -> str:
    """Return accounts as text: a few by their names, of more how many they are, and what tells of `each`.

    `texts` are what is said of all of them: what stands there for an account's own name and id is explained.
    """
    told = "\n".join(texts) if len(accounts) > 1 else ""
    marks = [f"`{mark}`" for mark in _OWN if mark in told]
    own = f"; {' and '.join(marks)} {'is' if len(marks) == 1 else 'are'} each one's own" if marks else ""
    return few(accounts) + own + (f"; {each}" if len(accounts) > FEW else "")


def shortened(lines: Iterable[Line], known: Mapping[str, str]) -> list[Line]:
    """Return the lines with those as one that name one role in many accounts, as a caller policy does.

    Only lines that stand together are one, and only accounts that are `known`: their names by their ids. Who is trusted
    is never shortened.
    """
    shown: list[Line] = []
    for (mark, depth, general), together in groupby(lines, key=lambda line: (*line[:2], _general_role(line[2], known))):
        several = list(together)
        if general and len(several) > FEW:
            names = few(sorted(known[_RESOURCE.fullmatch(words)[2]] for _, _, words in several))  # type: ignore[index]
            shown.append((mark, depth, f"{general.replace('*', f'({len(several)} accounts)', 1)}  ({names})"))
        else:
            shown += several
    return shown


def _general_role(words: str, known: Mapping[str, str]) -> str:
    """Return a line that names a role with a star for its account; nothing for any other line."""
    found = _RESOURCE.fullmatch(words)
    return f"{found.group(1)}*{found.group(3)}" if found is not None and found.group(2) in known else ""
