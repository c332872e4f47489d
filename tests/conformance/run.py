#!/usr/bin/env python3
"""Runs official clients, unmodified, against `carat serve`.

Every *.mjs and *_client.py beside this file is one client: it gets the
server's address in CARAT_URL and the model's name in CARAT_MODEL and ends
with a line 'N passed, N failed, N skipped'. The packages are pinned in
package.json and requirements.txt and installed into carat's cache. What
cannot be installed is skipped, visibly.

Models: a tiny one of tests/data whose output is noise, so that only what the
server promises can hold; and the one in CARAT_TEST_MODEL, if set.

The program is CARAT_BIN or build/release/carat. CARAT_URL: a server that runs
already; then none is started, and CARAT_MODEL names its model.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
TINY = TOP / "tests/data/tiny/gemma4-e"
# The tiny model knows 512 positions; tools take more. Positions are
# rotations, so any number works.
POSITIONS = 8192
START_SECONDS = 120
CLIENT_SECONDS = 600

sys.path += [str(TOP / "tools/dev"), str(TOP / "tests/cli")]
import fake_hub  # noqa: E402
from fetch_model import cache_folder  # noqa: E402

# What clients can pull, from a hub of this machine.
HUB_REPO = "org/tiny-GGUF"
HUB_FILE = "tiny-Q4_0.gguf"


def notice(text):
    print(f"NOTICE: {text}", flush=True)


# Clients.


def installed(kind, pins, install):
    """The folder that `install` filled once for these pins, or None."""
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:16]
    folder = cache_folder() / "conformance" / f"{kind}-{digest}"
    done = folder / "installed"
    if done.exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for command in install(folder):
        try:
            log = subprocess.run(command, cwd=folder, check=False, text=True,
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, timeout=900)
        except (OSError, subprocess.TimeoutExpired) as error:
            notice(f"{kind} clients cannot be installed: {error}")
            return None
        if log.returncode != 0:
            notice(f"{kind} clients cannot be installed:\n{log.stdout[-2000:]}")
            return None
    done.touch()
    return folder


def install_node(folder):
    shutil.copy(HERE / "package.json", folder)
    yield ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund",
           "--loglevel=error"]


def install_python(folder):
    yield [sys.executable, "-m", "venv", "venv"]
    yield ["venv/bin/python", "-m", "pip", "install", "--quiet",
           "--disable-pip-version-check", "-r", HERE / "requirements.txt"]


def clients():
    """Commands by name; None for a client that cannot run here."""
    found = {}
    node = installed("node", HERE / "package.json", install_node)
    python = installed("python", HERE / "requirements.txt", install_python)
    for script in sorted(HERE.glob("*.mjs")):
        if script.name == "harness.mjs":
            continue
        # Node looks for packages beside the script and above it.
        found[script.stem] = (
            ["node", node / "scripts" / script.name] if node else None)
    if node:
        shutil.rmtree(node / "scripts", ignore_errors=True)
        (node / "scripts").mkdir()
        for script in HERE.glob("*.mjs"):
            shutil.copy(script, node / "scripts")
    for script in sorted(HERE.glob("*_client.py")):
        found[script.stem] = (
            [python / "venv/bin/python", script] if python else None)
    return found


def run_client(name, command, environment):
    try:
        log = subprocess.run(
            [str(c) for c in command], check=False, text=True, cwd=HERE,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=CLIENT_SECONDS,
            env={**os.environ, **environment, "PYTHONDONTWRITEBYTECODE": "1"})
        text, code = log.stdout, log.returncode
    except subprocess.TimeoutExpired as error:
        text, code = f"{error}", 1
    counts = re.findall(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", text,
                        re.M)
    count = [int(n) for n in counts[-1]] if counts else [0, 1, 0]
    if code != 0 and count[1] == 0:
        count[1] = 1
    if count[1]:
        print(text)
    print(f"{name} on {environment['CARAT_MODEL']}: {count[0]} passed, "
          f"{count[1]} failed, {count[2]} skipped", flush=True)
    return count


# The server.


def tiny_model(folder):
    """The tiny model with room for prompts with tools."""
    folder.mkdir()
    for file in TINY.iterdir():
        if file.name != "config.json" and file.suffix != ".bin":
            (folder / file.name).symlink_to(file)
    config = json.loads((TINY / "config.json").read_text())
    config["max_position_embeddings"] = POSITIONS
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def fetch(url):
    with urllib.request.urlopen(url, timeout=30) as reply:
        return reply.read()


def wait_until_ready(server, log):
    """The server's address, or None when it did not come up."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        found = re.search(r"listening on (http://\S+)", log.read_text())
        if found:
            with contextlib.suppress(OSError):
                fetch(f"{found[1]}/ready")
                return found[1]
        time.sleep(0.1)
    return None


