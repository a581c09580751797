"""What was applied: a log for each run of apply and destroy, written as it happens and never changed."""

from reconciler.history.journal import Journal
from reconciler.history.records import Record, RecordedStep, may_begin_id, newest, read_record, with_prefix

__all__ = ["Journal", "Record", "RecordedStep", "may_begin_id", "newest", "read_record", "with_prefix"]
