"""The only room that knows boto3."""

from reconciler.aws.organizations import AwsDirectory
from reconciler.aws.reader import AwsReader, do_reading, slim
from reconciler.aws.sessions import Connections
from reconciler.aws.writer import AwsWriter

__all__ = ["AwsDirectory", "AwsReader", "AwsWriter", "Connections", "do_reading", "slim"]
