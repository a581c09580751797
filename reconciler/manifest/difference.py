"""The difference of two texts of a manifest file, as a patch for `git apply`."""

from __future__ import annotations

import difflib

NOWHERE = "/dev/null"
"""What stands in a patch for a file that is not there yet."""


def diff(name: str, before: str, after: str, *, new: bool = False) -> str:
    """Return the difference of a file, by its name below the folder that git is at; empty where there is none.

    A `new` file is made by the patch.
    """
    old, now = _quoted(f"a/{name}"), _quoted(f"b/{name}")
    lines = difflib.unified_diff(_lines(before), _lines(after), NOWHERE if new else old, now, lineterm="")
    found = "".join(f"{line}\n" for line in lines)
    mode = "new file mode 100644\n" if new else ""
    return f"diff --git {old} {now}\n{mode}{found}" if found else ""


def _lines(text: str) -> list[str]:
    """Return the lines, which end only where git has a line end; behind a last one without one stands what says so."""
    *whole, last = text.split("\n")
    return [*whole, f"{last}\n\\ No newline at end of file"] if last else whole


def _quoted(name: str) -> str:
    """Return a file's name as git writes it: in quotes, with octal codes, where it has anything unusual."""
    if name.isascii() and name.isprintable() and not set(name) & set('"\\'):
        return name
    shown = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\' else f"\\{b:03o}" for b in name.encode())
    return f'"{"".join(shown)}"'