def start_hub():
    content = (TOP / "tests/data/tiny-gguf/gemma3-q4_0.gguf").read_bytes()
    hub = fake_hub.FakeHub()
    hub.repos[HUB_REPO] = fake_hub.Repo({HUB_FILE: content}, lfs={HUB_FILE})
    return hub


@contextlib.contextmanager
def serve(program, model, home, *options):
    """A server of one model on a free port; gives its address."""
    log = home / "server.log"
    hub = start_hub()
    # A home of its own: no other models are found.
    environment = {**os.environ, "HOME": str(home), "HF_ENDPOINT": hub.url}
    for name in ("XDG_CACHE_HOME", "XDG_DATA_HOME", "OLLAMA_MODELS", "HF_HOME",
                 "CARAT_MODELS", "CARAT_CACHE"):
        environment.pop(name, None)
    with open(log, "w", encoding="utf-8") as out:
        server = subprocess.Popen(
            [str(program), "serve", str(model), "--port", "0", "--ctx",
             str(POSITIONS), "--allow-pull", *options], stdin=subprocess.DEVNULL, stdout=out,
            stderr=out, env=environment)
    try:
        yield wait_until_ready(server, log)
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        hub.close()
        if server.returncode not in (0, -signal.SIGTERM):
            print(log.read_text()[-4000:])


def run_on(program, model, environment, *options):
    """All clients against a server of `model`."""
    with tempfile.TemporaryDirectory() as name:
        home = pathlib.Path(name)
        if model is None:
            model = tiny_model(home / "tiny")
        with serve(program, model, home, *options) as url:
            if url is None:
                print((home / "server.log").read_text())
                print(f"carat serve {model} did not come up")
                return [0, 1, 0]
            listed = json.loads(fetch(f"{url}/v1/models"))["data"]
            return run_all({"CARAT_URL": url, "CARAT_MODEL": listed[0]["id"],
                            "CARAT_BIN": str(program), "CARAT_PULL": HUB_REPO,
                            **environment})


def run_all(environment):
    total = [0, 0, 0]
    for name, command in clients().items():
        if command is None:
            print(f"{name}: skipped, its packages are not there")
            count = [0, 0, 1]
        else:
            count = run_client(name, command, environment)
        total = [a + b for a, b in zip(total, count)]
    return total


def can_serve(program):
    # An unknown command prints the help of all commands.
    help_text = subprocess.run([str(program), "serve", "--help"], check=False,
                               capture_output=True, text=True).stdout
    return "--port" in help_text


def main():
    argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    program = pathlib.Path(os.environ.get("CARAT_BIN") or
                           TOP / "build/release/carat")
    noise = {"CARAT_NOISE": "1"}
    if os.environ.get("CARAT_URL"):
        total = run_all({name: os.environ[name]
                         for name in ("CARAT_URL", "CARAT_MODEL")})
    elif not can_serve(program):
        notice(f"{program} has no command 'serve'")
        total = [0, 0, 1]
    else:
        total = run_on(program, None, noise, "--chat-format", "gemma4-small")
        real = os.environ.get("CARAT_TEST_MODEL")
        if real:
            # The default model is a base model: it has no format of its own.
            more = run_on(program, real, {"CARAT_TOOLS": "0"},
                          "--chat-format", "gemma3")
        else:
            notice("CARAT_TEST_MODEL is not set: only noise was generated")
            more = [0, 0, 1]
        total = [a + b for a, b in zip(total, more)]
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
