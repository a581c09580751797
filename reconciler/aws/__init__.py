"""The only room that knows boto3."""

from reconciler.aws.assume import Caller
from reconciler.aws.console import sign_in_link
from reconciler.aws.organizations import AwsDirectory
from reconciler.aws.reader import AwsReader, do_reading, slim
from reconciler.aws.revoke import AwsRevoker
from reconciler.aws.sessions import Connections
from reconciler.aws.starting import has_profile
from reconciler.aws.writer import AwsWriter

__all__ = [
    "AwsDirectory",
    "AwsReader",
    "AwsRevoker",
    "AwsWriter",
    "Caller",
    "Connections",
    "do_reading",
    "has_profile",
    "sign_in_link",
    "slim",
]
