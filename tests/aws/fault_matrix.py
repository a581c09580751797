"""Every fault of AWS and of the network against every transition of a grant.

`python -m tests.aws.fault_matrix` prints the table of docs/faults.md.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifest import load
from reconciler.model import Outcome, Status
from reconciler.pipeline.main_job import Request, apply_plan, aws_ports, make_plan
from reconciler.pipeline.read_back import ReadBack
from reconciler.sandbox.scenario import CLEARED, SOURCE, TARGET, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.faults import Fault, Kind
from tests.conftest import Clock, seeded
from tests.snapshots import once
from tests.support import NOW

ALWAYS = 10**9
OWN = f"arn:aws:iam::{TARGET}:policy/own"
BOUNDARY = f"arn:aws:iam::{TARGET}:policy/boundary"

Grant = dict[str, Any]
Grants = dict[str, Grant]


def grant(**parts: Any) -> Grant:
    """Return a grant to the developers; parts replace."""
    return {
        "from": {"account": "dev", "groups": ["developers"]},
        "to": {"account": "storage"},
        "permissions": [{"actions": ["s3:GetObject"], "resources": ["*"]}],
        **parts,
    }


def large(number: int) -> list[dict[str, Any]]:
    """Return permissions that no role's inline policies hold."""
    resources = [f"arn:aws:s3:::bucket-{number}-{index:04}/{'x' * 40}/*" for index in range(150)]
    return [{"actions": ["s3:GetObject"], "resources": resources}]


_MANAGED = {"caller_policy": "managed", "from": {"account": "dev", "groups": ["ops"]}}

TRANSITIONS: Mapping[str, tuple[Grants, Grants]] = {
    "create": ({}, {"new": grant()}),
    "create, of a caller made too": (
        {},
        {
            "made-caller": grant(
                **{
                    "from": {"account": "storage", "users": ["storage-admin"]},
                    "to": {"account": "dev", "role": "Caller"},
                }
            ),
            "made-target": grant(**{"from": {"account": "dev", "roles": ["Caller"]}}),
        },
    ),
    "trust policy": ({"trust": grant()}, {"trust": grant(require={"external_id": "agreed"})}),
    "permissions": (
        {"permissions": grant()},
        {"permissions": grant(permissions=[{"actions": ["s3:ListBucket"], "resources": ["*"]}])},
    ),
    "trust and permissions": (
        {"both": grant()},
        {"both": grant(require={"external_id": "x-y"}, permissions=[{"actions": ["sqs:*"], "resources": ["*"]}])},
    ),
    "attachments": ({"attached": grant(managed_policies=[OWN])}, {"attached": grant(managed_policies=[BOUNDARY])}),
    "boundary": ({"bounded": grant()}, {"bounded": grant(permissions_boundary=BOUNDARY)}),
    "boundary away": ({"unbounded": grant(permissions_boundary=BOUNDARY)}, {"unbounded": grant()}),
    "description, duration": (
        {"described": grant()},
        {"described": grant(description="what it is for", session={"max_duration": "2h"})},
    ),
    "tags": ({"tagged": grant(tags={"a": "1", "b": "2"})}, {"tagged": grant(tags={"b": "3", "c": "4"})}),
    "callers": ({"callers": grant()}, {"callers": grant(**{"from": {"account": "dev", "users": ["alice", "bob"]}})}),
    "replace, another path": (
        {"path": grant()},
        {"path": grant(to={"account": "storage", "path": "/elsewhere/"})},
    ),
    "replace, another name": (
        {"name": grant()},
        {"name": grant(to={"account": "storage", "role": "Renamed"})},
    ),
    "moved": ({"old": grant()}, {"moved": grant(moved=[{"from": "old"}])}),
    "delete": ({"gone": grant(managed_policies=[OWN])}, {}),
    "managed caller policies": (
        {"pack-kept": grant(**_MANAGED), "pack-gone": grant(**_MANAGED)},
        {"pack-kept": grant(**_MANAGED), "pack-new": grant(**_MANAGED)},
    ),
    "large permissions": ({"large": grant(permissions=large(1))}, {"large": grant(permissions=large(2))}),
    "adopt": ({}, {"adopted": grant(adopt=True)}),
}
"""What a grant goes through: its declaration before and after."""

Set = Callable[[Sandbox], None]


def _fault(kind: Kind, **how: Any) -> Set:
    return lambda sandbox: sandbox.strict.faults.add(Fault(kind, times=ALWAYS, **how))


def _delay(name: str, seconds: float) -> Set:
    return lambda sandbox: setattr(sandbox.strict.faults, name, seconds)


FAULTS: Mapping[str, Set] = {
    "throttling, 30 % of calls": _fault(Kind.THROTTLING, rate=0.3),
    "5xx, 20 % of calls": _fault(Kind.SERVICE_FAILURE, rate=0.2),
    "connection cut before the effect, each call once": _fault(Kind.CUT_BEFORE, once_each=True),
    "connection cut after the effect, each call once": _fault(Kind.CUT_AFTER, once_each=True),
    "ConcurrentModification, each write once": _fault(Kind.CONCURRENT_MODIFICATION, once_each=True),
    "new principals unknown for 119 s": _delay("principal_delay", 119),
    "new roles and policies not found for 119 s": _delay("entity_delay", 119),
    "bulk reads stale for 119 s": _delay("list_delay", 119),
}
"""The switches of the strict AWS, as an apply meets them and comes through."""

