"""How a manifest says by which way accounts are reached, to plan and to apply, and how that is shown."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier

import pytest

from reconciler.aws.credentials import lasts
from reconciler.aws.keys import Keys, Place
from reconciler.errors import AwsError, ManifestError
from reconciler.model import Access, Hub
from reconciler.pipeline.turns import external_ids
from reconciler.render.accounts import accounts_json, accounts_text
from tests.support import DEV, STORAGE, grant_yaml, load_text, manifest_yaml

HUB = f"arn:aws:iam::{DEV}:role/ops/Hub"
SPLIT = "plan: {role: reader}, apply: {role: ops/writer, external_id: of-the-writer}"
BEYOND = f"hub: {{arn: '{HUB}', external_id: of-the-hub, profile: start}}"


def head(own: str = "", defaults: str = "") -> str:
    return f"""\
version: 1
stack: platform
accounts:
  dev: {{id: "{DEV}"}}
  storage: {{id: "{STORAGE}"{own}}}
defaults:
  access: {{{defaults}}}
"""


READER, WRITER = Access(role="reader"), Access(role="ops/writer", external_id="of-the-writer")
HUB_ROLE = Hub(HUB, "of-the-hub", "start")


@pytest.mark.parametrize(
    ("own", "defaults", "plan", "apply"),
    [
        ("", SPLIT, READER, WRITER),
        ("", "assume_role: {name: both}", Access(role="both"), Access(role="both")),
        (", assume_role: {name: mine}", SPLIT, Access(role="mine"), Access(role="mine")),
        (", " + SPLIT, "assume_role: {name: both}", READER, WRITER),
        ("", "plan: {profile: 'r-${account.name}'}, apply: {role: w}", Access("r-storage"), Access(role="w")),
        ("", f"{BEYOND}, assume_role: {{name: r}}", *[Access(role="r", hub=HUB_ROLE)] * 2),
        (", assume_role: {name: mine}", f"{BEYOND}, {SPLIT}", *[Access(role="mine", hub=HUB_ROLE)] * 2),
        (", assume_role: {name: mine}, hub: null", f"{BEYOND}, {SPLIT}", Access(role="mine"), Access(role="mine")),
        (", profile: mine", f"{BEYOND}, {SPLIT}", Access("mine"), Access("mine")),
        (
            "", f"{BEYOND}, plan: {{role: r}}, apply: {{profile: w}}",
            Access(role="r", hub=HUB_ROLE), Access("w"),
        ),
        (
            "", f"{BEYOND}, plan: {{role: r, hub: {{arn: '{HUB}-plan'}}}}, apply: {{role: w}}",
            Access(role="r", hub=Hub(f"{HUB}-plan")), Access(role="w", hub=HUB_ROLE),
        ),
    ],
)  # fmt: skip
def test_an_account_is_reached_as_it_says_or_else_as_the_defaults_say(
    tmp_path: Path, own: str, defaults: str, plan: Access, apply: Access
) -> None:
    account = load_text(tmp_path, manifest_yaml(head=head(own, defaults))).accounts["storage"]
    assert (account.access, account.as_applied_to().access) == (plan, apply)


@pytest.mark.parametrize(
    ("stated", "says"),
    [
        ("plan: {role: r}", "XG013 plan and apply go together"),
        ("apply: {role: w}", "XG013 plan and apply go together"),
        ("plan: {}, apply: {role: w}", "XG013 say a role"),
        ("plan: {role: r, profile: p}, apply: {role: w}", "XG013 say a role"),
        ("plan: {profile: p, external_id: abc}, apply: {role: w}", "XG013 say a role"),
        ("plan: reader, apply: {role: w}", "XG012 this is written like {role: xgrant-reader}"),
        ("plan: {name: r}, apply: {role: w}", "XG010 unknown key 'name'"),
        ("plan: {role: r ö}, apply: {role: w}", "XG029"),
        ("assume_role: {name: x}, plan: {role: r}, apply: {role: w}", "XG013 plan and apply stand in the place of"),
        (f"hub: {{arn: '{HUB}'}}", "XG013 a hub assumes a role of the account"),
        (f"hub: {{arn: '{HUB}'}}, profile: p", "XG013 a hub assumes a role of the account"),
        ("hub: {arn: Hub}, assume_role: {name: r}", "XG013 a hub is named by the ARN of its role"),
        (
            f"hub: {{arn: '{HUB.replace('aws', 'aws-moon')}'}}, assume_role: {{name: r}}",
            "XG013 there is no partition aws-moon",
        ),
        (
            f"hub: {{arn: '{HUB.replace('aws', 'aws-cn')}'}}, assume_role: {{name: r}}",
            "XG035 the hub is in partition aws-cn",
        ),
        (
            "hub: {arn: 'arn:aws:iam::111111111111:role/${account.name}!/hub'}, assume_role: {name: r}",
            "XG029 a path starts",
        ),
        (f"hub: {{arn: '{HUB}', external_id: a}}, assume_role: {{name: r}}", "XG013 an external id has 2"),
        ("plan: {role: r, external_id: '${account.name}!'}, apply: {role: w}", "XG013 an external id has 2"),
        ("plan: {role: r}, apply: {role: '${acount.id}'}", "XG047 ${acount.id}: unknown variable"),
        ("hub: {}, assume_role: {name: r}", "XG011 the key 'arn' is missing"),
        ("hub: Hub, assume_role: {name: r}", "XG012 a hub is written like"),
        (
            f"plan: {{role: r}}, apply: {{role: w, hub: {{arn: '{HUB.replace('aws', 'aws-cn')}'}}}}",
            "XG035 the hub is in partition aws-cn",
        ),
        (f"plan: {{role: r}}, apply: {{profile: w, hub: {{arn: '{HUB}'}}}}", "XG013 say a role (an external_id and a"),
    ],
)
@pytest.mark.parametrize("where", ["account", "defaults"])
def test_what_is_wrong_with_a_way_is_said(tmp_path: Path, where: str, stated: str, says: str) -> None:
    text = head(f", {stated}") if where == "account" else head("", stated)
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, manifest_yaml(head=text))
    line = 5 if where == "account" else 7
    assert {problem.place.line for problem in caught.value.problems} == {line}
    assert says in str(caught.value)


@pytest.mark.parametrize("role", ["READER", "Writer", "hub"])
def test_no_grant_is_of_a_role_by_which_xgrant_reaches_accounts(tmp_path: Path, role: str) -> None:
    ends = {"from": "{account: storage, users: [u]}", "to": f"{{account: dev, role: {role}}}"}
    with pytest.raises(ManifestError, match=f"yaml:11:30: XG044 {role} is a role that xgrant assumes in dev") as caught:
        load_text(tmp_path, manifest_yaml(grant_yaml(**ends), head=head("", f"{BEYOND}, {SPLIT}")))
    assert [problem.grant for problem in caught.value.problems] == ["reader"]


def test_a_hub_of_another_partition_harms_no_account_that_is_not_reached_by_it(tmp_path: Path) -> None:
    beyond = f"hub: {{arn: '{HUB.replace('aws', 'aws-cn')}'}}, assume_role: {{name: r}}"
    text = head(", profile: mine", beyond).replace(f'"{DEV}"', f'"{DEV}", partition: aws-cn')
    assert load_text(tmp_path, manifest_yaml(head=text)).accounts["storage"].access == Access("mine")


def test_no_grant_is_of_the_role_by_which_the_accounts_are_listed(tmp_path: Path) -> None:
    lister = f'accounts:\n  organization: {{assume_role: {{account: "{DEV}", name: ops/xgrant-lister}}}}'
    ends = {"from": "{account: storage, users: [u]}", "to": "{account: dev, role: XGRANT-lister}"}
    with pytest.raises(ManifestError, match="XG044 XGRANT-lister is a role that xgrant assumes in dev"):
        load_text(tmp_path, manifest_yaml(grant_yaml(**ends), head=head("", SPLIT).replace("accounts:", lister)))


@pytest.mark.parametrize(
    ("stated", "column"),
    [
        ('assume_role: {account: "111111111111", name: "lister-${account.id}"}', 63),
        ('profile: "${foo"', 27),
    ],
)
def test_the_organization_has_no_variables(tmp_path: Path, stated: str, column: int) -> None:
    text = head("", SPLIT).replace("accounts:", f"accounts:\n  organization: {{{stated}}}")
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, manifest_yaml(head=text))
    (problem,) = caught.value.problems
    assert (problem.code, problem.place.column) == ("XG047", column)
    assert "no variables stand here" in str(problem)


def test_a_role_of_another_account_may_have_the_name_of_the_hub(tmp_path: Path) -> None:
    grant = grant_yaml(to="{account: storage, role: Hub}")
    assert load_text(tmp_path, manifest_yaml(grant, head=head("", f"{BEYOND}, {SPLIT}"))).grants


def test_of_several_hubs_each_account_says_its_own(tmp_path: Path) -> None:
    other = HUB.replace("ops/Hub", "ops/Other")
    own = f", hub: {{arn: '{other}'}}, assume_role: {{name: mine}}"
    shown = accounts_text(load_text(tmp_path, manifest_yaml(head=head(own, f"{BEYOND}, {SPLIT}"))))
    assert f"role reader by the hub {HUB} of profile start; to apply" in shown
    assert f"role mine by the hub {other}\n" in shown


def test_the_accounts_are_shown_with_both_ways_and_the_hub(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(head=head(", profile: mine", f"{BEYOND}, {SPLIT}")))
    dev, storage, hub = accounts_text(manifest).splitlines()[1:]
    assert dev.endswith("role reader by the hub; to apply, role ops/writer by the hub")
    assert storage.endswith("  profile mine")
    assert hub == f"The hub is {HUB} of profile start."
    shown = {one["name"]: one for one in json.loads(accounts_json(manifest))["accounts"]}
    reads, applies = (
        {"profile": None, "role": role, "hub": HUB, "hub_profile": "start"} for role in ("reader", "ops/writer")
    )
    assert {key: shown["dev"][key] for key in reads} == reads
    assert shown["dev"]["apply"] == applies
    assert shown["storage"]["apply"] == {"profile": "mine", "role": None, "hub": None, "hub_profile": None}


def test_the_external_ids_of_all_ways_are_secrets(tmp_path: Path) -> None:
    manifest = load_text(tmp_path, manifest_yaml(head=head("", f"{BEYOND}, {SPLIT}")))
    assert external_ids(manifest) == {"of-the-hub", "of-the-writer"}
    assert not any(secret in repr(manifest) for secret in external_ids(manifest))


def refused(old: Keys | None) -> Keys:
    raise AwsError("dev", "AssumeRole", "AccessDenied", "no")


def test_keys_that_many_want_at_the_same_time_are_fetched_once() -> None:
    place, together, fetched = Place(), Barrier(4), []

    def fetch(old: Keys | None) -> Keys:
        fetched.append(old)
        return old or Keys("AKIA")

    def ask(_: int) -> Keys:
        together.wait()
        return place.get(fetch)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(ask, range(4))) == {Keys("AKIA")}
    assert fetched.count(None) == 1


def test_why_there_are_no_keys_is_final_and_why_they_cannot_be_renewed_is_not() -> None:
    never, once = Place(), Place()
    once.get(lambda _: Keys("AKIA"))
    for place in (never, once):
        with pytest.raises(AwsError, match="AccessDenied"):
            place.get(refused)
    with pytest.raises(AwsError, match="AccessDenied"):
        never.get(lambda _: Keys("AKIB"))
    assert once.get(lambda _: Keys("AKIB")) == Keys("AKIB")


def test_keys_that_are_of_no_use_any_more_are_fetched_anew_once_whoever_says_so() -> None:
    place = Place()
    old, new = Keys("AKIA", renewed=float("inf")), Keys("AKIB", renewed=float("inf"))
    place.get(lambda _: old)
    for _ in range(2):
        place.end(old)
        assert place.get(lambda found: found if found is not None and found.good() else new) == new


@pytest.mark.parametrize(
    ("headers", "seconds"), [({"date": "Wed, 01 Jan 2031 11:30:00 GMT"}, 1800), ({"content-type": "text/xml"}, 3600)]
)
def test_how_long_a_session_lasts_is_by_the_clock_of_aws_or_else_what_was_asked_for(
    headers: dict[str, str], seconds: int
) -> None:
    assert lasts(datetime(2031, 1, 1, 12, tzinfo=UTC), headers) == seconds
