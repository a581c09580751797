"""Text from AWS and YAML is hostile until escaped: what a terminal would obey is shown as its code."""

from __future__ import annotations

import unicodedata

HIDDEN = "(hidden)"

# Control, format (among them the bidirectional marks), surrogate, private, unassigned; line and paragraph separators.
_UNSAFE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def escape(text: str) -> str:
    r"""Return the text on one line with every character that is not plainly visible written as `\uXXXX`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(character) for character in text)


def _escaped(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
