#!/usr/bin/env python3
"""A full disk below the prompt cache and below uploads (needs root for tmpfs).

  full_disk.py PROGRAM MODEL [OPTIONS OF SERVE...]

Runs the server with both folders on a tmpfs of 2 MiB, fills it, and checks
that answers stay right and the same, that uploads are refused with a reason,
that the failure is logged, and that uploads work once there is room again.
"""

import contextlib
import json
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request


def post(url, body, headers=None):
    """(status, headers, body)."""
    request = urllib.request.Request(
        url, body if isinstance(body, bytes) else json.dumps(body).encode(),
        {"content-type": "application/json", **(headers or {})})
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


@contextlib.contextmanager
def small_disk(folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder],
                   check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def complete(url, number):
    prompt = f"Page {number}. " + "All work and no play. " * 20
    status, _, body = post(url + "/v1/completions", {
        "prompt": prompt, "max_tokens": 4, "temperature": 0,
        "ignore_eos": True})
    assert status == 200, body
    return json.loads(body)["choices"][0]["text"]


def upload(url, size):
    """(status, message) of an upload of `size` bytes."""
    status, headers, body = post(
        url + "/upload/v1beta/files", {"file": {"mimeType": "text/plain"}},
        {"x-goog-upload-protocol": "resumable",
         "x-goog-upload-command": "start",
         "x-goog-upload-header-content-length": str(size)})
    if status != 200:
        return status, body.decode()
    status, _, body = post(
        headers["x-goog-upload-url"], b"x" * size,
        {"x-goog-upload-command": "upload, finalize",
         "x-goog-upload-offset": "0"})
    return status, body.decode()


def listening(server, log):
    while server.poll() is None:
        found = re.search(r"listening on (http://\S+)", log.read_text())
        if found:
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(log.read_text())


def check(url, disk, log):
    before = [complete(url, i) for i in range(3)]
    filler = disk / "filler"
    with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as out:
        while True:
            out.write(b"\0" * 4096)
    full = [complete(url, i) for i in range(3)]
    assert full == before, "a full disk changed an answer"
    new = [complete(url, i) for i in range(10, 14)]
    status, message = upload(url, 100_000)
    print(f"upload on the full disk: {status} {message.strip()[:200]}")
    assert status >= 400, "the upload was said to be stored"
    deadline = time.monotonic() + 30
    while "No space" not in log.read_text():
        assert time.monotonic() < deadline, "the log says nothing"
        time.sleep(0.1)
    filler.unlink()
    status, message = upload(url, 100_000)
    assert status == 200, message
    assert new == [complete(url, i) for i in range(10, 14)]
    parts = [one for one in disk.rglob("*") if ".part" in one.name]
    assert not parts, parts


def main():
    program, model, *options = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name, small_disk(
            pathlib.Path(name)) as disk, tempfile.NamedTemporaryFile() as file:
        log = pathlib.Path(file.name)
        with open(log, "wb") as out:
            server = subprocess.Popen(
                [program, "serve", model, "--port", "0", "--cache-dir",
                 str(disk / "prompts"), "--files-dir", str(disk / "files"),
                 *options], stdin=subprocess.DEVNULL, stderr=out)
        try:
            check(listening(server, log), disk, log)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
        assert server.returncode == 0, log.read_text()
        for line in log.read_text().splitlines():
            if "warning" in line or "error" in line:
                print(line)
        print("answers stayed the same; the server stayed up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
