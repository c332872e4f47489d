"""`carat serve` as a process: start, answers, signals, exit codes."""

import contextlib
import fcntl
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import unittest

from carat_test_case import CHAT, TINY, CaratTestCase

KEY = "a-key-of-enough-length"


class ServeTest(CaratTestCase):

    @contextlib.contextmanager
    def serve(self, *options, port=0, stderr=None):
        """(process, port) of a server that listens; killed at the end."""
        log = self.folder / "serve.log"
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [self.binary, "serve", str(TINY), "--port", str(port),
                 "--threads", "1", *CHAT, *map(str, options)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=stderr or out, env=self.environment())
        try:
            yield process, log
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    def port_of(self, process, log):
        while process.poll() is None:
            found = re.search(rb"listening on https?://\S+:(\d+)",
                              log.read_bytes())
            if found:
                return int(found[1])
            time.sleep(0.02)
        self.fail(log.read_text())

    def ask(self, port, method, path, body=None, headers=None):
        """(status, headers, body) of one request."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        connection.request(
            method, path, None if body is None else json.dumps(body),
            {"content-type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        out = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return out

    def wait_ready(self, port, headers=None):
        while self.ask(port, "GET", "/ready", headers=headers)[0] != 200:
            time.sleep(0.02)

    def stream(self, port, tokens):
        """A streamed completion whose first event has come."""
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        connection.request("POST", "/v1/completions", json.dumps(
            {"prompt": "Hello", "max_tokens": tokens, "stream": True,
             "ignore_eos": True, "seed": 1}),
            {"content-type": "application/json"})
        answer = connection.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.readline().startswith(b"data: "))
        return connection, answer

    def test_answers_and_ends_with_zero_on_sigterm(self):
        with self.serve() as (process, log):
            port = self.port_of(process, log)
            self.wait_ready(port)
            status, _, body = self.ask(
                port, "POST", "/v1/completions",
                {"prompt": "Hello", "max_tokens": 3, "ignore_eos": True})
            self.assertEqual(status, 200, body)
            self.assertEqual(
                json.loads(body)["usage"]["completion_tokens"], 3)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(120), 0)
            lines = log.read_text()
        line = [one for one in lines.splitlines()
                if "route=/v1/completions" in one]
        self.assertEqual(len(line), 1, lines)
        for part in ("status=200", "prompt_tokens=", "cached_tokens=0",
                     "output_tokens=3", "first_token_ms="):
            self.assertIn(part, line[0])
        self.assertNotIn("Hello", lines)

    def test_sigterm_lets_a_running_stream_end(self):
        with self.serve("--ctx", "512") as (process, log):
            port = self.port_of(process, log)
            self.wait_ready(port)
            connection, answer = self.stream(port, 300)
            process.send_signal(signal.SIGTERM)
            rest = answer.read()
            self.assertTrue(rest.endswith(b"data: [DONE]\n\n"), rest[-200:])
            self.assertIn(b'"finish_reason":"length"', rest)
            connection.close()
            self.assertEqual(process.wait(120), 0)
            with self.assertRaises(OSError):
                socket.create_connection(("127.0.0.1", port), timeout=60)

    def test_a_blocked_stderr_stops_nobody(self):
        read_end, write_end = os.pipe()
        fcntl.fcntl(write_end, fcntl.F_SETPIPE_SZ, 4096)
        try:
            # The port is told on stderr: choose one that is free now.
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            with self.serve(port=port, stderr=write_end) as (process, _):
                while True:
                    try:
                        self.ask(port, "GET", "/health")
                        break
                    except OSError:
                        self.assertIsNone(process.poll())
                        time.sleep(0.02)
                for _ in range(200):  # far more lines than the pipe holds
                    self.assertEqual(self.ask(port, "GET", "/health")[0], 200)
                self.wait_ready(port)
                process.send_signal(signal.SIGTERM)
                self.assertEqual(process.wait(120), 0)
        finally:
            os.close(read_end)
            os.close(write_end)

    def test_keys_are_asked_for(self):
        keys = self.folder / "keys"
        keys.write_text(f"# for the test\n{KEY}\nanother-key-0123456789\n")
        keys.chmod(0o600)
        with self.serve("--api-key-file", keys) as (process, log):
            port = self.port_of(process, log)
            self.assertEqual(self.ask(port, "GET", "/health")[0], 200)
            self.assertEqual(self.ask(port, "GET", "/v1/models")[0], 401)
            for headers in ({"authorization": f"Bearer {KEY}"},
                            {"x-goog-api-key": "another-key-0123456789"}):
                self.assertEqual(
                    self.ask(port, "GET", "/v1/models", headers=headers)[0],
                    200)
            process.send_signal(signal.SIGTERM)
            process.wait(120)
            self.assertNotIn(KEY, log.read_text())

    def wait_log(self, process, log, part, count=1):
        while log.read_text().count(part) < count:
            self.assertIsNone(process.poll(), log.read_text())
            time.sleep(0.02)

    def test_sighup_reads_the_keys_again(self):
        def status(key):
            return self.ask(port, "GET", "/v1/models",
                            headers={"x-api-key": key})[0]
        old, new = "the-old-key-0123456789", "the-new-key-0123456789"
        keys = self.folder / "keys"
        keys.write_text(old)
        keys.chmod(0o600)
        with self.serve("--api-key-file", keys) as (process, log):
            port = self.port_of(process, log)
            self.assertEqual((status(old), status(new)), (200, 401))
            keys.write_text(f"# two now\n{new}\n{KEY}\n")
            process.send_signal(signal.SIGHUP)
            self.wait_log(process, log, "holds 2 key(s) now")
            self.assertEqual((status(old), status(new), status(KEY)),
                             (401, 200, 200))
            # What is wrong changes nothing and is told.
            for number, (text, mode) in enumerate(
                    (("short", 0o600), ("", 0o600), (old, 0o644)), 1):
                keys.write_text(text)
                keys.chmod(mode)
                process.send_signal(signal.SIGHUP)
                self.wait_log(process, log, "the keys stay as they were",
                              number)
                self.assertEqual((status(old), status(new)), (401, 200))
            keys.unlink()
            process.send_signal(signal.SIGHUP)
            self.wait_log(process, log, "the keys stay as they were", 4)
            self.assertEqual((status(old), status(new)), (401, 200))
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(120), 0)
            for key in (old, new, KEY):
                self.assertNotIn(key, log.read_text())

    def test_sighup_without_keys_ends_nothing(self):
        with self.serve() as (process, log):
            port = self.port_of(process, log)
            process.send_signal(signal.SIGHUP)
            self.wait_log(process, log, "no --api-key-file")
            self.assertEqual(self.ask(port, "GET", "/health")[0], 200)

    def test_what_cannot_start_says_why(self):
        error = self.bad("serve", TINY, "--host", "0.0.0.0", code=2)
        self.assertIn("--api-key-file", error)
        keys = self.folder / "keys"
        keys.write_text(KEY)
        keys.chmod(0o644)
        self.assertIn("chmod 600",
                      self.bad("serve", TINY, "--api-key-file", keys, code=2))
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.assertIn("--port", self.bad("serve", TINY, "--port", port))
        self.assertIn("no-such-model", self.bad("serve", "no-such-model"))

    def test_what_hostile_clients_send_hurts_nobody_else(self):
        with self.serve("--max-body", 16) as (process, log):
            port = self.port_of(process, log)
            self.wait_ready(port)
            nested = b'{"messages":' + b"[" * 10_000_000
            for head, body, status in (
                    ("", nested, b"400"),
                    ("", b'{"prompt":"\xff\xfe"}', b"400"),
                    ("", b"x" * (17 << 20), b"413"),
                    ("X: " + "y" * 40_000 + "\r\n", b"{}", b"431"),
                    ("A: b\r\n" * 200, b"{}", b"431"),
                    ("Content-Length: 5\r\n", b"{}", b"400"),
                    ("Transfer-Encoding: chunked\r\n", b"{}", b"400")):
                with socket.create_connection(("127.0.0.1", port),
                                              timeout=300) as client:
                    request = (f"POST /v1/completions HTTP/1.1\r\n"
                               f"Host: localhost\r\n{head}"
                               f"Content-Length: {len(body)}\r\n\r\n")
                    with contextlib.suppress(OSError):
                        client.sendall(request.encode() + body)
                    answer = client.recv(4096)
                    self.assertEqual(answer[9:12], status, answer)
            # Less than was promised, then gone.
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(b"POST /v1/completions HTTP/1.1\r\n"
                               b"Host: localhost\r\nContent-Length: 99\r\n"
                               b"\r\nshort")
            # Streams whose client leaves, or never reads.
            for _ in range(3):
                self.stream(port, 400)[0].close()
            lazy = self.stream(port, 400)
            self.assertEqual(self.ask(port, "GET", "/health")[0], 200)
            status, _, body = self.ask(port, "POST", "/v1/completions",
                                       {"prompt": "Hello", "max_tokens": 2})
            self.assertEqual(status, 200, body)
            lazy[0].close()
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(120), 0)

    def test_prompts_survive_a_kill(self):
        """The server is killed while it writes prompts to disk; the next one
        starts, answers the same and finds what was complete."""
        cache = self.folder / "prompts"
        options = ("--cache-dir", cache, "--ctx", 512)
        prompt = "the quick brown fox " * 20
        body = {"prompt": prompt, "max_tokens": 8, "temperature": 0,
                "ignore_eos": True}
        texts = []
        for killed in (True, True, False):
            if not killed:
                # What a writer left behind goes once it is old.
                for part in cache.glob("**/*.part"):
                    os.utime(part, (0, 0))
            with self.serve(*options) as (process, log):
                port = self.port_of(process, log)
                self.wait_ready(port)
                status, _, answer = self.ask(port, "POST", "/v1/completions",
                                             body)
                self.assertEqual(status, 200, answer)
                texts.append(json.loads(answer)["choices"][0]["text"])
                if killed:
                    # Others write at the same time.
                    writers = [threading.Thread(
                        target=self.ask_whatever, args=(port, f"{i} {prompt}"))
                        for i in range(4)]
                    for writer in writers:
                        writer.start()
                    process.kill()
                    for writer in writers:
                        writer.join()
                else:
                    process.send_signal(signal.SIGTERM)
                    self.assertEqual(process.wait(120), 0)
        self.assertEqual(len(set(texts)), 1, texts)
        self.assertEqual(list(cache.glob("**/*.part")), [])

    def ask_whatever(self, port, prompt):
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.ask(port, "POST", "/v1/completions",
                     {"prompt": prompt, "max_tokens": 1})


if __name__ == "__main__":
    unittest.main()
