"""What the commands share that use a grant: the session that the command line asks for, and the code of a device."""

from __future__ import annotations

import argparse
import getpass
import os

from reconciler.commands import DEFAULT_PATH
from reconciler.commands.progress import progress
from reconciler.errors import UsageError
from reconciler.model import Wish
from reconciler.pipeline.use import InUse, assume
from reconciler.render.escape import escape


def used(arguments: argparse.Namespace) -> InUse:
    """Return the session that the command line asks for; see `pipeline.use.assume`."""
    wish = Wish(
        arguments.grant,
        profile=arguments.profile,
        duration=arguments.duration,
        session_name=arguments.session_name,
        mfa_serial=arguments.mfa_serial,
        mfa_code=arguments.mfa_code,
        external_id=arguments.external_id,
    )
    return assume(arguments.paths or [DEFAULT_PATH], wish, ask_code=ask_code, notify=progress(arguments).notice)


def ask_code(serial: str) -> str:
    """Ask on the terminal, whatever stdin and stdout are; UsageError where there is none."""
    if os.name != "nt":  # There getpass asks the console by itself.
        try:
            os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        except OSError:
            raise UsageError(
                f"MFA missing: there is no terminal to ask on for the code of {serial}; give it with --mfa-code, if it "
                "is the grant that demands it and not your own profile"
            ) from None
    try:
        return getpass.getpass(f"MFA code of {escape(serial)}: ").strip()
    except EOFError:
        raise UsageError("MFA missing: no code was given") from None