BEYOND: Mapping[str, Set] = {
    "new principals unknown for 10 minutes": _delay("principal_delay", 600),
    "throttled throughout": _fault(Kind.THROTTLING),
    "connection always cut after the effect": _fault(Kind.CUT_AFTER),
    "bulk reads stale for 10 minutes": _delay("list_delay", 600),
}
"""What lasts longer than an apply waits."""


def manifest(folder: Path, name: str, which: int) -> Path:
    """Write the manifest of all transitions before (0) or after (1)."""
    grants: Grants = {}
    for pair in TRANSITIONS.values():
        grants |= pair[which]
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"dev": {"id": SOURCE}, "storage": {"id": TARGET}},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "limits": {"delete": 1000, "delete_percent": 100},
        "grants": grants,
    }
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def prepare(sandbox: Sandbox) -> None:
    """Make what the grants need, and a role with a caller policy that were made by hand."""
    source, target = root_client(sandbox, "iam", SOURCE), root_client(sandbox, "iam", TARGET)
    source.create_group(GroupName="ops")
    allow = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'
    for name in ("own", "boundary"):
        target.create_policy(PolicyName=name, PolicyDocument=allow)
    trust = {"Effect": "Allow", "Principal": {"AWS": SOURCE}, "Action": "sts:AssumeRole"}
    target.create_role(
        RoleName="adopted", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    target.put_role_policy(RoleName="adopted", PolicyName="by-hand", PolicyDocument=allow)
    opens = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": f"arn:aws:iam::{TARGET}:role/adopted"}
    source.put_group_policy(
        GroupName="developers",
        PolicyName="by-hand",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [opens]}),
    )


@once
def begin(sandbox: Sandbox, folder: Path) -> None:
    """Declare every grant as it is before its transition."""
    prepare(sandbox)
    assert set(cells(apply(manifest(folder, "before", 0))).values()) <= {"done", ""}


def run(fault: str, sandbox: Sandbox, folder: Path, clock: Clock) -> dict[str, str]:
    """Take every grant through its transition under a fault; return for each what became of it.

    Afterwards an apply without faults has to leave an empty plan.
    """
    begin(sandbox, folder)
    sandbox.strict.faults.clock = clock.monotonic
    after = manifest(folder, "after", 1)
    found = cells(apply(after, sandbox, {**FAULTS, **BEYOND}[fault]))
    clock.sleep(1000)
    again = cells(apply(after))
    assert set(again.values()) <= {"done", ""}, again
    request = Request(load([str(after)]))
    assert make_plan(request, aws_ports(request.manifest)[0], now=NOW).changes == ()
    return found


def apply(path: Path, sandbox: Sandbox | None = None, fault: Set | None = None) -> tuple[Outcome, ...]:
    """Plan and apply; the fault, if any, is on from the first write to the last read."""
    found = load([str(path)])
    reader, writer = aws_ports(found)
    plan = make_plan(Request(found), reader, now=NOW)
    assert not plan.refused(), plan.findings
    if sandbox and fault:
        fault(sandbox)
    outcomes = apply_plan(plan, writer, current=plan, on_event=lambda _: None)
    if sandbox and fault:
        outcomes = ReadBack(plan, found, reader, stopped=lambda: "")(outcomes)
        sandbox.strict.faults.calm()
    return outcomes


def cells(outcomes: tuple[Outcome, ...]) -> dict[str, str]:
    """Return for each transition `done`, `next apply` where a change of it was not done, nothing if it has none."""
    owner = {name: t for t, pair in TRANSITIONS.items() for grants in pair for name in grants}
    found = dict.fromkeys(TRANSITIONS, "")
    for outcome in outcomes:
        # A policy that several grants share is nobody's own.
        transition = owner.get(outcome.change.grant, "managed caller policies")
        text = "done" if outcome.status is Status.DONE else "next apply"
        found[transition] = text if found[transition] in ("", "done") else found[transition]
    return found


def table(columns: Mapping[str, Mapping[str, str]]) -> str:
    """Return the results as Markdown: the faults with their numbers, then a row for each transition."""
    lines = [f"{number}. {fault}" for number, fault in enumerate(columns, start=1)]
    lines += ["", "| transition | " + " | ".join(str(number) for number, _ in enumerate(columns, start=1)) + " |"]
    lines.append("|---|" + "---|" * len(columns))
    for transition in TRANSITIONS:
        lines.append(f"| {transition} | " + " | ".join(found[transition] for found in columns.values()) + " |")
    return "\n".join(lines)


def documented(text: str) -> dict[str, dict[str, str]]:
    """Read the table back."""
    faults = re.findall(r"^\d+\. (.+)$", text, re.MULTILINE)
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    return {fault: {row[0]: row[number] for row in rows} for number, fault in enumerate(faults, start=1)}


def main() -> None:
    """Print the table."""
    clock = Clock()
    columns = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox(aws_policies=False, strict=True) as sandbox,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr("reconciler.clock.monotonic", clock.monotonic)
        patch.setattr("reconciler.clock.sleep", clock.sleep)
        patch.setattr("reconciler.applier.schedule.MAX_THREADS", 1)
        for fault in {**FAULTS, **BEYOND}:
            for name in CLEARED:
                patch.delenv(name, raising=False)
            for name, value in seeded(sandbox).environment().items():
                patch.setenv(name, value)
            columns[fault] = run(fault, sandbox, Path(folder), clock)
    print(table(columns))


if __name__ == "__main__":
    main()
