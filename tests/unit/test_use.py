"""Which grant is meant, what its session is asked with, and which side refuses."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import UsageError, XgrantError
from reconciler.model import Identity, Manifest, SessionRequest, Wish
from reconciler.use import Use, choose, explained, profiles, request_for, usable, uses
from reconciler.use.conditions import judged
from tests.support import DEV, STORAGE, VENDOR, grant_yaml, load_text, manifest_yaml

ALICE = Identity(DEV, f"arn:aws:iam::{DEV}:user/people/alice")
SESSION = Identity(DEV, f"arn:aws:sts::{DEV}:assumed-role/ci/build-7", temporary=True)
SSO = Identity(DEV, f"arn:aws:sts::{DEV}:assumed-role/AWSReservedSSO_Data_0123456789abcdef/eve", temporary=True)
DEVICE = f"arn:aws:iam::{DEV}:mfa/alice"


def manifest_of(folder: Path, *grants: str) -> Manifest:
    return load_text(folder, manifest_yaml(*grants))


def only(folder: Path, **parts: str) -> Use:
    (found,) = uses(manifest_of(folder, grant_yaml(**parts)))
    return found


class TestChoice:
    MANY = grant_yaml(
        "many", **{"from": "{account: vendor, users: [a]}"}, to="{account: [dev, storage]}", moved="[{from: old}]"
    )
    JOBS = grant_yaml(
        "jobs", **{"from": "{oidc: {provider: token.actions.githubusercontent.com, subject: 'repo:a/b:x'}}"}
    )

    @pytest.mark.parametrize(
        ("text", "label"),
        [("reader", "reader"), ("reader@storage", "reader"), (f"reader@{STORAGE}", "reader"),
         ("many@dev", "many@dev"), ("old@storage", "many@storage")],
    )  # fmt: skip
    def test_a_grant_is_meant_by_its_name_an_earlier_one_and_its_account(
        self, tmp_path: Path, text: str, label: str
    ) -> None:
        found = choose(manifest_of(tmp_path, grant_yaml(), self.MANY), text)
        assert found is not None
        assert found.label == label

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("reeder", "there is no grant reeder; did you mean reader?"),
            ("x", "there is no grant x; the manifests have jobs, many, reader"),
            ("many", "the grant many has a role in 2 accounts; name one: many@dev, many@storage"),
            ("many@vendor", "has no role in an account vendor; it has one in dev, storage"),
            ("jobs", "is for who has a token of token.actions.githubusercontent.com"),
        ],
    )
    def test_what_means_none_is_told_with_what_there_is(self, tmp_path: Path, text: str, says: str) -> None:
        with pytest.raises(UsageError, match=says.replace("?", "[?]")):
            choose(manifest_of(tmp_path, grant_yaml(), self.MANY, self.JOBS), text)


class TestRequest:
    def test_everything_comes_from_the_manifest_and_from_who_asks(self, tmp_path: Path) -> None:
        use = only(tmp_path, require='{external_id: "agreed"}', session="{max_duration: 4h}")
        assert request_for(use, ALICE, Wish("reader")) == SessionRequest(
            f"arn:aws:iam::{STORAGE}:role/reader", "alice", 14400, external_id="agreed"
        )

    @pytest.mark.parametrize(
        ("conditions", "name"),
        [
            ("{StringEquals: {'sts:RoleSessionName': audit}}", "audit"),
            ("{StringEquals: {'sts:rolesessionname': '${aws:username}'}}", "alice"),
            ("{StringLike: {'sts:RoleSessionName': 'team-*'}}", "alice"),
            ("{StringNotEquals: {'sts:RoleSessionName': audit}}", "alice"),
        ],
    )
    def test_the_session_is_called_as_the_trust_conditions_want_it(
        self, tmp_path: Path, conditions: str, name: str
    ) -> None:
        use = only(tmp_path, trust_conditions=conditions)
        assert request_for(use, ALICE, Wish("reader")).session_name == name
        assert request_for(use, ALICE, Wish("reader", session_name="mine")).session_name == "mine"

    @pytest.mark.parametrize(
        ("value", "sent"), [("root-cause", "root-cause"), ("*", "alice"), ("${aws:username}", "alice")]
    )
    def test_a_source_identity_is_sent_where_the_trust_conditions_ask_for_one(
        self, tmp_path: Path, value: str, sent: str
    ) -> None:
        use = only(tmp_path, trust_conditions=f"{{StringLike: {{'sts:SourceIdentity': '{value}'}}}}")
        assert request_for(use, ALICE, Wish("reader")).source_identity == sent
        assert request_for(only(tmp_path), ALICE, Wish("reader")).source_identity == ""

    def test_an_external_id_that_is_given_is_sent_in_place_of_the_manifests(self, tmp_path: Path) -> None:
        use = only(tmp_path, require='{external_id: ["agreed", "before"]}')
        assert request_for(use, ALICE, Wish("reader", external_id="before")).external_id == "before"

    def test_tags_are_sent_whose_values_the_trust_conditions_name_outright(self, tmp_path: Path) -> None:
        wanted = "StringEquals: {'aws:RequestTag/Team': [a, b]}, StringLike: {'aws:RequestTag/Cost': '4*'}"
        use = only(tmp_path, trust_conditions=f"{{{wanted}}}")
        assert request_for(use, ALICE, Wish("reader")).tags == {"Team": "a"}

    def test_a_name_of_one_letter_is_no_session_name_and_gets_a_longer_one(self, tmp_path: Path) -> None:
        who = Identity(DEV, f"arn:aws:iam::{DEV}:user/x")
        assert request_for(only(tmp_path), who, Wish("reader")).session_name == "xgrant-x"

    def test_the_session_of_a_role_is_asked_for_an_hour_at_most_unless_more_is_asked_for(self, tmp_path: Path) -> None:
        use = only(tmp_path, session="{max_duration: 4h}")
        assert request_for(use, SESSION, Wish("reader")).duration == 3600
        assert request_for(use, SESSION, Wish("reader", duration=7200)).duration == 7200

    @pytest.mark.parametrize(
        ("wish", "says"),
        [
            (
                Wish("reader", duration=7200),
                "wrong duration: the manifest gives sessions of the grant reader at most 1h",
            ),
            (Wish("reader", duration=60), "the shortest session that AWS gives is 15m"),
            (Wish("reader", session_name="a/b"), "--session-name: a session's name has 2 to 64 letters"),
            (Wish("reader", session_name="x"), "--session-name"),
            (Wish("reader", external_id="a b"), "--external-id: an external id has 2 to 1224 letters"),
            (Wish("reader", mfa_serial="x y"), "--mfa-serial: x y is no MFA device"),
            (Wish("reader", mfa_serial=DEVICE, mfa_code="12345"), "an MFA code has six digits"),
            (Wish("reader", mfa_code="123456"), "--mfa-code: the code is of a device; name that with --mfa-serial"),
        ],
    )
    def test_what_aws_would_not_take_is_refused_before_it_is_asked(self, tmp_path: Path, wish: Wish, says: str) -> None:
        with pytest.raises(UsageError, match=says):
            request_for(only(tmp_path), ALICE, wish)

    @pytest.mark.parametrize(
        "conditions",
        ["{Bool: {'aws:MultiFactorAuthPresent': 'true'}}", "{Bool: {'aws:MultiFactorAuthPresent': 'True'}}", "{Null: {'aws:multifactorauthage': 'false'}}",
         "{NumericLessThan: {'aws:MultiFactorAuthAge': '3600'}}"],
    )  # fmt: skip
    def test_mfa_that_is_demanded_needs_a_device(self, tmp_path: Path, conditions: str) -> None:
        use = only(tmp_path, trust_conditions=conditions)
        with pytest.raises(UsageError, match=f"MFA missing: the role's side .* like {DEVICE}"):
            request_for(use, ALICE, Wish("reader"))
        assert request_for(use, ALICE, Wish("reader", mfa_serial=DEVICE)).mfa_serial == DEVICE
        of_profile = Identity(ALICE.account, ALICE.arn, mfa_serial=DEVICE)
        assert request_for(use, of_profile, Wish("reader", mfa_code="123456")).mfa_code == "123456"
        with pytest.raises(UsageError, match="mfa_serial of the profile: my phone is no MFA device"):
            request_for(use, replace(ALICE, mfa_serial="my phone"), Wish("reader"))

    @pytest.mark.parametrize(
        "conditions",
        ["{BoolIfExists: {'aws:MultiFactorAuthPresent': 'true'}}", "{Bool: {'aws:MultiFactorAuthPresent': 'false'}}",
         "{Bool: {'aws:MultiFactorAuthPresent': 'False'}}",
         "{Null: {'aws:MultiFactorAuthAge': 'true'}}"],
    )  # fmt: skip
    def test_mfa_that_is_not_demanded_is_not_asked_for(self, tmp_path: Path, conditions: str) -> None:
        use = only(tmp_path, trust_conditions=conditions)
        of_profile = Identity(ALICE.account, ALICE.arn, mfa_serial=DEVICE)
        assert request_for(use, of_profile, Wish("reader")).mfa_serial == ""

    def test_a_session_that_may_be_one_with_mfa_needs_no_device(self, tmp_path: Path) -> None:
        who = Identity(ALICE.account, ALICE.arn, temporary=True)
        assert request_for(only(tmp_path, require="{mfa: true}"), who, Wish("reader")).mfa_serial == ""

    def test_the_session_of_a_role_can_never_meet_a_demand_for_mfa(self, tmp_path: Path) -> None:
        with pytest.raises(XgrantError, match=r"MFA missing: .* a session of the role ci, which never carries any"):
            request_for(only(tmp_path, require="{mfa: true}"), SESSION, Wish("reader"))

    def test_no_secret_is_in_what_is_printed_of_a_request(self, tmp_path: Path) -> None:
        use = only(tmp_path, require='{external_id: "agreed", mfa: true}')
        request = request_for(use, ALICE, Wish("reader", mfa_serial=DEVICE, mfa_code="246802"))
        assert "agreed" not in repr(request)
        assert "246802" not in repr(request)


DENIED = "User: x is not authorized to perform: sts:AssumeRole on resource: y"


def why(
    use: Use, manifest: Manifest, who: Identity = ALICE, *, code: str = "AccessDenied", message: str = DENIED,
    groups: Collection[str] | None = None, **sent: Any,
) -> str:  # fmt: skip
    request = SessionRequest(use.role_arn, "alice", 3600, **sent)
    return explained(use, manifest.accounts, who, request, code, message, groups)


class TestRefused:
    @pytest.mark.parametrize(
        ("who", "callers", "groups", "says"),
        [
            (ALICE, "users: [bob]", None, "the caller's side refuses: no caller policy: you are "),
            (ALICE, "groups: [developers]", (), "the grant lets in the group developers of account dev"),
            (ALICE, "groups: [developers]", None, "either the caller's side refuses: no caller policy reaches you unless"),
            (ALICE, "groups: [developers]", ("developers",), "either the caller's side refuses: no caller policy is there"),
            (ALICE, "users: [people/alice]", None, "either the caller's side refuses: no caller policy is there"),
            (ALICE, "entire_account: true", None, "this grant makes none, your account has to"),
            (SESSION, "roles: [deploy]", None, "session already chained: these credentials are one of the role ci"),
            (SESSION, "roles: [ci]", None, "either the caller's side refuses: no caller policy is there"),
            (SSO, "permission_sets: [Data]", None, "either the caller's side"),
            (SSO, "permission_sets: [Dat]", None, "session already chained"),
            (Identity(VENDOR, f"arn:aws:iam::{VENDOR}:user/alice"), "users: [alice]", None,
             f"the caller's side refuses: you are arn:aws:iam::{VENDOR}:user/alice, and the grant lets in the user alice"),
            (Identity(DEV, f"arn:aws:iam::{DEV}:root"), "entire_account: true", None, "nobody assumes a role as the root"),
        ],
    )  # fmt: skip
    def test_the_callers_side_is_told_by_who_asks(
        self, tmp_path: Path, who: Identity, callers: str, groups: Collection[str] | None, says: str
    ) -> None:
        manifest = manifest_of(tmp_path, grant_yaml(**{"from": f"{{account: dev, {callers}}}"}))
        (use,) = uses(manifest)
        assert says in why(use, manifest, who, groups=groups)

    PLAN = (
        "What to do: `xgrant plan --only reader` shows whether both sides are applied; what is new takes some seconds"
    )
    NOT, ASK = "the caller's side refuses: ", "What to do: ask"
    ADMIN = "the administrator of its organization"

    @pytest.mark.parametrize(
        ("kind", "says", "owner"),
        [
            ("a service control policy", "caller's side refuses: a service control policy (SCP) on your account",
             "the administrator of its organization"),
            ("an identity-based policy: arn:aws:iam::123456789012:policy/no",
             "caller's side refuses: an identity-based policy of yours", "whoever administers your account"),
            ("a permissions boundary", "caller's side refuses: your permissions boundary",
             "whoever administers your account"),
            ("a session policy", "caller's side refuses: the session policy of your credentials",
             "whoever made that session"),
            ("a VPC endpoint policy", "caller's side refuses: the policy of the VPC endpoint on the way to AWS",
             "the owner of that endpoint"),
            ("a resource-based policy", "role's side refuses: its trust policy", "the owner of the role's account"),
            ("a resource control policy", "role's side refuses: a resource control policy (RCP) on its account",
             "the administrator of its organization"),
        ],
    )  # fmt: skip
    def test_an_explicit_deny_is_told_with_the_kind_of_policy_and_who_can_change_it(
        self, tmp_path: Path, kind: str, says: str, owner: str
    ) -> None:
        manifest = manifest_of(tmp_path, grant_yaml(**{"from": "{account: dev, users: [alice]}"}))
        (use,) = uses(manifest)
        denied = f"the {says} denies it, whatever allows it\nWhat to do: ask {owner}"
        assert why(use, manifest, message=f"{DENIED} with an explicit deny in {kind}") == denied
        assert why(use, manifest, message=f"{DENIED} because an explicit deny in {kind}") == denied

    @pytest.mark.parametrize(
        ("kind", "says"),
        [
            ("identity-based policy", f"the caller's side refuses: no caller policy is there\n{PLAN}"),
            ("resource-based policy", f"the role's side refuses: its trust policy does not allow you\n{PLAN}"),
            ("permissions boundary", f"{NOT}your permissions boundary does not allow it\n{ASK} whoever administers your account"),
            ("service control policy", f"{NOT}a service control policy (SCP) on your account does not allow it\n{ASK} {ADMIN}"),
        ],
    )  # fmt: skip
    def test_what_no_policy_of_a_kind_allows_is_told_with_the_kind(self, tmp_path: Path, kind: str, says: str) -> None:
        manifest = manifest_of(tmp_path, grant_yaml(**{"from": "{account: dev, users: [alice]}"}))
        (use,) = uses(manifest)
        assert why(use, manifest, message=f"{DENIED} because no {kind} allows the sts:AssumeRole action") == says

    def test_a_condition_that_is_not_met_is_not_blamed_for_what_the_callers_side_refuses(self, tmp_path: Path) -> None:
        grant = grant_yaml(**{"from": "{account: dev, users: [alice]}"}, require='{external_id: "agreed"}')
        manifest = manifest_of(tmp_path, grant)
        (use,) = uses(manifest)
        said = why(use, manifest, message=f"{DENIED} because no identity-based policy allows the sts:AssumeRole action")
        assert said.startswith("the caller's side refuses: no caller policy is there")

    @pytest.mark.parametrize(
        ("conditions", "way"),
        [
            ("{StringLike: {'sts:RoleSessionName': 'audit-*'}}", "--session-name"),
            ("{StringLike: {'sts:ExternalId': 'team-*'}}", "--external-id"),
            ("{StringEquals: {'aws:PrincipalAccount': '555555555555'}}", ""),
        ],
    )
    def test_a_condition_that_an_option_can_meet_is_told_with_it(
        self, tmp_path: Path, conditions: str, way: str
    ) -> None:
        grant = grant_yaml(**{"from": "{account: dev, users: [alice]}"}, trust_conditions=conditions)
        manifest = manifest_of(tmp_path, grant)
        (use,) = uses(manifest)
        told = why(use, manifest).partition("\nWhat to do: give what the condition wants with ")[2]
        assert told == way

    @pytest.mark.parametrize("from_variables", [True, False])
    def test_other_credentials_are_had_as_these_were_come_by(self, tmp_path: Path, from_variables: bool) -> None:
        manifest = manifest_of(tmp_path, grant_yaml(**{"from": "{account: dev, users: [alice]}"}))
        (use,) = uses(manifest)
        who = replace(SESSION, from_variables=from_variables)
        unset = (
            "unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_SECURITY_TOKEN "
            "AWS_CREDENTIAL_EXPIRATION, or "
        )
        way = f"What to do: {unset if from_variables else ''}name other credentials with --as PROFILE"
        assert why(use, manifest, who).endswith(way)
        chained = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        assert why(use, manifest, who, code="ValidationError", message=chained).endswith(
            f"What to do: --duration 1h; or {way.removeprefix('What to do: ')}"
        )

    def test_a_trust_condition_that_is_not_met_is_named_and_no_external_id_with_it(self, tmp_path: Path) -> None:
        require = '{external_id: "agreed", mfa: true, source_ip: [203.0.113.0/24]}'
        manifest = manifest_of(tmp_path, grant_yaml(**{"from": "{account: dev, users: [alice]}"}, require=require))
        (use,) = uses(manifest)
        said = why(use, manifest, external_id="another", mfa_serial=DEVICE)
        assert (
            said
            == "the role's side refuses: trust condition not met: StringEquals sts:ExternalId: (hidden)\nWhat to do: give what the condition wants with --external-id"
        )
        assert "Bool aws:MultiFactorAuthPresent: true" in why(use, manifest, external_id="agreed")
        met = why(use, manifest, external_id="agreed", mfa_serial=DEVICE)
        assert "from here nobody can see whether you meet IpAddress aws:SourceIp: 203.0.113.0/24" in met

    @pytest.mark.parametrize(
        ("message", "says"),
        [
            ("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
             "wrong duration: the role's side gives less than 1h"),
            ("The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
             "session already chained: these credentials are a session of the role ci"),
            ("something else", ""),
        ],
    )  # fmt: skip
    def test_a_duration_that_aws_refuses_is_told_with_its_side(self, tmp_path: Path, message: str, says: str) -> None:
        manifest = manifest_of(tmp_path, grant_yaml())
        (use,) = uses(manifest)
        assert why(use, manifest, SESSION, code="ValidationError", message=message).startswith(says)

    def test_a_code_that_is_refused_is_told_as_such(self, tmp_path: Path) -> None:
        manifest = manifest_of(tmp_path, grant_yaml())
        (use,) = uses(manifest)
        message = "MultiFactorAuthentication failed with invalid MFA one time pass code."
        assert "the MFA device or its code is refused" in why(use, manifest, message=message)

    @pytest.mark.parametrize(
        ("conditions", "met"),
        [
            ({"StringEquals": {"aws:username": ("alice",)}}, True),
            ({"StringEquals": {"sts:RoleSessionName": ("${aws:username}",)}}, True),
            ({"StringLike": {"sts:RoleSessionName": ("b*",)}}, False),
            ({"ArnLike": {"aws:PrincipalArn": (f"arn:aws:iam::{DEV}:user/people/*",)}}, True),
            ({"StringEquals": {"aws:PrincipalAccount": (STORAGE,)}}, False),
            ({"StringEquals": {"sts:SourceIdentity": ("x",)}}, False),
            ({"StringEqualsIfExists": {"sts:SourceIdentity": ("x",)}}, True),
            ({"Null": {"sts:SourceIdentity": ("true",)}}, True),
            ({"Null": {"sts:SourceIdentity": ("false",)}}, False),
            ({"Null": {"sts:SourceIdentity": ("True",)}}, True),
            ({"Bool": {"aws:MultiFactorAuthPresent": ("True",)}}, False),
            ({"StringEquals": {"aws:RequestTag/Team": ("data",)}}, True),
            ({"StringEquals": {"aws:RequestTag/Cost": ("42",)}}, False),
            ({"StringNotEquals": {"aws:username": ("alice",)}}, None),
            ({"StringEquals": {"aws:username": ("${aws:PrincipalTag/x}",)}}, None),
            ({"StringEquals": {"aws:PrincipalTag/team": ("data",)}}, None),
        ],
    )
    def test_a_condition_is_judged_only_as_far_as_it_can_be(
        self, conditions: dict[str, dict[str, tuple[str, ...]]], met: bool | None
    ) -> None:
        found = judged(conditions, SessionRequest("r", "alice", 3600, tags={"team": "data"}), ALICE)
        assert (len(found.unmet), len(found.unknown)) == {True: (0, 0), False: (1, 0), None: (0, 1)}[met]


class TestProfiles:
    def test_only_grants_that_name_who_asks_have_a_profile(self, tmp_path: Path) -> None:
        manifest = manifest_of(
            tmp_path,
            grant_yaml("mine", **{"from": "{account: dev, users: [alice]}"}, to="{account: [storage, vendor]}",
                       permissions="", managed_policies="[arn:aws:iam::aws:policy/ReadOnlyAccess]"),
            grant_yaml("bobs", **{"from": "{account: dev, users: [bob]}"}),
            grant_yaml("groups"),
            grant_yaml("theirs", **{"from": "{account: vendor, users: [alice]}"}),
        )  # fmt: skip
        found = tuple(uses(manifest))
        labels = [use.label for use in usable(found, manifest.accounts, ALICE, frozenset())]
        assert labels == ["mine@storage", "mine@vendor"]
        unseen = [use.label for use in usable(found, manifest.accounts, ALICE, None)]
        assert unseen == ["groups", "mine@storage", "mine@vendor"]

    def test_a_profile_says_what_the_manifest_demands(self, tmp_path: Path) -> None:
        use = only(tmp_path, require='{external_id: "agreed", mfa: true}', session="{max_duration: 2h}")
        found = profiles((use,), ALICE, source="work", mfa_serial=DEVICE)
        assert found.sections == {
            "reader": {
                "role_arn": use.role_arn,
                "source_profile": "work",
                "mfa_serial": DEVICE,
                "external_id": "agreed",
                "role_session_name": "alice",
                "duration_seconds": "7200",
            }
        }

    def test_a_pattern_that_the_own_name_meets_leaves_nothing_out(self, tmp_path: Path) -> None:
        use = only(tmp_path, trust_conditions="{StringLike: {'sts:RoleSessionName': 'al*'}}")
        found = profiles((use,), ALICE, source="work", mfa_serial="")
        assert found.sections["reader"]["role_session_name"] == "alice"

    def test_a_session_that_may_be_one_with_mfa_needs_no_device(self, tmp_path: Path) -> None:
        use = only(tmp_path, require="{mfa: true}")
        found = profiles((use,), replace(ALICE, temporary=True), source="work", mfa_serial="")
        assert (found.left, "mfa_serial" in found.sections["reader"]) == ({}, False)

    def test_a_profile_has_what_awss_tools_do_not_take_from_its_source(self, tmp_path: Path) -> None:
        who = replace(ALICE, settings={"region": "eu-west-1", "ca_bundle": "/my certificates/a.pem"})
        found = profiles((only(tmp_path),), who, source="work", mfa_serial="")
        assert found.sections["reader"].items() >= who.settings.items()
        broken = profiles((only(tmp_path),), replace(who, settings={"ca_bundle": "a\nb"}), source="work", mfa_serial="")
        assert broken.left == {"reader": "its ca_bundle has characters that no profile can hold"}

    def test_credentials_of_an_instance_are_named_as_such_and_not_as_a_profile(self, tmp_path: Path) -> None:
        who = replace(SESSION, credential_source="Ec2InstanceMetadata")
        section = profiles((only(tmp_path),), who, source="work", mfa_serial="").sections["reader"]
        assert (section["credential_source"], "source_profile" in section) == ("Ec2InstanceMetadata", False)

    def test_none_is_called_default_unless_a_prefix_stands_before_it(self, tmp_path: Path) -> None:
        (use,) = uses(manifest_of(tmp_path, grant_yaml("default")))
        found = profiles((use,), ALICE, source="work", mfa_serial="")
        assert (found.sections, "give the profiles a --prefix" in found.left["default"]) == ({}, True)
        assert list(profiles((use,), ALICE, source="work", mfa_serial="", prefix="x-").sections) == ["x-default"]

    @pytest.mark.parametrize(
        ("part", "who", "says"),
        [
            ("require: {mfa: true}", ALICE, "it demands MFA: name your device"),
            ("require: {mfa: true}", SESSION, "the session of the role ci never carries"),
            ("trust_conditions: {StringLike: {'sts:SourceIdentity': '*'}}", ALICE, "no profile can send"),
            (
                "trust_conditions: {StringLike: {'sts:RoleSessionName': 'audit-*'}}",
                ALICE,
                "its trust condition would not be met: StringLike sts:RoleSessionName: audit-*; use",
            ),
            (
                "trust_conditions: {StringLike: {'sts:ExternalId': 'team-*'}}",
                ALICE,
                "would not be met: StringLike sts:ExternalId: (hidden); use `xgrant exec` with --external-id",
            ),
            ("trust_conditions: {StringEquals: {'aws:RequestTag/a': b}}", ALICE, "tags of the session, which no"),
            (
                "trust_conditions: {StringEquals: {'sts:ExternalId': \"x\\ncredential_process = touch y\"}}",
                ALICE,
                "its external_id has characters that no profile can hold",
            ),
        ],
    )
    def test_a_grant_that_no_profile_can_use_is_left_with_the_reason(
        self, tmp_path: Path, part: str, who: Identity, says: str
    ) -> None:
        key, value = part.split(": ", 1)
        found = profiles((only(tmp_path, **{key: value}),), who, source="default", mfa_serial="")
        assert found.sections == {}
        assert says in found.left["reader"]


@pytest.mark.parametrize(
    ("operator", "value", "met"),
    [
        ("DateLessThan", "2030-01-01T00:00:00Z", False), ("DateLessThan", "2030-01-01T00:00:01Z", True),
        ("DateGreaterThanEquals", "2030-01-01T00:00:00Z", True), ("DateGreaterThanEquals", "2030-01-01T00:00:01Z", False),
        ("DateLessThan", "someday", None), ("DateNotEquals", "2030-01-01T00:00:00Z", None),
    ],
)  # fmt: skip
def test_whether_the_grant_has_begun_or_ended_is_judged_by_the_time_of_the_request(
    operator: str, value: str, met: bool | None
) -> None:
    request = SessionRequest("r", "alice", 3600, at=1893456000)
    found = judged({operator: {"aws:CurrentTime": (value,)}}, request, ALICE)
    assert (len(found.unmet), len(found.unknown)) == {True: (0, 0), False: (1, 0), None: (0, 1)}[met]
