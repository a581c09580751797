"""The only room that knows boto3."""

from reconciler.aws.assume import Caller
from reconciler.aws.console import sign_in_link
from reconciler.aws.examine import Examiner, clock_ahead, legacy_sts
from reconciler.aws.harmless import Trier
from reconciler.aws.organizations import AwsDirectory
from reconciler.aws.reader import AwsReader, do_reading, slim
from reconciler.aws.regions import known_regions
from reconciler.aws.revoke import AwsRevoker
from reconciler.aws.sessions import PARALLEL_ACCOUNTS, Connections
from reconciler.aws.simulate import Simulator
from reconciler.aws.starting import has_profile
from reconciler.aws.threads import threads
from reconciler.aws.trail import AwsTrail, LookedAt, Page
from reconciler.aws.usage import read_uses
from reconciler.aws.writer import AwsWriter

__all__ = [
    "PARALLEL_ACCOUNTS",
    "AwsDirectory",
    "AwsReader",
    "AwsRevoker",
    "AwsTrail",
    "AwsWriter",
    "Caller",
    "Connections",
    "Examiner",
    "LookedAt",
    "Page",
    "Simulator",
    "Trier",
    "clock_ahead",
    "do_reading",
    "has_profile",
    "known_regions",
    "legacy_sts",
    "read_uses",
    "sign_in_link",
    "slim",
    "threads",
]
