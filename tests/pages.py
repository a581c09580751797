"""The README and the pages of docs/, for tests that hold what they say."""

from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = (README, *sorted((ROOT / "docs").glob("*.md")))


def page(name: str) -> str:
    """Return the text of a page of docs/, such as `accounts`."""
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return what stands in the fenced blocks of a language, at whatever depth, with the indentation."""
    return [block.split("```")[0] for block in text.split(f"```{language}\n")[1:]]
