"""One grant over many accounts: lists, groups, tags and units of accounts, and variables in its strings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.errors import ManifestError
from reconciler.model import Action, CallerPolicy, Change, Finding, Kind, Manifest, Plan, Role, Severity
from reconciler.policy.document import PolicyDocument
from reconciler.render.data import plan_data
from reconciler.render.text import text, text_of
from tests.support import allow, desired_of, document, facts_for, load_text, plan_for, role_at

HEAD = """\
version: 1
stack: platform
accounts:
  ci: {id: "111111111111", tags: {domain: tools}}
  audit: {id: "222222222222"}
  shop: {id: "333333333333", tags: {domain: sales, bucket: shop-data}, ou: ou-ab12-11111111}
  pay: {id: "444444444444", tags: {domain: sales, bucket: pay-data}, ou: ou-ab12-22222222}
  lab: {id: "555555555555", tags: {domain: research}, ou: ou-ab12-11111111}
account_groups:
  prod: [shop, pay]
  sales: {tags: {domain: sales}}
  first: {ou: ou-ab12-11111111}
  both: {tags: {domain: [sales, research]}, ou: [ou-ab12-11111111, ou-ab12-22222222], exclude: [lab]}
  nested: {accounts: [prod, lab], exclude: [first]}
  nobody: {tags: {domain: nothing}}
