"""Changes of manifest files as text: a value is written beside another or taken out, and all else stays byte for byte.

What comes of it is a patch for `git apply`, for a person to review.
"""

from __future__ import annotations

import json
from codecs import BOM_UTF8
from pathlib import Path
from typing import Any

import yaml

from reconciler.errors import UsageError
from reconciler.files import read_regular
from reconciler.manifest.difference import diff
from reconciler.manifest.removal import NotPatchedError
from reconciler.manifest.source import PathTo, compose, parse_yaml


def text_of(file: str) -> str:
    """Return the text of a manifest file with its own line breaks; raises as `read_regular`, and UnicodeDecodeError."""
    return read_regular(file).decode("utf-8-sig")


def value_at(text: str, path: PathTo) -> Any:
    """Return what stands at a path of a manifest file; None where nothing does."""
    data = parse_yaml(text, "").data
    for key in path:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def with_first(text: str, path: PathTo, item: str) -> str:
    """Return the text of a manifest file with a further item before those of the list, or the value, at a path."""
    node = _at(text, path)
    if not isinstance(node, yaml.SequenceNode):
        both = json.dumps([item, node.value])
        return text[: node.start_mark.index] + both + text[_end(node) :]
    first = node.value[0].start_mark.index
    if node.flow_style:
        return f"{text[:first]}{json.dumps(item)}, {text[first:]}"
    dash = text.rindex("-", 0, first)
    margin = text[text.rfind("\n", 0, dash) + 1 : dash]
    if margin.strip():
        raise NotPatchedError("its list does not begin in a line of its own")
    return f"{text[:dash]}- {json.dumps(item)}{_line_end(text)}{margin}{text[dash:]}"


def with_first_only(text: str, path: PathTo) -> str:
    """Return the text of a manifest file without the further items of the list at a path, and what is said of them.

    Raises:
        NotPatchedError: whether a comment speaks of what stays or of what goes cannot be known.

    """
    node = _at(text, path)
    if not isinstance(node, yaml.SequenceNode):
        return text
    begin, end = _end(node.value[0]), _end(node.value[-1])
    if not node.flow_style:
        begin, end = (_end_of_line(text, at) for at in (begin, end))
    elif "#" in text[begin:end] or "#" in text[end : _end_of_line(text, end)].partition("]")[0]:
        raise NotPatchedError("its list has comments, and which of them stay cannot be known")
    return text[:begin] + text[end:]


def _at(text: str, path: PathTo) -> yaml.Node:
    node: yaml.Node | None = next(compose(text), None)
    for key in path:
        node = _below(node, key)
    assert node is not None  # asked before
    return node


def _line_end(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _end_of_line(text: str, at: int) -> int:
    """Return where the line ends in which a place is, its line break left out."""
    end = text.find("\n", at)
    return len(text) if end < 0 else end - text[at:end].endswith("\r")


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


def top_of(folder: Path) -> Path | None:
    """Return the top of the repository of git that a folder is in, which is an absolute path; None if it is in none."""
    return next((each for each in (folder, *folder.parents) if (each / ".git").exists()), None)


def patch(before: str, after: str, file: str, *, new: bool = False) -> str:
    """Return the patch that makes `after` of `before`, for `git apply` in the folder where the command runs.

    Files are named from the top of the repository, if there is one: git skips without a word what a patch names from a
    folder below it. A `new` file is made by it. A link is followed, since git changes nothing behind one.

    Raises:
        UsageError: the file is not below that folder; there git changes nothing either.

    """
    real, here = Path(file).resolve(), Path.cwd().resolve()
    if not real.is_relative_to(here):
        raise UsageError(
            f"{file} is not below this folder, so that `git apply` would not change it here; run the same command in a "
            "folder above it, the top of the repository"
        )
    name = real.relative_to(top_of(here) or here).as_posix()
    if not new and read_regular(real).startswith(BOM_UTF8):
        # To git the mark is a part of the first line, which the patch may show.
        before, after = (BOM_UTF8.decode() + text for text in (before, after))
    return diff(name, before, after, new=new)
