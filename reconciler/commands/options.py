"""Options that several commands have. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse

from reconciler.commands import values


def analyzer(command: argparse.ArgumentParser) -> None:
    """Add `--access-analyzer`."""
    command.add_argument(
        "--access-analyzer", action="store_true", help="also ask AWS's Access Analyzer, which may cost something"
    )


def policies(command: argparse.ArgumentParser) -> None:
    """Add `--policies`."""
    command.add_argument(
        "--policies", metavar="FOLDER", help="the folder of policies that counts, and no other; it has to be there"
    )


def only(command: argparse.ArgumentParser) -> None:
    """Add `--only`."""
    command.add_argument(
        "--only", action="append", default=[], metavar="GRANT", help="leave all other grants alone; may be repeated"
    )


def accept(command: argparse.ArgumentParser) -> None:
    """Add `--accept`."""
    command.add_argument(
        "--accept", action="append", default=[], metavar="RULE",
        help="go on in spite of this rule's finding, like XG206; may be repeated",
    )  # fmt: skip


def approving(command: argparse.ArgumentParser) -> None:
    """Add what commands have that ask and lock."""
    command.add_argument(
        "--auto-approve", action="store_true",
        help="do not ask; needed unless input and output are a terminal, since nobody could answer",
    )  # fmt: skip
    command.add_argument(
        "--lock-timeout", type=values.wait, default=0, metavar="TIME",
        help="how long to wait while another run has the accounts, like 90s or 5m; default: not at all",
    )  # fmt: skip


def expand(command: argparse.ArgumentParser) -> None:
    """Add `--expand`."""
    command.add_argument(
        "--expand", action="store_true", help="show equal changes of several accounts each by itself, and all notes"
    )


def formats(command: argparse.ArgumentParser, *more: str) -> None:
    """Add `--format`: text, json and what a command has besides."""
    command.add_argument("--format", choices=("text", "json", *more), default="text", help="default: text")


def colour(command: argparse.ArgumentParser) -> None:
    """Add `--color`."""
    command.add_argument(
        "--color", choices=("auto", "always", "never"), default="auto", help="default: auto, which respects NO_COLOR"
    )


def progress(command: argparse.ArgumentParser) -> None:
    """Add what is told on stderr."""
    command.add_argument(
        "--log-level", choices=("error", "warning", "info", "debug"), default="info",
        help="what is told on stderr; default: info, which is progress",
    )  # fmt: skip
    command.add_argument("--debug", action="store_true", help="as --log-level debug: every call to AWS, with its time")


def detailed(command: argparse.ArgumentParser) -> None:
    """Add `--detailed-exitcode`."""
    command.add_argument(
        "--detailed-exitcode", action="store_true", help="exit 2 when there are changes, 0 when there are none"
    )


def shard(command: argparse.ArgumentParser) -> None:
    """Add `--shard`."""
    command.add_argument(
        "--shard", type=values.part, metavar="I/N",
        help="only the Ith of N parts of the accounts, always the same ones; join the plan files with merge",
    )  # fmt: skip


def executor(command: argparse.ArgumentParser) -> None:
    """Add what does the work of the accounts."""
    command.add_argument(
        "--executor", choices=("threads", "processes", "dask"), default="threads",
        help="what does the work of the accounts; default: threads",
    )  # fmt: skip
    command.add_argument(
        "--scheduler", metavar="ADDRESS", help="of a Dask scheduler, like tls://host:8786; with --executor dask"
    )


def review(command: argparse.ArgumentParser, text: str) -> None:
    """Add `--review`, of which each command says something else."""
    command.add_argument("--review", metavar="NAME", help=text)
    command.add_argument(
        "--if-store", action="store_true", help="with --review: only where the manifests state `store: s3://...`"
    )
