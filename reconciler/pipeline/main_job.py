"""From a manifest to a plan, and from an approved plan to AWS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches

from reconciler import applier
from reconciler.desired import desired_state
from reconciler.endings import standing, with_ends
from reconciler.errors import UsageError
from reconciler.events import Notice
from reconciler.model import (
    Account,
    AccountFacts,
    Event,
    Kind,
    Live,
    Manifest,
    Outcome,
    Plan,
    Result,
    Role,
    Scope,
    State,
    Step,
    Timing,
    Whole,
)
from reconciler.pipeline.guardrails import Guardrails
from reconciler.pipeline.shards import Elsewhere
from reconciler.planner import destroyed, narrow, plan
from reconciler.policy.arn import account_of
from reconciler.ports import Reader, Writer
from reconciler.principals import with_arns
from reconciler.rules import ACCEPTABLE, RULES
from reconciler.shards import Shard

PARALLELISM = 8
"""Steps of one account under way at a time."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a plan is asked for: these manifests; only these grants, if any are named; or that nothing be left.

    `accepted` are rules whose findings shall not stop the plan. `reviewed` says that the grants of `only` were there
    when the plan was reviewed; they may be gone by now. `roles` are slots to read whosever roles stand there.
    `left_out` are accounts that are not read, since they could not be when the plan was reviewed, and `anew` is the
    command that plans them. With a `shard` only its accounts are planned. `rotate` are the slots of roles that are made
    anew although nothing differs. The plan is held to the `guardrails`, unless it leaves nothing.
    """

    manifest: Manifest
    only: frozenset[str] = frozenset()
    destroy: bool = False
    accepted: frozenset[str] = frozenset()
    reviewed: bool = False
    roles: frozenset[tuple[str, ...]] = frozenset()
    left_out: frozenset[str] = frozenset()
    anew: str = ""
    shard: Shard | None = None
    rotate: frozenset[tuple[str, ...]] = frozenset()
    guardrails: Guardrails | None = None


def check_accepted(rules: list[str]) -> frozenset[str]:
    """Return the rules that are to be accepted; UsageError where one is none that can be."""
    if unknown := sorted(set(rules) - set(ACCEPTABLE)):
        raise UsageError(f"--accept: {', '.join(unknown)} cannot be accepted; these can: {', '.join(ACCEPTABLE)}")
    return frozenset(rules)


def aws_ports(
    manifest: Manifest, notify: Callable[[Notice], None] = lambda _: None, elsewhere: Elsewhere | None = None
) -> tuple[Reader, Writer]:
    """Return a reader and a writer of the manifest's accounts, over the same connections.

    `notify` is told what they do, in whatever thread. The accounts are read `elsewhere`, if that is given.
    """
    # boto3 takes as long to import as everything else together, and validate does without.
    from reconciler.aws import AwsReader, AwsWriter, Connections

    connections = Connections(manifest.stack, notify)
    reader = AwsReader(connections, elsewhere.read if elsewhere else None)
    return reader, AwsWriter(connections, manifest.accounts, manifest.stack)


def make_plan(request: Request, reader: Reader, *, now: datetime) -> Plan:
    """Read all accounts of the manifest and return the plan of this moment.

    Of grants that have expired nothing is wanted, and their roles are no callers any more (see `endings.py`).

    Raises:
        UsageError: `only` names a grant that is neither declared nor in AWS, or stands beside a shard.
        AwsError, SeveralAccountsError: no account could be read, of a shard excepted: it may have only such accounts.

    """
    if request.only and request.shard is not None:
        # Which grant a role in another shard is of shows only there.
        raise UsageError("--only and --shard do not go together: a shard plans all grants of its accounts")
    manifest, only = request.manifest, _under_all_names(request)
    ending = with_ends(manifest.grants, manifest.accounts)
    timing = Timing(
        int(now.timestamp()), manifest.expiry_notice,
        tuple(grant for grant in ending if not only or grant.name in only), request.rotate,
        frozenset(
            grant.name for grant, own in zip(ending, manifest.grants, strict=True) if grant.expires != own.expires
        ),
    )  # fmt: skip
    lasting = {(grant.name, grant.target): grant for grant in standing(ending, manifest.accounts, timing.now)}
    # What they demand of callers is what they state; what follows from others' ends is seen to by the next apply.
    grants = [
        replace(lasting[key], expires=grant.expires)
        for grant in manifest.grants
        if (key := (grant.name, grant.target)) in lasting
    ]
    desired = desired_state(grants, manifest.accounts, stack=manifest.stack)
    slots = frozenset(address.slot() for address in desired if address.kind is Kind.ROLE)
    roles = [resource for resource in desired.values() if isinstance(resource, Role)]
    named = {arn for role in roles for arn in (*role.managed_policies, role.permissions_boundary) if arn}
    accounts = {name: account for name, account in manifest.accounts.items() if name not in request.left_out}
    if request.shard is not None:
        accounts = _of_shard(request.shard, accounts, desired)
    oidc = frozenset(grant.target for grant in grants if grant.web_identity and not request.destroy)
    scope = Scope(
        manifest.stack, tuple(accounts.values()), slots | request.roles, frozenset(named), oidc=oidc & accounts.keys(),
        part=request.shard is not None,
    )  # fmt: skip
    live = reader.read(scope)
    left_out = {name: _left_out(manifest.accounts[name], request.anew) for name in sorted(request.left_out)}
    live = with_arns(Live(live.state, {**live.facts, **left_out}))
    whole = Whole(desired, live.state)
    if request.shard is not None:
        live = _in_shard(request.shard, manifest, live)
    if request.only:
        desired, live = narrow(desired, live, only, stack=manifest.stack)
        declared = {name for grant in manifest.grants for name in grant.names()}
        known = declared | {found.grant for found in live.state.values()}
        # Of an account that could not be read nobody knows what the stack owns there.
        surely = not request.reviewed and all(facts.planned() for facts in live.facts.values())
        if surely and (unknown := sorted(request.only - known)):
            near = [*filter(None, (get_close_matches(name, known, n=1) for name in unknown))]
            hint = f"; did you mean {', '.join(name for names in near for name in names)}?" if near else ""
            raise UsageError(
                f"--only: no grant {', '.join(unknown)} is declared, and the stack owns nothing of it{hint}"
            )
    found = plan(
        destroyed(desired) if request.destroy else desired, live, stack=manifest.stack, rules=RULES,
        limits=manifest.limits, accepted=request.accepted, whole=whole, rollout=manifest.rollout,
        timing=timing, part=request.shard is not None,
    )  # fmt: skip
    return found if request.guardrails is None or request.destroy else request.guardrails.of_plan(found)


def _left_out(account: Account, anew: str) -> AccountFacts:
    """Return the facts of an account that is not read, since what was reviewed has nothing of it."""
    error = f"account {account.name} could not be read when the plan was reviewed, so the plan file leaves it out"
    return AccountFacts(account, error=error, way_out=f"once it can be read, plan it and review that: {anew}")


def _under_all_names(request: Request) -> frozenset[str]:
    """Return the grants of `only` under every name that they have or had; an expired one is in no desired state."""
    names = [frozenset(grant.names()) for grant in request.manifest.grants]
    return request.only.union(*(known for known in names if known & request.only))


def _of_shard(shard: Shard, accounts: Mapping[str, Account], desired: State) -> dict[str, Account]:
    """Return what a shard reads: its accounts, and those whose principals its roles trust."""
    mine = {name for name, account in accounts.items() if shard.has(account)}
    roles = (found for address, found in desired.items() if address.account in mine and isinstance(found, Role))
    trusted = {account_of(arn) for role in roles for arn in role.trust_policy.aws_principals()}
    return {name: account for name, account in accounts.items() if name in mine or account.id in trusted}


def _in_shard(shard: Shard, manifest: Manifest, live: Live) -> Live:
    """Return what was read, with the accounts of other shards as such."""
    state = {address: found for address, found in live.state.items() if shard.has(manifest.accounts[address.account])}
    facts = {
        name: replace(live.facts.get(name, AccountFacts(account)), elsewhere=not shard.has(account))
        for name, account in manifest.accounts.items()
    }
    return Live(state, facts)


def apply_plan(
    approved: Plan, writer: Writer, *, current: Plan, on_event: Callable[[Event], None], parallelism: int = PARALLELISM,
    stopped: Callable[[], str] = lambda: "", execute: Callable[[Step], Result] | None = None,
    verify: applier.Verify = lambda outcomes: outcomes,
) -> tuple[Outcome, ...]:  # fmt: skip
    """Execute `current`, a plan made just now, if it is the approved one; StaleError if not. See `applier.apply`."""
    return applier.apply(
        current, writer, approved=approved.fingerprint, on_event=on_event, parallelism=parallelism, stopped=stopped,
        execute=execute, verify=verify,
    )  # fmt: skip
