"""The pages of the project: what they point to is there."""

import re
from pathlib import Path

import pytest

from tests.pages import PAGES, README, ROOT

WRITTEN = (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _text(page: Path) -> str:
    """Return the page without its blocks of code, in which a bracket is no link."""
    return re.sub(r"(?s)```.*?```", "", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """Return the names by which GitHub links to the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.*)$", _text(page))
    return {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", WRITTEN, ids=lambda page: page.name)
def test_what_a_page_links_to_is_there(page: Path) -> None:
    missing = []
    for link in LINK.findall(_text(page)):
        name, _, anchor = link.partition("#")
        if re.match(r"[a-z]+:", link):
            continue
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            missing.append(link)
    assert missing == []


def test_the_readme_leads_to_every_page() -> None:
    led = {(README.parent / link.partition("#")[0]).resolve() for link in LINK.findall(_text(README))}
    assert [page.name for page in PAGES if page != README and page.resolve() not in led] == []
