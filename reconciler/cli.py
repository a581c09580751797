"""The command line: arguments, and exit codes. Imports nothing heavy, so that --help is quick."""

from __future__ import annotations

import argparse
import gc
import io
import os
import re
import sys

from reconciler import __version__
from reconciler.commands import DEFAULT_PATH, options, values
from reconciler.commands.audit_arguments import add_audit
from reconciler.commands.bootstrap_arguments import add_bootstrap
from reconciler.commands.end_arguments import add_end
from reconciler.commands.pipeline_arguments import add_pipeline
from reconciler.commands.use_arguments import add_use, split_program

# As typing has it: typing itself would be a tenth of the time that --help takes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

EXIT_CODES = """\
exit codes:
  0   done; nothing to change, or changes and no --detailed-exitcode
  1   error, or the plan was not approved
  2   there are changes (plan --detailed-exitcode, drift) or findings (accounts --orphans, audit, verify, doctor)
  3   the manifests or the plan file are invalid, or the plan is refused
  4   stale: the plan is no longer the one that was approved
  5   locked: another run has the account, or the store cannot be reached
  6   in part: a change failed, was skipped, or was interrupted; an account or log could not be read (if no account: 1)
  64  wrong usage
  130 interrupted before anything was changed, or left at once"""

INTERRUPTED = 130

COMMENT_FORMATS = ("markdown", "github", "gitlab")
"""The formats of what a pull request shows: a summary, and the comments of the two forges."""

PLAN_FORMATS = (*COMMENT_FORMATS, "sarif", "github-commands", "gitlab-report")
"""The formats of a plan beside text and JSON."""

LEVELS = ("advice", "warn", "deny")
"""The levels of guardrails, the least one first."""

