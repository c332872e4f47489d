"""What the lint checks share: the files of the tree, read once."""

import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]


def files(top=TOP):
    """Paths relative to top that git tracks or would add, sorted."""
    # safe.directory: in a container the clone may belong to another user.
    listing = subprocess.run(
        ["git", "-c", f"safe.directory={top}", "ls-files", "-z", "--cached",
         "--others", "--exclude-standard"],
        cwd=top, check=True, stdout=subprocess.PIPE).stdout
    names = {n for n in listing.decode().split("\0") if n}
    return sorted(p for p in map(pathlib.Path, names) if (top / p).is_file())


def text_of(path):
    """The file's text, or None when it is not text."""
    data = path.read_bytes()
    if b"\0" in data[:8192]:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def is_ours_cpp(path):
    return path.suffix in (".cc", ".h", ".c")
