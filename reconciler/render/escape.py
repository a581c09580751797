"""Text from AWS and YAML is hostile until escaped: what a terminal or a pipeline obeys is shown as its code."""

from __future__ import annotations

import re
import unicodedata

HIDDEN = "(hidden)"

# Control, format (among them the bidirectional marks), surrogate, private, unassigned; line and paragraph separators.
_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")

# By `##[` and `##vso[`, anywhere in a line, the logs of GitHub Actions (actions/runner, ActionCommand.cs) and of Azure
# Pipelines are given commands, such as one that sets an output.
_COMMAND = re.compile(r"(##[A-Za-z]*)\[")


def escape(text: str) -> str:
    r"""Return the text on one line with every character that is not plainly visible written as `\uXXXX`.

    So is the bracket of a command for the log of a pipeline.
    """
    text = without_commands(text)
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def without_commands(text: str) -> str:
    r"""Return the text with the bracket of each command for the log of a pipeline as `\u005b`, as JSON has it too."""
    return _COMMAND.sub(r"\1\\u005b", text) if "##" in text else text


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
