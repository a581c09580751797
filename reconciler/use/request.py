"""What a session of a grant's role is asked with: from the manifest, from who asks, and from the command line."""

from __future__ import annotations

import re

from reconciler.errors import UsageError, XgrantError
from reconciler.model import Identity, SessionRequest, Wish
from reconciler.policy.conditions import Conditions
from reconciler.use.choice import Use
from reconciler.use.conditions import demands, demands_mfa, tags_for, value_for

SHORTEST = 900
"""The shortest session that AWS gives, in seconds (facts sheet 1.4)."""

CHAINED = 3600
"""The longest session, in seconds, that a role's session gets of another role (facts sheet 1.4)."""

OF_PROFILE = "mfa_serial of the profile"
"""What messages call the place where a profile states a device."""

_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}")
_SERIAL = re.compile(r"[A-Za-z0-9_+=/:,.@-]{9,256}")
_CODE = re.compile(r"[0-9]{6}")
_EXTERNAL_ID = re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}")


def request_for(use: Use, who: Identity, wish: Wish) -> SessionRequest:
    """Return what is sent; an MFA device without a code means that the code is still to be asked for.

    Raises:
        UsageError: something has to be given, or is given that AWS or the manifest does not take.
        XgrantError: who asks can never meet what the grant demands.

    """
    conditions = use.grant.conditions
    serial = _mfa_serial(use, who, wish)
    if wish.mfa_code is not None:
        check_code(wish.mfa_code)
        if not serial:
            raise UsageError("--mfa-code: the code is of a device; name that with --mfa-serial")
    return SessionRequest(
        use.role_arn,
        _session_name(wish.session_name or "", conditions, who),
        _duration(use, who, wish),
        external_id=_external_id(wish.external_id, conditions, who),
        source_identity=_source_identity(conditions, who),
        tags=tags_for(conditions, who),
        mfa_serial=serial,
        mfa_code=wish.mfa_code or "",
    )


def check_code(code: str) -> None:
    """Raise UsageError for what is no code of an MFA device (STS API reference, AssumeRole, TokenCode)."""
    if _CODE.fullmatch(code) is None:
        raise UsageError("an MFA code has six digits; wait for the device's next one and give that")


def check_serial(serial: str, where: str = "--mfa-serial") -> None:
    """Raise UsageError for what names no MFA device (STS API reference, AssumeRole, SerialNumber).

    `where` is what has stated it.
    """
    if _SERIAL.fullmatch(serial) is None:
        raise UsageError(
            f"{where}: {serial} is no MFA device; it is like arn:aws:iam::123456789012:mfa/alice, or the number "
            "of a hardware device"
        )


def longest(use: Use, who: Identity) -> int:
    """Return the longest session that the manifest and the kind of caller allow, in seconds."""
    most = use.grant.max_session_duration
    return min(most, CHAINED) if who.role() else most


def _duration(use: Use, who: Identity, wish: Wish) -> int:
    if wish.duration is None:
        return longest(use, who)
    most = use.grant.max_session_duration
    if wish.duration < SHORTEST:
        raise UsageError("--duration: the shortest session that AWS gives is 15m")
    if wish.duration > most:
        raise UsageError(
            f"--duration: wrong duration: the manifest gives sessions of the grant {use.grant.name} at most "
            f"{in_words(most)}; ask for less, or raise `session.max_duration` there and apply"
        )
    return wish.duration


def _mfa_serial(use: Use, who: Identity, wish: Wish) -> str:
    if wish.mfa_serial is not None:
        check_serial(wish.mfa_serial)
        return wish.mfa_serial
    demanded = demands_mfa(use.grant.conditions)
    if not demanded and wish.mfa_code is None:
        return ""
    if demanded and who.role():
        raise XgrantError(
            f"MFA missing: the role's side demands MFA, and you are a session of the role {who.role()}, which never "
            "carries any. What to do: ask with the credentials of an IAM user, with --as PROFILE"
        )
    if who.mfa_serial:
        check_serial(who.mfa_serial, OF_PROFILE)
        return who.mfa_serial
    if who.temporary or not demanded:
        return ""  # The session may be one with MFA, from GetSessionToken; AWS knows.
    raise UsageError(
        f"MFA missing: the role's side of the grant {use.grant.name} demands MFA. Name your device as mfa_serial of "
        f"the profile, like arn:{use.target.partition}:iam::{who.account}:mfa/{who.name()}; or by --mfa-serial, where "
        "the command has it"
    )


def _session_name(stated: str, conditions: Conditions, who: Identity) -> str:
    """Return the session's name: as stated, as the trust policy demands it, or who asks, so that audits show it."""
    if stated:
        if _NAME.fullmatch(stated) is None:
            raise UsageError(
                f"--session-name: a session's name has 2 to 64 letters, digits and _+=,.@-; this is {stated}"
            )
        return stated
    return value_for(conditions, "sts:rolesessionname", who) or own_name(who)


def _external_id(stated: str | None, conditions: Conditions, who: Identity) -> str:
    if stated is not None and _EXTERNAL_ID.fullmatch(stated) is None:
        raise UsageError("--external-id: an external id has 2 to 1224 letters, digits and _+=,.@:/-")
    return stated or value_for(conditions, "sts:externalid", who)


def _source_identity(conditions: Conditions, who: Identity) -> str:
    """Return what the trust policy wants to know of who is behind the session; empty where it asks for nothing."""
    if not demands(conditions, "sts:sourceidentity"):
        return ""
    return value_for(conditions, "sts:sourceidentity", who) or own_name(who)


def own_name(who: Identity) -> str:
    """Return what a session is called by who asks, so that audits show it."""
    name = who.name()
    return name if _NAME.fullmatch(name) else f"xgrant-{name}"  # A user's name may be one letter.


def in_words(seconds: int) -> str:
    """Return a duration as the manifest writes it."""
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"
