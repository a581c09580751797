"""Counts by account as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from reconciler.render.markdown.escape import cell
from reconciler.wording import few


def table(columns: Sequence[str], found: Iterable[tuple[str, str]]) -> str:
    """Return how often each account is found with each of the columns; accounts with equal numbers are one line.

    It ends with an empty line; it is nothing where nothing is found.
    """
    counted: dict[str, Counter[str]] = {}
    for account, column in found:
        counted.setdefault(account, Counter())[column] += 1
    rows: dict[tuple[int, ...], list[str]] = {}
    for account, number in sorted(counted.items()):
        rows.setdefault(tuple(number[column] for column in columns), []).append(account)
    if not rows:
        return ""
    lines = [f"| account | {' | '.join(columns)} |", f"|---{'|---:' * len(columns)}|"]
    for numbers, accounts in rows.items():
        several = f"each of {len(accounts)} accounts: " if len(accounts) > 1 else ""
        cells = " | ".join(str(number) if number else "" for number in numbers)
        lines.append(f"| {several}{cell(few(accounts))} | {cells} |")
    return "\n".join(lines) + "\n\n"
