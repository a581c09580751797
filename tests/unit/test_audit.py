"""Events of CloudTrail joined to grants: who, how often, with MFA or without, refused, and by whom nobody named."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.audit import Audit, Looked, RoleAudit, Standing, Tally, Usage, audit, demands_of, role_key
from reconciler.audit.event import read_event
from reconciler.audit.tally import MOST_CALLERS, MOST_VALUES
from reconciler.model import AccountUse, RoleUse
from reconciler.pipeline.remembered import remembering
from tests.support import DEV, STORAGE, VENDOR, grant_yaml, load_text, manifest_yaml
from tests.trail import ROLE, Record, assumed, job, refused, service, session, sso, user

SINCE, UNTIL = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"
USERS = grant_yaml(**{"from": "{account: dev, users: [alice], roles: [ci/deployer]}"})
JOBS = grant_yaml(
    **{"from": '{oidc: {provider: token.actions.githubusercontent.com, subject: "repo:acme/site:ref:refs/heads/*"}}'}
)

ROOT = {"type": "Root", "principalId": DEV, "accountId": DEV, "arn": f"arn:aws:iam::{DEV}:root"}


def audited(
    folder: Path, records: Iterable[Record], *grants: str, uses: Mapping[str, AccountUse] | None = None
) -> Audit:
    manifest = load_text(folder, manifest_yaml(*(grants or (USERS,))))
    with remembering() as remembered:
        roles = {role_key(grant, manifest.accounts): demands_of(grant) for grant in manifest.grants}
        tally = Tally(roles, SINCE, UNTIL, remembered)
        tally.add_all(records)
    known = {name: AccountUse(account) for name, account in manifest.accounts.items()} | dict(uses or {})
    return audit(manifest.grants, manifest.accounts, tally, known, Looked(SINCE, UNTIL, {}))


def only(found: Audit) -> Usage:
    (role,) = found.roles
    (usage,) = role.usages
    return usage


def dev(manifest_folder: Path, **more: Any) -> dict[str, AccountUse]:
    """Return what was read of the account of the callers."""
    account = load_text(manifest_folder, manifest_yaml()).accounts["dev"]
    return {"dev": replace(AccountUse(account, read=True), **more)}


class TestCopies:
    @pytest.mark.parametrize("order", [[0, 1], [1, 0], [0], [1], [0, 1, 0, 1], [1, 1, 0, 0]], ids=str)
    def test_both_copies_of_a_session_and_what_is_read_twice_count_once(self, tmp_path: Path, order: list[int]) -> None:
        copies = assumed(user())
        usage = only(audited(tmp_path, [copies[index] for index in order]))
        assert usage.seen.got.number == 1
        assert usage.seen.who.id == user()["principalId"]

    @pytest.mark.parametrize("order", [[0, 1], [1, 0]], ids=str)
    def test_the_copy_that_names_the_caller_and_tells_of_mfa_wins_whichever_comes_first(
        self, tmp_path: Path, order: list[int]
    ) -> None:
        copies = assumed(user(mfa=True))
        usage = only(audited(tmp_path, [copies[index] for index in order]))
        assert (usage.seen.who.kind, usage.seen.who.name) == ("user", "alice")
        assert usage.seen.mfa == {True: 1, False: 0, None: 0}

    def test_one_copy_that_names_a_caller_names_all_of_its_sessions(self, tmp_path: Path) -> None:
        hidden = assumed(user())[1]
        usage = only(audited(tmp_path, [hidden, *assumed(user()), hidden]))
        assert (usage.seen.got.number, usage.seen.who.name) == (2, "alice")

    def test_a_hidden_caller_is_named_by_the_ids_of_those_who_exist(self, tmp_path: Path) -> None:
        arns = {user()["principalId"]: user()["arn"]}
        usage = only(audited(tmp_path, [assumed(user())[1]], uses=dev(tmp_path, arns=arns)))
        assert (usage.seen.who.kind, usage.seen.who.name) == ("user", "alice")
        assert usage.named.standing is Standing.NAMED


class TestJoin:
    @pytest.mark.parametrize(
        "role",
        [ROLE, f"arn:aws:iam::{STORAGE}:role/READER", f"arn:aws:iam::{STORAGE}:role/team/reader",
         f"arn:aws-cn:iam::{STORAGE}:role/reader"],
    )  # fmt: skip
    def test_a_role_is_joined_by_account_and_name_whatever_case_path_and_partition_was_asked_for(
        self, tmp_path: Path, role: str
    ) -> None:
        assert only(audited(tmp_path, [refused(user(), role)])).seen.refused.number == 1

    @pytest.mark.parametrize("role", [f"arn:aws:iam::{DEV}:role/reader", f"arn:aws:iam::{STORAGE}:role/reader2"])
    def test_other_roles_are_no_concern(self, tmp_path: Path, role: str) -> None:
        (found,) = audited(tmp_path, [*assumed(user(), role), refused(user(), role)]).roles
        assert found.usages == ()

    def test_an_attempt_whose_request_was_left_out_is_joined_by_its_message(self, tmp_path: Path) -> None:
        usage = only(audited(tmp_path, [refused(user("bob"), with_request=False)]))
        assert (usage.seen.who.name, usage.seen.refused.errors) == ("bob", {"AccessDenied": 1})

    def test_an_attempt_that_names_no_role_is_counted_as_such_once(self, tmp_path: Path) -> None:
        record = refused(user(), message="An unknown error occurred", with_request=False)
        assert audited(tmp_path, [record, record]).tally.unplaced == 1

    def test_sessions_of_a_role_that_had_the_name_before_are_told_apart(self, tmp_path: Path) -> None:
        records = [*assumed(user(), role_id="AROAOLD"), *assumed(user(), role_id="AROANEW")]
        storage = load_text(tmp_path, manifest_yaml()).accounts["storage"]
        use = AccountUse(storage, roles={"reader": RoleUse("AROANEW", SINCE)}, read=True)
        (role,) = audited(tmp_path, records, uses={"storage": use}).roles
        assert (role.sessions(), role.of_an_earlier_role()) == (2, 1)

    def test_only_what_began_since_then_and_before_the_end_counts(self, tmp_path: Path) -> None:
        times = ["2025-12-31T23:59:59Z", SINCE, "2026-01-31T23:59:59Z", UNTIL]
        usage = only(audited(tmp_path, [record for time in times for record in assumed(user(), time=time)]))
        assert (usage.seen.got.number, usage.seen.got.first, usage.seen.got.last) == (2, SINCE, "2026-01-31T23:59:59Z")

    def test_records_as_athena_writes_them_say_the_same(self, tmp_path: Path) -> None:
        import json

        (record, _) = assumed(user(mfa=False), external_id="x")
        lower = {key.lower(): value for key, value in record.items()}
        lower["requestparameters"] = json.dumps(record["requestParameters"])
        identity = record["userIdentity"]
        lower["useridentity"] = {key.lower(): value for key, value in identity.items()}
        lower["useridentity"]["sessioncontext"] = {"attributes": {"mfaauthenticated": "false"}}
        assert only(audited(tmp_path, [lower])) == only(audited(tmp_path, [record]))


class TestWho:
    @pytest.mark.parametrize(
        ("who", "kind", "name", "standing"),
        [
            (user(), "user", "alice", Standing.NAMED),
            (user("Alice"), "user", "Alice", Standing.NAMED),
            (user("bob"), "user", "bob", Standing.NOT),
            (user("alice", VENDOR), "user", "alice", Standing.NOT),
            (session(), "role", "deployer", Standing.NAMED),
            (session("other"), "role", "other", Standing.NOT),
            (sso(), "role", "AWSReservedSSO_DataEngineer_0123456789abcdef", Standing.NOT),
            (service(), "service", "lambda.amazonaws.com", Standing.NOT),
            (ROOT, "root", "root", Standing.NOT),
            ({"type": "SAMLUser", "userName": "s", "identityProvider": "idp"}, "SAML user", "s", Standing.NOT),
            ({"type": "Unheard", "principalId": "p"}, "other", "Unheard", Standing.NOT),
            ({}, "other", "", Standing.NOT),
        ],
        ids=lambda value: str(value)[:30],
    )
    def test_each_kind_of_caller_is_known_and_held_against_the_grant(
        self, tmp_path: Path, who: Record, kind: str, name: str, standing: Standing
    ) -> None:
        usage = only(audited(tmp_path, assumed(who)))
        assert (usage.seen.who.kind, usage.seen.who.name, usage.named.standing) == (kind, name, standing)

    @pytest.mark.parametrize(
        ("who", "standing"), [(sso(), Standing.NAMED), (sso("Data"), Standing.NOT), (session(), Standing.NOT)]
    )
    def test_a_permission_set_stands_for_its_role_and_the_session_tells_the_person(
        self, tmp_path: Path, who: Record, standing: Standing
    ) -> None:
        grant = grant_yaml(**{"from": "{account: dev, permission_sets: [DataEngineer]}"})
        usage = only(audited(tmp_path, assumed(who), grant))
        assert usage.named.standing is standing
        assert list(usage.seen.got.behind.kept) == [who["principalId"].split(":")[1]]

    @pytest.mark.parametrize(
        ("who", "standing"),
        [
            (job(), Standing.NAMED), (job("repo:acme/site:environment:x"), Standing.NOT),
            (job(provider="gitlab.com"), Standing.NOT), (user(), Standing.NOT),
        ],
        ids=lambda value: str(value)[:60],
    )  # fmt: skip
    def test_jobs_are_known_by_provider_and_subject(self, tmp_path: Path, who: Record, standing: Standing) -> None:
        operation = "AssumeRoleWithWebIdentity" if who["type"] == "WebIdentityUser" else "AssumeRole"
        usage = only(audited(tmp_path, assumed(who, operation=operation), JOBS))
        assert usage.named.standing is standing

    def test_a_job_that_was_refused_is_the_same_caller_as_one_that_got_in(self, tmp_path: Path) -> None:
        operation = "AssumeRoleWithWebIdentity"
        records = [*assumed(job(), operation=operation), refused(job(), operation=operation)]
        usage = only(audited(tmp_path, records, JOBS))
        assert (usage.seen.got.number, usage.seen.refused.number) == (1, 1)

    def test_groups_are_known_by_who_is_in_them(self, tmp_path: Path) -> None:
        uses = dev(tmp_path, groups={"alice": frozenset(["developers"]), "bob": frozenset()})
        found = audited(tmp_path, [*assumed(user()), *assumed(user("bob"))], grant_yaml(), uses=uses)
        said = {usage.seen.who.name: usage.named for usage in found.roles[0].usages}
        assert said["alice"].standing is Standing.NAMED
        assert said["bob"].why == "the grant does not name that user, who is in none of its groups now"

    def test_of_groups_that_were_not_read_a_user_may_be_one(self, tmp_path: Path) -> None:
        found = audited(tmp_path, assumed(user()), grant_yaml())
        assert only(found).named.standing is Standing.MAY
        assert found.findings == ()

    @pytest.mark.parametrize(
        ("callers", "standing"),
        [
            ("{account: vendor, users: [alice]}", Standing.MAY),
            ("{account: vendor, entire_account: true}", Standing.NAMED),
            ("{account: dev, users: [alice]}", Standing.NOT),
        ],
    )
    def test_of_an_account_that_is_not_managed_only_the_id_is_known(
        self, tmp_path: Path, callers: str, standing: Standing
    ) -> None:
        hidden = assumed(user("alice", VENDOR))[1]
        usage = only(audited(tmp_path, [hidden], grant_yaml(**{"from": callers})))
        assert (usage.seen.who.kind, usage.named.standing) == ("hidden", standing)

    def test_an_id_that_nobody_of_the_account_has_now_is_not_named(self, tmp_path: Path) -> None:
        usage = only(audited(tmp_path, [assumed(user())[1]], uses=dev(tmp_path)))
        assert usage.named.why == "no user or role of that account has that id now"


class TestDemands:
    MFA = grant_yaml(**{"from": "{account: dev, users: [alice]}"}, require="{mfa: true}")

    @pytest.mark.parametrize(
        ("records", "mfa"),
        [
            (assumed(user(), device=f"arn:aws:iam::{DEV}:mfa/alice"), {True: 1, False: 0, None: 0}),
            (assumed(user(mfa=True)), {True: 1, False: 0, None: 0}),
            (assumed(user(mfa=False)), {True: 0, False: 1, None: 0}),
            (assumed(user()), {True: 0, False: 1, None: 0}),
            (assumed(user())[1:], {True: 0, False: 0, None: 1}),
            (assumed(user(), device="d")[1:], {True: 1, False: 0, None: 0}),
        ],
        ids=["device", "session with", "session without", "key", "target's copy", "target's copy with device"],
    )
    def test_mfa_is_told_as_far_as_a_copy_tells(
        self, tmp_path: Path, records: list[Record], mfa: dict[bool | None, int]
    ) -> None:
        found = audited(tmp_path, records, self.MFA)
        assert only(found).seen.mfa == mfa
        assert [finding.kind for finding in found.findings] == ["without-mfa"] * mfa[False]

    def test_sessions_from_other_addresses_than_demanded_are_found(self, tmp_path: Path) -> None:
        grant = grant_yaml(**{"from": "{account: dev, users: [alice]}"}, require="{source_ip: [203.0.113.0/24]}")
        ips = ["203.0.113.9", "198.51.100.1", "cloudformation.amazonaws.com", "2001:db8::1"]
        found = audited(tmp_path, [record for ip in ips for record in assumed(user(), ip=ip)], grant)
        assert [(one.kind, one.number) for one in found.findings] == [("outside-source-ip", 2)]

    def test_sessions_without_the_external_id_are_found_and_the_id_is_kept_nowhere(self, tmp_path: Path) -> None:
        grant = grant_yaml(**{"from": "{account: dev, users: [alice]}"}, require="{external_id: agreed}")
        found = audited(tmp_path, [*assumed(user(), external_id="hush-hush"), *assumed(user())], grant)
        assert [(one.kind, one.number) for one in found.findings] == [("without-external-id", 1)]
        assert "hush-hush" not in repr(found)

    def test_what_was_refused_is_no_finding(self, tmp_path: Path) -> None:
        found = audited(tmp_path, [refused(user("bob"), ip="198.51.100.1")], self.MFA)
        assert found.findings == ()


class TestBounds:
    def test_addresses_are_kept_up_to_a_number_and_all_are_counted(self, tmp_path: Path) -> None:
        records = [r for i in range(MOST_VALUES + 5) for r in assumed(user(), ip=f"10.0.{i // 256}.{i % 256}")]
        got = only(audited(tmp_path, records)).seen.got
        assert (got.number, len(got.source_ips.kept), got.source_ips.more) == (MOST_VALUES + 5, MOST_VALUES, True)

    def test_callers_are_told_apart_up_to_a_number_and_all_are_counted(self, tmp_path: Path) -> None:
        operation = "AssumeRoleWithWebIdentity"
        records = (
            record
            for i in range(MOST_CALLERS + 7)
            for record in assumed(job(f"repo:acme/site:ref:refs/heads/{i}"), operation=operation)
        )
        (role,) = audited(tmp_path, records, JOBS).roles
        assert (len(role.usages), role.sessions()) == (MOST_CALLERS + 1, MOST_CALLERS + 7)

    @pytest.mark.parametrize("damage", range(60))
    def test_a_record_of_any_shape_breaks_nothing(self, tmp_path: Path, damage: int) -> None:
        dice = random.Random(damage)
        record: Any = assumed(session())[0]
        for _ in range(4):
            part = record
            while isinstance(part, dict) and part:
                key = dice.choice(sorted(part))
                if dice.random() < 0.3 or not isinstance(part[key], dict):
                    part[key] = dice.choice([None, 7, [], {}, "", "{", "x" * 5000, [[{}]], True, "\udc80"])
                    break
                part = part[key]
        found = audited(tmp_path, [record])
        assert found.tally.records == 1

    def test_an_event_without_time_or_id_is_told_and_does_not_count(self, tmp_path: Path) -> None:
        records = [{**assumed(user())[0], "eventTime": "soon"}, {**refused(user()), "eventID": None}]
        found = audited(tmp_path, records)
        assert (found.tally.damaged, found.tally.counted) == (2, 0)


def unseen_of(role: RoleAudit) -> list[str]:
    return [principal.name for principal in role.unseen()]


def test_principals_without_a_session_are_named(tmp_path: Path) -> None:
    found = audited(tmp_path, [*assumed(user()), refused(session())])
    assert unseen_of(found.roles[0]) == ["deployer"]


def test_a_manifest_of_many_targets_has_a_part_for_each(tmp_path: Path) -> None:
    grant = grant_yaml(**{"from": "{account: vendor, users: [alice]}"}, to="{account: [dev, storage]}")
    found = audited(tmp_path, assumed(user("alice", VENDOR)), grant)
    assert [(role.target.name, role.sessions()) for role in found.roles] == [("dev", 0), ("storage", 1)]


@pytest.mark.parametrize(
    ("said", "program"),
    [
        ("Boto3/1.34.0 md/Botocore#1.34.0 ua/2.0 os/linux#6.1 lang/python#3.11 cfg/retry-mode#legacy Botocore/1.34.0",
         "Boto3/1.34.0"),
        ("[aws-cli/2.15.0 md/awscrt#0.19.19 ua/2.0 os/linux#6.1 m/E,b]", "aws-cli/2.15.0"),
        ("aws-cli/1.18 Python/3.8 Linux/5.4 botocore/1.17", "aws-cli/1.18"),
        ("APN/1.0 HashiCorp/1.0 Terraform/1.5 aws-sdk-go-v2/1.2 ua/2.1 os/linux", "APN/1.0 HashiCorp/1.0 Terraform/1.5 aws-sdk-go-v2/1.2"),
        ("Mozilla/5.0 (X11; Linux/x) os/2", "Mozilla/5.0 (X11; Linux/x) os/2"),
        ("signin.amazonaws.com", "signin.amazonaws.com"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_program_is_told_without_what_sdks_say_of_the_machine(said: str, program: str) -> None:
    event = read_event({**assumed(user())[0], "userAgent": said})
    assert event is not None
    assert event.user_agent == program
