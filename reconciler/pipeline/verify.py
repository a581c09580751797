"""Whether the doors that the grants of manifests mean are open: by sessions, AWS's simulator and what is read back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from reconciler.desired import desired_state, role_address
from reconciler.errors import AwsError, UsageError, XgrantError
from reconciler.events import Notice
from reconciler.manifest import load
from reconciler.model import (
    Door,
    Identity,
    Manifest,
    Principal,
    PrincipalKind,
    Scope,
    Session,
    Side,
    Verdict,
    Verification,
    Way,
    Wish,
)
from reconciler.pipeline.directory import load_with_accounts
from reconciler.pipeline.evidence import Evidence, label_of
from reconciler.pipeline.others import Settled, beside
from reconciler.pipeline.use import AskCode, checked
from reconciler.principals import with_arns
from reconciler.use import Use, explained, request_for, uses
from reconciler.use.choice import chosen
from reconciler.use.refused import is_principal, may_use
from reconciler.use.request import SHORTEST
from reconciler.use.sides import key_of

if TYPE_CHECKING:
    from reconciler.aws import Caller

Notify = Callable[[Notice], None]

_NOT_CHOSEN = "the grant is for the whole account, whose own policies do not let it in"
_MFA = "it demands MFA, and no code is asked for here: tried without credentials"


@dataclass(frozen=True, slots=True)
class _Tester:
    """A profile whose credentials are tried: who it is, and in which groups; None where that cannot be seen."""

    profile: str
    caller: Caller
    who: Identity
    groups: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class _Refusal:
    """That AWS refused a session, and why as far as that is known."""

    why: str


def verify(
    paths: Sequence[str], named: Sequence[str], profiles: Sequence[str], *, ask_code: AskCode, notify: Notify,
    now: datetime,
) -> Verification:  # fmt: skip
    """Return what is found of the grants that are named, `GRANT` or `GRANT@account`; of all if none is.

    The credentials of `profiles` are tried on each of them, whether it names who they are or not; `ask_code` asks for
    the code of an MFA device, by its serial, where a profile itself assumes a role with one.

    Raises:
        ManifestError: with every problem of the manifests.
        UsageError: there is no such grant.
        AwsError: the credentials of a profile are of no use.

    """
    from reconciler.aws import PARALLEL_ACCOUNTS, AwsReader, Caller, Connections, Simulator, threads

    manifest = load(paths)
    if manifest.unresolved:
        manifest = load_with_accounts(paths, notify)
    found = _meant(manifest, named)
    connections = Connections(manifest.stack, notify)
    live = with_arns(AwsReader(connections).read(_scope(manifest, found)))
    wanted = desired_state(manifest.grants, manifest.accounts, stack=manifest.stack)
    evidence = Evidence(manifest, live, wanted, Simulator(connections), notify, int(now.timestamp()))
    partition = found[0].target.partition  # A stack is of one, as a grant is.
    ask = checked(ask_code)
    testers = [_tester(profile, Caller(profile, partition, notify, ask), found, evidence) for profile in profiles]
    with threads(PARALLEL_ACCOUNTS, "verify") as pool:
        doors = list(pool.map(lambda use: tuple(_doors(use, testers, evidence)), found))
    rest = beside(found, evidence, _settled(found, testers, doors))
    unread = {name: facts.error for name, facts in live.facts.items() if facts.error}
    all_doors = (*(door for several in doors for door in several), *rest.doors)
    read = sum(facts.account.managed and not facts.error for facts in live.facts.values())
    return Verification(tuple(sorted(all_doors, key=lambda door: door.grant)), unread, rest.notes(), read)


def _meant(manifest: Manifest, named: Sequence[str]) -> tuple[Use, ...]:
    found = chosen(manifest, named) if named else tuple(uses(manifest))
    if not found:
        raise UsageError("the manifests have no grant, so there is nothing to verify")
    return found


def _scope(manifest: Manifest, found: Sequence[Use]) -> Scope:
    """Return what is read: the roles, and the accounts of all who may assume them."""
    names = {name for use in found for name in (use.target.name, *(one.account for one in use.grant.principals))}
    slots = frozenset(role_address(use.grant).slot() for use in found)
    accounts = tuple(manifest.accounts[name] for name in sorted(names))
    sources = frozenset(one.account for use in found for one in use.grant.principals)
    return Scope(manifest.stack, accounts, slots, held=sources, part=True)


def _settled(found: Sequence[Use], testers: Sequence[_Tester], doors: Sequence[Sequence[Door]]) -> set[Settled]:
    """Return at which doors it is known by their profiles whether they get in.

    The doors of the profiles are the first of each grant.
    """
    return {
        (use.label, tester.who.account, *key_of(tester.who))
        for use, several in zip(found, doors, strict=True)
        for tester, door in zip(testers, several, strict=False)
        if Way.SESSION in door.ways() or door.verdict() is Verdict.WIDER
    }


def _tester(profile: str, caller: Caller, found: Sequence[Use], evidence: Evidence) -> _Tester:
    who = caller.identity()
    return _Tester(profile, caller, who, evidence.groups(found, who, caller))


def _doors(use: Use, testers: Sequence[_Tester], evidence: Evidence) -> Iterator[Door]:
    """Yield what is found of each principal of a grant, and of each profile that it does not name."""
    tried: set[Principal] = set()
    for tester in testers:
        principals = _who_it_is(use, tester, evidence)
        tried |= {*principals}
        yield _tried(use, tester, principals, evidence)
    if use.grant.web_identity is not None:
        who = f"whoever has a token of {use.grant.web_identity.provider}"
        caller = Side(True, Way.DOCUMENTS, "the token says who it is")
        yield evidence.door(use, who, caller, evidence.trust(use, None))
    for principal in use.grant.principals:
        if principal not in tried:
            yield _looked_at(use, principal, evidence)


def _who_it_is(use: Use, tester: _Tester, evidence: Evidence) -> tuple[Principal, ...]:
    """Return which principals of a grant a profile is; a whole account stays to be looked at by itself."""
    accounts = evidence.manifest.accounts
    return tuple(
        one
        for one in use.grant.principals
        if accounts[one.account].id == tester.who.account
        and one.kind is not PrincipalKind.ACCOUNT
        and is_principal(one, tester.who, tester.groups)
    )


def _looked_at(use: Use, principal: Principal, evidence: Evidence) -> Door:
    caller, notes = evidence.caller(use, principal)
    return evidence.door(use, label_of(principal), caller, evidence.trust(use, principal), notes=notes)


def _tried(use: Use, tester: _Tester, principals: Sequence[Principal], evidence: Evidence) -> Door:
    """Return the door of a profile: by a session if one can be asked for, else as it looks without."""
    meant = may_use(use, evidence.manifest.accounts, tester.who, tester.groups)
    result = _session(use, tester, evidence, meant=meant is not False)
    if isinstance(result, str):
        if principals:
            found = _looked_at(use, principals[0], evidence)
        else:
            caller, trust = evidence.stranger(use, tester.who)
            if meant is None:
                caller = Side(None, Way.DOCUMENTS, "whether it is of a group of the grant nobody can see from here")
            found = evidence.door(use, tester.who.arn, caller, trust, meant=meant is not False)
        return replace(found, profile=tester.profile, notes=(f"no session was tried: {result}", *found.notes))
    who = label_of(principals[0]) if principals else tester.who.arn
    if isinstance(result, Session):
        inside = Side(True, Way.SESSION, f"{tester.who.arn} got a session")
        found = evidence.door(
            use, who, inside, inside, meant=meant is not False, session=result, region=tester.caller.region()
        )
        return replace(found, profile=tester.profile)
    refused = Side(False, Way.SESSION, result.why)
    if meant is None:
        unknown = Side(None, Way.SESSION, f"{result.why}; whether it should be let in nobody can see from here")
        found = evidence.door(use, who, unknown, unknown)
    elif meant and principals:
        found = _with_side(_looked_at(use, principals[0], evidence), _placed(use, tester.who, refused, evidence))
    elif meant:
        caller, _ = evidence.stranger(use, tester.who)
        let_in = caller.allowed is not False  # Of a whole account its own policies choose.
        trust = _placed(use, tester.who, refused, evidence) if let_in else refused
        found = evidence.door(use, who, caller, trust, meant=let_in, notes=() if let_in else (_NOT_CHOSEN,))
    else:
        refused = _placed(use, tester.who, refused, evidence)
        found = evidence.door(use, who, refused, Side(None, Way.SESSION, ""), meant=False)
    return replace(found, profile=tester.profile)


def _with_side(looked: Door, refused: Side) -> Door:
    """Return the door that a session was refused at, with the side that refuses as far as it is seen without one."""
    if looked.caller.allowed is False or looked.trust.allowed is False:
        return looked
    if looked.caller.allowed and refused.allowed is False:
        why = "AWS refuses a session, and the caller's policies allow it: this side does, or the organization"
        return replace(looked, trust=Side(False, Way.SESSION, why))
    return replace(looked, trust=refused)


def _placed(use: Use, who: Identity, refused: Side, evidence: Evidence) -> Side:
    """Return that nobody knows, where a session may have been refused because this machine is another one's place."""
    places = evidence.places(use, who)
    if not places:
        return refused
    why = f"a session is refused from this machine, and nobody can see from here whether it meets {'; '.join(places)}"
    return Side(None, Way.SESSION, why)


def _session(use: Use, tester: _Tester, evidence: Evidence, *, meant: bool) -> Session | _Refusal | str:
    """Return a session of the role, that AWS refused it, or why none was asked for."""
    if use.grant.web_identity is not None:
        return "it takes a token to assume the role"
    try:
        request = request_for(use, tester.who, Wish(use.label, profile=tester.profile, duration=SHORTEST))
    except XgrantError as error:
        return str(error)
    if request.mfa_serial:
        return _MFA
    try:
        return tester.caller.assume(request, use.target.name)
    except AwsError as error:
        accounts = evidence.manifest.accounts
        told = explained(use, accounts, tester.who, request, error.code, error.message, tester.groups) if meant else ""
        why = "; ".join(told.splitlines())
        refused = error.code.startswith("AccessDenied") or (meant and why)
        return (
            _Refusal(why or f"AWS answers {error.code}, and does not say which side refuses") if refused else str(error)
        )
