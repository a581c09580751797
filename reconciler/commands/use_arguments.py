"""The arguments of the commands that use a grant. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from reconciler.commands import DEFAULT_PATH

Make = Callable[[str, str], argparse.ArgumentParser]

_SUMMARIES = {
    "assume": "print the credentials of a session for a shell",
    "exec": "run a command with the credentials of a session",
    "credential-process": "give AWS's tools a session, as their credential_process",
    "console": "print a link that signs in to the AWS console",
}


def add_use(make: Make, seconds: Callable[[str], int]) -> None:
    """Add the commands; `make` makes a subcommand of a name and a summary, `seconds` reads a time like 1h30m."""
    for name, summary in _SUMMARIES.items():
        command = make(name, summary)
        command.add_argument("grant", metavar="GRANT", help="the grant; GRANT@ACCOUNT where it has several targets")
        if name == "exec":
            command.epilog = "The command stands behind --, with its arguments: xgrant exec GRANT -- aws s3 ls"
        _session(command, seconds)
        if name == "assume":
            command.add_argument(
                "--shell", choices=("bash", "fish", "powershell"), default="bash",
                help="for which shell; default: bash, which is any POSIX shell",
            )  # fmt: skip
            command.add_argument("--format", choices=("shell", "json"), default="shell", help="default: shell")
    verify = make("verify", "show whether the doors that grants mean are open, and only as far as meant")
    verify.add_argument(
        "grants", nargs="*", metavar="GRANT", help="GRANT, or GRANT@ACCOUNT for one of its targets; default: all"
    )
    _manifests(verify)
    verify.add_argument(
        "--as", action="append", default=[], dest="profiles", metavar="PROFILE",
        help="a profile whose credentials are tried on each grant, whether it names them or not; may be repeated",
    )  # fmt: skip
    verify.add_argument("--format", choices=("text", "json"), default="text", help="default: text")
    config = make("config", "make profiles for AWS's tools of the grants that you may use")
    _credentials(config)
    config.add_argument("--write", action="store_true", help="write them to the AWS configuration file")
    config.add_argument(
        "--prefix",
        type=_prefix,
        default="",
        metavar="TEXT",
        help="what stands before the name of each; default: nothing",
    )


def split_program(words: list[str]) -> tuple[list[str], list[str]]:
    """Return the words of a command line without the program of `exec`, and that program, which is behind the first --.

    argparse would take a second -- away from the program, and its options for its own.
    """
    if words[:1] != ["exec"] or "--" not in words:
        return words, []
    end = words.index("--")
    return words[:end], words[end + 1 :]


def _prefix(text: str) -> str:
    if re.fullmatch("[A-Za-z0-9_.-]{0,64}", text) is None:
        raise argparse.ArgumentTypeError(f"a prefix has letters, digits and _.-; this is {text}")
    return text


def _manifests(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--manifest", action="append", dest="paths", metavar="PATH",
        help=f"a manifest file, or a directory of them; may be repeated; default: {DEFAULT_PATH}",
    )  # fmt: skip


def _credentials(command: argparse.ArgumentParser) -> None:
    _manifests(command)
    command.add_argument(
        "--as", dest="profile", metavar="PROFILE", help="the profile that has your credentials; default: as AWS's tools"
    )
    command.add_argument("--mfa-serial", metavar="DEVICE", help="your MFA device; default: mfa_serial of the profile")


def _session(command: argparse.ArgumentParser, seconds: Callable[[str], int]) -> None:
    _credentials(command)
    command.add_argument("--mfa-code", metavar="CODE", help="its code; asked for on the terminal if left out")
    command.add_argument(
        "--duration", type=seconds, metavar="TIME",
        help="how long the session lasts, like 1h or 90m; default: what the manifest allows",
    )  # fmt: skip
    command.add_argument("--session-name", metavar="NAME", help="what the session is called; default: your name")
    command.add_argument(
        "--external-id", metavar="ID", help="the external id that was agreed; default: what the manifest names"
    )
