"""The credentials of a session for shells and programs. What is printed here is secret, and is meant to be."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping

from reconciler.model import Session
from reconciler.render.data import dumps

HIDDEN_BY = ("AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SECURITY_TOKEN")
"""What is taken out beside the credentials: some of AWS's tools would prefer a profile to them, and botocore
prefers the old name of the token."""

_POWERSHELL_QUOTES = re.compile("(['\u2018\u2019\u201a\u201b])")


def environment(session: Session, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which AWS's tools take the session, with those that say where requests go."""
    return {
        "AWS_ACCESS_KEY_ID": session.access_key,
        "AWS_SECRET_ACCESS_KEY": session.secret_key,
        "AWS_SESSION_TOKEN": session.token,
        "AWS_CREDENTIAL_EXPIRATION": session.expires,
        **variables,
    }


def bash(text: str) -> str:
    """Return the text quoted for a POSIX shell."""
    return shlex.quote(text)


def fish(text: str) -> str:
    """Return the text quoted for fish, where a backslash escapes within single quotes (fish manual, "Quotes")."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def powershell(text: str) -> str:
    """Return the text quoted for PowerShell.

    A single quote is doubled, and it takes typographic ones for such (about_Quoting_Rules; the language's grammar,
    single-quote-character).
    """
    return "'" + _POWERSHELL_QUOTES.sub(r"\1\1", text) + "'"


_SHELLS: Mapping[str, tuple[str, str, str, Callable[[str], str]]] = {
    "bash": ("false", "unset {}", "export {}={}", bash),
    "fish": ("false", "set --erase {}", "set --export --global {} {}", fish),
    "powershell": ("throw 'xgrant: no session'", "Remove-Item -ErrorAction Ignore Env:{}", "$Env:{} = {}", powershell),
}

SHELLS = tuple(_SHELLS)
"""The shells that lines can be made for; bash is any POSIX shell."""


def lines(values: Mapping[str, str], shell: str) -> str:
    """Return the lines that set these variables in a shell, and take out what would win over them."""
    _, unset, export, quote = _SHELLS[shell]
    found = [unset.format(name) for name in HIDDEN_BY]
    found += [export.format(name, quote(value)) for name, value in values.items()]
    return "".join(f"{line}\n" for line in found)


def failure(shell: str) -> str:
    """Return the line that fails in a shell, in place of a session: whoever evaluates nothing would go on as before."""
    return f"{_SHELLS[shell][0]}\n"


def credential_process(session: Session) -> str:
    """Return what AWS's tools read from a `credential_process` (AWS SDKs and tools guide, "Process credentials")."""
    return dumps({
        "Version": 1,
        "AccessKeyId": session.access_key,
        "SecretAccessKey": session.secret_key,
        "SessionToken": session.token,
        "Expiration": session.expires,
    })  # fmt: skip


def session_json(session: Session, role_arn: str) -> str:
    """Return the session as JSON that ends with a line break."""
    return dumps({
        "role_arn": role_arn,
        "session_arn": session.arn,
        "expires": session.expires,
        "access_key_id": session.access_key,
        "secret_access_key": session.secret_key,
        "session_token": session.token,
    })  # fmt: skip
