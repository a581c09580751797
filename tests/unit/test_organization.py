"""The accounts of an organization as accounts of the manifest: names, overrides, states, and what is not asked."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from reconciler.errors import ManifestError
from reconciler.manifest import load
from reconciler.model import Access, Account, Manifest, Organization, UnreadTags
from reconciler.pipeline.turns import external_ids
from reconciler.render.accounts import accounts_json, accounts_text

SHOP = Account("Shop", "222222222222", ou=("r-ab12", "ou-ab12-11111111"), units="/Prod", tags={"tier": "prod"})
PAY = Account("Pay (EU)", "333333333333", ou=("r-ab12", "ou-ab12-11111111"), units="/Prod", tags={"tier": "prod"})
LAB = Account("lab", "444444444444", ou=("r-ab12", "ou-ab12-22222222"), units="/Lab", tags={"tier": "lab"})
OLD = Account("old", "555555555555", ou=("r-ab12",), units="/", state="SUSPENDED")

HEAD = """\
version: 1
stack: platform
accounts:
  organization: {}
  ci: {id: "111111111111"}
defaults: {access: {assume_role: {name: reconciler}}}
"""


@dataclass
class Listing:
    """A directory with these accounts."""

    listed: tuple[Account, ...] = (SHOP, PAY, LAB, OLD)
    asked: list[tuple[Organization, bool]] = field(default_factory=list)

    def accounts(self, organization: Organization, *, tags: bool) -> tuple[Account, ...]:
        self.asked.append((organization, tags))
        return tuple(account if tags else replace(account, tags=UnreadTags()) for account in self.listed)


def loaded(folder: Path, text: str, directory: Listing | None) -> Manifest:
    (folder / "m.yaml").write_text(text)
    return load([str(folder / "m.yaml")], directory=directory)


def grants(to: str, rest: str = "") -> str:
    return (
        "grants:\n  audit:\n    from: {account: ci, roles: [auditor]}\n"
        f"    to: {{account: {to}}}\n    permissions: [{{actions: 's3:*', resources: '*'}}]\n{rest}"
    )


def targets(manifest: Manifest) -> list[str]:
    return [grant.target for grant in manifest.grants]


def test_active_accounts_are_named_so_that_grants_can_name_them_and_reached_by_the_defaults(tmp_path: Path) -> None:
    manifest = loaded(tmp_path, HEAD + grants("[Shop, Pay-EU]"), Listing())
    assert sorted(manifest.accounts) == ["Pay-EU", "Shop", "ci", "lab"]
    assert [account.id for account in manifest.inactive] == [OLD.id]
    assert {account.access for account in manifest.accounts.values()} == {Access(role="reconciler")}
    assert targets(manifest) == ["Pay-EU", "Shop"]


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["a", "a"], ["a-000000000000", "a-000000000001"]),
        (["ci"], ["ci-000000000000"]),
        (["prod"], ["prod-000000000000"]),
        (["***"], ["account"]),
        (["Ünïcode Team"], ["n-code-Team"]),
        (["x" * 80], ["x" * 64]),
        (["organization"], ["organization-000000000000"]),
        (["Pay", "Pay", "Pay-000000000001"], ["Pay-000000000000", "Pay-000000000001", "Pay-000000000001-000000000002"]),
    ],
)
def test_a_name_that_is_none_or_is_taken_is_made_one(tmp_path: Path, names: list[str], found: list[str]) -> None:
    listing = Listing(tuple(Account(name, f"{index:012d}") for index, name in enumerate(names)))
    text = HEAD + "account_groups: {prod: [ci]}\ngrants: {}\n"
    assert sorted(set(loaded(tmp_path, text, listing).accounts) - {"ci"}) == found


def test_what_is_stated_of_an_account_wins_over_what_is_listed(tmp_path: Path) -> None:
    text = HEAD.replace(
        "defaults", '  mine: {id: "222222222222", profile: shop-admin, tags: {tier: own, x: y}}\ndefaults'
    ) + grants("mine", "    tags: {t: '${account.tags.tier}'}\n")
    manifest = loaded(tmp_path, text, Listing())
    assert "Shop" not in manifest.accounts
    mine = manifest.accounts["mine"]
    assert (mine.access, mine.units, mine.tags) == (Access("shop-admin"), "/Prod", {"tier": "own", "x": "y"})
    assert manifest.grants[0].tags == {"t": "own"}


@pytest.mark.parametrize(
    ("to", "names", "tags"),
    [
        ("{ou: ou-ab12-11111111}", ["Pay-EU", "Shop"], False),
        ("{ou: r-ab12, exclude: [ci]}", ["Pay-EU", "Shop", "lab"], False),
        ("{tags: {tier: lab}}", ["lab"], True),
    ],
)
def test_accounts_are_found_by_unit_and_tag_and_tags_are_read_only_where_they_are_needed(
    tmp_path: Path, to: str, names: list[str], tags: bool
) -> None:
    listing = Listing()
    assert targets(loaded(tmp_path, HEAD + grants(to), listing)) == names
    assert [asked for _, asked in listing.asked] == ([False, True] if tags else [False])


def test_an_account_that_is_suspended_is_no_account_of_a_grant(tmp_path: Path) -> None:
    text = HEAD.replace("defaults", '  gone: {id: "555555555555"}\ndefaults')
    manifest = loaded(tmp_path, text + grants("[lab]"), Listing())
    assert [account.name for account in manifest.inactive] == ["gone"]
    assert targets(loaded(tmp_path, text + grants("[lab, gone]"), Listing())) == ["lab"]
    with pytest.raises(ManifestError, match="XG046 no account is meant by this: gone is SUSPENDED"):
        loaded(tmp_path, text + grants("gone"), Listing())
    with pytest.raises(ManifestError, match="XG046 no account is meant"):
        loaded(tmp_path, text + grants("[gone]"), Listing())


@pytest.mark.parametrize(
    "to", ["Shop", "[lab, ci2]", "{ou: ou-ab12-11111111}", "{tags: {a: b}}", "some", "ci2, exclude: [x]"]
)
def test_offline_a_grant_over_accounts_of_the_organization_is_checked_as_far_as_that_goes(
    tmp_path: Path, to: str
) -> None:
    text = HEAD + "account_groups: {some: {ou: ou-ab12-11111111}}\n"
    manifest = loaded(tmp_path, text + grants(to), None)
    assert (manifest.grants, manifest.unresolved) == ((), ("audit",))
    with pytest.raises(ManifestError, match="XG047"):
        loaded(tmp_path, text + grants(to, "    description: '${acount.id}'\n"), None)


def test_offline_a_grant_over_stated_accounts_is_resolved(tmp_path: Path) -> None:
    text = HEAD.replace("defaults", '  mine: {id: "222222222222"}\ndefaults') + grants("mine")
    manifest = loaded(tmp_path, text, None)
    assert (targets(manifest), manifest.unresolved) == (["mine"], ())


OF_TAGS = [
    ("", "    permissions: [{actions: 's3:*', resources: '${account.tags.bucket}'}]\n"),
    ("", "    permissions: [{actions: 's3:*', resources: 'arn:${account.partition}:s3:::${account.tags.bucket}'}]\n"),
    (", path: '${account.tags.path}'", ""),
    ("", "    require: {source_ip: ['${account.tags.network}'], external_id: '${account.tags.tier}'}\n"),
    ("", "    trust_conditions: {DateLessThan: {'aws:CurrentTime': ['2026-12-31', '${account.tags.until}']}}\n"),
    ("", "    policy: {file: read.json}\n"),
]


@pytest.mark.parametrize(("to", "rest"), OF_TAGS)
@pytest.mark.parametrize(
    "account", ["Shop", "{ou: ou-ab12-11111111}", "mine", "{accounts: [mine], tags: {tier: prod}}"]
)
def test_offline_what_depends_on_a_tag_that_only_the_organization_knows_is_not_judged_and_all_else_is(
    tmp_path: Path, account: str, to: str, rest: str
) -> None:
    statement = '{"Effect": "Allow", "Action": "s3:*", "Resource": "${account.tags.bucket}"}'
    (tmp_path / "read.json").write_text(f'{{"Version": "2012-10-17", "Statement": {statement}}}')
    head = HEAD.replace("defaults", '  mine: {id: "222222222222", tags: {domain: x}}\ndefaults')
    stated = grants(account + to, rest)
    if "permissions" in rest or "policy" in rest:
        stated = stated.replace("    permissions: [{actions: 's3:*', resources: '*'}]\n", "")
    manifest = loaded(tmp_path, head + stated, None)
    assert (manifest.grants, manifest.unresolved) == ((), ("audit",))
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, head + stated + "    managed_policies: ['${account.nothing}']\n    tags: {'aws:x': y}\n", None)
    assert sorted(problem.code for problem in caught.value.problems) == ["XG030", "XG047"]


def test_offline_two_callers_of_whom_only_the_organization_knows_the_names_are_not_taken_for_one(
    tmp_path: Path,
) -> None:
    text = HEAD + grants("ci").replace(
        "{account: ci, roles: [auditor]}", "{account: Shop, roles: ['${source.tags.a}', '${source.tags.b}']}"
    )
    assert loaded(tmp_path, text, None).unresolved == ("audit",)


def test_a_tag_that_makes_a_string_wrong_is_judged_when_it_is_known(tmp_path: Path) -> None:
    text = HEAD + grants("Shop, path: '${account.tags.tier}'", "    require: {external_id: '${account.tags.one}'}\n")
    shop = replace(SHOP, tags={"tier": "prod", "one": "1"})
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, text, Listing((shop,)))
    assert [problem.code for problem in caught.value.problems] == ["XG029", "XG013"]
    shop = replace(SHOP, tags={"tier": "/prod/", "one": "agreed"})
    (grant,) = loaded(tmp_path, text, Listing((shop,))).grants
    assert (grant.role_path, grant.conditions) == ("/prod/", {"StringEquals": {"sts:ExternalId": ("agreed",)}})


@pytest.mark.parametrize(
    ("stated", "right"),
    [("path: '${account.tags.place}'", "/x/"), ("require: {source_ip: ['${account.tags.place}']}", "203.0.113.0/24")],
)
def test_defaults_that_depend_on_a_tag_are_judged_where_a_grant_inherits_them(
    tmp_path: Path, stated: str, right: str
) -> None:
    text = HEAD.replace("defaults: {", f"defaults: {{{stated}, ") + grants("Shop")
    assert targets(loaded(tmp_path, text, Listing((replace(SHOP, tags={"place": right}),)))) == ["Shop"]
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, text, Listing((replace(SHOP, tags={"place": "wrong"}),)))
    (problem,) = caught.value.problems
    assert (problem.code in ("XG029", "XG034"), problem.place.line) == (True, 6)


@pytest.mark.parametrize("way", ["profile: 'p-${account.tags.tier}'", "assume_role: {name: 'r-${account.tags.tier}'}"])
def test_the_way_to_a_stated_account_may_depend_on_a_tag_that_only_the_organization_knows(
    tmp_path: Path, way: str
) -> None:
    text = HEAD.replace("defaults", f'  mine: {{id: "222222222222", {way}}}\ndefaults') + grants("mine")
    reached = loaded(tmp_path, text, Listing()).accounts["mine"].access
    assert reached == (Access("p-prod") if "profile" in way else Access(role="r-prod"))
    assert loaded(tmp_path, text, None).accounts["mine"].access == Access()
    with pytest.raises(ManifestError, match=r"XG047 .*the account mine has no tag 'tier'"):
        loaded(tmp_path, text, Listing((LAB,)))


def test_a_tag_that_makes_the_name_of_no_role_is_no_way_to_an_account(tmp_path: Path) -> None:
    text = HEAD.replace("{name: reconciler}", "{name: 'r-${account.tags.tier}'}") + "grants: {}\n"
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, text.replace('{id: "111111111111"}', '{id: "111111111111", tags: {tier: "a:b"}}'), Listing(()))
    assert [(problem.code, problem.place.line) for problem in caught.value.problems] == [("XG029", 6)]


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (1, "the account a0 has no tag 'x'; give it one, or exclude it"),
        (3, "the accounts a0, a1, a2 have no tag 'x'; give them one, or exclude them"),
        (8, "the accounts a0, a1, a2, a3, a4 and 3 more have no tag 'x'; give them one, or exclude them"),
    ],
)
@pytest.mark.parametrize("where", ["grant", "access"])
def test_all_accounts_that_lack_a_tag_are_said_at_once(tmp_path: Path, number: int, says: str, where: str) -> None:
    listing = Listing(tuple(replace(LAB, name=f"a{index}", id=f"{index:012d}") for index in range(number)))
    if where == "grant":
        text = HEAD + grants("{ou: r-ab12}", "    tags: {x: '${account.tags.x}'}\n")
    else:
        text = HEAD.replace("reconciler}", "'${account.tags.x}'}").replace("{id: ", "{profile: ci, id: ") + grants(
            "{ou: r-ab12}"
        )
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, text, listing)
    (problem,) = caught.value.problems
    assert (problem.code, problem.message) == ("XG047", f"${{account.tags.x}}: {says}")


def test_the_organization_is_asked_as_the_manifest_says(tmp_path: Path) -> None:
    stated = (
        '{id: o-abcdefghij, assume_role: {account: "999999999999", name: lister, external_id: agreed}, refresh: 6h}'
    )
    listing = Listing()
    loaded(tmp_path, HEAD.replace("{}", stated) + "grants: {}\n", listing)
    access = Access(None, "lister", "agreed")
    assert listing.asked == [(Organization(access, "o-abcdefghij", "999999999999", refresh=21600), False)]


def test_a_name_that_is_stated_is_given_to_no_other_account(tmp_path: Path) -> None:
    listing = Listing((Account("Pay", "000000000001"), Account("Pay", "000000000002")))
    text = HEAD.replace("defaults", '  Pay-000000000002: {id: "555555555555"}\ndefaults') + "grants: {}\n"
    with pytest.raises(ManifestError, match="XG021 Pay-000000000002 is the name of the account 000000000002"):
        loaded(tmp_path, text, listing)


def test_criteria_mean_no_account_of_somebody_else(tmp_path: Path) -> None:
    vendor = '  vendor: {id: "666666666666", managed: false, tags: {tier: prod}}\ndefaults'
    text = HEAD.replace("defaults", vendor) + grants("{tags: {tier: prod}}")
    assert targets(loaded(tmp_path, text, Listing())) == ["Pay-EU", "Shop"]


def test_an_organization_is_not_asked_for_files_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("a: [")
    (tmp_path / "m.yaml").write_text(HEAD + grants("Shop"))
    listing = Listing()
    with pytest.raises(ManifestError) as caught:
        load([str(tmp_path)], directory=listing)
    assert (len(caught.value.problems), listing.asked) == (1, [])


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        ("[lab]", {"ci", "Shop", "Pay-EU"}),
        ("['333333333333', lab]", {"ci", "Shop"}),
        ("[ou-ab12-11111111, old]", {"ci", "lab"}),
    ],
)
def test_accounts_of_the_organization_can_be_left_out_by_name_id_or_unit(
    tmp_path: Path, exclude: str, left: set[str]
) -> None:
    head = HEAD.replace("organization: {}", f"organization: {{exclude: {exclude}}}")
    manifest = loaded(tmp_path, head + "grants: {}\n", Listing())
    assert {*manifest.accounts} == left
    assert [account.name for account in manifest.inactive] == ([] if "old" in exclude else ["old"])


def test_an_account_that_is_stated_is_not_left_out_with_its_unit(tmp_path: Path) -> None:
    head = HEAD.replace("{}", "{exclude: [ou-ab12-11111111]}").replace(
        "defaults", '  shop: {id: "222222222222"}\ndefaults'
    )
    assert targets(loaded(tmp_path, head + grants("{ou: r-ab12}"), Listing())) == ["lab", "shop"]


@pytest.mark.parametrize(
    ("to", "organization", "says"),
    [
        ("Pay (EU)", "{}", "unknown account 'Pay (EU)'; did you mean Pay-EU?"),
        ("'222222222222'", "{}", "did you mean Shop?"),
        ("new", "{}", "(declared: Pay-EU, Shop, ci, lab)"),
        ("new", "{refresh: 6h}", "if the organization has it since lately, `xgrant accounts` lists it anew"),
        ("lab", "{exclude: [lab]}", "the organization has it, and accounts.organization.exclude leaves it out"),
        ("Shop", "{exclude: [lap]}", "4:28: XG024 the organization has no account and no unit 'lap'"),
    ],
)
def test_an_account_that_the_organization_calls_otherwise_or_does_not_list_yet_is_told_so(
    tmp_path: Path, to: str, organization: str, says: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, HEAD.replace("{}", organization) + grants(to), Listing())
    (problem,) = caught.value.problems
    assert says in str(problem)
    assert ("lists it anew" in problem.message) is ("refresh" in organization)


def test_of_thousands_of_accounts_it_is_said_how_many_are_not_named(tmp_path: Path) -> None:
    many = tuple(Account(f"team-{number:04}", f"{number:012}") for number in range(1, 1501))
    with pytest.raises(ManifestError, match=r"did you mean team-0007\? .*team-0019 and 1,481 more\)"):
        loaded(tmp_path, HEAD + grants("taem-0007"), Listing(many))


@pytest.mark.parametrize(
    ("organization", "says"),
    [
        ("{refresh: soon}", "like 10m or 6h"),
        ("{assume_role: {name: x}}", "'account' is missing"),
        ("{profile: a, assume_role: {account: '123456789012', name: x}}", "not by both"),
        ("{id: '123456789012'}", "an organization's id is o-"),
        ("{name: x}", "unknown key 'name'"),
        ("5", "or {} for the caller's own credentials"),
    ],
)
def test_what_is_wrong_with_the_organization_is_said(tmp_path: Path, organization: str, says: str) -> None:
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, HEAD.replace("{}", organization) + "grants: {}\n", None)
    assert says in str(caught.value)


def test_one_file_says_where_the_organization_is(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HEAD + "grants: {}\n")
    (tmp_path / "b.yaml").write_text("version: 1\naccounts: {organization: {}}\n")
    with pytest.raises(ManifestError, match="XG048 the organization stands already in"):
        load([str(tmp_path)])


def test_the_way_to_an_account_can_have_its_name_in_it(tmp_path: Path) -> None:
    text = HEAD.replace("{assume_role: {name: reconciler}}", "{profile: 'admin-${account.name}'}") + "grants: {}\n"
    manifest = loaded(tmp_path, text, Listing())
    assert manifest.accounts["Shop"].access == Access("admin-Shop")
    assert manifest.default_access == Access()


def test_names_of_units_are_hostile_until_they_are_escaped(tmp_path: Path) -> None:
    hostile = replace(LAB, units="/\x1b[2J\u202e", state="\x1b[0m")
    listing = Listing((hostile, replace(SHOP, units="/\x07")))
    manifest = loaded(tmp_path, HEAD + grants("{tags: {tier: prod}}"), listing)
    shown = accounts_text(manifest)
    assert shown.count("\n") == 4
    assert not any(ord(character) < 32 for character in shown.replace("\n", ""))
    assert "\x1b" not in accounts_json(manifest)


def test_the_external_id_by_which_the_organization_is_asked_is_a_secret_too(tmp_path: Path) -> None:
    stated = '{assume_role: {account: "999999999999", name: lister, external_id: of-the-lister}}'
    text = HEAD.replace("{}", stated).replace("reconciler}", "reconciler, external_id: of-the-reconciler}")
    assert external_ids(loaded(tmp_path, text + "grants: {}\n", Listing())) == {"of-the-lister", "of-the-reconciler"}


@pytest.mark.parametrize(
    ("unit", "right"), [("", True), ("ou-ab12-11111111", True), ("r-ab12", True), ("ou-ab12-33333333", False)]
)
def test_a_stated_account_lies_where_the_organization_has_it(tmp_path: Path, unit: str, right: bool) -> None:
    ou = f", ou: {unit}" if unit else ""
    text = HEAD.replace("defaults", f'  mine: {{id: "222222222222"{ou}}}\ndefaults') + grants(
        "{ou: r-ab12, exclude: [lab]}"
    )
    if right:
        assert targets(loaded(tmp_path, text, Listing())) == ["Pay-EU", "mine"]
        return
    with pytest.raises(ManifestError) as caught:
        loaded(tmp_path, text, Listing())
    assert "6:34: XG049 the organization has mine in r-ab12, ou-ab12-11111111; leave this out" in str(caught.value)


def test_an_account_that_the_organization_does_not_list_lies_in_the_unit_that_is_stated(tmp_path: Path) -> None:
    text = HEAD.replace("defaults", '  other: {id: "666666666666", ou: ou-ab12-33333333}\ndefaults')
    assert targets(loaded(tmp_path, text + grants("{ou: ou-ab12-33333333}"), Listing())) == ["other"]
    # Offline nobody knows which it does not list.
    assert loaded(tmp_path, text + grants("{ou: ou-ab12-33333333}"), None).unresolved == ("audit",)
