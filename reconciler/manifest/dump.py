"""Grants as the text of a manifest file."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

# What no reader of YAML, old or new, takes for anything but this text.
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


class _Dumper(yaml.SafeDumper):
    """Puts every text in quotes that could be taken for anything else, and repeats instead of making aliases."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as the base class has it
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Dumper.add_representer(str, _text)


def dump(
    accounts: Mapping[str, Mapping[str, Any]],
    grants: Mapping[str, Mapping[str, Any]],
    *,
    head: Iterable[str] = (),
    notes: Mapping[str, Iterable[str]],
) -> str:
    """Return the text of a manifest with these accounts and grants, in ASCII.

    `head` and `notes`, by grant, become comments; they must be lines that need no more escaping.
    """
    lines = [f"# {line}\n" for line in head]
    lines.append("version: 1\n")
    if accounts:
        lines.append(_yaml({"accounts": accounts}))
    lines.append("grants:\n" if grants else "grants: {}\n")
    for name, grant in grants.items():
        lines += [f"  # {note}\n" for note in notes.get(name, ())]
        lines.append(textwrap.indent(_yaml({name: grant}), "  "))
    return "".join(lines)


def _yaml(data: Any) -> str:
    # A line is never broken: a text in several lines would not survive being indented.
    return str(yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=float("inf"), allow_unicode=False))
