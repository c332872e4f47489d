"""Where carat keeps what it downloads or makes."""

import os
import pathlib


def folder():
    if os.environ.get("CARAT_CACHE"):
        return pathlib.Path(os.environ["CARAT_CACHE"]).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(base).expanduser() / "carat"
