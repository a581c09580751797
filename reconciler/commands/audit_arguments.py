"""The arguments of `xgrant audit`. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable


def add_audit(audit: argparse.ArgumentParser, seconds: Callable[[str], int]) -> None:
    """Add the arguments; `seconds` reads a time like 1h30m."""

    def when(text: str) -> int | str:
        """Return how many seconds ago is meant, or a time that is written out."""
        if days := re.fullmatch("([0-9]{1,5})d", text):
            return int(days.group(1)) * 86400  # More than a year of files may be read.
        if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)?)?", text, re.ASCII):
            try:
                return seconds(text)
            except argparse.ArgumentTypeError:
                raise argparse.ArgumentTypeError(
                    "a time is like 30d or 12h, which is so long ago, or 2026-01-31 or 2026-01-31T12:00:00Z; "
                    f"this is {text}"
                ) from None
        from datetime import datetime

        try:
            datetime.fromisoformat(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"there is no such time: {text}") from error
        return text

    audit.add_argument("--grant", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    audit.add_argument(
        "--since", type=when, metavar="TIME", help="from when on, like 30d, 2026-01-31 or a whole time; default: 30d"
    )
    audit.add_argument("--until", type=when, metavar="TIME", help="until when; default: now")
    audit.add_argument(
        "--from-file", action="append", default=[], metavar="FILE",
        help="logs of a trail, a directory of them, or - for standard input, in place of a lookup; may be repeated",
    )  # fmt: skip
    audit.add_argument(
        "--read-accounts", action="store_true", help="with --from-file, also ask AWS who is in groups and last uses"
    )
    audit.add_argument(
        "--region", action="append", default=[], metavar="REGION",
        help="look only there; may be repeated; default: all that are enabled",
    )  # fmt: skip
    audit.add_argument(
        "--unused", type=seconds, metavar="TIME",
        help="print a patch of the manifests without what nobody has used for so long, like 90d; changes nothing",
    )  # fmt: skip
    audit.add_argument("--format", choices=("table", "json", "csv"), default="table", help="default: table")
