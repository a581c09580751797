"""What the commands share in speaking to the terminal: data to stdout, everything else to stderr."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from reconciler.errors import AwsError, ManifestError, SeveralAccountsError, UsageError, XgrantError
from reconciler.model import Manifest, Plan
from reconciler.render.escape import escape
from reconciler.render.fold import account_meant, folded_messages
from reconciler.render.text import Painter
from reconciler.wording import INSTALL, few


def painter(choice: str, stream: TextIO | None = None) -> Painter:
    """Return the painter for `--color`: `auto` is colour on a terminal, unless NO_COLOR is set to anything.

    `stream` is where the text goes; stdout if it is not given.
    """
    if choice == "auto":
        shown = sys.stdout if stream is None else stream
        return Painter(shown.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
    return Painter(choice == "always")


def say(text: str, *, end: str = "\n") -> None:
    """Print to stdout; go on in silence where nobody can read it any more.

    An apply must not stop half-way because its output was piped into `head`, or because a disk is full.
    """
    try:
        print(text, end=end, flush=True)
    except OSError as error:
        silence()
        if not isinstance(error, BrokenPipeError):
            warn(f"xgrant: the output cannot be written: {error.strerror}; going on without")


def warn(text: str, *, end: str = "\n") -> None:
    """Print to stderr; it may lead to the same full disk."""
    with suppress(OSError):
        print(text, end=end, file=sys.stderr, flush=True)


def silence() -> None:
    """Lead stdout nowhere, so that the interpreter does not complain of it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_error(error: XgrantError) -> None:
    """Print an error to stderr, escaped, each of several on a line of its own."""
    match error:
        case ManifestError():
            lines = [str(problem) for problem in error.problems]
        case SeveralAccountsError():
            messages = ((account_meant(str(one), error.ids), str(one)) for one in error.errors)
            lines = [*_error_lines(messages, error.ids)]
        case AwsError():
            first, *rest = error.lines()
            lines = [f"xgrant: {first}", *(f"  {line}" for line in rest)]
        case _:
            lines = [f"xgrant: {error}"]
    for line in lines:
        print(escape(line), file=sys.stderr)
    if isinstance(error, ManifestError):
        count = len(error.problems)
        print(f"{count} problem{'s' if count != 1 else ''}; nothing was read or changed", file=sys.stderr)


def print_internal_error(error: Exception) -> None:
    """Print what a mistake of xgrant itself is and where, on one line."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(last.filename)}:{last.lineno}"  # noqa: PTH119 - no path of the machine
    print(
        f"xgrant: internal error: {type(error).__name__}: {escape(str(error))} ({where}). This is a mistake in "
        "xgrant: please report it with the command that you ran, and run `xgrant plan` before anything else.",
        file=sys.stderr,
    )


def conclude(plan: Plan) -> int:
    """Return 3 for a plan that is refused, 6 for one that leaves accounts out, 0 for one that can be applied as it is.

    Why an account could not be read is said on stderr too, for those whose stdout goes to a program.
    """
    unread = [plan.live.facts[name] for name in plan.unread()]
    told = ((one.account.name, f"{one.error}; {one.way_out}" if one.way_out else one.error) for one in unread)
    for line in _error_lines(told, plan.account_ids()):
        warn(escape(line))
    return 3 if plan.refused() else 0 if plan.complete() else 6


def _error_lines(messages: Iterable[tuple[str, str]], ids: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each error, but one for those of several accounts that say the same."""
    for message, accounts in folded_messages(messages, ids):
        where = f"{len(accounts)} accounts ({few(accounts)}): " if len(accounts) > 1 else ""
        yield f"xgrant: {where}{message}"


def unresolved(manifest: Manifest) -> None:
    """Say on stderr which grants are not looked at offline, if there are any."""
    if manifest.unresolved:
        names = escape(", ".join(manifest.unresolved))
        why = "only the organization knows which accounts or tags that means; it is judged when plan asks it"
        print(f"not resolved offline: {names}: {why}", file=sys.stderr)


def interactive() -> bool:
    """Return whether somebody can answer a question."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def check_folder(option: str, file: str) -> None:
    """Check that a file can be written where an option wants it, before anything else is done; UsageError if not."""
    folder = Path(file).parent
    if not folder.is_dir():
        raise UsageError(f"{option}: {file}: there is no directory {folder}; make it, or name a file elsewhere")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise UsageError(f"{option}: {file}: the directory {folder} is not yours to write in; name a file elsewhere")


@contextmanager
def needs_sandbox() -> Iterator[None]:
    """Turn a missing module inside the block into a UsageError that names the extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{error.name} is not installed; the sandbox needs an extra: {INSTALL.format('sandbox')}"
        ) from error


def new_file(option: str, name: str | None) -> Path | None:
    """Return the file that an option names, None if it names none; UsageError where it cannot be a new file."""
    if name is None:
        return None
    if not name:
        raise UsageError(f"{option}: the name is empty; name a new file")
    output = Path(name)
    if output.exists() or output.is_symlink():
        raise UsageError(f"{option}: {output} exists; name a new file")
    check_folder(option, name)
    return output


def write_new(option: str, output: Path, text: str, *, mode: int = 0o600) -> None:
    """Write a file that nobody ever sees half-written, and that takes no other's place; nobody else may read it.

    `mode` says otherwise, for a file without secrets.
    """
    try:
        handle, temporary = tempfile.mkstemp(dir=output.parent, prefix=f".{output.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            Path(temporary).chmod(mode)
            # A link, unlike a rename, fails where the name is taken by now.
            os.link(temporary, output)
        finally:
            Path(temporary).unlink()
    except FileExistsError:
        raise UsageError(f"{option}: {output} exists; name a new file") from None
    except OSError as error:
        why = error.strerror or error
        raise XgrantError(f"{option}: {output} cannot be written: {why}; make room or name a file elsewhere") from error