grants:
"""


def grant(ends: str, rest: str = "") -> str:
    return f"""\
  reader:
{ends}
    permissions: [{{actions: "s3:GetObject", resources: "*"}}]
{rest}"""


def declared(folder: Path, ends: str, rest: str = "", head: str = HEAD) -> Manifest:
    return load_text(folder, head + grant("\n".join(f"    {line}" for line in ends.splitlines()), rest))


@pytest.mark.parametrize(
    ("to", "targets"),
    [
        ("shop", {"shop"}),
        ("[shop, lab]", {"shop", "lab"}),
        ("prod", {"shop", "pay"}),
        ("[prod, lab]", {"shop", "pay", "lab"}),
        ("sales", {"shop", "pay"}),
        ("first", {"shop", "lab"}),
        ("both", {"shop", "pay"}),
        ("nested", {"pay"}),
        ("{tags: {domain: research}}", {"lab"}),
        ("{tags: {domain: sales, bucket: pay-data}}", {"pay"}),
        ("{ou: ou-ab12-11111111, exclude: [sales]}", {"lab"}),
        ("{ou: [ou-ab12-11111111, ou-ab12-22222222], exclude: [lab]}", {"shop", "pay"}),
        ("prod, exclude: [pay]", {"shop"}),
    ],
)
def test_a_grant_goes_to_each_account_that_is_meant(tmp_path: Path, to: str, targets: set[str]) -> None:
    manifest = declared(tmp_path, f"from: {{account: ci, users: [bot]}}\nto: {{account: {to}}}")
    assert {found.target for found in manifest.grants} == targets
    assert [found.target for found in manifest.grants] == sorted(targets)


def test_each_target_has_one_role_that_trusts_all_sources_and_each_caller_one_policy_for_all_roles(
    tmp_path: Path,
) -> None:
    manifest = declared(
        tmp_path, "from: {account: [ci, audit], users: [bot], groups: [ops]}\nto: {account: [shop, pay], path: /x/}"
    )
    state = desired_of(manifest)
    roles = {str(address): role for address, role in state.items() if isinstance(role, Role)}
    policies = {str(address): policy for address, policy in state.items() if isinstance(policy, CallerPolicy)}
    assert list(roles) == ["pay/role/reader", "shop/role/reader"]
    for role in roles.values():
        assert role.trust_policy.aws_principals() == (
            "arn:aws:iam::111111111111:root", "arn:aws:iam::111111111111:user/bot",
            "arn:aws:iam::222222222222:root", "arn:aws:iam::222222222222:user/bot",
        )  # fmt: skip
    assert sorted(policies) == [
        f"{account}/{holder}/caller-policy/reader"
        for account in ("audit", "ci")
        for holder in ("group/ops", "user/bot")
    ]
    for policy in policies.values():
        assert policy.document.resources() == (
            "arn:aws:iam::333333333333:role/x/reader", "arn:aws:iam::444444444444:role/x/reader",
        )  # fmt: skip


def test_among_several_an_account_is_not_its_own_source(tmp_path: Path) -> None:
    manifest = declared(tmp_path, "from: {account: prod, roles: [app]}\nto: {account: prod}")
    trusted = {found.target: [principal.account for principal in found.principals] for found in manifest.grants}
    assert trusted == {"pay": ["shop"], "shop": ["pay"]}


def test_entire_accounts_are_trusted_each_by_its_root(tmp_path: Path) -> None:
    manifest = declared(tmp_path, "from: {account: prod, entire_account: true}\nto: {account: audit}")
    state = desired_of(manifest)
    (role,) = state.values()
    assert isinstance(role, Role)
    assert role.trust_policy.aws_principals() == ("arn:aws:iam::333333333333:root", "arn:aws:iam::444444444444:root")


def test_variables_stand_for_what_the_accounts_are(tmp_path: Path) -> None:
    manifest = declared(
        tmp_path,
        'from: {account: ci, roles: ["deploy-${target.name}", "in-${account.name}"]}\nto: {account: prod, role: "R-${account.name}"}',
        "    description: 'from ${source.name} ${source.id}'\n"
        "    managed_policies: ['arn:${account.partition}:iam::${target.id}:policy/own']\n"
        "    require: {source_ip: [203.0.113.0/24]}\n"
        "    trust_conditions: {StringEquals: {'aws:PrincipalTag/team': '${target.tags.domain}'}}\n"
        "    tags: {bucket: '${account.tags.bucket}'}\n",
    )
    pay, shop = manifest.grants
    assert [principal.name for principal in pay.principals] == ["deploy-pay", "in-ci"]
    assert (pay.role_name, shop.role_name) == ("R-pay", "R-shop")
    assert shop.description == "from ci 111111111111"
    assert shop.managed_policies == {"arn:aws:iam::333333333333:policy/own"}
    assert shop.tags == {"bucket": "shop-data"}
    assert shop.conditions["StringEquals"] == {"aws:PrincipalTag/team": ("sales",)}


def test_what_is_iams_own_variable_is_left_for_iam(tmp_path: Path) -> None:
    text = HEAD + (
        "  reader:\n    from: {account: ci, users: [bot]}\n    to: {account: shop}\n"
        "    permissions: [{actions: 's3:GetObject', resources: ['arn:aws:s3:::${account.tags.bucket}/${aws:username}/${*}']}]\n"
    )
    (found,) = load_text(tmp_path, text).grants
    assert found.permissions is not None
    assert found.permissions.resources() == ("arn:aws:s3:::shop-data/${aws:username}/${*}",)


def test_variables_are_replaced_in_policy_files_and_defaults_and_access_too(tmp_path: Path) -> None:
    (tmp_path / "read.json").write_text(
        '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:*",'
        ' "Resource": "arn:aws:s3:::${account.tags.bucket}/*"}}'
    )
    text = (
        HEAD.replace(
            "grants:\n",
            "defaults:\n"
            "  access: {profile: 'admin-${account.name}'}\n"
            "  path: '/${account.name}/'\n"
            "  permissions_boundary: 'arn:aws:iam::${account.id}:policy/boundary'\n"
            "  tags: {of: '${target.name}'}\n"
            "grants:\n",
        )
        + "  reader:\n    from: {account: ci, users: [bot]}\n    to: {account: prod}\n    policy: {file: read.json}\n"
    )
    manifest = load_text(tmp_path, text)
    pay, shop = manifest.grants
    assert manifest.accounts["pay"].access.profile == "admin-pay"
    assert (pay.role_path, shop.role_path) == ("/pay/", "/shop/")
    assert shop.permissions_boundary == "arn:aws:iam::333333333333:policy/boundary"
    assert shop.tags == {"of": "shop"}
    assert [found.permissions.resources() for found in manifest.grants if found.permissions] == [
        ("arn:aws:s3:::pay-data/*",), ("arn:aws:s3:::shop-data/*",),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ends", "rest", "code", "says"),
    [
        ("from: {account: ci, users: [bot]}\nto: {account: nowhere}", "", "XG024", ":19:19: XG024 unknown account 'nowhere'"),
        ("from: {account: ci, users: [bot]}\nto: {account: [shop, nowhere]}", "", "XG024", ":19:26: XG024 unknown account"),
        ("from: {account: ci, users: [bot]}\nto: {account: nobdy}", "", "XG024", "unknown account 'nobdy'; did you mean nobody? Else"),
        ("from: {account: ci, users: [bot]}\nto: {account: '333333333333'}", "", "XG024", "unknown account '333333333333'; did you mean shop?"),
        ("from: {account: ci, users: [bot]}\nto: {account: prod, exclude: [x]}", "", "XG024", ":19:35: XG024 unknown account"),
        ("from: {account: ci, users: [bot]}\nto: {account: {exclude: [shop]}}", "", "XG013", "say which: accounts, tags or ou"),
        ("from: {account: ci, users: [bot]}\nto: {account: nobody}", "", "XG046", "by this: nobody: no account has the tag 'domain' with 'nothing'; it has research, sales, tools; mend"),
        ("from: {account: ci, users: [bot]}\nto: {account: {tags: {team: a}}}", "", "XG046", "by this: none of the accounts has a tag 'team'; mend"),
        ("from: {account: ci, users: [bot]}\nto: {account: {tags: {domain: tools, bucket: x}}}", "", "XG046", "none of the accounts has a tag 'bucket'"),
        ("from: {account: ci, users: [bot]}\nto: {account: {ou: ou-ab12-99999999}}", "", "XG046", "no account lies in or below ou-ab12-99999999"),
        ("from: {account: ci, users: [bot]}\nto: {account: {tags: {domain: tools}, ou: ou-ab12-11111111}}", "", "XG046", "none of them lies in or below ou-ab12-11111111"),
        ("from: {account: ci, users: [bot]}\nto: {account: {accounts: [nobody]}}", "", "XG046", "nobody: no account has the tag"),
        ("from: {account: ci, users: [bot]}\nto: {account: {ou: ou-ab12-22222222, exclude: [pay]}}", "", "XG046", "exclude takes out pay"),
        ("from: {account: ci, users: [bot]}\nto: {account: prod, exclude: [sales]}", "", "XG046", "exclude takes out pay, shop; mend"),
        ("from: {account: shop, users: [bot]}\nto: {account: prod}", "", "XG025", "exclude: [shop]"),
        ("from: {account: ci, users: [bot]}\nto: {account: {}}", "", "XG013", "say which: accounts, tags or ou"),
        ("from: {account: ci, users: [bot]}\nto: {account: []}", "", "XG013", "name at least one"),
        ("from: {account: ci, users: [bot]}\nto: {account: 5}", "", "XG012", "a list of accounts or groups"),
        ("from: {account: ci, users: [bot]}\nto: {account: {ou: x}}", "", "XG013", "like ou-ab12-cdef3456"),
        ("from: {account: ci, users: [bot]}\nto: {account: {accounts: [prod], tag: {a: b}}}", "", "XG010", "did you mean tags?"),
        ("from: {account: ci, users: [bot]}\nto: {account: prod}", "    description: '${acount.id}'\n", "XG047", "unknown variable"),
        ("from: {account: ci, users: [bot]}\nto: {account: prod}", "    description: '${account.ID}'\n", "XG047", "account has .id"),
        ("from: {account: ci, users: [bot]}\nto: {account: prod}", "    description: '${}'\n", "XG047", "unknown variable"),
        ("from: {account: ci, users: [bot]}\nto: {account: lab}", "    tags: {a: '${account.tags.bucket}'}\n", "XG047", "account lab has no tag 'bucket'"),
        ("from: {account: [ci, audit], users: [bot]}\nto: {account: lab}", "    tags: {a: '${source.id}'}\n", "XG047", "there are 2 source accounts"),
        ("from: {account: ci, users: ['${account.tags.nope}']}\nto: {account: lab}", "", "XG047", "account ci has no tag 'nope'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_once_and_with_its_place(
    tmp_path: Path, ends: str, rest: str, code: str, says: str
) -> None:
    with pytest.raises(ManifestError) as caught:
        declared(tmp_path, ends, rest)
    (problem,) = caught.value.problems
    assert problem.code == code
    assert says in str(caught.value)


@pytest.mark.parametrize("value", ["", "*", "a*", "?", "${aws:username}", "a b", "a\\nb", "{", "é", "a$"])
def test_a_tag_that_could_mean_more_than_itself_stands_in_no_string(tmp_path: Path, value: str) -> None:
    text = HEAD.replace("shop-data", "VALUE").replace("bucket: VALUE", f'bucket: "{value}"')
    ends = "from: {account: ci, users: [bot]}\nto: {account: shop}"
    with pytest.raises(ManifestError, match=r"XG047 .*the tag 'bucket' of account shop .* cannot stand in a string"):
        declared(tmp_path, ends, "    tags: {a: 'x-${account.tags.bucket}*'}\n", text)


@pytest.mark.parametrize(
    "condition",
    [
        "{StringEquals: {'aws:PrincipalTag/x': '${account.tags.a:b}'}}",
        "{StringEquals: {'aws:PrincipalTag/x': '${source:id}'}}",
        "{StringEquals: {'aws:PrincipalTag/x': '${account.id'}}",
        "{StringEquals: {'aws:PrincipalTag/x': '${nonsense'}}",
        "{StringEquals: {'aws:PrincipalTag/${account.name}': 'x'}}",
        "{StringEquals: {'aws:PrincipalTag/x': '${ACCOUNT.id}'}}",
    ],
)
def test_what_looks_like_a_variable_and_is_none_is_not_let_through(tmp_path: Path, condition: str) -> None:
    with pytest.raises(ManifestError, match="XG047"):
        declared(
            tmp_path, "from: {account: ci, users: [bot]}\nto: {account: shop}", f"    trust_conditions: {condition}\n"
        )


def test_groups_of_groups_are_followed_quickly_and_not_without_end(tmp_path: Path) -> None:
    accounts = HEAD.split("account_groups:")[0]
    wide = "".join(f"  g{i}: [g{i + 1}, h{i + 1}]\n  h{i}: [g{i + 1}, h{i + 1}]\n" for i in range(15))
    text = f"{accounts}account_groups:\n{wide}  g15: [shop]\n  h15: [pay]\ngrants:\n"
    manifest = declared(tmp_path, "from: {account: ci, users: [bot]}\nto: {account: g0}", head=text)
    assert [found.target for found in manifest.grants] == ["pay", "shop"]
    deep = "".join(f"  g{i}: [g{i + 1}]\n" for i in range(600))
    with pytest.raises(ManifestError, match="XG045 groups are nested more than 20 deep"):
        load_text(tmp_path, f"{accounts}account_groups:\n{deep}  g600: [shop]\ngrants: {{}}\n")


def test_what_one_grant_leaves_out_of_a_group_another_one_has(tmp_path: Path) -> None:
    one = grant("    from: {account: ci, users: [bot]}\n    to: {account: prod, exclude: [pay]}")
    other = grant("    from: {account: ci, users: [bot]}\n    to: {account: prod}").replace("reader", "other")
    manifest = load_text(tmp_path, HEAD + one + other)
    assert [(found.name, found.target) for found in manifest.grants] == [
        ("other", "pay"), ("other", "shop"), ("reader", "shop"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("groups", "says"),
    [
        ("  a: [b]\n  b: [a]\n", "XG045 the group a contains itself: a -> b -> a; take one of them out"),
        ("  shop: [pay]\n", "XG045 shop is an account already; give the group another name"),
        ("  a: [nowhere]\n", "XG024 unknown account 'nowhere'"),
        ("  a: {accounts: [nowhere]}\n", "XG024 unknown account 'nowhere'"),
        ("  a: shop\n", "XG012 this is a list of accounts or groups"),
    ],
)
def test_a_group_that_cannot_be_is_refused(tmp_path: Path, groups: str, says: str) -> None:
    text = HEAD.split("account_groups:")[0] + f"account_groups:\n{groups}grants: {{}}\n"
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, text)
    assert says in str(caught.value)


def shown_of(folder: Path, to: str, *, expand: bool = False) -> list[str]:
    manifest = declared(folder, f"from: {{account: ci, users: [bot]}}\nto: {{account: [shop, pay, lab], {to}}}")
    return text(plan_for(manifest, {}), expand=expand).splitlines()


def test_equal_changes_of_several_accounts_are_shown_once_unless_each_is_asked_for(tmp_path: Path) -> None:
    caller = "+ ci/user/bot/caller-policy/reader  (grant reader)"
    assert [line for line in shown_of(tmp_path, 'role: "R-${account.id}"') if line.startswith("+")] == [
        caller, "+ lab/role/R-555555555555  (grant reader)", "+ pay/role/R-444444444444  (grant reader)",
        "+ shop/role/R-333333333333  (grant reader)",
    ]  # fmt: skip
    shown = shown_of(tmp_path, "path: /x/")
    at = shown.index("+ role/reader in 3 accounts  (grant reader)")
    assert shown[at + 1] == "      lab, pay, shop"
    assert [line for line in shown_of(tmp_path, "path: /x/", expand=True) if line.startswith("+")] == [
        caller, "+ lab/role/reader  (grant reader)", "+ pay/role/reader  (grant reader)",
        "+ shop/role/reader  (grant reader)",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("left", "right", "accounts"),
    [
        ("arn:aws:s3:::x", "arn:aws:s3:::x", 2),
        ("arn:aws:s3:::shop-data", "arn:aws:s3:::pay-data", 2),
        ("arn:aws:iam::333333333333:role/R", "arn:aws:iam::444444444444:role/R", 2),
        ("arn:aws:iam::333333333333:role/R", "arn:aws:iam::333333333333:role/R", 1),
        ("arn:aws:s3:::shopping", "arn:aws:s3:::paying", 1),
        ("arn:aws:s3:::<name>", "arn:aws:s3:::pay", 1),
        ("arn:aws:s3:::pay", "arn:aws:s3:::shop", 1),
    ],
)
def test_changes_are_equal_that_differ_in_nothing_but_their_own_account(left: str, right: str, accounts: int) -> None:
    def change(account: str, resource: str) -> Change:
        role = Role("g", "arn:r", "/", document(allow("s3:GetObject", resource)))
        return Change(role_at(account, "R"), Action.CREATE, "g", None, role)

    changes = [change("shop", left), change("pay", right)]
    shown = text_of(changes, (), wanted=True, ids={"shop": "333333333333", "pay": "444444444444"})
    assert ("in 2 accounts" in shown) is (accounts == 2)


def test_who_is_trusted_is_shown_each_by_itself_and_so_is_what_differs(tmp_path: Path) -> None:
    def change(account: str, ids: range, *, trusted: bool) -> Change:
        arns = [f"arn:aws:iam::{number}:{'root' if trusted else 'role/R'}" for number in ids]
        policy = trusting(*arns) if trusted else document(allow("sts:AssumeRole", arns))
        role = Role(
            "g", "arn:r", "/", policy if trusted else trusting(), inline_policies={} if trusted else {"p": policy}
        )
        return Change(role_at(account, "R"), Action.CREATE, "g", None, role)

    low, high = range(100000000001, 100000000011), range(200000000001, 200000000011)
    ids = {"shop": "333333333333", "pay": "444444444444", **{f"x{n}": str(n) for n in (*low, *high)}}
    for trusted in (True, False):
        changes = [change("shop", low, trusted=trusted), change("pay", high, trusted=trusted)]
        shown = text_of(changes, (), wanted=True, ids=ids)
        assert "in 2 accounts" not in shown
        folded = ["arn:aws:iam::(10 accounts):role/R  (x10000", "arn:aws:iam::(10 accounts):role/R  (x20000"]
        assert [line in shown for line in folded] == [not trusted] * 2
        assert shown.count("and 5 more)") == (0 if trusted else 2)
    # Of an account that nobody knows.
    del ids[f"x{low[4]}"]
    assert f"arn:aws:iam::{low[4]}:role/R" in text_of([change("shop", low, trusted=False)], (), wanted=True, ids=ids)


def trusting(*arns: str) -> PolicyDocument:
    return document({"Effect": "Allow", "Principal": {"AWS": list(arns)}, "Action": "sts:AssumeRole"})


def steps_of(before: Manifest, after: Manifest) -> tuple[Plan, list[str]]:
    found = plan_for(after, desired_of(before))
    return found, [f"{step.verb} {step.change.address}" for step in found.steps]


TWO = "from: {account: ci, users: [bot]}\nto: {account: [%s]}"


def test_an_account_that_leaves_a_grant_does_not_wait_for_one_that_joins(tmp_path: Path) -> None:
    before, after = (declared(tmp_path, TWO % names) for names in ("shop, pay", "pay, lab"))
    found, steps = steps_of(before, after)
    caller = "ci/user/bot/caller-policy/reader"
    assert steps.index(f"remove {caller}") < steps.index("remove shop/role/reader")
    assert steps.index("write lab/role/reader") < steps.index(f"write {caller}")
    by_text = {f"{step.verb} {step.change.address}": step for step in found.steps}
    needs = [found.steps[index].change.address for index in by_text["remove shop/role/reader"].requires]
    assert [str(address) for address in needs] == [caller]
    assert by_text[f"remove {caller}"].requires == ()
    (change,) = [change for change in found.changes if str(change.address) == caller]
    assert isinstance(change.interim, CallerPolicy)
    assert change.interim.document.resources() == ("arn:aws:iam::444444444444:role/reader",)


def test_a_role_that_is_made_anew_in_one_account_shuts_no_door_in_the_others(tmp_path: Path) -> None:
    before = declared(tmp_path, TWO % "shop, pay")
    paths = "to: {account: [shop, pay], path: '/${account.tags.bucket}/'}"
    after = declared(tmp_path, f"from: {{account: ci, users: [bot]}}\n{paths}")
    shop_only = [replace(found, role_path="/") if found.target == "pay" else found for found in after.grants]
    found, _ = steps_of(before, replace(after, grants=tuple(shop_only)))
    (change,) = [change for change in found.changes if change.address.kind is Kind.CALLER_POLICY]
    assert change.action is Action.UPDATE
    assert isinstance(change.interim, CallerPolicy)
    assert change.interim.document.resources() == ("arn:aws:iam::444444444444:role/reader",)


def test_two_grants_that_want_one_role_in_many_accounts_are_told_once(tmp_path: Path) -> None:
    one = grant("    from: {account: ci, users: [bot]}\n    to: {account: prod, role: R}")
    with pytest.raises(ManifestError) as caught:
        load_text(tmp_path, HEAD + one + one.replace("reader", "other"))
    (problem,) = caught.value.problems
    assert problem.code == "XG026"


def test_equal_findings_of_several_accounts_are_shown_once_unless_each_is_asked_for(tmp_path: Path) -> None:
    manifest = declared(
        tmp_path, "from: {account: [shop, pay, lab, audit], roles: [bot]}\nto: {account: ci}",
        "    session: {max_duration: 1h}\n",
    )  # fmt: skip
    known = facts_for(manifest)
    for name in ("shop", "pay", "lab"):
        known[name] = replace(known[name], principals={})
    plan = plan_for(manifest, {}, facts=known)
    shown = text(plan).splitlines()
    at = shown.index(
        "error XG202 role/bot/caller-policy/reader in 3 accounts: the role bot of account <name> does not exist"
    )
    assert shown[at + 1 : at + 3] == [
        "    lab, pay, shop; `<name>` is each one's own",
        "    what to do: create the role first, or mend the name",
    ]
    assert text(plan, expand=True).count("error XG202") == 3
    assert [found["address"] for found in plan_data(plan)["findings"]] == [
        f"{name}/role/bot/caller-policy/reader" for name in ("lab", "pay", "shop")
    ]


def test_findings_that_differ_in_more_than_their_account_stand_each_alone() -> None:
    def finding(account: str, message: str) -> Finding:
        return Finding("XG299", Severity.ERROR, message, address=role_at(account, "R"))

    told = [finding("shop", "what shop has"), finding("pay", "what pay has"), finding("lab", "something else")]
    told += [finding("ci", "what <name> has"), Finding("XG299", Severity.ERROR, "of no account")]
    ids = {name: f"{index:012d}" for index, name in enumerate(("shop", "pay", "lab", "ci"))}
    shown = [line for line in text_of((), told, wanted=True, ids=ids).splitlines() if line.startswith("error")]
    assert shown == [
        "error XG299 role/R in 2 accounts: what <name> has",
        "error XG299 lab/role/R: something else",
        "error XG299 ci/role/R: what <name> has",
        "error XG299 of no account",
    ]


def test_callers_of_one_name_in_many_accounts_are_named_once(tmp_path: Path) -> None:
    ends = "from: {account: [shop, pay, lab], roles: [bot], users: [ann]}\nto: {account: [ci, audit]}"
    plan = plan_for(declared(tmp_path, ends, "    session: {max_duration: 2h}\n"), {})
    assert text(plan).count("sessions of bot last at most 1h") == 1


def test_a_role_that_only_aws_can_change_is_found_in_every_source_account(tmp_path: Path) -> None:
    head = HEAD.replace("bucket: shop-data", "bucket: app").replace("bucket: pay-data", "bucket: AWSReservedSSO_x")
    with pytest.raises(ManifestError, match=r":18:50: XG041 AWSReservedSSO_x is a role of IAM Identity Center"):
        declared(
            tmp_path,
            "from: {account: prod, users: [a], roles: [b, '${account.tags.bucket}']}\nto: {account: ci}",
            head=head,
        )
