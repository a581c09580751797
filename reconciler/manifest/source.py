"""A YAML or JSON file as plain data, with the line and column of every key and value.

The data are those of YAML 1.2's core schema: only `true` and `false` are booleans, and there are no dates,
octal or base-60 numbers, so that `NO`, `2026-12-31` and `012345678901` are not turned into something else.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from reconciler.errors import ManifestError, Place, PolicyError, Problem
from reconciler.manifest.files import read_text, unreadable
from reconciler.policy.document import loads_strict

PathTo = tuple[str | int, ...]
"""Keys and indexes that lead to a value: `("grants", "reader", "permissions", 0)`."""

# An alias may be followed, but a file that grows out of all proportion is an attack or an accident.
MAX_ALIASED_NODES = 10_000

MAX_DEPTH = 50

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _CoreLoader(_Loader):  # type: ignore[misc]
    """Resolves plain scalars by YAML 1.2's core schema."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", "~nN"),
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
     "-+.0123456789"),
):  # fmt: skip
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"(?:{_pattern})$"), [*_first, ""])


@dataclass(frozen=True, slots=True)
class Source:
    """A file's data and where each part of it stands."""

    file: str
    data: Any
    values: dict[PathTo, tuple[int, int]] = field(repr=False)
    keys: dict[PathTo, tuple[int, int]] = field(repr=False)

    def place(self, path: PathTo) -> Place:
        """Return where the value at the path stands, or the nearest thing around it that is there."""
        return self._nearest(self.values, path)

    def key_place(self, path: PathTo) -> Place:
        """Return where the key that the path ends with stands, or the nearest thing around it that is there."""
        return self._nearest(self.keys, path) if path in self.keys else self.place(path)

    def _nearest(self, marks: dict[PathTo, tuple[int, int]], path: PathTo) -> Place:
        while path and path not in marks:
            path = path[:-1]
        return Place(self.file, *marks.get(path, (1, 1)))


