"""Grants and principals cut out of manifest files: what goes is cut out, and every other character stays as it is.

Nothing is written anew by a library, which would lose comments and layout. What is left is read again: if it does not
say just what was meant, nothing is cut.
"""

from __future__ import annotations

import copy
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from reconciler.errors import ManifestError
from reconciler.manifest.source import parse_json, parse_yaml
from reconciler.model import PrincipalKind

Names = Collection[tuple[PrincipalKind, str]]
"""Principals by kind, and name with its path."""

KEYS = {
    PrincipalKind.USER: "users",
    PrincipalKind.GROUP: "groups",
    PrincipalKind.ROLE: "roles",
    PrincipalKind.PERMISSION_SET: "permission_sets",
}
"""Under which key of `from` a kind of principal stands."""


class NotPatchedError(Exception):
    """What shall change cannot be changed in the text; the message says why."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """Characters that go, and what comes in their place."""

    start: int
    end: int
    instead: str = ""


def without(text: str, removals: Mapping[str, Names], *, is_json: bool = False) -> str:
    """Return the text of a manifest file without some of its grants, or without some principals of them.

    A grant of which no principals are named goes as a whole.

    Raises:
        NotPatchedError: it is written so that this cannot be done.

    """
    root = yaml.compose(text.replace("\t", " ") if is_json else text, Loader=yaml.SafeLoader)
    if root is None:
        raise NotPatchedError("the file is empty")
    editor = _Editor(text, _shared(root))
    grants = _value(root, "grants")
    whole = [_index(grants, name) for name, principals in removals.items() if not principals]
    cuts = [*editor.remove(grants, whole, parent=_pair(root, "grants")[0])]
    for name, principals in removals.items():
        if principals:
            cuts += _without_principals(editor, _value(_value(grants, name), "from"), principals)
    after = _applied(text, cuts)
    _check(text, after, removals, is_json=is_json)
    return after


def _without_principals(editor: _Editor, callers: yaml.Node, principals: Names) -> Iterator[_Cut]:
    emptied: list[int] = []
    for kind, key in KEYS.items():
        texts = [text for one, text in principals if one is kind]
        if not texts:
            continue
        listed = _value(callers, key)
        indexes = [_item(listed, text) for text in texts]
        if len(indexes) == len(listed.value):
            emptied.append(_index(callers, key))
        else:
            yield from editor.remove(listed, indexes)
    yield from editor.remove(callers, emptied)


def _item(listed: yaml.Node, text: str) -> int:
    for index, item in enumerate(listed.value):
        if isinstance(item, yaml.ScalarNode) and str(item.value).removeprefix("/") == text:
            return index
    raise NotPatchedError(f"{text} does not stand there word for word, since it comes from a variable")


class _Editor:
    """Finds the characters of parts of a text; `shared` are the ids of nodes that stand in several places."""

    def __init__(self, text: str, shared: frozenset[int]) -> None:
        self._text = text
        self._shared = shared
        self._breaks = [index for index, character in enumerate(text) if character == "\n"]

    def remove(self, node: yaml.Node, indexes: Sequence[int], parent: yaml.Node | None = None) -> Iterator[_Cut]:
        """Yield what cuts entries out of a mapping or a list; where all go, it is `{}` behind its key, `parent`."""
        if not indexes:
            return
        assert isinstance(node, yaml.CollectionNode)  # it has entries
        entries = [pair if isinstance(pair, tuple) else (pair, pair) for pair in node.value]
        for index in indexes:
            if any(id(part) in self._shared for part in _below(*entries[index])):
                raise NotPatchedError("it has an anchor or an alias of YAML in it")
        if node.flow_style:
            yield from self._from_flow(entries, sorted(indexes))
            return
        if len(indexes) == len(entries) and parent is not None:
            at = self._text.index(":", parent.end_mark.index) + 1
            yield _Cut(at, at, " {}")
        for index in sorted(indexes):
            yield self._lines_of(*entries[index], first=index == 0 and len(entries) > 1)

    def _from_flow(self, entries: list[tuple[yaml.Node, yaml.Node]], indexes: list[int]) -> Iterator[_Cut]:
        for first, last in _runs(indexes):
            start, end = entries[first][0].start_mark.index, entries[last][1].end_mark.index
            if last + 1 < len(entries):
                yield _Cut(start, entries[last + 1][0].start_mark.index)
            elif first == 0:
                yield _Cut(start, end)
            else:
                before = entries[first - 1][1].end_mark.index
                comma = self._text.index(",", before)
                if "\n" not in self._text[before:start]:
                    yield _Cut(before, end)
                else:  # What stands behind the comma is of the entry before.
                    yield _Cut(comma, comma + 1)
                    yield _Cut(self._text.rindex("\n", 0, start), end)

    def _lines_of(self, key: yaml.Node, value: yaml.Node, *, first: bool) -> _Cut:
        """Return the whole lines of an entry, with the comments right above it, and those that are deeper below it.

        Blank lines behind it go where there are some before it, or where it is the first one of several.
        """
        start = self._line(key.start_mark.index)
        begun = self._text[self._from(start) : key.start_mark.index]
        if begun.strip() not in ("", "-"):
            raise NotPatchedError("it begins in the middle of a line")
        column = len(begun) - len(begun.lstrip()) if begun.strip() else len(begun)
        end = self._line(self._end(key, value)) + 1
        while start and self._comment(start - 1) == column:
            start -= 1
        while end < self._count() and (self._comment(end) or 0) > column:
            end += 1
        if first or start == 0 or not self._words(start - 1):
            while end < self._count() and not self._words(end):
                end += 1
        return _Cut(self._from(start), self._from(end))

    def _end(self, *nodes: yaml.Node) -> int:
        """Return the place of the last character of what nodes say; a block has its end at what follows it."""
        return max(self._end_of(node) for node in nodes)

    def _end_of(self, node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            return len(self._text[: node.end_mark.index].rstrip()) - 1
        if not isinstance(node, yaml.CollectionNode) or node.flow_style:
            return max(node.start_mark.index, int(node.end_mark.index) - 1)
        parts = [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]
        return self._end(*parts) if parts else int(node.start_mark.index)

    def _line(self, index: int) -> int:
        return bisect_right(self._breaks, index - 1)

    def _from(self, line: int) -> int:
        return 0 if line == 0 else self._breaks[line - 1] + 1 if line <= len(self._breaks) else len(self._text)

    def _count(self) -> int:
        return len(self._breaks) + (not self._text.endswith("\n"))

    def _words(self, line: int) -> str:
        return self._text[self._from(line) : self._from(line + 1)].strip()

    def _comment(self, line: int) -> int | None:
        """Return the column of a line that is a comment; None of any other."""
        whole = self._text[self._from(line) : self._from(line + 1)]
        return len(whole) - len(whole.lstrip()) if whole.lstrip().startswith("#") else None


def _runs(indexes: list[int]) -> Iterator[tuple[int, int]]:
    """Yield the first and the last of each run of numbers that follow each other."""
    first = last = indexes[0]
    for index in indexes[1:]:
        if index != last + 1:
            yield first, last
            first = index
        last = index
    yield first, last


def _shared(root: yaml.Node) -> frozenset[int]:
    seen: set[int] = set()
    twice: set[int] = set()

    def walk(node: yaml.Node) -> None:
        if id(node) in seen:
            twice.add(id(node))
            return
        seen.add(id(node))
        for part in _parts(node):
            walk(part)

    walk(root)
    return frozenset(twice)


def _below(*nodes: yaml.Node) -> Iterator[yaml.Node]:
    for node in nodes:
        yield node
        yield from _below(*_parts(node))


def _parts(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.ScalarNode):
        return []
    return [part for entry in node.value for part in (entry if isinstance(entry, tuple) else (entry,))]


def _index(node: yaml.Node, key: str) -> int:
    for index, (name, _) in enumerate(node.value if isinstance(node, yaml.MappingNode) else ()):
        if name.value == key:
            return index
    raise NotPatchedError(f"{key} does not stand in it")


def _pair(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node]:
    found: tuple[yaml.Node, yaml.Node] = node.value[_index(node, key)]
    return found


def _value(node: yaml.Node, key: str) -> yaml.Node:
    return _pair(node, key)[1]


def _applied(text: str, cuts: Collection[_Cut]) -> str:
    parts: list[str] = []
    at = 0
    for cut in sorted(cuts, key=lambda one: (one.start, one.end)):
        parts += [text[at : cut.start], cut.instead]
        at = max(at, cut.end)
    return "".join((*parts, text[at:]))


def _check(before: str, after: str, removals: Mapping[str, Names], *, is_json: bool) -> None:
    """Raise NotPatchedError if what is left does not say all that was there, save what was to go."""
    parse = parse_json if is_json else parse_yaml
    wanted: dict[str, Any] = copy.deepcopy(parse(before, "").data)
    for name, principals in removals.items():
        if not principals:
            del wanted["grants"][name]
            continue
        callers = wanted["grants"][name]["from"]
        for kind, text in principals:
            callers[KEYS[kind]] = [item for item in callers[KEYS[kind]] if item.removeprefix("/") != text]
            if not callers[KEYS[kind]]:
                del callers[KEYS[kind]]
    try:
        found = parse(after, "").data
    except ManifestError:
        found = None
    if found != wanted:
        raise NotPatchedError("it is written in a way that cannot be cut; change it by hand")
