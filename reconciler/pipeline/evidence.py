"""What is known of the two sides of a door without walking through it, and how far the role behind it reaches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.desired import role_address
from reconciler.errors import AwsError
from reconciler.events import Notice
from reconciler.model import (
    CURRENT_TIME,
    Account,
    AccountFacts,
    Check,
    Decision,
    Door,
    Held,
    Identity,
    Live,
    Manifest,
    Principal,
    PrincipalKind,
    Probe,
    Role,
    Session,
    Side,
    State,
    Way,
)
from reconciler.pipeline.use import groups_of
from reconciler.policy.arn import root_arn
from reconciler.policy.decisions import decided, principals
from reconciler.policy.document import PolicyDocument
from reconciler.policy.instants import instant_text
from reconciler.policy.permission_sets import permission_set_of
from reconciler.policy.sessions import ASSUME, further_actions
from reconciler.use import Use
from reconciler.use.conditions import demands_mfa, of_place, value_for
from reconciler.use.others import asked_of, lets_in
from reconciler.use.probes import forbidden, granted
from reconciler.use.sides import caller_side, compared, key_of, role_documents, trust_of_stranger, trust_side

if TYPE_CHECKING:
    from reconciler.aws import Caller, Simulator

_NOBODY = Identity("", "")
_HANGS = "it hangs on conditions of a denial"


@dataclass(slots=True)
class Evidence:
    """All that one verification knows: the manifests, what was read, and AWS's simulator. Safe for threads.

    `now` is the moment at which it is asked. `refused` says by account why its simulator may not be asked.
    """

    manifest: Manifest
    live: Live
    wanted: State
    simulator: Simulator
    notify: Callable[[Notice], None]
    now: int
    refused: dict[str, str] = field(default_factory=dict)

    def groups(self, found: Sequence[Use], who: Identity, caller: Caller) -> frozenset[str] | None:
        """Return the groups of who asks, as they may see it themselves or as it is read; None where neither may be."""
        groups = groups_of(found, self.manifest, who, caller)
        account = self._readable(who.account)
        if groups is not None or account is None:
            return groups
        try:
            return self.simulator.groups_of(account, who.user())
        except AwsError:
            return None  # It is said of each grant that names a group.

    def caller(self, use: Use, principal: Principal) -> tuple[Side, tuple[str, ...]]:
        """Return whether a principal's own policies let it assume the role, and why that was not simulated."""
        if principal.kind is PrincipalKind.ACCOUNT:
            return Side(True, Way.DOCUMENTS, "the account lets in whom it chooses, by its own policies"), ()
        if why := self._unread(principal.account):
            return Side(None, Way.DOCUMENTS, why), ()
        facts = self.live.facts[principal.account]
        arns = _arns(principal, facts)
        if not arns:
            return Side(False, Way.DOCUMENTS, f"the {principal.kind} {principal.name} is not there"), ()
        sides = [self._simulated(use, facts.account, arn) for arn in arns]
        if (worst := next((one for one in sides if isinstance(one, str)), None)) is not None:
            return caller_side(use, principal, self.live.state, facts), (worst,)
        found = [one for one in sides if isinstance(one, Side)]
        return next((one for one in found if not one.allowed), found[0]), ()

    def trust(self, use: Use, principal: Principal | None) -> Side:
        """Return whether the trust policy of the role lets in a principal; None is whoever has a token."""
        if why := self._unread(use.target.name):
            return Side(None, Way.DOCUMENTS, why)
        wanted = self._role(use, self.wanted)
        assert wanted is not None  # every grant wants one
        account = use.target if principal is None else self.manifest.accounts[principal.account]
        return trust_side(use, principal, account, wanted, self._role(use, self.live.state), self.now)

    def stranger(self, use: Use, who: Identity) -> tuple[Side, Side]:
        """Return both sides for somebody whom the grant need not name."""
        account, arn = self._readable(who.account), self._arn_of(who)
        caller: Side | str = "" if account is None or not arn else self._simulated(use, account, arn)
        if isinstance(caller, str):
            caller = Side(None, Way.DOCUMENTS, caller or f"the account {who.account} is not read")
        return caller, self.trust_of(use, who, arn)

    def allows(self, use: Use, account: Account, arn: str) -> bool:
        """Return whether AWS's simulator says that all policies of a user or role let it assume the role."""
        found = self._simulated(use, account, arn)
        return isinstance(found, Side) and found.allowed is True

    def places(self, use: Use, who: Identity) -> tuple[str, ...]:
        """Return in words the conditions on where a request comes from by which AWS may refuse somebody from here.

        Those of the grant, of the trust policy that stands, and of their own policies; none where either side refuses
        them whatever these say.
        """
        held, role = self._held(use, who), self._role(use, self.live.state)
        if self.trust_of(use, who, self._arn_of(who)).allowed is False:
            return ()
        if held is not None and not held.unread and lets_in(held, use) is False:
            return ()
        trusted = () if role is None else role.trust_policy.statements()
        blocks = [use.grant.conditions, *(one.get("Condition", {}) for one in trusted)]
        blocks += [] if held is None else asked_of(held, use)
        return tuple(dict.fromkeys(words for block in blocks for words in of_place(block)))

    def trust_of(self, use: Use, who: Identity, arn: str) -> Side:
        """Return whether the trust policy lets in somebody, by the ARN of their user or role, if it is known."""
        if why := self._unread(use.target.name):
            return Side(None, Way.DOCUMENTS, why)
        return trust_of_stranger(use, who, arn, use.target.partition, self._role(use, self.live.state), self.now)

    def trusts_all_of(self, use: Use, name: str) -> bool:
        """Return whether it is known of an account that the role which stands lets in whom its policies choose."""
        if self._unread(use.target.name) or self._unread(name):
            return False
        role, account = self._role(use, self.live.state), self.manifest.accounts[name]
        trusted = frozenset() if role is None else principals(role.trust_policy, "Allow")
        return bool({root_arn(account.partition, account.id), account.id, "*"} & trusted)

    def door(
        self, use: Use, who: str, caller: Side, trust: Side, *, meant: bool = True, session: Session | None = None,
        notes: tuple[str, ...] = (), region: str = "",
    ) -> Door:  # fmt: skip
        """Return a door with all that is known of the role behind it; tried by a session, if there is one.

        `region` is where the session is tried with what names none; empty where it is not known. Nobody is meant to
        get in while the grant is not in force.
        """
        if over := use.grant.out_of_force(self.now):
            meant, notes = False, (*notes, over)
        wanted, live = self._role(use, self.wanted), self._role(use, self.live.state)
        if wanted is None or not meant:
            return Door(use.label, who, "", meant, caller, trust, notes=notes)
        mine = role_documents(wanted, self.wanted, ends=False)
        probes, left = granted(mine)
        tried, unknown = ({}, ()) if session is None else self._tried(use, probes, session, mine, region)
        if (why := self._unread(use.target.name)) or live is None:
            notes = (*notes, *unknown, *([f"what the role allows is not read: {why}"] if why else []))
            return Door(use.label, who, "", meant, caller, trust, tuple(tried.values()), notes=notes)
        if use.grant.managed_policies:
            left = (*left, "what its managed policies allow beyond is not tried")
        else:
            probes = (*probes, *forbidden(mine, probes))
        checks, refused = self._checks(use, probes, role_documents(live, self.live.state, ends=False), mine)
        # That a session is refused, and nobody knows by what, is no news where the simulator knows.
        checks |= {at: one for at, one in tried.items() if one.allowed is not None or checks[at].allowed}
        wider, narrower = compared(wanted, self.wanted, live, self.live.state)
        notes = tuple(dict.fromkeys((*notes, *refused, *unknown, *left)))
        return Door(use.label, who, "", meant, caller, trust, tuple(checks.values()), wider, narrower, notes)

    def _arn_of(self, who: Identity) -> str:
        """Return the ARN of the user or role that asks; empty where it is not known."""
        account = self._readable(who.account)
        return "" if account is None else self.live.facts[account.name].principals.get(key_of(who), "")

    def _held(self, use: Use, who: Identity) -> Held | None:
        """Return by which policies somebody of a source account may assume roles; None where they are not read."""
        account = self._readable(who.account)
        if account is None or account.name not in {one.account for one in use.grant.principals}:
            return None
        return self.live.facts[account.name].held.get(key_of(who), Held())

    def _simulated(self, use: Use, account: Account, arn: str) -> Side | str:
        """Return what the simulator says of the caller's side, or why it does not."""
        wanted = (ASSUME, *further_actions(use.grant.conditions))
        found = self._ask(account, arn, wanted, use.role_arn, self._context(use))
        if isinstance(found, str):
            return found
        lacking = [action for action in wanted if found.get(action) is not Decision.ALLOWED]
        why = f"its policies do not allow {lacking[0]} on the role" if lacking else "its policies allow it"
        return Side(not lacking, Way.SIMULATION, why)

    def _checks(
        self, use: Use, probes: Iterable[Probe], documents: tuple[PolicyDocument, ...], mine: tuple[PolicyDocument, ...]
    ) -> tuple[dict[Probe, Check], tuple[str, ...]]:
        """Return what the simulator says of the role's side; what the documents say where it may not be asked."""
        by_resource: dict[str, list[Probe]] = {}
        for probe in probes:
            by_resource.setdefault(probe.resource, []).append(probe)
        checks: dict[Probe, Check] = {}
        for resource, several in by_resource.items():
            found = self._ask(use.target, use.role_arn, [one.action for one in several], resource, self._time())
            for one in several:
                if isinstance(found, str):
                    answer = decided(documents, one.action, resource)
                    checks[one] = Check(one, answer, Way.DOCUMENTS, _HANGS if answer is None else "")
                else:
                    checks[one] = _simulated(one, found.get(one.action), mine)
        why = self.refused.get(use.target.name)
        return {probe: checks[probe] for probe in probes}, (why,) if why else ()

    def _tried(
        self, use: Use, probes: Iterable[Probe], session: Session, mine: tuple[PolicyDocument, ...], region: str
    ) -> tuple[dict[Probe, Check], tuple[str, ...]]:
        """Return what the session is let do or not, and why of some of it that is not known."""
        from reconciler.aws import Trier

        trier = Trier(session, use.target.name, use.target.partition, region, self.notify)
        found: dict[Probe, Check] = {}
        unknown: dict[str, None] = {}
        for probe in probes:
            bucket = probe.resource.partition("/")[0]
            if not probe.meant:
                continue
            check = trier.attempt(probe, lists=decided(mine, "s3:ListBucket", bucket) is True)
            if check is not None and check.allowed is None:
                unknown[f"{probe.action} on {probe.resource} is not known by the session: {check.why}"] = None
            elif check is not None:
                found[probe] = _doubted(check) if not check.allowed and _hangs(probe, mine) else check
        return found, tuple(unknown)

    def _ask(
        self, account: Account, arn: str, actions: Sequence[str], resource: str, context: Mapping[str, str]
    ) -> dict[str, Decision] | str:
        if account.name in self.refused:
            return self.refused[account.name]
        try:
            return self.simulator.simulate(account, arn, actions, resource, context)
        except AwsError as error:
            why = f"AWS's simulator does not answer: {error}"
            if error.code.startswith("AccessDenied"):
                why = (
                    f"in account {account.name} AWS's simulator may not be asked: documents are read instead; allow "
                    "iam:SimulatePrincipalPolicy to the identity that xgrant uses there"
                )
                self.refused[account.name] = why
            return why

    def _context(self, use: Use) -> dict[str, str]:
        """Return what a request has that does all that the grant demands."""
        conditions = use.grant.conditions
        known = {
            "aws:MultiFactorAuthPresent": "true" if demands_mfa(conditions) else "",
            "sts:ExternalId": value_for(conditions, "sts:externalid", _NOBODY),
            "sts:SourceIdentity": value_for(conditions, "sts:sourceidentity", _NOBODY),
            "sts:RoleSessionName": value_for(conditions, "sts:rolesessionname", _NOBODY),
        }
        return {key: value for key, value in known.items() if value} | self._time()

    def _time(self) -> dict[str, str]:
        return {CURRENT_TIME: instant_text(self.now)}

    def _role(self, use: Use, state: State) -> Role | None:
        found = state.get(role_address(use.grant))
        return found if isinstance(found, Role) else None

    def _unread(self, name: str) -> str:
        """Say why an account is not known; empty where it is."""
        if not self.manifest.accounts[name].managed:
            return f"account {name} is not managed here"
        facts = self.live.facts.get(name)
        # Why is said once of the account, and not of each door.
        return f"account {name} is not read" if facts is None or facts.error else ""

    def _readable(self, account_id: str) -> Account | None:
        found = (one for one in self.manifest.accounts.values() if one.id == account_id)
        return next((one for one in found if not self._unread(one.name)), None)


