"""Looks at what xgrant works in: whose credentials they are, trails, the clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from reconciler import clock
from reconciler.aws.calls import tell
from reconciler.aws.clients import CONFIG, REGIONS, light_session
from reconciler.aws.errors import aws_errors
from reconciler.aws.sessions import Connections
from reconciler.errors import AwsError, means_denied
from reconciler.events import Called
from reconciler.health.trails import has_reads
from reconciler.model import Account, Trail

_DENIED = "allow cloudtrail:DescribeTrails, GetTrailStatus and GetEventSelectors to the identity that xgrant plans with"


class Examiner:
    """Asks the accounts of a run. Safe for threads."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def reach(self, account: Account) -> str:
        """Return the ARN of the user or of the role's session with which an account is asked.

        Raises:
            AwsError: it cannot be reached, or is another one than the manifest says.

        """
        with self._connections.client(account):
            return self._connections.identity(account)

    def trails(self, account: Account) -> tuple[Trail, ...]:
        """Return the trails that concern an account, seen from the region of IAM; AwsError where it may not be asked.

        What is not seen of one, as of the organization's from a member account, says nothing of the others.
        Those of other regions, and of the organization, show there as shadow trails (CloudTrail API reference,
        DescribeTrails); of a trail, its own region is asked.
        """
        here = REGIONS[account.partition]
        with self._connections.cloudtrail(account, here) as client, _errors(account, "DescribeTrails"):
            found = client.describe_trails()["trailList"]
        return tuple(self._trail(account, raw, here) for raw in found)

    def _trail(self, account: Account, raw: Any, here: str) -> Trail:
        arn, error, logging, reads = raw["TrailARN"], None, None, None
        try:
            with self._connections.cloudtrail(account, raw.get("HomeRegion", here)) as client:
                with _errors(account, "GetTrailStatus"):
                    logging = client.get_trail_status(Name=arn)["IsLogging"]
                with _errors(account, "GetEventSelectors"):
                    found = client.get_event_selectors(TrailName=arn)
                reads = has_reads(found.get("EventSelectors", ()), found.get("AdvancedEventSelectors", ()))
        except AwsError as raised:
            error = raised
        return Trail(
            raw["Name"],
            logging=logging,
            all_regions=raw.get("IsMultiRegionTrail", False),
            organization=raw.get("IsOrganizationTrail", False),
            reads=reads,
            unseen=str(error or ""),
            denied=error is not None and means_denied(error.code),
        )


def clock_ahead(partition: str, notify: Callable[[Called], None]) -> float | None:
    """Return by how many seconds this machine's clock is ahead of AWS's; None where AWS does not answer.

    The request is not signed, so that it works whatever the clock and the credentials; AWS refuses it, with its time.
    """
    config = CONFIG.merge(Config(signature_version=UNSIGNED))
    before = clock.now()
    try:
        client: Any = light_session().create_client("sts", region_name=REGIONS[partition], config=config)
        with closing(client) as sts:
            tell(sts, "the clock", notify)
            before = clock.now()
            answer: Any = sts.get_caller_identity()
    except ClientError as error:
        answer = error.response
    except (BotoCoreError, ValueError):
        return None
    after = clock.now()
    stated = answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    # It is written in whole seconds, cut off.
    return None if stated is None else (before + after) / 2 - parsedate_to_datetime(stated).timestamp() - 0.5


def legacy_sts() -> bool:
    """Return whether the AWS configuration asks for the global endpoint of STS in place of a regional one."""
    try:
        return bool(light_session().get_config_variable("sts_regional_endpoints") == "legacy")
    except BotoCoreError:
        return False  # What is wrong with the configuration is said where an account is reached.


def _errors(account: Account, operation: str) -> Any:
    return aws_errors(account.name, operation, denied=_DENIED)
