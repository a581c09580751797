"""What the hub account gets: the two hubs, whose jobs may be them, and the store."""

from __future__ import annotations

from collections.abc import Iterator

from reconciler.bootstrap.member import member
from reconciler.bootstrap.model import (
    ACCOUNT,
    PARTITION,
    Bucket,
    BucketPolicy,
    Document,
    OidcProvider,
    Parameter,
    Role,
    RolePolicy,
    StackSet,
    Template,
    allow,
    deny,
    policy,
)
from reconciler.bootstrap.options import CI_APPLY, CI_PLAN, HUB_APPLY, HUB_PLAN, READER, WRITER, Jobs, Options
from reconciler.permissions import ONCE, STORE_LIST, STORE_READ, STORE_REVIEW, STORE_WRITE
from reconciler.policy.web_identity import ACTION

_IAM = f"arn:{PARTITION}:iam::{ACCOUNT}:"


def hub(options: Options) -> Template:
    """Return the hubs: one that may be the readers of all accounts, and one that may be the writers."""
    both = [*options.operators]
    apply = [f"{_IAM}role/{CI_APPLY}"] if options.jobs else []
    plan = [f"{_IAM}role/{CI_PLAN}"] if options.jobs else []
    return Template(
        "xgrant-hub",
        f"The hubs of xgrant. {HUB_PLAN} may assume {READER} in any account that trusts it, {HUB_APPLY} {WRITER}. "
        f"Whoever can be {HUB_APPLY} can be {WRITER} everywhere.",
        (),
        (
            Role("HubPlan", HUB_PLAN, "Assumes the reading role of each account", _trusted(plan + apply + both)),
            RolePolicy("HubPlanPolicy", "HubPlan", "assume", _assuming(f"arn:{PARTITION}:iam::*:role/{READER}")),
            Role("HubApply", HUB_APPLY, "Assumes the writing role of each account", _trusted(apply + both)),
            RolePolicy("HubApplyPolicy", "HubApply", "assume", _assuming(f"arn:{PARTITION}:iam::*:role/{WRITER}")),
        ),
    )


def _trusted(arns: list[str]) -> Document:
    """Return the trust in users and roles by their ARNs, which may be patterns, and need not exist yet."""
    accounts = dict.fromkeys(arn.split(":role/", 1)[0].split(":user/", 1)[0] + ":root" for arn in arns)
    return policy({
        "Effect": "Allow",
        "Principal": {"AWS": [*accounts]},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:PrincipalArn": arns}},
    })  # fmt: skip


def _assuming(*roles: str) -> Document:
    return policy(allow("Assume", ["sts:AssumeRole"], [*roles]))


def oidc(options: Options) -> Template:
    """Return the provider of tokens, and what its jobs are: one role to plan, and one that only a few jobs can be."""
    jobs = options.jobs
    assert jobs is not None  # `check` has seen to it
    provider = (OidcProvider("Provider", jobs.host, jobs.audience),)
    hubs = [f"{_IAM}role/{HUB_PLAN}", f"{_IAM}role/{HUB_APPLY}"]
    return Template(
        "xgrant-oidc",
        f"Whose jobs may run xgrant, by tokens of {jobs.host}. {CI_APPLY} is for {', '.join(jobs.apply)} only, "
        f"{CI_PLAN} for {', '.join(jobs.plan)}.",
        _bucket_parameter(options),
        (
            *(() if options.provider_exists else provider),
            Role("CiPlan", CI_PLAN, "Jobs that plan", _job(jobs, jobs.plan)),
            RolePolicy("CiPlanPolicy", "CiPlan", "plan", policy(
                allow("Assume", ["sts:AssumeRole"], hubs[:1]), *_store(options, STORE_READ), *_reviews(options),
            )),
            Role("CiApply", CI_APPLY, "Jobs that plan and apply", _job(jobs, jobs.apply, jobs.protected_claim)),
            RolePolicy("CiApplyPolicy", "CiApply", "apply", policy(
                allow("Assume", ["sts:AssumeRole"], hubs), *_store(options, STORE_WRITE),
            )),
        ),
    )  # fmt: skip


def _job(jobs: Jobs, subjects: tuple[str, ...], protected: str = "") -> Document:
    like = any("*" in subject for subject in subjects)
    equals: dict[str, object] = {f"{jobs.host}:aud": jobs.audience}
    if protected:
        equals[f"{jobs.host}:{protected}"] = "true"
    condition: dict[str, dict[str, object]] = {"StringEquals": equals}
    condition.setdefault("StringLike" if like else "StringEquals", {})[f"{jobs.host}:sub"] = [*subjects]
    return policy({
        "Effect": "Allow",
        "Principal": {"Federated": f"{_IAM}oidc-provider/{jobs.host}"},
        "Action": ACTION,
        "Condition": condition,
    })  # fmt: skip


def _store(options: Options, actions: tuple[str, ...]) -> Iterator[Document]:
    if options.bucket:
        bucket = f"arn:{PARTITION}:s3:::${{BucketName}}"
        yield allow("Store", [*actions], [f"{bucket}/{options.prefix}*"])
        yield allow("StoreList", [*STORE_LIST], [bucket])


def _reviews(options: Options) -> Iterator[Document]:
    """Yield what keeps a plan that is to be reviewed, and lets nobody put another in its place."""
    if options.bucket:
        reviews = f"arn:{PARTITION}:s3:::${{BucketName}}/{options.prefix}reviews/*"
        yield allow("StoreReviews", [*STORE_REVIEW], [reviews], ONCE)


def _bucket_parameter(options: Options) -> tuple[Parameter, ...]:
    if not options.bucket:
        return ()
    return (Parameter("BucketName", "The bucket of the store", options.bucket, "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),)


def store(options: Options) -> Template:
    """Return the bucket for locks and history: with versions, encrypted, by TLS only, and nobody's from outside."""
    bucket = f"arn:{PARTITION}:s3:::${{BucketName}}"
    return Template(
        "xgrant-store",
        "The locks and the history of xgrant. The bucket stays when this stack is deleted.",
        (
            *_bucket_parameter(options),
            Parameter("HistoryDays", "After how many days the history of a run is deleted", str(options.history_days),
                      "[1-9][0-9]{0,4}"),
        ),
        (
            Bucket("Bucket", "${BucketName}", options.prefix, "${HistoryDays}"),
            BucketPolicy("BucketPolicy", "Bucket", policy({
                **deny("PlainHttp", [bucket, f"{bucket}/*"], {"Bool": {"aws:SecureTransport": "false"}},
                       Action=["s3:*"]),
                "Principal": "*",
            })),
        ),
    )  # fmt: skip


def stack_set(options: Options) -> Template:
    """Return the member's template for all accounts of units of an organization, which has no effect on its own."""
    template = member(options)
    return Template(
        "xgrant-stackset",
        "The access of xgrant to the accounts of an organization, also to those that join it. For the management "
        "account or a delegated administrator; the management account itself gets xgrant-member by an ordinary stack.",
        (Parameter("OrganizationalUnitIds", "Units whose accounts xgrant manages, or the root", ",".join(options.units),
                   "ou-[0-9a-z]{4,32}-[a-z0-9]{8,32}|r-[0-9a-z]{4,32}", list=True),),
        (StackSet("Members", template.name, template.description, template, "${OrganizationalUnitIds}"),),
    )  # fmt: skip
