"""The little that the Python scripts share; see harness.mjs."""

import os
import sys
import traceback

URL = os.environ["CARAT_URL"]
MODEL = os.environ["CARAT_MODEL"]
HAS_TOOLS = os.environ.get("CARAT_TOOLS") != "0"
DIM_SCHEMA = {
    "type": "object",
    "properties": {"level": {"type": "integer", "minimum": 0, "maximum": 9},
                   "lamp": {"type": "string", "enum": ["desk", "hall"]}},
    "required": ["level", "lamp"], "additionalProperties": False}

_counts = {"passed": 0, "failed": 0, "skipped": 0}


def check(body):
    """Runs a check at once; its function's name is its name."""
    try:
        body()
        _counts["passed"] += 1
    except Exception:  # whatever a client raises fails the check
        _counts["failed"] += 1
        print(f"FAILED {body.__name__}")
        traceback.print_exc(file=sys.stdout)


def check_tools(body):
    """As check, on models with tools only."""
    if HAS_TOOLS:
        check(body)
    else:
        _counts["skipped"] += 1


def check_dim(value):
    assert isinstance(value["level"], int), value
    assert value["lamp"] in ("desk", "hall"), value


def finish():
    print(", ".join(f"{n} {what}" for what, n in _counts.items()))
    sys.exit(1 if _counts["failed"] else 0)
