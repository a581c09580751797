"""Changes of manifest files as text: one value is written in place of another, and all else stays byte for byte.

What comes of it is a patch for `git apply`, for a person to review.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from reconciler.files import read_regular
from reconciler.manifest.source import PathTo, compose, parse_yaml

NOWHERE = "/dev/null"
"""What stands in a patch for a file that is not there yet."""


def text_of(file: str) -> str:
    """Return the text of a manifest file with its own line breaks; raises as `read_regular`, and UnicodeDecodeError."""
    return read_regular(file).decode("utf-8-sig")


def value_at(text: str, path: PathTo) -> Any:
    """Return what stands at a path of a manifest file; None where nothing does."""
    data = parse_yaml(text, "").data
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def with_value(text: str, path: PathTo, value: Any) -> str:
    """Return the text of a manifest file with another value, in one line, in place of what stands at a path."""
    node: yaml.Node | None = next(compose(text), None)
    for key in path:
        node = _below(node, key)
    assert node is not None  # asked before
    return text[: node.start_mark.index] + json.dumps(value) + text[_end(node) :]


def _below(node: yaml.Node | None, key: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
        return next(iter(node.value[key : key + 1]), None)
    return None


def _end(node: yaml.Node) -> int:
    """Return where a value ends. YAML counts the comments and empty lines behind a block as a part of it."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[-1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def patch(before: str, after: str, file: str, *, new: bool = False) -> str:
    """Return the patch that makes `after` of `before`, for `git apply` in the folder where the command runs.

    A `new` file is made by it.
    """
    name = Path(os.path.relpath(file)).as_posix()
    old = NOWHERE if new else f"a/{name}"
    lines = difflib.unified_diff(_lines(before), _lines(after), old, f"b/{name}")
    return "".join(_ended(lines))


def _lines(text: str) -> list[str]:
    # Only where git has a line end: str.splitlines knows more.
    return [line + "\n" for line in text.split("\n")[:-1]] + ([last] if (last := text.rpartition("\n")[2]) else [])


def _ended(lines: Iterable[str]) -> Iterable[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
