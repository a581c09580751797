"""The arguments of `xgrant pipeline`. Imports nothing heavy, as the command line itself."""

from __future__ import annotations

import argparse


def add_pipeline(command: argparse.ArgumentParser) -> None:
    """Add its subcommands to the command."""
    verbs = command.add_subparsers(dest="verb", metavar="WHAT", required=True, parser_class=type(command))

    comment = _verb(verbs, "comment", "write or update the one comment on the pull or merge request of this job")
    comment.add_argument(
        "file", metavar="FILE", nargs="?", help="what `xgrant show plan.json --format github` printed, or gitlab"
    )
    comment.add_argument(
        "--no-plan", action="store_true", help="without FILE: say so in the place of the plan of an older commit"
    )

    reviewed = _verb(verbs, "reviewed", "get the plan that was reviewed of the commit of this job")
    reviewed.add_argument("-o", "--out", metavar="FILE", required=True, help="the plan file to write, *.json")

    _verb(verbs, "current", "exit 4 if a newer run of this branch has overtaken the one of this job")

    protected = _verb(verbs, "protected", "look whether somebody has to approve what this job's pipeline applies")
    protected.add_argument("environment", metavar="ENVIRONMENT", help="the one of the job that applies")
    protected.add_argument(
        "--if-not", dest="otherwise", choices=("refuse", "warn"), required=True,
        help="refuse (exit 4) where the approval is the only review, warn where there is another",
    )  # fmt: skip

    issue = _verb(verbs, "issue", "open, update or close the one issue about drift")
    issue.add_argument("file", metavar="FILE", help="what `xgrant drift --format github` printed, or gitlab")
    issue.add_argument("--state", choices=("open", "closed"), required=True, help="open where there is drift")


def _verb(
    verbs: argparse._SubParsersAction[argparse.ArgumentParser], name: str, summary: str
) -> argparse.ArgumentParser:
    return verbs.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False)