def label_of(principal: Principal) -> str:
    """Return what a principal is called, like `dev/group/developers`; the whole of an account by its name."""
    if principal.kind is PrincipalKind.ACCOUNT:
        return f"{principal.account}/all"
    return f"{principal.account}/{principal.kind}/{principal.name}"


def _hangs(probe: Probe, mine: Iterable[PolicyDocument]) -> bool:
    """Return whether a denial of the grant itself, on conditions, may refuse what it allows."""
    return decided(mine, probe.action, probe.resource) is None


def _doubted(check: Check) -> Check:
    return replace(check, allowed=None, why="; ".join(filter(None, (check.why, _HANGS))))


def _simulated(probe: Probe, decision: Decision | None, mine: Iterable[PolicyDocument]) -> Check:
    """Return what the simulator says: a refusal is explicit where a denial counts, of whose conditions it knows few."""
    check = Check(probe, None if decision is None else decision is Decision.ALLOWED, Way.SIMULATION)
    return _doubted(check) if decision is Decision.EXPLICIT and _hangs(probe, mine) else check


def _arns(principal: Principal, facts: AccountFacts) -> tuple[str, ...]:
    if principal.kind is PrincipalKind.PERMISSION_SET:
        roles = (arn for (kind, _), arn in facts.principals.items() if kind is PrincipalKind.ROLE)
        return tuple(sorted(arn for arn in roles if permission_set_of(arn) == principal.name))
    found = facts.principals.get((principal.kind, principal.name.casefold()))
    return (found,) if found else ()
