"""Markdown as GitHub's own renderer shows it, and what a reader would see of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import cmarkgfm
from cmarkgfm.cmark import Options

OURS = {
    "h2": set(), "h3": set(), "p": set(), "strong": set(), "br": set(), "ul": set(), "li": set(), "blockquote": set(),
    "details": set(), "summary": set(), "pre": {("lang", "diff"), ("lang", "json")}, "code": set(), "table": set(),
    "thead": set(), "tbody": set(), "tr": set(), "th": {("align", "right")}, "td": {("align", "right")},
}  # fmt: skip
"""The elements that a comment is made of, with the attributes that they may have. None of them leads anywhere."""

_VOID = {"br"}

# What GitHub or GitLab looks for in text that is no code: people, teams, issues, merge requests, labels, milestones,
# snippets, epics, emoji, formulas, marks of Markdown, addresses.
_SPEAKS = re.compile(r"[@#~&$^*_<>|`\\{}\[\]=]|%\S|![\w\[]|:\w+:|www\.|://|\b[Gg][Hh]-\d|\b[0-9a-f]{7,}\b")


@dataclass
class Shape(HTMLParser):
    """What a rendered text is made of."""

    elements: set[tuple[str, frozenset[tuple[str, str | None]]]] = field(default_factory=set)
    stack: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    open_: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add((tag, frozenset(attrs)))
        if tag not in _VOID:
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID and (not self.stack or self.stack.pop() != tag):
            self.faults.append(f"</{tag}> closes nothing")

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)

    def handle_data(self, data: str) -> None:
        (self.code if {"code", "pre"} & {*self.stack} else self.plain).append(data)
        if "details" not in self.stack:
            self.open_.append(data)

    def unknown_decl(self, data: str) -> None:
        self.faults.append(f"<![{data}")

    def handle_pi(self, data: str) -> None:
        self.faults.append(f"<?{data}")

    def handle_decl(self, decl: str) -> None:
        self.faults.append(f"<!{decl}")


def html_of(markdown: str) -> str:
    """Return Markdown as HTML, as GitHub makes it before it looks for mentions; raw HTML is kept."""
    options = Options.CMARK_OPT_UNSAFE | Options.CMARK_OPT_GITHUB_PRE_LANG
    return str(cmarkgfm.github_flavored_markdown_to_html(markdown, options))


def shape(markdown: str) -> Shape:
    """Return what a text is made of when it is rendered."""
    found = Shape()
    found.feed(html_of(markdown))
    found.close()
    found.faults += [f"<{tag}> is not closed" for tag in found.stack]
    return found


def foreign(found: Shape) -> list[str]:
    """Return what stands in a rendered comment that xgrant did not put there; nothing if all is well."""
    faults = [*found.faults]
    faults += [
        f"<{tag} {dict(attributes)}>"
        for tag, attributes in found.elements
        if tag not in OURS or not attributes <= OURS[tag]
    ]
    text = " ".join(found.plain).replace("[!WARNING]", "")
    return faults + [text[max(0, one.start() - 20) : one.end() + 20] for one in _SPEAKS.finditer(text)]


def open_text(markdown: str) -> str:
    """Return what a reader sees without opening anything."""
    return "".join(shape(markdown).open_)
