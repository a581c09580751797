"""Values of the command line: text to what it means. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
import re

MAX_DAYS = 365
"""The longest time that a plan file may be good for."""

MAX_SHARDS = 10_000
"""More parts than any stack has accounts."""


def port(text: str) -> int:
    """Return the number of a port; ArgumentTypeError for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535; this is {text}")
    return int(text)


def period(text: str) -> int:
    """Return how many seconds a time like 1h30m has; ArgumentTypeError for anything else."""
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1}
    found = re.fullmatch("".join(f"(?:([0-9]{{1,8}}){unit})?" for unit in units), text)
    numbers = found.groups(default="0") if found else ()
    seconds = sum(int(number) * size for number, size in zip(numbers, units.values(), strict=False))
    if not 0 < seconds <= MAX_DAYS * 86400:
        raise argparse.ArgumentTypeError(
            f"a time is a number with d, h, m or s, or several in this order, like 24h or 1h30m, and at most "
            f"{MAX_DAYS}d; this is {text}"
        )
    return seconds


def wait(text: str) -> int:
    """Return how many seconds a time like 90s has, which may be 0; ArgumentTypeError for anything else."""
    if text == "0":
        return 0
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = text[:-1], text[-1:]
    if unit not in units or not (number.isascii() and number.isdigit() and len(number) <= 5):
        raise argparse.ArgumentTypeError(f"a time is a number with s, m or h, like 90s; this is {text}")
    return int(number) * units[unit]


def limit(text: str) -> int:
    """Return a number from 1 to 999999; ArgumentTypeError for anything else."""
    if not (text.isascii() and text.isdigit() and len(text) <= 6 and int(text)):
        raise argparse.ArgumentTypeError(f"a limit is a number from 1 to 999999; this is {text}")
    return int(text)


def part(text: str) -> object:
    """Return the part of the accounts that a text like 2/4 names; ArgumentTypeError for anything else."""
    found = re.fullmatch("([0-9]{1,5})/([0-9]{1,5})", text)
    number, of = (int(part) for part in found.groups()) if found else (0, 0)
    if not 1 <= number <= of <= MAX_SHARDS:
        raise argparse.ArgumentTypeError(f"a shard is like 2/4: I/N with 1 <= I <= N <= {MAX_SHARDS}; this is {text}")
    from reconciler.shards import Shard

    return Shard(number, of)


def parallelism(text: str) -> int:
    """Return a number from 1 to 32; ArgumentTypeError for anything else."""
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 32:
        raise argparse.ArgumentTypeError(f"a number from 1 to 32; this is {text}")
    return int(text)
