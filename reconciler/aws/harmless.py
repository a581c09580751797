"""Tries permissions with calls that change nothing and read no content, by the credentials of a session.

Each says whether AWS lets the call through, not what it answers. What is not in the table is not tried.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reconciler.aws.calls import tell
from reconciler.aws.clients import CONFIG, REGIONS, light_session
from reconciler.events import Called
from reconciler.model import Check, Probe, Session, Way
from reconciler.policy.case import fold

_Call = Callable[[Any, str], Any]
"""Takes a client and the ARN."""

_PATIENT = CONFIG.merge(Config(retries={"mode": "standard", "total_max_attempts": 3}))


def _name(arn: str) -> str:
    return re.split("[:/]", arn)[-1]


def _bucket(arn: str) -> str:
    return arn.split(":", 5)[-1].split("/", 1)[0]


def _key(arn: str) -> str:
    return arn.split(":", 5)[-1].partition("/")[2]


def _queue(client: Any, arn: str) -> str:
    account, name = arn.split(":")[4:6]
    return f"{client.meta.endpoint_url}/{account}/{name}"


_OF_ALL: Mapping[str, _Call] = {
    "cloudwatch:describealarms": lambda client, _: client.describe_alarms(MaxRecords=1),
    "ec2:describeinstances": lambda client, _: client.describe_instances(MaxResults=5),
    "ecr:describerepositories": lambda client, _: client.describe_repositories(maxResults=1),
    "iam:listroles": lambda client, _: client.list_roles(MaxItems=1),
    "logs:describeloggroups": lambda client, _: client.describe_log_groups(limit=1),
    "s3:listallmybuckets": lambda client, _: client.list_buckets(),
    "ssm:describeparameters": lambda client, _: client.describe_parameters(MaxResults=1),
}
"""By action, in lower case, the call that needs it and nothing else, and names nothing."""

_OF_ONE: Mapping[str, _Call] = {
    "dynamodb:describetable": lambda client, arn: client.describe_table(TableName=_name(arn)),
    "iam:getrole": lambda client, arn: client.get_role(RoleName=_name(arn)),
    "iam:getuser": lambda client, arn: client.get_user(UserName=_name(arn)),
    "kms:describekey": lambda client, arn: client.describe_key(KeyId=arn),
    "lambda:getfunctionconfiguration": lambda client, arn: client.get_function_configuration(FunctionName=arn),
    "s3:getbucketlocation": lambda client, arn: client.get_bucket_location(Bucket=_bucket(arn)),
    "s3:getobject": lambda client, arn: client.head_object(Bucket=_bucket(arn), Key=_key(arn)),
    "s3:listbucket": lambda client, arn: client.list_objects_v2(Bucket=_bucket(arn), MaxKeys=1),
    "secretsmanager:describesecret": lambda client, arn: client.describe_secret(SecretId=arn),
    "sns:gettopicattributes": lambda client, arn: client.get_topic_attributes(TopicArn=arn),
    "sqs:getqueueattributes": lambda client, arn: client.get_queue_attributes(
        QueueUrl=_queue(client, arn), AttributeNames=["CreatedTimestamp"]
    ),
}
"""The same about one thing, by its ARN."""

_DENIED = re.compile("AccessDenied|UnauthorizedOperation|AuthorizationError|NotAuthorized|^403$")
_ABSENT = re.compile("NotFound|NoSuch|NonExistent|DoesNotExist|^404$")
_NO_BUCKET = "NoSuchBucket"


@dataclass(frozen=True, slots=True)
class Trier:
    """Tries by the credentials of one session, about one account; `notify` is told of the calls.

    `region` is where what names no region is tried; empty where nobody knows which is used.
    """

    session: Session
    account: str
    partition: str
    region: str
    notify: Callable[[Called], None]

    def attempt(self, probe: Probe, *, lists: bool) -> Check | None:
        """Return what AWS says of a request that is granted; None where no harmless call is known.

        `lists` says whether the bucket of an object may be listed: without, S3 hides an object that is not there
        behind the same 403 as one that may not be read (S3 API reference, HeadObject).
        """
        action = fold(probe.action)
        call = _OF_ALL.get(action) or (None if probe.resource == "*" else _OF_ONE.get(action))
        if call is None:
            return None
        try:
            with closing(self._client(probe)) as client:
                call(client, probe.resource)
        except ClientError as error:
            found = error.response["Error"]
            if self._elsewhere_perhaps(probe, str(found.get("Message", ""))):
                where = REGIONS[self.partition]
                return Check(probe, None, Way.SESSION, f"a denial refuses it in {where}: set region in the profile")
            return _answered(probe, str(found.get("Code", "")), lists=lists)
        except BotoCoreError as error:
            return Check(probe, None, Way.SESSION, f"the call failed: {type(error).__name__}")
        return Check(probe, True, Way.SESSION)

    def _elsewhere_perhaps(self, probe: Probe, message: str) -> bool:
        """Return whether a denial may be of the region alone, which is a guess: organizations deny all but some.

        IAM has one region for all (facts sheet 6).
        """
        guessed = not _region(probe) and not self.region and _service(probe) != "iam"
        return guessed and "explicit deny" in message

    def _client(self, probe: Probe) -> Any:
        session: botocore.session.Session = light_session()
        client: Any = session.create_client(
            _service(probe),
            region_name=_region(probe) or self.region or REGIONS[self.partition],
            config=_PATIENT,
            aws_access_key_id=self.session.access_key,
            aws_secret_access_key=self.session.secret_key,
            aws_session_token=self.session.token,
        )
        tell(client, self.account, self.notify)
        return client


def _service(probe: Probe) -> str:
    return probe.action.partition(":")[0].lower()


def _region(probe: Probe) -> str:
    return (probe.resource.split(":") + [""] * 4)[3]


def _answered(probe: Probe, code: str, *, lists: bool) -> Check | None:
    if code == _NO_BUCKET:  # S3 says so to everybody.
        return Check(probe, None, Way.SESSION, "the bucket is not there")
    if _ABSENT.search(code):
        return Check(probe, True, Way.SESSION, "nothing is there, but it may be asked for")
    if not _DENIED.search(code):
        return Check(probe, None, Way.SESSION, f"AWS answers {code}")
    if fold(probe.action) == "s3:getobject" and not lists:
        return None
    return Check(probe, False, Way.SESSION, f"AWS answers {code}")
