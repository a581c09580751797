"""What was applied: a log for each run of apply and destroy, written as it happens and never changed."""

from reconciler.history.journal import Journal
from reconciler.history.records import Record, RecordedStep, is_id, newest, read_record

__all__ = ["Journal", "Record", "RecordedStep", "is_id", "newest", "read_record"]
