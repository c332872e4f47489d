"""Downloads through a server, carat ps, and serve --config."""

import fcntl
import json
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import fake_hub
from carat_test_case import TINY_GGUF
from hub_test_case import DIGEST, GGUF, REPO, HubTestCase


class ServerTest(HubTestCase):
    def serve(self, *options, **env):
        log = self.folder / "server.log"
        with open(log, "wb") as out:
            child = subprocess.Popen(
                [self.binary, "serve", "--port", "0", "--ctx", "256",
                 *options], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=self.environment(**env))

        def stop():
            child.send_signal(signal.SIGTERM)
            self.assertEqual(child.wait(120), 0, log.read_text())

        self.addCleanup(stop)
        end = time.monotonic() + 120
        while time.monotonic() < end and child.poll() is None:
            for line in log.read_text().splitlines():
                if "listening on " in line:
                    return line.split("listening on ")[1]
            time.sleep(0.05)
        self.fail(log.read_text())

    def post(self, url, path, body, method="POST"):
        request = urllib.request.Request(
            url + path, json.dumps(body).encode(), method=method,
            headers={"Content-Type": "application/json"})
        return urllib.request.urlopen(request, timeout=120)

    def test_downloads_are_off_by_default(self):
        url = self.serve()
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.post(url, "/api/pull", {"model": REPO})
        self.assertEqual(caught.exception.code, 403)
        self.assertIn("--allow-pull",
                      json.loads(caught.exception.read())["error"])
        self.assertEqual(self.hub.asked("hub"), [])

    def test_pull_streams_what_ollamas_clients_expect(self):
        url = self.serve("--allow-pull")
        self.hub.fail("cdn", DIGEST, fake_hub.drip(8, 0.1))
        with self.post(url, "/api/pull", {"model": REPO}) as reply:
            lines = [json.loads(line) for line in reply]
        states = list(dict.fromkeys(line["status"] for line in lines))
        self.assertEqual(states, [
            "pulling manifest", f"pulling {DIGEST[:12]}",
            "verifying sha256 digest", "writing manifest", "success"])
        pulling = [line for line in lines if "digest" in line]
        self.assertEqual({line["digest"] for line in pulling},
                         {f"sha256:{DIGEST}"})
        self.assertEqual({line["total"] for line in pulling}, {len(GGUF)})
        self.assertEqual(pulling[-1]["completed"], len(GGUF))
        self.assertGreater(len(pulling), 2)
        with urllib.request.urlopen(url + "/api/tags") as reply:
            tags = json.load(reply)["models"]
        self.assertEqual(tags[0]["digest"], DIGEST)
        with self.post(url, "/api/generate", {
                "model": REPO, "prompt": "the", "raw": True, "stream": False,
                "options": {"num_predict": 2}}) as reply:
            self.assertTrue(json.load(reply)["done"])
        ps = self.good("ps", "--url", url)
        self.assertIn(f"{REPO}:Q4_0", ps)
        self.assertIn("UNTIL", ps)
        with self.post(url, "/api/copy", {"source": REPO,
                                          "destination": "twin"}):
            pass
        with self.post(url, "/api/delete", {"model": f"{REPO}:Q4_0"},
                       "DELETE") as reply:
            self.assertEqual(reply.status, 200)
        self.assertIn("gemma3", self.good("show", "twin"))
        with self.post(url, "/api/delete", {"model": "twin"}, "DELETE"):
            pass
        self.assertEqual(list(self.models.rglob("*.gguf")), [])

    def test_errors_have_their_status_or_their_line(self):
        url = self.serve("--allow-pull")
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.post(url, "/api/pull", {"model": "nonsense"})
        self.assertEqual(caught.exception.code, 404)
        self.hub.repos[REPO].gated = True
        with self.post(url, "/api/pull", {"model": REPO}) as reply:
            last = json.loads(reply.read().splitlines()[-1])
        self.assertIn("licence", last["error"])
        with self.assertRaises(urllib.error.HTTPError) as caught:
            self.post(url, "/api/pull", {"model": REPO, "stream": False})
        self.assertEqual(caught.exception.code, 403)

    def test_two_clients_share_one_download(self):
        url = self.serve("--allow-pull")
        self.hub.fail("cdn", DIGEST, fake_hub.drip(30, 0.1))
        ends = []

        def pull():
            with self.post(url, "/api/pull", {"model": REPO}) as reply:
                ends.append(json.loads(reply.read().splitlines()[-1]))

        threads = [threading.Thread(target=pull) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertEqual(ends, [{"status": "success"}] * 3)
        self.assertEqual(len(self.hub.asked("cdn")), 1)

    def test_a_client_that_leaves_ends_it_and_the_next_goes_on(self):
        url = self.serve("--allow-pull")
        self.hub.fail("cdn", DIGEST, fake_hub.drip(400, 0.1))
        reply = self.post(url, "/api/pull", {"model": REPO})
        partial = self.models / "hub/.partial" / DIGEST
        end = time.monotonic() + 60
        while time.monotonic() < end and not (
                partial.exists() and partial.stat().st_size > 0):
            reply.readline()
        reply.close()
        # The lock is free once the download has ended.
        with open(partial, "rb") as file:
            while time.monotonic() < end:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(0.05)
            else:
                self.fail("the download went on")
            size = partial.stat().st_size
        self.assertLess(size, len(GGUF))
        with self.post(url, "/api/pull", {"model": REPO}) as again:
            self.assertIn(b"success", again.read())
        self.assertEqual(self.hub.asked("cdn")[1][2]["Range"],
                         f"bytes={size}-")

    def test_ps_without_a_server_and_with_a_key(self):
        self.assertIn("carat serve", self.bad("ps", "--url",
                                              "http://127.0.0.1:1"))
        keys = self.write("keys", "a-key-of-some-length\n")
        keys.chmod(0o600)
        url = self.serve("--api-key-file", str(keys))
        self.assertIn("key", self.bad("ps", "--url", url))
        done = self.run_carat("ps", "--url", url, "--api-key-file", keys)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"No model", done.stderr)

    def test_options_come_from_a_file_and_the_command_line_wins(self):
        config = self.write("serve.conf", "# comment\nallow-pull = true\n"
                            "MODEL = [\"mine\"]\nport = 1\n"
                            'alias = ["a=mine", "b=mine"]\nlog = "off"\n')
        self.good("pull", "mine", "--from-file", TINY_GGUF)
        url = self.serve("--config", str(config))
        with urllib.request.urlopen(url + "/api/ps") as reply:
            self.assertEqual(json.load(reply)["models"][0]["name"], "mine")
        with self.post(url, "/api/show", {"model": "b"}) as reply:
            self.assertEqual(reply.status, 200)
        with self.post(url, "/api/pull", {"model": REPO}) as reply:
            self.assertIn(b"success", reply.read())

    def test_a_wrong_file_of_options_is_a_usage_error(self):
        for text, word in (("nonsense = 1\n", "nonsense"),
                           ("port = high\n", "port"),
                           ("[serve]\nport = 1\n", "serve.conf"),
                           ("config = \"x\"\n", "config")):
            config = self.write("serve.conf", text)
            self.assertIn(word, self.bad("serve", "--config", config, code=2))
        self.bad("serve", "--config", self.folder / "none", code=2)
