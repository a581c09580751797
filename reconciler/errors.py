"""The errors that xgrant raises, each with the exit code that it ends a command with.

All of them carry data; the text is made from the data. No other exception is meant to reach a user.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.wording import few


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a manifest: file as the user named it, line and column counted from 1."""

    file: str
    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a manifest: a stable code (`XG0nn`), the message with what to do, and where.

    `grant` names the grant that it is of, which what it inherits may stand far from; empty where it is of none.
    """

    code: str
    message: str
    place: Place
    grant: str = field(default="", compare=False)

    def __str__(self) -> str:
        return f"{self.place}: {self.code} {self.message}"


class XgrantError(Exception):
    """The root of the family. `exit_code` is what the command ends with."""

    exit_code = 1


class UsageError(XgrantError):
    """The command line asks for something that cannot be asked."""

    exit_code = 64


class ManifestError(XgrantError):
    """The manifests are wrong; carries every `Problem` found, in the order of file, line and column.

    What several grants inherit is one problem, and the first problem of each in `by_grant`.
    """

    exit_code = 3

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        ordered = sorted(problems, key=lambda p: (p.place.file, p.place.line, p.place.column, p.code, p.message))
        self.problems = tuple(dict.fromkeys(ordered))
        self.by_grant = {problem.grant: problem for problem in reversed(ordered) if problem.grant}
        super().__init__("\n".join(str(problem) for problem in self.problems))


class PolicyError(XgrantError):
    """A text is no policy document."""

    exit_code = 3


class StaleError(XgrantError):
    """AWS is no longer as it was when the plan was reviewed."""

    exit_code = 4


class ReviewError(XgrantError):
    """What is to be applied was not reviewed, or is another than what was; nothing was changed."""

    exit_code = 4


class HostingError(XgrantError):
    """GitHub or GitLab refuses what a job asks of it, or cannot be reached; `status` is that of the answer, or 0."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class PlanFileError(XgrantError):
    """A plan file is damaged, edited, of another version or stack, incomplete or out of date; nothing was changed."""

    exit_code = 3


class StoreError(XgrantError):
    """The store of locks and history cannot be reached, or holds what cannot be read: an apply does not go on so."""

    exit_code = 5


class LockError(XgrantError):
    """Another run holds the locks of accounts.

    `accounts` are the manifest's names, `lock_id` is what `xgrant unlock` takes, `holder` says who and where in words,
    `command` what they run, `since` is a time in words, `left` the seconds of the lease. `waited` says how long this
    run has waited in vain, in seconds.
    """

    exit_code = 5

    def __init__(
        self, accounts: tuple[str, ...], lock_id: str, *, holder: str, command: str, since: str, left: float,
        waited: float = 0,
    ) -> None:  # fmt: skip
        self.accounts = accounts
        self.lock_id = lock_id
        self.holder = holder
        self.command = command
        self.since = since
        self.left = left
        self.waited = waited
        wait = f"this run has waited {waited:.0f} s in vain" if round(waited) else "wait with --lock-timeout"
        super().__init__(
            f"{self.situation()}. What to do: {wait}; or, if that process is gone for certain, "
            f"`xgrant unlock --id {lock_id}`, with the manifests that this command names"
        )

    def situation(self) -> str:
        """Return who holds what, without what to do about it."""
        which = f"account {self.accounts[0]} is" if len(self.accounts) == 1 else f"accounts {few(self.accounts)} are"
        ends = f"unless it is renewed, the lock ends in {max(self.left, 0):.0f} s"
        return f"{which} locked by {self.holder}: `{self.command}`, since {self.since}; {ends}"


class UnreadablePlanError(XgrantError):
    """A plan would make a file that no show and no apply takes: a mistake of xgrant itself."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"the plan file is not written, since it could not be read again ({why}). This is a mistake in xgrant: "
            "please report it; `xgrant apply` without a file works"
        )


class AwsError(XgrantError):
    """AWS refused or could not be reached.

    `account` is the manifest's name for the account, `operation` the API operation, `code` AWS's error code,
    `hint` what to do about it; where that is much, in lines.
    """

    def __init__(
        self,
        account: str,
        operation: str,
        code: str,
        message: str,
        *,
        request_id: str = "",
        hint: str = "",
    ) -> None:
        self.account = account
        self.operation = operation
        self.code = code
        self.message = message
        self.request_id = request_id
        self.hint = hint
        # What is no account, like `the organization`, is named as what it is; no account's name has a space.
        where = account if account.startswith("the ") else f"account {account}"
        text = f"{where}: {operation}: {code}: {message}"
        if request_id:
            text += f" (request {request_id})"
        self._head = text
        if hint:
            text += f"; {'; '.join(hint.splitlines())}"
        super().__init__(text)

    def lines(self) -> tuple[str, ...]:
        """Return what it says in lines: one, unless the hint is several."""
        parts = self.hint.splitlines()
        return (self._head, *parts) if len(parts) > 1 else (str(self),)


def means_denied(code: str) -> bool:
    """Return whether an error code of AWS says that an identity may not do something."""
    return code.startswith("AccessDenied") or code == "UnauthorizedOperation"  # The latter is EC2's.


class SeveralAccountsError(XgrantError):
    """More than one account failed; carries every error, and the ids of the accounts by their names."""

    def __init__(self, errors: tuple[XgrantError, ...], ids: Mapping[str, str] | None = None) -> None:
        self.errors = errors
        self.ids = ids or {}
        super().__init__("\n".join(str(error) for error in errors))
