"""From a grant to a session of its role, and to profiles of the AWS configuration file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler import clock
from reconciler.errors import AwsError, UsageError, XgrantError
from reconciler.events import Notice
from reconciler.manifest import load
from reconciler.model import Identity, Manifest, PrincipalKind, Session, SessionRequest, Wish
from reconciler.pipeline.directory import load_with_accounts
from reconciler.use import Use, choose, explained, profiles, request_for, usable, uses
from reconciler.use.profiles import Profiles
from reconciler.use.request import OF_PROFILE, check_code, check_serial

if TYPE_CHECKING:
    from reconciler.aws import Caller

Notify = Callable[[Notice], None]
AskCode = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class InUse:
    """A session that somebody got of a grant's role."""

    use: Use
    who: Identity
    session: Session


def checked(ask_code: AskCode) -> AskCode:
    """Return what asks so for a code, and raises UsageError for an answer that is none."""

    def ask(serial: str) -> str:
        code = ask_code(serial)
        check_code(code)
        return code

    return ask


def assume(paths: Sequence[str], wish: Wish, *, ask_code: AskCode, notify: Notify) -> InUse:
    """Return a session of the role of a grant; `ask_code` asks for the code of an MFA device, by its serial.

    Raises:
        ManifestError: with every problem of the manifests.
        UsageError: no such grant, or something has to be given.
        XgrantError: the grant has expired, or has not begun.
        AwsError: AWS refuses; it says which side, as far as that can be known.

    """
    from reconciler.aws import Caller

    manifest, use = _chosen(paths, wish.grant, notify)
    now = int(clock.now())
    _check_force(use, now)
    caller = Caller(wish.profile, use.target.partition, notify, checked(ask_code))
    who = caller.identity()
    request = replace(request_for(use, who, wish), at=now)
    if request.mfa_serial and not request.mfa_code:
        request = replace(request, mfa_code=checked(ask_code)(request.mfa_serial))
    try:
        return InUse(use, who, caller.assume(request, use.target.name))
    except AwsError as error:
        raise _with_reason(error, use, manifest, who, request, caller) from error


def _check_force(use: Use, now: int) -> None:
    """Raise XgrantError for a grant that lets nobody in now, by the clock of this machine; AWS is not asked."""
    if why := use.grant.out_of_force(now):
        wait = "" if use.grant.expired(now) else "wait until then, or "
        raise XgrantError(
            f"{use.grant.name}: {why}; {wait}ask for access with "
            f"`xgrant request {use.grant.name} --for 2h --reason TEXT`"
        )


def console_link(used: InUse) -> str:
    """Return a link that signs in to the console with a session; see `aws.sign_in_link`."""
    from reconciler.aws import sign_in_link

    target = used.use.target
    return sign_in_link(used.session, used.who.settings, account=target.name, partition=target.partition)


@dataclass(frozen=True, slots=True)
class Offered:
    """The profiles that somebody can have, and what is not known of them.

    `who` is the ARN of who that is, `others` are grants for others, `waiting` says of grants with a profile why it does
    not work yet. `unseen` are grants that name groups of which nobody can see who is in them, `unresolved` grants over
    accounts that only the organization knows.
    """

    stack: str
    profiles: Profiles
    who: str = ""
    others: tuple[str, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)
    unseen: tuple[str, ...] = ()
    unresolved: tuple[str, ...] = ()


def offered_profiles(
    paths: Sequence[str], *, source: str, mfa_serial: str | None, prefix: str, ask_code: AskCode, notify: Notify
) -> Offered:
    """Return the profiles of the grants that the profile `source` may use; `prefix` stands before each name.

    Raises:
        ManifestError: with every problem of the manifests.
        UsageError: there is no such profile, or one of a grant would have its name; or no such device can be.
        AwsError: AWS does not know its credentials.

    """
    from reconciler.aws import Caller, has_profile

    manifest = load(paths)
    found = tuple(use for use in uses(manifest) if use.grant.web_identity is None)
    if not has_profile(source) or not source.isprintable():
        raise UsageError(
            f"the AWS configuration files have no profile {source}; name the one that has your credentials with --as"
        )
    partitions = {use.target.partition for use in found} or {"aws"}
    caller = Caller(source, min(partitions) if len(partitions) == 1 else None, notify, checked(ask_code))
    who = caller.identity()
    serial = who.mfa_serial if mfa_serial is None else mfa_serial
    if serial:
        check_serial(serial, OF_PROFILE if mfa_serial is None else "--mfa-serial")
    groups = groups_of(found, manifest, who, caller)
    mine = usable(found, manifest.accounts, who, groups)
    certain = usable(found, manifest.accounts, who, groups or ())
    now = int(clock.now())
    over = {use.label: use.grant.out_of_force(now) for use in mine if use.grant.expired(now)}
    made = profiles(
        (use for use in mine if use.label not in over), who, source=source, mfa_serial=serial, prefix=prefix
    )
    if source in made.sections:
        raise UsageError(
            f"the profile {source} has your credentials, and a grant would have one of its name; give those a --prefix"
        )
    early = ((use, use.grant.out_of_force(now)) for use in mine if use.label not in {**over, **made.left})
    return Offered(
        manifest.stack,
        replace(made, left={**over, **made.left}),
        who.arn,
        tuple(use.label for use in uses(manifest) if use not in mine),
        {use.label: why for use, why in early if why},
        tuple(use.label for use in mine if use not in certain and use.label not in over),
        manifest.unresolved,
    )


def _chosen(paths: Sequence[str], text: str, notify: Notify) -> tuple[Manifest, Use]:
    """Return the manifests and what is meant; the organization is asked only where it has to be."""
    manifest = load(paths)
    use = choose(manifest, text)
    if use is None:
        manifest = load_with_accounts(paths, notify)
        use = choose(manifest, text)
    assert use is not None  # Nothing is unresolved any more.
    return manifest, use


def _with_reason(
    error: AwsError, use: Use, manifest: Manifest, who: Identity, request: SessionRequest, caller: Caller
) -> AwsError:
    """Return the error with the side that refuses, and what to do."""
    groups = groups_of((use,), manifest, who, caller) if error.code.startswith("AccessDenied") else None
    hint = explained(use, manifest.accounts, who, request, error.code, error.message, groups) or error.hint
    return AwsError(error.account, error.operation, error.code, error.message, request_id=error.request_id, hint=hint)


def groups_of(found: Sequence[Use], manifest: Manifest, who: Identity, caller: Caller) -> frozenset[str] | None:
    """Return the groups of who asks; None where that may not be asked, which is said where it matters."""
    if not who.user():
        return frozenset()
    named = (principal for use in found for principal in use.grant.principals)
    accounts = manifest.accounts
    if not any(one.kind is PrincipalKind.GROUP and accounts[one.account].id == who.account for one in named):
        return frozenset()
    try:
        return caller.groups(who.user())
    except AwsError:
        return None
