"""Comments on pull requests: complete or cut where a change ends, and never more than what xgrant says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from reconciler.errors import Place
from reconciler.model import (
    Account,
    AccountFacts,
    Action,
    Address,
    CallerPolicy,
    Change,
    Finding,
    Kind,
    Live,
    Plan,
    PrincipalKind,
    Role,
    Severity,
)
from reconciler.render.escape import escape
from reconciler.render.markdown.drift import drift_markdown
from reconciler.render.markdown.escape import cell, code, fenced, prose
from reconciler.render.markdown.limit import GITHUB_COMMENT, size
from reconciler.render.markdown.plan import plan_markdown
from tests.rendered import foreign, open_text, shape
from tests.support import DEV, STORAGE, allow, document, plan_for, role_at
from tests.unit.test_fold import forty

HOSTILE = (
    "```", "~~~", "-->", "<!-- xgrant:plan:platform -->", "<script>alert(1)</script>", "</details>", "</code></summary>",
    "<img src=x onerror=y>", "@org/team", "@octocat", "/approve", "\n/merge\n", "![x](http://evil.example/x.png)",
    "[ok](https://evil.example)", "https://evil.example", "www.evil.example", "a@evil.example", "#1", "!1", "~label",
    "%milestone", "&1", "$1", "GH-1", "org/repo#1", ":tada:", "$`a`$", "$$x$$", "`", "``", "` `", "|", "\\|", "\\", "\n",
    "\r\n", "\n\n", "\u202e", "\u2066", "\u200b", "\x00", "\x1b[31m", "\u2028", "*x*", "_x_", "**", "# h", "> q", "- l", "1. x",
    "---", "===", "<", ">", "&lt;", "&#64;octocat", "{+ a +}", "[- b -]", "[[x]]", "[^1]", "deadbeef", "a" * 40, "\t", " ",
    "    x", "<details>", "<?php", "<![CDATA[", "<!DOCTYPE x>", "`@octocat`", "`a` `", "word", "ré", "##[set-output name=a]b", "\ud7ff", "\uffff",
)  # fmt: skip
texts = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=6), min_size=1, max_size=5).map("".join)

QUICK = (Phase.explicit, Phase.reuse, Phase.generate)
"""A plan that fails is not made smaller: it would take minutes, and the assertion says what is wrong in it."""

IDS = {"dev": DEV, "storage": STORAGE, **{f"w{n}": f"70000000000{n}" for n in range(3)}}
FACTS = {name: AccountFacts(Account(name, account_id)) for name, account_id in IDS.items()}
accounts = st.sampled_from(sorted(IDS))


def plan_of(*changes: Change, findings: tuple[Finding, ...] = (), stack: str = "platform") -> Plan:
    return Plan(stack, {}, Live({}, FACTS), changes, findings=findings, fingerprint="f" * 64)


def comment(plan: Plan, limit: int | None = GITHUB_COMMENT) -> str:
    return plan_markdown(plan, wanted=True, limit=limit, hidden=True)


@st.composite
def roles(draw: st.DrawFn) -> Role:
    statement = {"Sid": draw(texts), "Effect": draw(st.sampled_from(["Allow", "Deny"]))}
    condition = {"StringEquals": {draw(texts): draw(texts), "sts:ExternalId": "the-secret"}}
    permissions = {**statement, "Action": [draw(texts)], "Resource": draw(texts), "Condition": condition}
    principal = draw(st.sampled_from([{"AWS": f"arn:aws:iam::{DEV}:root"}, {"AWS": draw(texts)}, {"Federated": "x"}]))
    trust = {**statement, "Action": "sts:AssumeRole", "Principal": principal, "Condition": condition}
    return Role(
        grant="g", arn="", path=draw(texts), trust_policy=document(trust), description=draw(texts),
        inline_policies={draw(texts): document(permissions)}, managed_policies=frozenset([draw(texts)]),
        permissions_boundary=draw(st.none() | texts), tags={draw(texts): draw(texts)},
        instance_profiles=frozenset([draw(texts)]),
    )  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> Change:
    account, name, grant = draw(accounts), draw(texts), draw(texts)
    before, after = draw(st.none() | roles()), draw(roles())
    action = draw(st.sampled_from(Action)) if before is not None else Action.CREATE
    place = Address(account, Kind.ROLE, name)
    replaces = Address(account, Kind.ROLE, draw(texts)) if action is Action.REPLACE else None
    if draw(st.booleans()):
        place = Address(account, Kind.CALLER_POLICY, grant, (PrincipalKind.GROUP, name))
        policy = CallerPolicy(grant, document(allow("sts:AssumeRole", f"arn:aws:iam::{STORAGE}:role/{draw(texts)}")))
        return Change(place, Action.CREATE, grant, None, policy, reason=draw(texts))
    gone = action is Action.DELETE
    return Change(place, action, grant, before, None if gone else after, replaces=replaces, reason=draw(texts))


findings = st.builds(
    Finding, rule=texts, severity=st.sampled_from(Severity), message=texts, way_out=texts, grant=texts,
    address=st.none() | st.builds(role_at, accounts, texts), accepted=st.booleans(),
    place=st.none() | st.builds(Place, texts, st.integers(1, 99), st.integers(1, 99)),
    documents=st.lists(st.tuples(texts, texts.map(lambda text: document(allow(text)))), max_size=1).map(tuple),
)  # fmt: skip
plans = st.builds(
    lambda changes, findings: plan_of(*changes, findings=tuple(findings)),
    st.lists(changes(), max_size=4), st.lists(findings, max_size=3),
)  # fmt: skip


def assert_ours(text: str) -> None:
    """Assert that a comment is what xgrant says, and that its hidden marker stands once, at the top."""
    found = shape(text)
    assert foreign(found) == []
    assert [one for one in found.comments if "xgrant" in one] == found.comments
    assert len(found.comments) == 1
    assert text.startswith("<!-- xgrant:")
    # GitLab obeys such a line wherever it stands.
    assert not [line for line in text.splitlines() if line.lstrip().startswith("/")]
    assert "##[" not in text
    assert [line for line in text.split("\n") if escape(line) != line] == []


@given(plans)
@settings(max_examples=60, phases=QUICK)
def test_hostile_text_of_a_plan_is_no_element_no_link_no_mention_and_no_command(plan: Plan) -> None:
    text = comment(plan)
    assert_ours(text)
    assert "the-secret" not in text


@given(plans)
@settings(max_examples=25, phases=QUICK)
def test_hostile_text_of_a_drift_is_no_element_no_link_no_mention_and_no_command(plan: Plan) -> None:
    assert_ours(drift_markdown(plan, limit=GITHUB_COMMENT, hidden=True))


@given(plans, st.integers(900, 6000))
@settings(max_examples=40, phases=QUICK)
def test_whatever_the_limit_a_comment_is_no_longer_and_what_is_left_is_ours(plan: Plan, limit: int) -> None:
    text = comment(plan, limit)
    assert size(text) <= limit
    assert_ours(text)
    assert ("This comment is cut" in text) == (size(comment(plan, None)) > limit)


@given(texts)
@example("`` ` ``")
@example(" ")
@example('it\'s `x` (and "y"), e.g. s3:GetObject.')
@settings(max_examples=200)
def test_a_sentence_says_what_it_said_and_nothing_else(text: str) -> None:
    found = shape(f"x {prose(text)} y")
    assert foreign(found) == []
    assert not [tag for tag, _ in found.elements if tag not in ("p", "code")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("every action of AWS is allowed", "every action of AWS is allowed"),
        ("may use s3:GetObject, or not", "may use `s3:GetObject`, or not"),
        ("write `adopt: true` in the grant", "write `adopt: true` in the grant"),
        ("account dev (123456789012), 2 of it", "account dev (`123456789012`), 2 of it"),
        ('says "why not?" twice', 'says "why not?" twice'),
        ("ask @org/team: now", "ask `@org/team`: now"),
        ("write require: {mfa: true}; or not", "write `require: {mfa: true}`; or not"),
        ("an {open @me", "an `{open` `@me`"),
        ("a`b", "``a`b``"),
        ("the commit deadbeef", "the commit `deadbeef`"),
        ("50% of %milestone", "50% of `%milestone`"),
    ],
)
def test_plain_words_stay_as_they_are_and_all_else_is_code(text: str, shown: str) -> None:
    assert prose(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a", "`a`"), ("", ""), ("`", "`` ` ``"), ("a``b`", "``` a``b` ```"), (" ", "`   `"), ("a\nb", r"`a\u000ab`")],
)
def test_a_span_of_code_is_longer_than_any_run_of_backticks_in_it(text: str, shown: str) -> None:
    assert code(text) == shown


def test_a_line_in_a_cell_or_a_block_ends_neither() -> None:
    assert cell("a|b") == r"`a\u007cb`"
    assert fenced(["+ ````", "x"], "diff") == "`````diff\n+ ````\nx\n`````\n"


def grants(number: int) -> Iterator[Change]:
    """Yield changes that are all different, every tenth of which deletes."""
    trust = document({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{DEV}:root"}, "Action": "sts:AssumeRole"})
    for n in range(number):
        policy = {"p": document(allow(["s3:GetObject", "s3:ListBucket"], f"arn:aws:s3:::bucket-{n}/*"))}
        role = Role(grant=f"g{n}", arn="", path="/", trust_policy=trust, inline_policies=policy)
        gone = n % 10 == 0
        sides = (role, None) if gone else (None, role)
        yield Change(role_at("storage", f"R{n}"), Action.DELETE if gone else Action.CREATE, f"g{n}", *sides)


ERRORS = tuple(Finding("XG104", Severity.ERROR, f"grant g{n} allows everything", "name it") for n in range(40))


def test_a_plan_of_thousands_of_changes_is_cut_where_a_change_ends_and_says_so_at_the_top_and_there() -> None:
    text = comment(plan_of(*grants(3000), findings=ERRORS))
    assert GITHUB_COMMENT - 3000 < size(text) <= GITHUB_COMMENT
    assert_ours(text)
    top = text[: text.index("### ")]
    shown = re.search(
        r"This comment is cut: (\d+) of 3000 changes are shown, and 40 of 40 findings\.\*\* Do not approve", top
    )
    assert shown is not None
    assert int(shown[1]) == len(re.findall(r"(?m)^\*\*(?:create|delete)\*\* `storage/role/R\d+`", text)) > 50
    assert f"Cut here, after {shown[1]} of 3000 changes." in text
    assert text.count("**error**") == len(ERRORS)
    assert "| `storage` | 2700 |" in text
    # The last thing before the cut is whole.
    assert text[: text.index("> [!WARNING]\n> **Cut here")].endswith("```\n\n")


def test_where_the_errors_do_not_fit_the_counts_of_the_heading_are_left_and_the_first_errors() -> None:
    plan = plan_of(*grants(30), findings=ERRORS)
    text = comment(plan, 3000)
    assert size(text) <= 3000
    assert "27 to create, 3 to delete; refused" in text
    assert 0 < text.count("**error**") < len(ERRORS)
    assert "More errors are not shown here." in text
    assert "| account |" not in text


def test_where_nothing_fits_the_counts_and_the_warning_are_left() -> None:
    text = comment(plan_of(*grants(30)), 500)
    assert size(text) <= 500
    assert "27 to create, 3 to delete" in text
    assert "0 of 30 changes are shown" in text


def test_a_grant_over_two_hundred_accounts_is_short() -> None:
    facts = {f"a{n:03}": AccountFacts(Account(f"a{n:03}", f"{n:012}")) for n in range(200)}
    change = next(c for c in grants(2) if c.action is Action.CREATE)
    everywhere = [replace(change, address=replace(change.address, account=name)) for name in facts]
    text = comment(Plan("platform", {}, Live({}, facts), tuple(everywhere), fingerprint="f"))
    assert size(text) < 2500
    assert "200 to create" in text
    assert "in 200 accounts (a000, a001, a002, a003, a004 and 195 more)" in text


def test_what_is_deleted_or_replaced_is_seen_without_opening_anything() -> None:
    role = next(grants(1)).before
    assert isinstance(role, Role)
    moved = Change(
        role_at("storage", "New"),
        Action.REPLACE,
        "g",
        role,
        replace(role, path="/x/"),
        replaces=role_at("storage", "Old"),
    )
    made = Change(role_at("dev", "Made"), Action.CREATE, "g", None, role)
    seen = open_text(comment(plan_of(*grants(1), moved, made)))
    assert "delete storage/role/R0 (grant g0)" in seen
    assert "arn:aws:s3:::bucket-0/*" in seen
    assert "replace storage/role/New" in seen
    assert "in place of storage/role/Old" in seen
    assert "create dev/role/Made" not in seen


def test_errors_come_first_with_what_to_do() -> None:
    said = tuple(Finding(f"XG{n}", severity, "that", "do it") for n, severity in enumerate(reversed(Severity)))
    text = comment(plan_of(findings=said))
    assert re.findall(r"(?m)^- \*\*(\w+)\*\* `(XG\d)`: that\\\n  What to do: do it$", text) == [
        ("error", "XG2"), ("warning", "XG1"), ("note", "XG0"),
    ]  # fmt: skip


@pytest.mark.parametrize(("number", "seen"), [(3, True), (4, False)])
def test_more_than_three_notes_are_folded_away(number: int, seen: bool) -> None:
    said = [Finding(f"XG{n}", Severity.NOTE, "a note", "do it") for n in range(number)]
    text = comment(plan_of(findings=(*said, Finding("XG9", Severity.WARNING, "warned", "do it"))))
    assert_ours(text)
    assert (text.count("a note"), "a note" in open_text(text), "warned" in open_text(text)) == (number, seen, True)


def test_a_comment_of_nothing_says_so(tmp_path: Path) -> None:
    text = comment(plan_of())
    assert "no changes" in text
    assert "No changes. AWS is as the manifests say." in text
    assert "### Changes" not in text


def test_what_could_not_be_read_and_what_expires_soon_stand_in_the_heading() -> None:
    facts = {**FACTS, "w1": AccountFacts(Account("w1", "1"), error="denied")}
    soon = Finding("XG240", Severity.WARNING, "g expires", "extend it", grant="g")
    text = comment(replace(plan_of(findings=(soon,)), live=Live({}, facts)))
    assert text.splitlines()[1] == "## Plan of `platform`: no changes; in part; 1 grant expires soon"
    assert "Left out: 1 account that could not be read" in text


def test_the_marker_is_that_of_the_stack_and_a_summary_has_none() -> None:
    plan = plan_of(stack="a b-->")
    assert comment(plan).startswith("<!-- xgrant:plan:a%20b--%3E -->\n## Plan of `a b-->`")
    assert plan_markdown(plan, wanted=True, limit=None, hidden=False, scope="only g").startswith(
        "## Plan of `a b-->` (only g)"
    )
    assert drift_markdown(plan, limit=None, hidden=True).startswith("<!-- xgrant:drift:a%20b--%3E -->\n")


def test_a_comment_ends_with_the_fingerprint() -> None:
    assert comment(plan_of()).endswith(f"Fingerprint of the plan: `{'f' * 64}`\n")


def test_drift_is_told_by_accounts_that_have_drifted_alike(tmp_path: Path) -> None:
    plan = plan_for(forty(tmp_path), {})
    text = drift_markdown(plan, limit=None, hidden=False)
    assert text.startswith("## Drift of `platform`: 41 missing in AWS, 0 not in the manifests, 0 changed\n")
    assert "**In** 40 accounts: w00, w01" in text.replace("`", "")
    assert "- <name>/role/Audit: missing in AWS  (grant audit)" in text
    assert_ours(f"<!-- xgrant: -->\n{text}")


def test_a_long_drift_is_cut_where_a_difference_ends() -> None:
    text = drift_markdown(plan_of(*grants(2000)), limit=20_000, hidden=True)
    assert size(text) <= 20_000
    assert_ours(text)
    shown = re.search(r"cut: (\d+) of 2000 differences are shown", text)
    assert shown is not None
    assert int(shown[1]) == len(re.findall(r"(?m)^[-+!] storage/role/R\d+: ", text)) > 100
