"""What several tests need: short ways to make values, and a Writer that keeps a state in memory."""

from __future__ import annotations

import json
import textwrap
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler.desired import desired_state
from reconciler.errors import AwsError
from reconciler.manifest import load
from reconciler.model import (
    Account,
    AccountFacts,
    Address,
    ApiCall,
    CallerPolicy,
    Kind,
    Live,
    Manifest,
    Plan,
    PrincipalKind,
    Resource,
    Role,
    Scope,
    State,
)
from reconciler.planner import plan
from reconciler.policy.document import PolicyDocument
from reconciler.ports import Toward
from reconciler.rules import RULES

DEV, STORAGE, VENDOR = "123456789012", "987654321098", "555555555555"

NOW = datetime(2026, 1, 1, tzinfo=UTC)
"""When plans are made, where nothing hangs on it."""

HEAD = f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "{DEV}"}}
  storage: {{id: "{STORAGE}"}}
  vendor: {{id: "{VENDOR}", managed: false}}
"""


def grant_yaml(name: str = "reader", **parts: str) -> str:
    """Return the YAML of one grant; a part replaces a key's default value, "" leaves the key out."""
    values = {
        "from": "{account: dev, groups: [developers]}",
        "to": "{account: storage}",
        "permissions": '[{actions: "s3:GetObject", resources: "arn:aws:s3:::b/*"}]',
        **parts,
    }
    lines = "".join(f"    {key}: {value}\n" for key, value in values.items() if value)
    return f"  {name}:\n{lines}"


def manifest_yaml(*grants: str, head: str = HEAD) -> str:
    """Return a manifest with these grants."""
    return head + ("grants:\n" + "".join(grants) if grants else "grants: {}\n")


def load_text(folder: Path, text: str) -> Manifest:
    """Load a manifest from text."""
    file = folder / "grants.yaml"
    file.write_text(textwrap.dedent(text), encoding="utf-8")
    return load([str(file)])


def desired_of(manifest: Manifest) -> State:
    """Return the desired state of a manifest."""
    return desired_state(manifest.grants, manifest.accounts, stack=manifest.stack)


def facts_for(manifest: Manifest, *states: State) -> dict[str, AccountFacts]:
    """Return facts in which every principal that the grants name exists, and every role of the states."""
    found: dict[str, dict[tuple[PrincipalKind, str], str]] = {name: {} for name in manifest.accounts}
    for grant in manifest.grants:
        for p in grant.principals:
            account = manifest.accounts[p.account]
            arn = f"arn:{account.partition}:iam::{account.id}:{p.kind}{p.path}{p.name}"
            found[p.account][p.kind, p.name.casefold()] = arn
    for state in states:
        for address, resource in state.items():
            if isinstance(resource, Role):
                found[address.account][PrincipalKind.ROLE, address.name.casefold()] = resource.arn
    return {name: AccountFacts(account, found[name]) for name, account in manifest.accounts.items()}


def plan_for(manifest: Manifest, live: State, *, facts: Mapping[str, AccountFacts] | None = None) -> Plan:
    """Plan a manifest against a state, with all rules."""
    return plan(
        desired_of(manifest),
        Live(live, facts or facts_for(manifest, live)),
        stack=manifest.stack,
        rules=RULES,
        rollout=manifest.rollout,
    )


class StateReader:
    """A Reader of a state in memory, in which every principal that the manifest names exists."""

    def __init__(self, manifest: Manifest, state: State) -> None:
        self.state = state
        self._manifest = manifest

    def read(self, scope: Scope, stopped: Callable[[], str] = str) -> Live:
        assert not stopped()
        facts = facts_for(self._manifest, self.state)
        return Live(self.state, {account.name: facts[account.name] for account in scope.accounts})


class MemoryWriter:
    """A Writer that changes a state in memory; `refuse` says at which address it fails."""

    def __init__(self, state: State, refuse: Callable[[Address], bool] = lambda _: False) -> None:
        self.state: dict[Address, Resource] = dict(state)
        self.done: list[str] = []
        self._refuse = refuse
        self._lock = threading.Lock()

    def standing(self, address: Address, like: Resource) -> Resource | None:
        if isinstance(like, CallerPolicy) and like.name:
            return like  # Made by hand: it is in the facts, and in no state.
        return self.state.get(address)

    @contextmanager
    def step(self, forbidden: Callable[[], str] = str) -> Iterator[list[ApiCall]]:
        assert not forbidden()
        yield []

    def look_again(self, error: AwsError) -> bool:
        assert error
        return False

    def write(self, address: Address, before: Resource | None, after: Resource, toward: Toward) -> None:
        toward(after)
        self._check(address, f"write {address}")
        adopted = isinstance(before, CallerPolicy) and before.name
        with self._lock:
            assert (address in self.state) == (before is not None and not adopted)
            # A copy: whoever looks on meanwhile sees one moment.
            self.state = {**self.state, address: after}

    def remove(self, address: Address, before: Resource, toward: Toward) -> None:
        toward(None)
        self._check(address, f"remove {address}")
        with self._lock:
            assert self.state[address] == before
            self.state = {other: resource for other, resource in self.state.items() if other != address}

    def _check(self, address: Address, what: str) -> None:
        if self._refuse(address):
            raise AwsError(address.account, "Write", "ServiceFailure", "refused by the test")
        self.done.append(what)


def role_at(account: str, name: str) -> Address:
    return Address(account, Kind.ROLE, name)


def document(*statements: Mapping[str, Any]) -> PolicyDocument:
    return PolicyDocument.parse({"Version": "2012-10-17", "Statement": list(statements)})


def allow(actions: Any = "s3:GetObject", resources: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def live_from_json(path: Path, accounts: Mapping[str, Account]) -> State:
    """Read a golden case's live state: `{"roles": [...], "caller_policies": [...]}`."""
    data = json.loads(path.read_text(encoding="utf-8"))
    state: dict[Address, Resource] = {}
    for raw in data.get("roles", []):
        fields = dict(raw)
        account, name = fields.pop("account"), fields.pop("name")
        state[role_at(account, name)] = Role(
            grant=fields.get("tags", {}).get("xgrant:grant", ""),
            arn=f"arn:aws:iam::{accounts[account].id}:role{fields['path']}{name}",
            path=fields.pop("path"),
            trust_policy=PolicyDocument.read(fields.pop("trust_policy")),
            inline_policies={k: PolicyDocument.read(v) for k, v in fields.pop("inline_policies", {}).items()},
            managed_policies=frozenset(fields.pop("managed_policies", [])),
            **fields,
        )
    for raw in data.get("caller_policies", []):
        address = Address(raw["account"], Kind.CALLER_POLICY, raw["grant"], (PrincipalKind(raw["kind"]), raw["holder"]))
        state[address] = CallerPolicy(raw["grant"], PolicyDocument.read(raw["document"]))
    return state
