"""The changes of a plan as Markdown: each with its title, why it is, and what differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from reconciler.model import Action
from reconciler.render.changes import place
from reconciler.render.fold import Folded, Line, named, shortened
from reconciler.render.markdown.escape import code, fenced, html_code, prose
from reconciler.render.markdown.limit import Part, Piece
from reconciler.render.verdict import numbers
from reconciler.wording import few

EACH = "`xgrant show --expand` shows each"

_SEVERE = (Action.DELETE, Action.REPLACE)
_WHY = (" ", 0)


def change_parts(found: Sequence[Folded], names: Mapping[str, str]) -> tuple[Part, tuple[Part, ...]]:
    """Return what deletes and replaces, in the open; and all else, folded away by the accounts that it is in.

    `names` are those of the accounts by their ids.
    """
    severe = [_piece(one, names) for one in found if one.change.action in _SEVERE]
    groups: dict[tuple[str, ...], list[Folded]] = {}
    for one in found:
        if one.change.action not in _SEVERE:
            groups.setdefault(one.accounts, []).append(one)
    parts = [_group(accounts, members, names) for accounts, members in groups.items()]
    if parts:
        first = parts[0]
        parts[0] = Part(first.pieces, f"### Changes\n\n{first.opening}", first.closing)
    return Part(tuple(severe), "### Deleted and replaced\n\n"), tuple(parts)


def _group(accounts: tuple[str, ...], members: Sequence[Folded], names: Mapping[str, str]) -> Part:
    which = html_code(few(accounts))
    where = which if len(accounts) == 1 else f"each of {len(accounts)} accounts ({which})"
    counted = numbers((one.change for one in members), zeros=False)
    summary = f"<details>\n<summary>{where}: {counted}</summary>\n\n"
    return Part(tuple(_piece(one, names) for one in members), summary, "</details>\n\n")


def _piece(found: Folded, names: Mapping[str, str]) -> Piece:
    change, accounts = found.change, found.accounts
    grant = f" (grant {code(change.grant)})" if change.grant else ""
    title = f"**{change.action}** {code(place(change.address, ()))}{grant}"
    if len(accounts) > 1:
        title = f"**{change.action}** {_in_several(found, grant)}"
    why = [prose(words) for *rest, words in found.body if tuple(rest) == _WHY]
    told = "".join(f"\\\n{words}" for words in why)
    lines = [*diff_lines(shortened((line for line in found.body if line[:2] != _WHY), names))]
    block = f"\n{fenced(lines, 'diff')}" if lines else ""
    return Piece(f"{title}{told}\n{block}\n", len(accounts))


def _in_several(found: Folded, grant: str) -> str:
    address, accounts = found.change.address, found.accounts
    what = str(address).removeprefix(f"{address.account}/")
    several = named(accounts, EACH, (words for _, _, words in found.body))
    return f"{code(what)}{grant} in {len(accounts)} accounts: {prose(several)}"


def diff_lines(lines: Iterable[Line]) -> Iterator[str]:
    """Yield the lines below a title as those of a diff: the mark stands first, for whoever colours it.

    What only contains changes, or has two values in one line, is marked `!`. A line without a mark is a part of the one
    above it that stands further out, and gets its mark.
    """
    outer: list[tuple[int, str]] = []
    for mark, depth, words in lines:
        outer = [one for one in outer if one[0] < depth]
        own = mark if mark != " " else next((above for _, above in reversed(outer)), " ")
        outer.append((depth, own))
        yield f"{'!' if own == '~' else own} {'  ' * depth}{words}"
