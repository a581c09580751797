"""Three accounts of fifty fail, each in a way of its own: the others are done, and the three are named with why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.sandbox.scenario import RECONCILER, SOURCE, Scenario
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import backend
from reconciler.sandbox.strict.faults import Fault, Kind
from tests.aws.fault_matrix import ALWAYS
from tests.aws.seeding import opened, seed_auditors, seed_targets, with_role
from tests.aws.strict_support import policy
from tests.conftest import Clock, Run

ACCOUNTS = {f"w{number:02}": f"7000000000{number:02}" for number in range(50)}
DENIED, WRONG, THROTTLED = "w07", "w19", "w33"
ALL = {*ACCOUNTS.values()}
THE_THREE = {DENIED, WRONG, THROTTLED}
OTHERS = ALL - {ACCOUNTS[name] for name in THE_THREE}
LEFT_OUT = "Left out: 3 accounts that could not be read (w07, w19, w33)."


@pytest.fixture
def fifty(scenario: Scenario, sandbox: Sandbox, clock: Clock, tmp_path: Path) -> Sandbox:
    """Fifty target accounts of one group in dev; permissions are checked, and waiting takes no time."""
    seed_targets(ACCOUNTS.values())
    seed_auditors(sandbox)
    keys = scenario.users["storage-admin"]
    (tmp_path / "aws-credentials").write_text(
        f"[storage-admin]\naws_access_key_id = {keys.access_key}\naws_secret_access_key = {keys.secret_key}\n"
    )
    sandbox.strict.faults.clock = clock.monotonic
    sandbox.enforce(on=True)
    return sandbox


def manifest(folder: Path, *, wrong: bool) -> Path:
    """Write one grant to all fifty; the profile of one account leads to another one, if it is to be `wrong`."""
    accounts: dict[str, dict[str, str]] = {name: {"id": account} for name, account in ACCOUNTS.items()}
    if wrong:
        accounts[WRONG]["profile"] = "storage-admin"
    data = {
        "version": 1,
        "stack": "platform",
        "accounts": {"dev": {"id": SOURCE}, **accounts},
        "defaults": {"access": {"assume_role": {"name": "xgrant-reconciler"}}},
        "limits": {"delete": 100, "delete_percent": 100},
        "grants": {
            "audit": {
                "from": {"account": "dev", "groups": ["auditors"]},
                "to": {"account": sorted(ACCOUNTS), "role": "Audit"},
                "permissions": [{"actions": "s3:ListBucket", "resources": "*"}],
            }
        },
    }
    path = folder / "m.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def throttle(sandbox: Sandbox, operation: str | None = None) -> None:
    sandbox.strict.faults.add(Fault(Kind.THROTTLING, ALWAYS, operation=operation, account=ACCOUNTS[THROTTLED]))


def shut(sandbox: Sandbox) -> None:
    """Let one account deny every read and another one throttle every call."""
    backend(ACCOUNTS[DENIED]).get_role(RECONCILER).policies.clear()
    throttle(sandbox)


def named(text: str) -> set[str]:
    """Return which of the three a text names with what failed, AWS's code and what to do."""
    said = {
        DENIED: (
            "GetAccountAuthorizationDetails: AccessDenied: ",
            "allow iam:GetAccountAuthorizationDetails to the identity that xgrant uses in this account",
        ),
        WRONG: (
            f"GetCallerIdentity: WrongAccount: the manifest says that {WRONG} is {ACCOUNTS[WRONG]}, but its credentials",
            "mend the account's id, or the profile by which it is reached; nothing of it was read or changed",
        ),
        THROTTLED: (
            "GetAccountAuthorizationDetails: Throttling: ",
            "AWS throttles this account; run the same command again later",
        ),
    }
    return {
        name
        for name, (what, to_do) in said.items()
        if any(f"account {name}: {what}" in line and line.endswith(f"; {to_do}") for line in text.splitlines())
    }


def test_three_that_cannot_be_read_are_left_out_of_a_reviewed_plan_and_named_with_what_to_do(
    fifty: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    shut(fifty)
    path, file = manifest(tmp_path, wrong=True), tmp_path / "plan.json"
    planned = xgrant("plan", path, "-o", file)
    assert (planned.code, named(planned.out)) == (6, THE_THREE), planned.err
    assert named(planned.err) == THE_THREE
    assert planned.out.endswith(f"Plan: 48 to create, 0 to update, 0 to delete. {LEFT_OUT}\n")
    applied = xgrant("apply", file, path, "--no-verify")
    assert applied.code == 6, applied.out
    assert applied.out.endswith(f"Apply: 48 created, 0 updated, 0 deleted. {LEFT_OUT}\n")
    assert with_role(ALL, "Audit") == opened(ALL) == OTHERS


def test_three_that_cannot_be_written_or_are_another_keep_nobody_from_the_others_and_lose_nothing_later(
    fifty: Sandbox, xgrant: Run, tmp_path: Path
) -> None:
    policies = backend(ACCOUNTS[DENIED]).get_role(RECONCILER).policies
    policies["no-new-roles"] = policy(Effect="Deny", Action="iam:CreateRole")
    throttle(fifty, "CreateRole")
    applied = xgrant("apply", manifest(tmp_path, wrong=True), "--auto-approve", "--no-verify")
    assert applied.code == 6, applied.out
    assert with_role(ALL, "Audit") == opened(ALL) == OTHERS
    partly, *failed, _, counts = applied.out.splitlines()[-5:]
    assert partly.startswith(f"done in part: dev/group/auditors/caller-policy/audit: without {DENIED}/role/Audit, ")
    for line, name, code, to_do in (
        (failed[0], DENIED, "AccessDenied", ("allow iam:CreateRole to the identity that xgrant uses in this account; "
         "`xgrant doctor` shows all that it lacks, and if it is a role of `xgrant bootstrap`, make xgrant-member of the "
         "manifests anew and deploy it again")),
        (failed[1], THROTTLED, "Throttling", "AWS throttles this account; run the same command again later"),
    ):  # fmt: skip
        assert line.startswith(f"failed: {name}/role/Audit: account {name}: CreateRole: {code}: ")
        assert line.endswith(f"; {to_do}")
    assert named(applied.err) == {WRONG}
    assert counts == (
        "Apply: 48 created, 0 updated, 0 deleted, 1 done in part, 2 failed. "
        f"Left out: 1 account that could not be read ({WRONG})."
    )

    del policies["no-new-roles"]
    fifty.strict.faults.calm()
    mended = xgrant("apply", manifest(tmp_path, wrong=False), "--auto-approve")
    assert (mended.code, mended.out.splitlines()[-1]) == (0, "Apply: 3 created, 1 updated, 0 deleted.")
    assert with_role(ALL, "Audit") == opened(ALL) == ALL

    shut(fifty)
    path = manifest(tmp_path, wrong=True)
    assert xgrant("plan", path).out.endswith(f"Plan: 0 to create, 0 to update, 0 to delete. {LEFT_OUT}\n")
    destroyed = xgrant("plan", path, "--destroy").out
    assert f"- role/Audit in {len(OTHERS)} accounts  (grant audit)" in destroyed
    assert destroyed.endswith(f"Plan: 0 to create, 0 to update, 48 to delete. {LEFT_OUT}\n")
