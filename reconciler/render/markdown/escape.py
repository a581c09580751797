"""Foreign text in Markdown: it names nobody, links nowhere and is no markup, on GitHub and on GitLab.

Both look for `@mentions`, `#references`, `:emoji:`, addresses of pages and the like in the rendered text, wherever it
is not code, so a backslash or an entity does not help ("Basic writing and formatting syntax" of GitHub, "GitLab
Flavored Markdown"). So whatever is more than a plain word stands in a span or a block of code. GitLab obeys a line that
begins with `/` ("GitLab quick actions"), in code too: no line that is made here begins with foreign text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable

from reconciler.render.escape import escape

# A word of prose, maybe in brackets or quotes and with a mark behind it. What has the look of a commit's id is none.
_BEFORE, _AFTER = "(\"'", ")\"',.;:?"
_PLAIN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[0-9]{1,6}%?")
_COMMIT = re.compile(r"[0-9a-fA-F]{7,}")
# What stands between backticks or braces is one word, whatever it holds, with the key before it: `mfa: {...}`.
_TOKEN = re.compile(r"(?:`[^`]+`|(?:\w+: )?\{[^{}`]*\}|\S)+")
_TICKED = re.compile(r"`([^`]+)`")


def code(text: str) -> str:
    """Return foreign text as a span of code on one line; nothing for an empty text."""
    shown = escape(text)
    if not shown:
        return ""
    fence = "`" * (_longest_run(shown) + 1)
    # One space on each side is taken off again, unless all of it is spaces (CommonMark 0.31, "Code spans").
    pad = " " if shown[0] in "` " or shown[-1] in "` " else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def cell(text: str) -> str:
    """Return foreign text as a span of code in a table, where a `|` would begin the next cell."""
    return code(text).replace("|", r"\u007c")


def html_code(text: str) -> str:
    """Return foreign text as code inside of an HTML element, where Markdown is not read."""
    return f"<code>{html.escape(escape(text))}</code>"


def prose(text: str) -> str:
    """Return a sentence with foreign text in it: plain words as they are, all else as spans of code."""
    return _TOKEN.sub(lambda found: _word(found.group()), escape(text))


def _word(token: str) -> str:
    right = token.lstrip(_BEFORE)
    core = right.rstrip(_AFTER)
    before, after = token[: len(token) - len(right)], right[len(core) :]
    if ticked := _TICKED.fullmatch(core):
        return f"{before}{code(ticked.group(1))}{after}"
    if not core or (_PLAIN.fullmatch(core) and not _COMMIT.fullmatch(core)):
        return token
    return f"{before}{code(core)}{after}"


def fenced(lines: Iterable[str], language: str = "", indent: str = "") -> str:
    """Return lines as a block of code that no line of it closes; it ends with a line break.

    The lines are escaped by the caller, and begin with text of xgrant's own. `indent` is what each of them gets, for a
    block in a list.
    """
    shown = list(lines)
    fence = "`" * max(3, max(map(_longest_run, shown), default=0) + 1)
    return "".join(f"{indent}{line}\n" for line in (f"{fence}{language}", *shown, fence))


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
