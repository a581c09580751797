"""The templates of a bootstrap, deployed to the sandbox, and sessions of the jobs that they trust."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
import yaml
from botocore import UNSIGNED
from botocore.config import Config

from reconciler.bootstrap import cloudformation, templates
from reconciler.bootstrap.jobs import Jobs, github
from reconciler.bootstrap.model import Template
from reconciler.bootstrap.options import Options
from reconciler.sandbox.scenario import SOURCE, TARGET, Credentials, Scenario, root_client
from reconciler.sandbox.server import Sandbox
from reconciler.sandbox.strict.accounts import organization_of
from tests.aws.strict_support import policy
from tests.conftest import seeded
from tests.snapshots import once

OPS = "555555555555"
BUCKET = "acme-xgrant"
CALLERS = tuple(f"arn:aws:iam::{SOURCE}:{name}" for name in ("group/developers", "user/alice", "role/ci/*"))
SUBJECT = "repo:acme/iam:environment:production"
PULL_REQUEST = "repo:acme/iam:pull_request"
HOST = "token.actions.githubusercontent.com"
ALLOW_ALL = policy(Action="*")
MOTO_MAKES = ("AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::S3::Bucket")
"""The types that moto's CloudFormation knows, of those in the templates. The rest is made by calls, see `_by_calls`."""


def jobs() -> Jobs:
    return github("acme/iam", "production", "main", ())


def options(organization: str = "", **more: Any) -> Options:
    said: dict[str, Any] = {
        "stack": "platform", "hub_account": OPS, "organization": organization, "external_id": "of-the-hub",
        "callers": CALLERS, "caller_policies": "both",
        "jobs": jobs(), "bucket": BUCKET,
    }  # fmt: skip
    return Options(**{**said, **more})


def bootstrap(sandbox: Sandbox, **more: Any) -> Options:
    """Make an organization, and deploy the templates: member to both accounts of the scenario, all others to OPS."""
    root_client(sandbox, "organizations", OPS).create_organization()
    found = options(organization_of(OPS) or "", **more)
    (member,) = templates(("member",), found)
    for account in (SOURCE, TARGET):
        deploy(sandbox, account, member)
    for template in templates(("store", "oidc", "hub"), found):
        deploy(sandbox, OPS, template)
    sandbox.recorder.take()
    return found


