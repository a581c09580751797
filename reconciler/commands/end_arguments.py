"""The arguments of the commands that let a grant end. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

from reconciler.commands import DEFAULT_PATH

Make = Callable[[str, str], argparse.ArgumentParser]
Add = Callable[[argparse.ArgumentParser], None]

# What apply asks of the command line, and these commands do not.
_AS_APPLY = {
    "only": [], "accept": [], "expand": False, "parallelism": 8, "executor": "threads", "scheduler": None,
    "no_verify": False,
}  # fmt: skip


def add_end(make: Make, seconds: Callable[[str], int], common: Iterable[Add]) -> None:
    """Add the commands; `make` makes a subcommand of a name and a summary, `seconds` reads a time like 1h30m.

    `common` adds what takes an approval.
    """
    added = tuple(common)
    _revoke(make, added)
    _rotate(make, added)
    _request(make, seconds)


def _revoke(make: Make, common: Iterable[Add]) -> None:
    command = make("revoke", "end the sessions that anybody has of a grant's role")
    command.add_argument("grant", metavar="GRANT", help="the grant; GRANT@ACCOUNT for the role in one of its targets")
    command.add_argument(
        "--before", default="now", metavar="TIME",
        help="those that were issued before, like 2026-12-31T18:00:00Z; default: now, which is all",
    )  # fmt: skip
    _manifests(command)
    for add in common:
        add(command)
    command.set_defaults(**_AS_APPLY)


def _rotate(make: Make, common: Iterable[Add]) -> None:
    command = make("rotate", "make the roles of grants anew, so that all their sessions end")
    command.epilog = (
        "Of a grant with an external id, that is rotated: a patch of the manifest is printed, by which a new one is "
        "accepted beside the old one, and with --finish the new one only."
    )
    command.add_argument(
        "grants", nargs="*", metavar="GRANT", help="a grant; GRANT@ACCOUNT for the role in one of its targets"
    )
    command.add_argument("--due", action="store_true", help="all roles that are due, by `rotate` of their grants")
    command.add_argument("--finish", action="store_true", help="drop the old one of two external ids")
    command.add_argument("-o", "--out", metavar="FILE", help="a new file for the patch; default: standard output")
    _manifests(command)
    command.add_argument(
        "--accept", action="append", default=[], metavar="RULE",
        help="go on in spite of this rule's finding, like XG206; may be repeated",
    )  # fmt: skip
    for add in common:
        add(command)
    command.set_defaults(**{key: value for key, value in _AS_APPLY.items() if key != "accept"})


def _request(make: Make, seconds: Callable[[str], int]) -> None:
    command = make("request", "ask for a grant for a time, by a change of the manifests")
    command.add_argument("grant", metavar="GRANT", help="the grant that the new one is to be like")
    command.add_argument(
        "--for", dest="seconds", type=seconds, required=True, metavar="TIME", help="how long, like 2h or 1d12h"
    )
    command.add_argument("--reason", required=True, metavar="TEXT", help="why; a tag and the description of the role")
    command.add_argument("--start", metavar="TIME", help="from when on, like 2026-12-31T18:00:00Z; default: now")
    command.add_argument("--requester", metavar="NAME", help="who asks; a tag of the role; default: you")
    command.add_argument(
        "--principal", action="append", default=[], metavar="[ACCOUNT/]KIND/NAME",
        help="let in only this caller of the grant, like user/alice; may be repeated; default: all of them",
    )  # fmt: skip
    command.add_argument(
        "--action", action="append", default=[], metavar="ACTION",
        help="instead of the grant's permissions, like s3:GetObject; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--resource", action="append", default=[], metavar="ARN", help="what that may be done on; may be repeated"
    )
    command.add_argument(
        "--as-file", metavar="FILE", help="a new manifest file to write; default: a patch on standard output"
    )
    _manifests(command)


def _manifests(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--manifest", action="append", dest="paths", metavar="PATH",
        help=f"a manifest file, or a directory of them; may be repeated; default: {DEFAULT_PATH}",
    )  # fmt: skip
