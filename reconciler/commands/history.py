"""`xgrant history`: shows what was applied, by whom and when."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from reconciler.commands import DEFAULT_PATH
from reconciler.errors import UsageError
from reconciler.history import may_begin_id
from reconciler.manifest import load
from reconciler.pipeline.stores import read_history, read_one_record
from reconciler.render.history import history_json, history_text, record_json, record_text


def run(arguments: argparse.Namespace) -> int:
    """Print the newest records of the stack, or the one whose id is given; XgrantError (exit 1) if there is none."""
    first, *others = arguments.paths
    as_json = arguments.format == "json"
    if re.fullmatch("[0-9]{1,7}", first) and not Path(first).exists():
        raise UsageError(f"the beginning of an id has 8 digits at least, its day, like 20260131; this is {first}")
    if may_begin_id(first) and not Path(first).exists():
        record = read_one_record(load(others or [DEFAULT_PATH]), first)
        sys.stdout.write(record_json(record) if as_json else record_text(record))
        return 0
    records, older, place = read_history(load(arguments.paths), arguments.limit)
    sys.stdout.write(history_json(records, older) if as_json else history_text(records, older, place))
    return 0