def read_source(path: Path, name: str) -> Source:
    """Read a file of one YAML document (or of JSON, by its ending); `name` is what messages call it.

    Raises:
        ManifestError: the file cannot be read, is no UTF-8, is no YAML or JSON, or has duplicate keys.

    """
    try:
        text = read_text(path)
    except UnicodeDecodeError:
        raise _one(name, "XG001", "the file is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise _one(name, "XG001", unreadable(error)) from None
    return parse_json(text, name) if path.suffix.lower() == ".json" else parse_yaml(text, name)


def parse_json(text: str, name: str) -> Source:
    """Parse JSON text; see `read_source`."""
    try:
        data = loads_strict(text)
    except PolicyError as error:
        found = re.search(r"line (\d+) column (\d+)", str(error))
        line, column = (int(found.group(1)), int(found.group(2))) if found else (1, 1)
        raise _one(name, "XG002", f"{error}; mend the file", line, column) from None
    # JSON is YAML save for tabs, which stand only between tokens: places come from the YAML reader.
    marks = parse_yaml(text.replace("\t", " "), name)
    return Source(name, data, marks.values, marks.keys)


def parse_yaml(text: str, name: str) -> Source:
    """Parse the text of one YAML document; see `read_source`."""
    try:
        _check_depth(text, name)
        return _read(list(compose(text)), name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _one(name, "XG002", _syntax_message(text, line, error), line, column) from None
    except yaml.YAMLError as error:
        raise _one(name, "XG002", f"the file is not YAML: {error}".replace("\n", " ")) from None


def _check_depth(text: str, name: str) -> None:
    # libyaml composes by recursion without a limit of its own: a deep file would end the whole process.
    depth = 0
    for event in yaml.parse(text, Loader=_CoreLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise _one(name, "XG002", f"the file is nested more than {MAX_DEPTH} deep; no manifest needs that", line)


def _read(documents: list[yaml.Node], name: str) -> Source:
    if not documents:
        raise _one(name, "XG002", "the file is empty; a manifest starts with `version: 1`")
    if len(documents) > 1:
        line = documents[1].start_mark.line + 1
        raise _one(name, "XG002", "a file holds one document; put what follows `---` in a file of its own", line)
    reader = _Reader(name)
    data = reader.convert(documents[0], ())
    if reader.problems:
        raise ManifestError(tuple(reader.problems))
    return Source(name, data, reader.values, reader.keys)


def compose(text: str) -> Iterator[yaml.Node]:
    """Yield the documents of a YAML text as nodes; raises yaml.YAMLError."""
    loader = _CoreLoader(text)
    try:
        while loader.check_node():
            yield loader.get_node()
    finally:
        loader.dispose()


def _syntax_message(text: str, line: int, error: yaml.MarkedYAMLError) -> str:
    lines = text.splitlines()
    if line <= len(lines) and "\t" in lines[line - 1][: len(lines[line - 1]) - len(lines[line - 1].lstrip())]:
        return "YAML does not allow tabs for indentation; use spaces"
    parts = [part for part in (error.context, error.problem) if part]
    return "the file is not YAML: " + ", ".join(parts)


def _one(file: str, code: str, message: str, line: int = 1, column: int = 1) -> ManifestError:
    return ManifestError((Problem(code, message, Place(file, line, column)),))


class _Reader:
    """Turns nodes into data, and notes places and problems on the way."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.values: dict[PathTo, tuple[int, int]] = {}
        self.keys: dict[PathTo, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self._seen: set[int] = set()
        self._open: set[int] = set()
        self._aliased = 0

    def convert(self, node: yaml.Node, path: PathTo, *, aliased: bool = False) -> Any:
        self.values[path] = _mark(node)
        aliased = aliased or id(node) in self._seen
        self._aliased += aliased
        if self._aliased > MAX_ALIASED_NODES:
            if not any(problem.code == "XG004" for problem in self.problems):
                self._problem("XG004", f"aliases repeat more than {MAX_ALIASED_NODES:,} values; write less", node)
            return None
        if id(node) in self._open:
            self._problem("XG004", "this alias contains itself; that cannot be a manifest", node)
            return None
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node)
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.convert(n, (*path, i), aliased=aliased) for i, n in enumerate(node.value)]
            return self._mapping(node, path, aliased)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: yaml.Node, path: PathTo, aliased: bool) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem("XG002", "a key is a plain string", key_node)
                continue
            key = str(key_node.value)
            if key_node.tag == "tag:yaml.org,2002:merge" or (key == "<<" and not key_node.style):
                self._problem("XG002", "merge keys (<<) are not supported; use `defaults`", key_node)
                continue
            if key in result:
                first = self.keys[(*path, key)]
                self._problem("XG003", f"the key {key!r} stands twice, first in line {first[0]}; remove one", key_node)
                continue
            self.keys[(*path, key)] = _mark(key_node)
            result[key] = self.convert(value_node, (*path, key), aliased=aliased)
        return result

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        tag = node.tag.removeprefix("tag:yaml.org,2002:")
        match tag:
            case "str":
                return node.value
            case "null":
                return None
            case "bool":
                return node.value.lower() == "true"
            case "int" | "float":
                return self._number(node)
        self._problem("XG002", f"the tag {tag} is not supported; write a plain value", node)
        return None

    def _number(self, node: yaml.ScalarNode) -> int | float:
        """Return a number that is written as numbers are shown; any other is a text that has lost its quotes."""
        text: str = node.value
        try:
            number = int(text) if len(text) <= 40 and "." not in text else float(text)
        except ValueError:
            number = math.nan
        if str(number) != text:
            self._problem("XG005", "as a number this would not stay as it is written; put quotes around it", node)
        return number

    def _problem(self, code: str, message: str, node: yaml.Node) -> None:
        self.problems.append(Problem(code, message, Place(self.file, *_mark(node))))


def _mark(node: yaml.Node) -> tuple[int, int]:
    return (node.start_mark.line + 1, node.start_mark.column + 1)