def deploy(sandbox: Sandbox, account: str, template: Template) -> None:
    """Make a stack of the part of a template that moto knows; then the rest, from the template's own properties."""
    data = cloudformation.data(template)
    known = {name: each for name, each in data["Resources"].items() if each["Type"] in MOTO_MAKES}
    if known:
        root_client(sandbox, "cloudformation", account).create_stack(
            StackName=template.name,
            TemplateBody=yaml.safe_dump({**data, "Resources": known}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
    for name, each in data["Resources"].items():
        resolved = resolve(each["Properties"], {**named(data), "AWS::AccountId": account})
        _by_calls(sandbox, account, each["Type"], name, resolved)


def named(data: Mapping[str, Any]) -> dict[str, str]:
    """Return what `Ref` gives of the resources that have names."""
    found = {}
    for name, each in data["Resources"].items():
        for key in ("RoleName", "BucketName"):
            if key in each["Properties"]:
                found[name] = each["Properties"][key]
    return found


def resolve(value: Any, values: Mapping[str, str]) -> Any:
    """Return a value with the functions of CloudFormation done."""
    known = {"AWS::Partition": "aws", "AWS::Region": "us-east-1", **values}
    if isinstance(value, dict):
        if set(value) == {"Ref"}:
            return known[value["Ref"]]
        if set(value) == {"Fn::Sub"}:
            return re.sub(r"\$\{([A-Za-z:]+)\}", lambda found: known[found.group(1)], value["Fn::Sub"])
        return {key: resolve(inner, values) for key, inner in value.items()}
    return [resolve(inner, values) for inner in value] if isinstance(value, list) else value


def _by_calls(sandbox: Sandbox, account: str, kind: str, name: str, properties: dict[str, Any]) -> None:
    s3 = root_client(sandbox, "s3", account)
    if kind == "AWS::IAM::OIDCProvider":
        root_client(sandbox, "iam", account).create_open_id_connect_provider(
            Url=properties["Url"], ClientIDList=properties["ClientIdList"], ThumbprintList=["0" * 40]
        )
    elif kind == "AWS::S3::BucketPolicy":
        s3.put_bucket_policy(Bucket=properties["Bucket"], Policy=json.dumps(properties["PolicyDocument"]))
    elif kind == "AWS::S3::Bucket":
        bucket = properties["BucketName"]
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=properties["VersioningConfiguration"])
        s3.put_public_access_block(
            Bucket=bucket, PublicAccessBlockConfiguration=properties["PublicAccessBlockConfiguration"]
        )
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=properties["OwnershipControls"])
        rules = [*_lifecycle(properties["LifecycleConfiguration"]["Rules"])]
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def _lifecycle(rules: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield rules as S3's own API spells them."""
    for rule in rules:
        found = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": rule["Prefix"]}}
        if "NoncurrentVersionExpiration" in rule:
            found["NoncurrentVersionExpiration"] = rule["NoncurrentVersionExpiration"]
        if "ExpirationInDays" in rule:
            found["Expiration"] = {"Days": rule["ExpirationInDays"]}
        if "ExpiredObjectDeleteMarker" in rule:
            found["Expiration"] = {"ExpiredObjectDeleteMarker": True}
        yield found


def token(subject: str, *, audience: str = "sts.amazonaws.com", host: str = HOST, **more: str) -> str:
    """Return a token of a job of the branch `main`, which nobody has signed."""
    claims = {"iss": f"https://{host}", "sub": subject, "aud": audience, "ref": "refs/heads/main", **more}
    return f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.e30"


def session(sandbox: Sandbox, role: str, jwt: str) -> Credentials:
    """Return the session of a job, which has nothing but its token."""
    sts = boto3.client(
        "sts", endpoint_url=sandbox.url, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )
    arn = f"arn:aws:iam::{OPS}:role/{role}"
    found = sts.assume_role_with_web_identity(RoleArn=arn, RoleSessionName="job", WebIdentityToken=jwt)["Credentials"]
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def environment(sandbox: Sandbox, keys: Credentials) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": sandbox.url,
        "AWS_ACCESS_KEY_ID": keys.access_key,
        "AWS_SECRET_ACCESS_KEY": keys.secret_key,
        "AWS_SESSION_TOKEN": keys.token or "",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def _deployed(sandbox: Sandbox) -> tuple[Scenario, Options]:
    scenario = seeded(sandbox)
    found = bootstrap(sandbox)
    source = root_client(sandbox, "iam", SOURCE)
    for name, path in (("deployer", "/ci/"), ("tester", "/ci/")):
        source.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=trusting(f"arn:aws:iam::{SOURCE}:root"))
    target = root_client(sandbox, "iam", TARGET)
    target.create_policy(PolicyName="audit", PolicyDocument=policy())
    target.create_open_id_connect_provider(
        Url=f"https://{HOST}", ClientIDList=["sts.amazonaws.com"], ThumbprintList=["0" * 40]
    )
    return scenario, found


deployed = once(_deployed)


def trusting(arn: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def member_session(sandbox: Sandbox, role: str, account: str = TARGET) -> Credentials:
    """Return a session of the writing or the reading role of an account, by way of the hub."""
    writes = role == "xgrant-writer"
    keys = session(
        sandbox, *(("xgrant-ci-apply", token(SUBJECT)) if writes else ("xgrant-ci-plan", token(PULL_REQUEST)))
    )
    for where, name in ((OPS, "xgrant-hub-apply" if writes else "xgrant-hub-plan"), (account, role)):
        keys = assumed(sandbox, keys, f"arn:aws:iam::{where}:role/{name}", "of-the-hub")
    return keys


def role_session(sandbox: Sandbox, role: str) -> Credentials:
    """Return the session of a role of a job, or of the hub that such a job can be."""
    jwt = token(SUBJECT if role.endswith("apply") else PULL_REQUEST)
    job = session(sandbox, role.replace("hub", "ci"), jwt)
    return job if "ci" in role else assumed(sandbox, job, f"arn:aws:iam::{OPS}:role/{role}")


def assumed(sandbox: Sandbox, keys: Credentials, arn: str, external_id: str = "") -> Credentials:
    external = {"ExternalId": external_id} if external_id else {}
    sts = client(sandbox, keys, "sts")
    found = sts.assume_role(RoleArn=arn, RoleSessionName="xgrant", **external)["Credentials"]
    return Credentials(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])


def client(sandbox: Sandbox, keys: Credentials, service: str = "iam") -> Any:
    return Scenario(sandbox.url, {}).client(service, keys)
