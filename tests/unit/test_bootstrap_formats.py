"""Both formats of the templates of a bootstrap: valid, and the same of each role, policy, bucket and stack set."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cfnlint.api
import pytest

from benchmarks.terraform import Terraform
from benchmarks.tools import AbsentError
from reconciler.bootstrap import cloudformation, files, templates, terraform
from reconciler.bootstrap.jobs import gitlab
from tests.aws.bootstrap_support import resolve
from tests.unit.test_bootstrap import ALL, HUB, options

LEAST = {"organization": "", "external_id": "", "callers": (), "operators": ()}
GITLAB = {"jobs": gitlab("acme/platform/iam", "main"), "boundary_actions": ("s3:*", "kms:Decrypt")}
VARIANTS: tuple[dict[str, Any], ...] = (
    {"operators_mfa": True, "delegated_admin": True, "lists": True},
    {**LEAST, "units": ("r-ab12",), "organization": "o-abcdefghij"},
    {**GITLAB, "provider_exists": True, "audit": False},
)


@pytest.mark.parametrize("more", [VARIANTS[0], VARIANTS[2]])
def test_cfn_lint_finds_nothing_in_the_templates(more: dict[str, Any]) -> None:
    for template in templates(ALL, options(**more)):
        found = cfnlint.api.lint_all(cloudformation.render(template))
        # Those with an I are advice: that an architecture could be described, too.
        assert [str(match) for match in found if not match.rule.id.startswith("I")] == [], template.name


def test_terraform_finds_the_templates_valid(tmp_path: Path) -> None:
    try:
        tool = Terraform()
    except AbsentError as absent:
        pytest.skip(str(absent))
    made = files(templates(ALL, options()), "terraform")
    for name, text in made.items():
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    # As modules of one configuration: to ask the provider for its schema is what takes long.
    modules = {Path(name).parent.name: {"source": f"./{Path(name).parent}"} for name in made}
    (tmp_path / "main.tf.json").write_text(json.dumps({"module": modules}))
    tool.initialise(tmp_path)
    assert tool.validate(tmp_path) == ""


Things = Mapping[tuple[str, str], Any]
"""What a template says of each thing that it makes, in words that are of neither format; by its kind and name."""


def _of_cloudformation(data: Mapping[str, Any]) -> Things:
    resources = data["Resources"]
    names = {id_: each["Properties"].get("RoleName") or each["Properties"].get("BucketName") or id_
             for id_, each in resources.items()}  # fmt: skip
    found: dict[tuple[str, str], Any] = {}
    for raw in resources.values():
        each = resolve(raw, {**names, "AWS::AccountId": HUB})
        said, kind = each["Properties"], each["Type"].rsplit("::", 1)[1]
        what: Any
        match kind:
            case "Role":
                name, what = said["RoleName"], (said["AssumeRolePolicyDocument"], said["MaxSessionDuration"])
            case "Policy":
                (name,) = said["Roles"]
                what = (said["PolicyName"], said["PolicyDocument"])
            case "ManagedPolicy":
                what = (said["Path"], said["PolicyDocument"], len(each["DependsOn"]))
                name = said["ManagedPolicyName"]
            case "OIDCProvider":
                name, what = said["Url"], said["ClientIdList"]
            case "Bucket":
                name, what = said["BucketName"], _bucket_of_cloudformation(each)
            case "BucketPolicy":
                name, what = said["Bucket"], said["PolicyDocument"]
            case "StackSet":
                name = said.pop("StackSetName")
                (group,) = said["StackInstancesGroup"]
                what = (
                    said["TemplateBody"], group["DeploymentTargets"]["OrganizationalUnitIds"], said["CallAs"],
                    said["PermissionModel"], said["Capabilities"], said["AutoDeployment"]["Enabled"],
                    said["AutoDeployment"]["RetainStacksOnAccountRemoval"],
                )  # fmt: skip
            case _:
                raise AssertionError(f"{kind} is compared with nothing; compare it")
        found[kind, name] = what
    return found


def _bucket_of_cloudformation(each: Mapping[str, Any]) -> Any:
    said = each["Properties"]
    (encrypted,) = said["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    rules = [
        (rule["Id"], rule["Status"], rule["Prefix"], rule.get("ExpirationInDays"),
         rule.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"), rule.get("ExpiredObjectDeleteMarker"))
        for rule in said["LifecycleConfiguration"]["Rules"]
    ]  # fmt: skip
    blocked = said["PublicAccessBlockConfiguration"]
    return (
        each["DeletionPolicy"] == each["UpdateReplacePolicy"] == "Retain", said["VersioningConfiguration"]["Status"],
        encrypted["ServerSideEncryptionByDefault"]["SSEAlgorithm"], said["OwnershipControls"]["Rules"][0]["ObjectOwnership"],
        [blocked[key] for key in ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")],
        rules,
    )  # fmt: skip


def _of_terraform(data: Mapping[str, Any]) -> Things:
    text = json.dumps(data["resource"])
    known = {"data.aws_partition.current.partition": "aws", "data.aws_caller_identity.current.account_id": HUB}
    for kind, blocks in data["resource"].items():
        for id_, block in blocks.items():
            known |= {f"{kind}.{id_}.name": block.get("name", ""), f"{kind}.{id_}.id": block.get("bucket", "")}
    text = re.sub(r"(?<!\$)\$\{([a-z0-9_.]+)\}", lambda one: known[one[1]], text)
    made = json.loads(text)
    found: dict[tuple[str, str], Any] = {}
    for one in made.get("aws_iam_role", {}).values():
        found["Role", one["name"]] = (json.loads(one["assume_role_policy"]), one["max_session_duration"])
    for one in made.get("aws_iam_role_policy", {}).values():
        found["Policy", one["role"]] = (one["name"], json.loads(one["policy"]))
    for one in made.get("aws_iam_policy", {}).values():
        found["ManagedPolicy", one["name"]] = (one["path"], json.loads(one["policy"]), len(one["depends_on"]))
    for one in made.get("aws_iam_openid_connect_provider", {}).values():
        found["OIDCProvider", one["url"]] = one["client_id_list"]
    for id_, one in made.get("aws_s3_bucket", {}).items():
        found["Bucket", one["bucket"]] = _bucket_of_terraform(made, id_)
    for one in made.get("aws_s3_bucket_policy", {}).values():
        found["BucketPolicy", one["bucket"]] = json.loads(one["policy"])
    for id_, one in made.get("aws_cloudformation_stack_set", {}).items():
        (of_instances,) = made["aws_cloudformation_stack_set_instance"].values()
        assert (of_instances["stack_set_name"], of_instances["call_as"]) == (one["name"], one["call_as"]), id_
        found["StackSet", one["name"]] = (
            one["template_body"].replace("$${", "${").replace("%%{", "%{"),
            of_instances["deployment_targets"]["organizational_unit_ids"], one["call_as"], one["permission_model"],
            one["capabilities"], one["auto_deployment"]["enabled"],
            one["auto_deployment"]["retain_stacks_on_account_removal"],
        )  # fmt: skip
    return found


def _bucket_of_terraform(made: Mapping[str, Any], id_: str) -> Any:
    bucket = made["aws_s3_bucket"][id_]
    parts = {kind.removeprefix("aws_s3_bucket_"): blocks[id_] for kind, blocks in made.items() if id_ in blocks}
    assert {one["bucket"] for one in parts.values()} == {bucket["bucket"]}
    encrypted = parts["server_side_encryption_configuration"]["rule"]["apply_server_side_encryption_by_default"]
    rules = [
        (rule["id"], rule["status"], rule["filter"]["prefix"], rule.get("expiration", {}).get("days"),
         rule.get("noncurrent_version_expiration", {}).get("noncurrent_days"),
         rule.get("expiration", {}).get("expired_object_delete_marker"))
        for rule in parts["lifecycle_configuration"]["rule"]
    ]  # fmt: skip
    blocked = parts["public_access_block"]
    return (
        bucket["lifecycle"]["prevent_destroy"], parts["versioning"]["versioning_configuration"]["status"],
        encrypted["sse_algorithm"], parts["ownership_controls"]["rule"]["object_ownership"],
        [blocked[key] for key in ("block_public_acls", "block_public_policy", "ignore_public_acls",
                                  "restrict_public_buckets")],
        rules,
    )  # fmt: skip


@pytest.mark.parametrize("more", VARIANTS)
def test_both_formats_say_the_same_of_each_role_policy_bucket_and_stack_set(more: dict[str, Any]) -> None:
    for template in templates(ALL, options(**more)):
        one = _of_cloudformation(cloudformation.data(template))
        two = _of_terraform(terraform.data(template))
        assert one == two, template.name
        assert one, template.name


def test_the_bucket_is_kept_has_versions_and_is_nobodys_from_outside() -> None:
    (template,) = templates(("store",), options())
    (bucket,) = (
        what for (kind, _), what in _of_cloudformation(cloudformation.data(template)).items() if kind == "Bucket"
    )
    assert bucket[:5] == (True, "Enabled", "AES256", "BucketOwnerEnforced", [True] * 4)


def test_equal_options_give_equal_bytes_in_whatever_order_callers_are_named() -> None:
    turned = options(callers=tuple(reversed(options().callers)))
    for form in ("cloudformation", "terraform"):
        assert files(templates(ALL, options()), form) == files(templates(ALL, turned), form)


def test_a_template_has_no_parameters_whose_old_values_a_stack_would_keep() -> None:
    for template in templates(ALL, options()):
        assert "Parameters" not in cloudformation.data(template)
        assert "variable" not in terraform.data(template)


@pytest.mark.parametrize(("delegated", "call_as"), [(False, "SELF"), (True, "DELEGATED_ADMIN")])
def test_a_stack_set_has_the_template_of_a_member_in_it_and_says_who_deploys_it(delegated: bool, call_as: str) -> None:
    member, stack_set = templates(("member", "stackset"), options(delegated_admin=delegated))
    properties = cloudformation.data(stack_set)["Resources"]["Members"]["Properties"]
    assert (properties["TemplateBody"], properties["CallAs"]) == (cloudformation.render(member), call_as)


def test_the_boundary_is_deleted_before_the_roles_that_could_take_it_from_others() -> None:
    (member,) = templates(("member",), options())
    assert cloudformation.data(member)["Resources"]["Boundary"]["DependsOn"] == ["ReaderPolicy", "WriterPolicy"]
