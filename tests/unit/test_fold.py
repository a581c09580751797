"""What is said of a hundred accounts: once where it is the same, and with no more names than can be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.commands.output import conclude, print_error
from reconciler.errors import AwsError, SeveralAccountsError
from reconciler.model import AccountFacts, Action, Change, Manifest, Outcome, Plan, Role, State, Status
from reconciler.render.drift import drift_text
from reconciler.render.fold import folded_messages
from reconciler.render.outcomes import summary
from reconciler.render.text import Painter, text
from reconciler.wording import few
from tests.support import desired_of, facts_for, load_text, plan_for, role_at

IDS = {f"w{number:02}": f"7000000000{number:02}" for number in range(40)}
FIVE = "w00, w01, w02, w03, w04"


def denied(name: str) -> str:
    error = AwsError(
        name, "AssumeRole", "AccessDenied", f"not on {IDS[name]}", request_id=f"id-{name}", hint="trust it"
    )
    return str(error)


def forty(folder: Path) -> Manifest:
    """Return a grant of a group in dev to forty accounts."""
    accounts = "".join(f'  {name}: {{id: "{account}"}}\n' for name, account in IDS.items())
    return load_text(
        folder,
        f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "123456789012"}}
{accounts}
grants:
  audit:
    from: {{account: dev, groups: [auditors]}}
    to: {{account: [{", ".join(IDS)}], role: Audit}}
    permissions: [{{actions: "s3:ListBucket", resources: "*"}}]
""",
    )


def plan_of(manifest: Manifest, *, unread: tuple[str, ...] = (), live: State | None = None) -> Plan:
    known: dict[str, AccountFacts] = facts_for(manifest, live or {})
    for name in unread:
        known[name] = AccountFacts(manifest.accounts[name], error=denied(name))
    return plan_for(manifest, live or {}, facts=known)


@pytest.mark.parametrize(
    ("number", "shown"), [(1, "w00"), (6, f"{FIVE}, w05"), (7, f"{FIVE} and 2 more"), (40, f"{FIVE} and 35 more")]
)
def test_of_many_names_the_first_are_shown_and_the_others_counted(number: int, shown: str) -> None:
    assert few([*IDS][:number]) == shown


def test_errors_that_differ_in_the_account_and_the_request_alone_are_one() -> None:
    others = [("w00", "account w00: what else"), ("", denied("w09"))]
    assert folded_messages([*((name, denied(name)) for name in ("w07", "w08")), *others], IDS) == [
        ("account <name>: AssumeRole: AccessDenied: not on <id>; trust it", ("w07", "w08")),
        ("account w00: what else", ("w00",)),
        (denied("w09"), ()),
    ]


def test_an_error_of_one_account_keeps_its_request() -> None:
    assert folded_messages([("w07", denied("w07"))] * 2, IDS) == [(denied("w07"), ("w07",))]


def test_accounts_that_could_not_be_read_for_the_same_reason_are_one_finding_unless_each_is_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = plan_of(forty(tmp_path), unread=tuple(IDS)[:30])
    shown = text(plan)
    assert (
        "warning XG209 in 30 accounts: account <name> is left out, and nothing new opens in it: it could not be "
        "read: account <name>: AssumeRole: AccessDenied: not on <id>; trust it\n"
        f"    {FIVE} and 25 more; `<name>` and `<id>` are each one's own; --expand shows each\n    what to do: "
        in shown
    )
    assert f"because nothing is opened that needs {FIVE} and 25 more, which could not be read\n" in shown
    assert shown.endswith(f"Left out: 30 accounts that could not be read ({FIVE} and 25 more).\n")
    assert text(plan, expand=True).count("warning XG209 account w") == 30
    assert conclude(plan) == 6
    assert capsys.readouterr().err == (
        f"xgrant: 30 accounts ({FIVE} and 25 more): account <name>: AssumeRole: AccessDenied: not on <id>; trust it\n"
    )


def test_where_no_account_can_be_read_it_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    errors = tuple(AwsError(name, "AssumeRole", "ExpiredToken", "expired") for name in IDS)
    print_error(SeveralAccountsError(errors, IDS))
    assert capsys.readouterr().err == (
        f"xgrant: 40 accounts ({FIVE} and 35 more): account <name>: AssumeRole: ExpiredToken: expired\n"
    )


def test_what_failed_alike_in_many_accounts_is_one_in_the_summary() -> None:
    outcomes = [
        Outcome(Change(role_at(name, "Audit"), Action.DELETE, "audit", None, None), Status.FAILED, denied(name))
        for name in IDS
    ]
    assert summary(outcomes, ids=IDS) == (
        "failed: <name>/role/Audit: account <name>: AssumeRole: AccessDenied: not on <id>; "
        f"trust it\n    in 40 accounts: {FIVE} and 35 more; `<name>` and `<id>` are each one's own; `xgrant history` has each\n"
        "What was not done stays in the plan: mend the cause and run the same command again.\n"
        "Apply: 0 created, 0 updated, 0 deleted, 40 failed.\n"
    )
    assert sum(line.startswith("failed: w") for line in summary(outcomes).splitlines()) == 40


@pytest.mark.parametrize("colour", [False, True])
def test_accounts_that_have_drifted_alike_are_one(tmp_path: Path, colour: bool) -> None:
    manifest = forty(tmp_path)
    live = desired_of(manifest)
    changed = {
        address: replace(role, description="by hand (request 1)" if address.account == "w39" else "by hand")
        for address, role in live.items()
        if isinstance(role, Role)
    }
    shown = drift_text(plan_of(manifest, live={**live, **changed}), Painter(colour))
    shown = shown.replace("\033[33m", "").replace("\033[0m", "")
    assert shown == (
        f"39 accounts: {FIVE} and 34 more; `<name>` is each one's own; `--format json` has each\n"
        "  <name>/role/Audit: changed  (grant audit)\n"
        '      description: "" in the manifests, "by hand" in AWS\n'
        "\n"
        "account w39 (700000000039)\n"
        "  w39/role/Audit: changed  (grant audit)\n"
        '      description: "" in the manifests, "by hand (request 1)" in AWS\n'
        "\n"
        "Drift: 0 missing in AWS, 0 not in the manifests, 40 changed.\n"
    )


def test_drift_tells_once_why_accounts_could_not_be_compared(tmp_path: Path) -> None:
    shown = drift_text(plan_of(forty(tmp_path), unread=tuple(IDS)), Painter())
    assert shown.count("XG209") == 1
    assert f"    {FIVE} and 35 more; `<name>` and `<id>` are each one's own; `--format json` has each\n" in shown
