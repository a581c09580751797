"""What the hub account gets: the two hubs, whose jobs may be them, and the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconciler.bootstrap.jobs import Jobs
from reconciler.bootstrap.member import member
from reconciler.bootstrap.model import (
    ACCOUNT,
    PARTITION,
    Bucket,
    BucketPolicy,
    Document,
    OidcProvider,
    Role,
    RolePolicy,
    StackSet,
    Template,
    allow,
    deny,
    policy,
)
from reconciler.bootstrap.options import CI_APPLY, CI_PLAN, HUB_APPLY, HUB_PLAN, READER, WRITER, Options
from reconciler.permissions import ONCE, ORGANIZATION, STORE_LIST, STORE_READ, STORE_REVIEW, STORE_WRITE
from reconciler.policy.web_identity import ACTION

_IAM = f"arn:{PARTITION}:iam::{ACCOUNT}:"


def hub(options: Options) -> Template:
    """Return the hubs: one that may be the readers of all accounts, and one that may be the writers."""
    apply = [f"{_IAM}role/{CI_APPLY}"] if options.jobs else []
    plan = [f"{_IAM}role/{CI_PLAN}"] if options.jobs else []
    return Template(
        "xgrant-hub",
        f"The hubs of xgrant. {HUB_PLAN} may assume {READER} in any account that trusts it, {HUB_APPLY} {WRITER}. "
        f"Whoever can be {HUB_APPLY} can be {WRITER} everywhere.",
        (
            Role("HubPlan", HUB_PLAN, "Assumes the reading role of each account", _trusted(options, plan + apply)),
            RolePolicy("HubPlanPolicy", "HubPlan", "assume", _assuming(f"arn:{PARTITION}:iam::*:role/{READER}")),
            Role("HubApply", HUB_APPLY, "Assumes the writing role of each account", _trusted(options, apply)),
            RolePolicy("HubApplyPolicy", "HubApply", "assume", _assuming(f"arn:{PARTITION}:iam::*:role/{WRITER}")),
        ),
    )


def _trusted(options: Options, jobs: list[str]) -> Document:
    """Return the trust in the roles of jobs and in operators, by their ARNs, also those of nobody yet."""
    if not options.operators_mfa:
        return policy(_trust([*jobs, *options.operators]))
    # No session of a role has anything of a device (facts sheet 6), so it is asked of people only.
    device = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    return policy(*(_trust([*arns], more) for arns, more in ((jobs, {}), (options.operators, device)) if arns))


def _trust(arns: list[str], more: Document | None = None) -> Document:
    return {
        "Effect": "Allow",
        "Principal": {"AWS": _roots(arns)},
        "Action": "sts:AssumeRole",
        "Condition": {"ArnLike": {"aws:PrincipalArn": arns}, **(more or {})},
    }


def _roots(arns: Iterable[str]) -> list[str]:
    """Return the accounts that principals are of, as a trust policy or one of a bucket names them."""
    return [*dict.fromkeys(arn.split(":role/", 1)[0].split(":user/", 1)[0] + ":root" for arn in arns)]


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
        (
            *(() if options.provider_exists else provider),
            Role("CiPlan", CI_PLAN, "Jobs that plan", _job(jobs, jobs.plan)),
            RolePolicy("CiPlanPolicy", "CiPlan", "plan", policy(
                allow("Assume", ["sts:AssumeRole"], hubs[:1]), *_store(options, STORE_READ), *_reviews(options),
                *_listing(options),
            )),
            Role("CiApply", CI_APPLY, "Jobs that plan and apply", _job(jobs, jobs.apply, jobs.claims)),
            RolePolicy("CiApplyPolicy", "CiApply", "apply", policy(
                allow("Assume", ["sts:AssumeRole"], hubs), *_store(options, STORE_WRITE), *_listing(options),
            )),
        ),
    )  # fmt: skip


def _job(jobs: Jobs, subjects: tuple[str, ...], claims: tuple[tuple[str, str], ...] = ()) -> Document:
    """Return the trust in tokens by their subjects and further claims; one without such a claim is not trusted."""
    like = any("*" in subject or "?" in subject for subject in subjects)
    equals: dict[str, object] = {f"{jobs.host}:aud": jobs.audience}
    equals.update((f"{jobs.host}:{name}", value) for name, value in claims)
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
        bucket = f"arn:{PARTITION}:s3:::{options.bucket}"
        yield allow("Store", [*actions], [f"{bucket}/{options.prefix}*"])
        yield allow("StoreList", [*STORE_LIST], [bucket])


def _reviews(options: Options) -> Iterator[Document]:
    """Yield what keeps a plan that is to be reviewed, and lets nobody put another in its place."""
    if options.bucket:
        reviews = f"arn:{PARTITION}:s3:::{options.bucket}/{options.prefix}reviews/*"
        yield allow("StoreReviews", [*STORE_REVIEW], [reviews], ONCE)


def _listing(options: Options) -> Iterator[Document]:
    if options.listing_role:
        yield allow("Organization", ["sts:AssumeRole"], [options.listing_role])
    elif options.lists:
        yield allow("Organization", [*ORGANIZATION], "*")


def store(options: Options) -> Template:
    """Return the bucket for locks and history: with versions, encrypted, by TLS only, and nobody's from outside."""
    bucket = f"arn:{PARTITION}:s3:::{options.bucket}"
    history = [f"{bucket}/{options.prefix}history/*"]
    denials = (
        deny("PlainHttp", [bucket, f"{bucket}/*"], {"Bool": {"aws:SecureTransport": "false"}}, Action=["s3:*"]),
        # xgrant writes each line as an object that is not there yet, and takes none away.
        deny("HistoryOnce", history, {"Null": {"s3:if-none-match": "true"}}, Action=["s3:PutObject"]),
        deny("HistoryStays", history, Action=["s3:DeleteObject", "s3:DeleteObjectVersion"]),
    )
    return Template(
        "xgrant-store",
        "The locks and the history of xgrant. The bucket stays when this stack is deleted.",
        (
            Bucket("Bucket", options.bucket, options.prefix, options.history_days),
            BucketPolicy("BucketPolicy", "Bucket", policy(
                *({**denial, "Principal": "*"} for denial in denials), *_of_operators(options),
            )),
        ),
    )  # fmt: skip


def _of_operators(options: Options) -> Iterator[Document]:
    """Yield what lets operators of other accounts in; in each account their own policies have to allow it, too."""
    for statement in _store(options, STORE_WRITE) if options.operators else ():
        yield {
            **statement,
            "Principal": {"AWS": _roots(options.operators)},
            "Condition": {"ArnLike": {"aws:PrincipalArn": [*options.operators]}},
        }


def stack_set(options: Options) -> Template:
    """Return the member's template for all accounts of units of an organization, which has no effect on its own."""
    template = member(options)
    return Template(
        "xgrant-stackset",
        "The access of xgrant to the accounts of an organization, also to those that join it. For the management "
        "account or a delegated administrator; the management account itself gets xgrant-member by an ordinary stack.",
        (StackSet("Members", template.name, template.description, template, options.units, options.delegated_admin),),
    )  # fmt: skip