_MODULES = {"import": "import_", "exec": "exec_", "credential-process": "credential_process"}
"""By command the module of `reconciler.commands`, where it cannot have the same name."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        # 2 would say that there are changes.
        from reconciler.render.escape import escape

        if found := re.match(r"argument COMMAND: invalid choice: '([^']*)'", message):
            from difflib import get_close_matches

            known = re.findall(r"'([a-z-]+)'", message.partition("choose from")[2])
            near = get_close_matches(found.group(1), known, n=1)
            meant = f"did you mean {near[0]}?" if near else "`xgrant --help` shows all"
            message = f"there is no command {found.group(1)}; {meant}"
        if self.prog.endswith(" assume") and not sys.stdout.isatty():
            print("false")  # As of every failure: a shell that evaluates the output fails too.
        self.exit(64, f"{self.prog}: error: {escape(message)}\n")


class _Subcommand(_Parser):
    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]
        # argparse hands what a subcommand does not know to the parser above it, whose usage is of no help.
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            behind = "; the command to run stands behind --" if self.prog.endswith(" exec") else ""
            self.error(f"unrecognized arguments: {' '.join(unknown)}{behind}")
        return found, unknown


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = _Parser(
        prog="xgrant",
        description="Declare cross-account access on AWS in YAML; plan it, apply it, take it back.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"xgrant {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Subcommand)

    _looking(commands)
    _changing(commands)
    _asking(commands)
    add_use(lambda name, summary: _use_command(commands, name, summary), values.period)
    add_end(
        lambda name, summary: _command(commands, name, summary),
        values.period,
        (options.approving, options.colour, options.progress),
    )
    init = _command(commands, "init", "make a new repository of manifests, or add what one lacks, offline")
    init.add_argument("directory", nargs="?", default=".", metavar="DIRECTORY", help="default: this one")
    init.add_argument("--stack", default="platform", help="the stack of the example; default: platform")
    init.add_argument("--ci", choices=("github", "gitlab"), help="where pipelines run; none if left out")
    init.add_argument("--owner", action="append", default=[], metavar="@TEAM", help="a code owner; may be repeated")
    add_pipeline(_command(commands, "pipeline", "do for a job of GitHub or GitLab what it needs of them"))
    add_bootstrap(_command(commands, "bootstrap", "print templates of the roles that xgrant works with, offline"))
    _trying(commands)
    return top


def _looking(commands: argparse._SubParsersAction[_Subcommand]) -> None:
    """Add the commands that only look at manifests and AWS."""
    validate = _manifest_command(commands, "validate", "check the manifests, offline")
    validate.add_argument("--format", choices=("text", "github", "gitlab"), default="text", help="default: text")
    options.policies(validate)

    lint = _manifest_command(commands, "lint", "show what grants should not do, offline")
    lint.add_argument("--level", choices=LEVELS, default="advice", help="show what is of this level or above")
    lint.add_argument("--list", action="store_true", help="show all rules, with their levels here")
    lint.add_argument("--explain", metavar="RULE", help="show one rule: why, what to do, and who says so")
    lint.add_argument(
        "--format", choices=("text", "json", "sarif", "github", "gitlab", "markdown"), default="text",
        help="default: text; markdown is for --list",
    )  # fmt: skip
    options.analyzer(lint)
    options.policies(lint)

    plan = _manifest_command(commands, "plan", "show what apply would change; changes nothing")
    options.only(plan)
    options.accept(plan)
    options.colour(plan)
    options.expand(plan)
    options.formats(plan, *PLAN_FORMATS)
    options.executor(plan)
    options.progress(plan)
    options.analyzer(plan)
    options.policies(plan)
    plan.add_argument("--destroy", action="store_true", help="plan to remove all that the stack owns")
    plan.add_argument("-o", "--out", metavar="FILE", help="also write the plan to a file, *.json, for show and apply")
    plan.add_argument(
        "--expires", type=values.period, metavar="TIME",
        help=f"how long apply takes the file, like 7d, 1h30m or 90s; default: 24h, at most {values.MAX_DAYS}d",
    )  # fmt: skip
    options.detailed(plan)
    options.shard(plan)
    plan.add_argument(
        "--same-as", metavar="FILE", help="exit 4 unless all changes are those of this plan file, as apply would"
    )
    options.review(plan, "also keep the plan file in the store, once, under this name; with --same-as, demand it there")

    show = _command(commands, "show", "show a plan file as plan did")
    show.add_argument("file", metavar="FILE", help="a file that plan -o wrote")
    options.colour(show)
    options.expand(show)
    options.formats(show, *PLAN_FORMATS)

    merge = _command(commands, "merge", "join the plan files of all shards to one, offline")
    merge.add_argument("files", nargs="+", metavar="FILE", help="what plan --shard wrote, of every shard")
    merge.add_argument("-o", "--out", metavar="FILE", required=True, help="the plan file to write, *.json")
    options.accept(merge)
    options.colour(merge)
    options.expand(merge)
    options.formats(merge, *PLAN_FORMATS)
    options.detailed(merge)

    drift = _manifest_command(commands, "drift", "show where AWS is not as the manifests say; changes nothing")
    options.only(drift)
    options.colour(drift)
    options.formats(drift, *COMMENT_FORMATS)
    options.executor(drift)
    options.shard(drift)
    options.progress(drift)


def _changing(commands: argparse._SubParsersAction[_Subcommand]) -> None:
    """Add the commands that change AWS."""
    for name, summary in (
        ("apply", "bring AWS to what the manifests say"),
        ("destroy", "remove all that the stack owns"),
    ):
        command = _manifest_command(commands, name, summary)
        if name == "apply":
            command.epilog = "With a plan file, a first PATH named *.json, it does what was reviewed or nothing."
            options.review(command, "exit 4 unless the store has this plan file under that name")
            command.add_argument(
                "--if-current", action="store_true",
                help="exit 4, before anything is written, if a newer run has overtaken the one of this job",
            )  # fmt: skip
            command.add_argument(
                "--record", metavar="FILE",
                help="once changes begin, write the id of their record in the history to FILE",
            )  # fmt: skip
            options.policies(command)
        options.only(command)
        options.accept(command)
        options.colour(command)
        options.expand(command)
        options.approving(command)
        command.add_argument(
            "--parallelism", type=values.parallelism, default=8, metavar="N",
            help="changes of one account at a time; default: 8",
        )  # fmt: skip
        options.executor(command)
        command.add_argument("--no-verify", action="store_true", help="do not read back what was written")
        options.progress(command)


def _asking(commands: argparse._SubParsersAction[_Subcommand]) -> None:
    """Add the commands about accounts, history and locks."""
    accounts = _manifest_command(commands, "accounts", "show all accounts, and how each is reached")
    accounts.add_argument(
        "--orphans", action="store_true", help="show what is left in accounts that the manifests no longer have"
    )
    options.formats(accounts)
    options.progress(accounts)

    doctor = _manifest_command(commands, "doctor", "show what is wrong with credentials, trails, quotas and the like")
    options.formats(doctor)
    options.progress(doctor)

    audit = _manifest_command(commands, "audit", "show who used which grant, by CloudTrail")
    add_audit(audit, values.period)
    options.progress(audit)

    history = _manifest_command(commands, "history", "show what was applied, by whom and when")
    history.epilog = (
        "With the id of one, or its beginning from the day on, as the first PATH, it shows that one with all its steps."
    )
    history.add_argument("--limit", type=values.limit, default=20, metavar="N", help="show the newest N; default: 20")
    options.formats(history)

    unlock = _manifest_command(commands, "unlock", "release the locks of a run that no longer lives")
    unlock.add_argument("--id", required=True, help="the id of the locks, as the message said that named them")


def _trying(commands: argparse._SubParsersAction[_Subcommand]) -> None:
    """Add the commands to begin with."""
    importing = _manifest_command(commands, "import", "write manifests of the roles that were made by hand")
    importing.add_argument("--account", required=True, help="the account whose cross-account roles are read")
    importing.add_argument(
        "--role", action="append", default=[], metavar="NAME", help="this role only; may be repeated"
    )
    importing.add_argument("--output", metavar="FILE", help="a new file to write; default: standard output")
    options.progress(importing)

    sandbox = _command(commands, "sandbox", "serve an emulated AWS on loopback to try things on")
    sandbox.add_argument("--port", type=values.port, default=0, help="default: a free one")
    sandbox.add_argument("--strict", action="store_true", help="refuse what AWS refuses, and check trust policies")
    options.colour(_command(commands, "demo", "run the whole example against an emulated AWS, step by step"))


def _command(commands: argparse._SubParsersAction[_Subcommand], name: str, summary: str) -> _Parser:
    return commands.add_parser(
        name, help=summary, description=summary[0].upper() + summary[1:] + ".", allow_abbrev=False
    )


def _manifest_command(commands: argparse._SubParsersAction[_Subcommand], name: str, summary: str) -> _Parser:
    command = _command(commands, name, summary)
    command.add_argument(
        "paths",
        nargs="*",
        metavar="PATH",
        default=[DEFAULT_PATH],
        help=f"manifest files, or directories of them; default: {DEFAULT_PATH}",
    )
    return command


def _use_command(commands: argparse._SubParsersAction[_Subcommand], name: str, summary: str) -> _Parser:
    command = _command(commands, name, summary)
    options.progress(command)
    return command


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code. No traceback reaches a user."""
    words, program = split_program(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(words)
    arguments.command_line = ["xgrant", *words]
    arguments.program = program
    # A stream that the caller has closed leads nowhere.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - no pathlib for --help
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - likewise
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a character gets its code, not an error.
            stream.reconfigure(errors="backslashreplace")
    from importlib import import_module

    from reconciler.errors import XgrantError

    try:
        # Each command is a module with one function `run`.
        module = _MODULES.get(arguments.command, arguments.command)
        code: int = import_module(f"reconciler.commands.{module}").run(arguments)
        sys.stdout.flush()
    except XgrantError as error:
        from reconciler.commands.output import print_error

        print_error(error)
        return error.exit_code
    except KeyboardInterrupt:
        # Once changes have begun, a signal is no exception any more.
        start = "\n" if sys.stderr.isatty() else ""  # Where the terminal has just written ^C.
        print(f"{start}interrupted: nothing in AWS was changed", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        from reconciler.commands.output import silence

        if not isinstance(error, BrokenPipeError):  # Whoever read our output has gone, as `head` does.
            from reconciler.render.escape import escape

            where = f": {error.filename}" if error.filename else ""
            print(escape(f"xgrant: {error.strerror or error}{where}"), file=sys.stderr)
        silence()
        return 1
    except Exception as error:  # noqa: BLE001 - the last resort; it hides nothing, it says that xgrant is wrong
        from reconciler.commands.output import print_internal_error

        print_internal_error(error)
        return 1
    return code


def run() -> NoReturn:
    """Run the command line of this process, and end it."""
    # Most of what a run makes stays, and the collector would go over all of it again and again.
    gc.set_threshold(20_000)
    code = main()
    if code == INTERRUPTED:
        # Threads that still read would be waited for.
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)
