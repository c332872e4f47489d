"""carat pull, against a hub on this machine."""

import json
import os
import pty
import signal
import subprocess
import threading
import time

import fake_hub
from carat_test_case import TINY
from fake_hub import COMMIT, TOKEN
from hub_test_case import DIGEST, FILE, GGUF, REPO, HubTestCase


class PullTest(HubTestCase):
    def test_pulls_checks_lists_runs_and_removes(self):
        done = self.run_carat("pull", f"hf.co/{REPO}")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{REPO}:Q4_0".encode(), done.stdout)
        self.assertIn(f"{FILE}: 100%".encode(), done.stderr)
        self.assertEqual(self.file_of(FILE).read_bytes(), GGUF)
        listed = json.loads(self.good("list", "--json"))["models"]
        self.assertEqual(len(listed), 1)
        self.assertEqual(listed[0]["name"], f"{REPO}:Q4_0")
        self.assertEqual(listed[0]["revision"], COMMIT)
        self.assertEqual(listed[0]["digest"], DIGEST)
        self.assertIn(COMMIT[:12], self.good("list"))
        for name in (REPO, f"{REPO}:q4_0", "tiny-gguf", f"hf.co/{REPO}:Q4_0"):
            self.assertIn("gemma3", self.good("show", name))
        self.good("run", f"{REPO}:Q4_0", "--raw", "the", "--max-tokens", "2")
        self.assertIn("Deleted", self.good("rm", "--yes", REPO))
        self.assertEqual([p for p in self.models.rglob("*") if p.is_file()],
                         [])

    def test_json_says_what_was_done_and_again_does_nothing(self):
        first = self.good_json("pull", REPO)
        self.assertEqual(first["fetched_bytes"], len(GGUF))
        self.assertEqual(first["files"], [
            {"path": FILE, "bytes": len(GGUF), "sha256": DIGEST}])
        again = self.good_json("pull", REPO)
        self.assertEqual(again["fetched_bytes"], 0)
        self.assertEqual(len(self.hub.asked("cdn")), 1)

    def test_dry_run_fetches_nothing(self):
        plan = self.good_json("pull", REPO, "--dry-run")
        self.assertTrue(plan["dry_run"])
        self.assertEqual(plan["fetched_bytes"], len(GGUF))
        self.assertIn(FILE, self.good("pull", REPO, "--dry-run"))
        self.assertFalse(self.models.exists())

    def test_a_short_name_is_the_models_name(self):
        repo = "google/gemma-4-E2B-it-qat-q4_0-gguf"
        self.hub.repos[repo] = fake_hub.Repo(
            {"gemma-4-E2B_q4_0-it.gguf": GGUF, "mmproj.gguf": b"GGUFtower"},
            lfs={"gemma-4-E2B_q4_0-it.gguf", "mmproj.gguf"})
        out = self.good_json("pull", "Gemma4:E2B-QAT", "--no-mmproj")
        self.assertEqual(out["name"], "gemma4:e2b-qat")
        self.assertEqual(out["quantisation"], "Q4_0")
        self.assertEqual(len(out["files"]), 1)
        self.assertIn("gemma3", self.good("show", "gemma4:e2b-qat"))
        # The tower comes later, the weights do not come again.
        out = self.good_json("pull", "gemma4:e2b-qat")
        self.assertEqual(out["fetched_bytes"], len(b"GGUFtower"))
        self.assertEqual(len(out["files"]), 2)

    def test_an_unknown_short_name_names_those_there_are(self):
        error = self.bad("pull", "gemma9:1t")
        self.assertIn("gemma4:e2b-qat", error)
        self.assertIn("ORG/REPO", error)

    def test_selects_by_quantisation_and_by_file(self):
        other = GGUF + bytes(32)
        self.hub.repos[REPO] = fake_hub.Repo(
            {"m-Q4_0.gguf": GGUF, "m-Q8_0.gguf": other, "sub/m-BF16.gguf": GGUF},
            lfs={"m-Q4_0.gguf", "m-Q8_0.gguf", "sub/m-BF16.gguf"})
        for selector, file in (("q8_0", "m-Q8_0.gguf"),
                               ("m-Q4_0.gguf", "m-Q4_0.gguf"),
                               ("sub/m-BF16.gguf", "sub/m-BF16.gguf")):
            plan = self.good_json("pull", f"{REPO}:{selector}", "--dry-run")
            self.assertEqual([f["path"] for f in plan["files"]], [file])
            plan = self.good_json("pull", REPO, "--quant", selector,
                                  "--dry-run")
            self.assertEqual([f["path"] for f in plan["files"]], [file])
        # Without a word the kind that most people want.
        plan = self.good_json("pull", REPO, "--dry-run")
        self.assertEqual(plan["files"][0]["path"], "m-Q4_0.gguf")
        self.assertIn("m-Q8_0", self.bad("pull", f"{REPO}:Q3_K_S"))

    def test_all_parts_of_a_series_or_none(self):
        parts = {f"big-Q8_0-0000{i}-of-00002.gguf": GGUF for i in (1, 2)}
        self.hub.repos[REPO] = fake_hub.Repo(parts, lfs=set(parts))
        plan = self.good_json("pull", REPO, "--dry-run")
        self.assertEqual([f["path"] for f in plan["files"]], sorted(parts))
        del self.hub.repos[REPO].files["big-Q8_0-00002-of-00002.gguf"]
        self.assertIn("2", self.bad("pull", REPO))

    def test_a_folder_of_safetensors(self):
        files = {name: (TINY / name).read_bytes() for name in (
            "config.json", "model.safetensors", "tokenizer.json",
            "generation_config.json")}
        files["pytorch_model.bin"] = b"no"
        self.hub.repos["google/tiny"] = fake_hub.Repo(
            files, lfs={"model.safetensors"})
        out = self.good_json("pull", "google/tiny")
        self.assertEqual(out["name"], "google/tiny")
        self.assertNotIn("pytorch_model.bin",
                         [f["path"] for f in out["files"]])
        self.assertIn("safetensors", self.good("show", "google/tiny"))
        # Small files are checked, too: by the name that git gives them.
        self.good("rm", "-y", "google/tiny")
        self.hub.fail("hub", "tokenizer.json", fake_hub.other_bytes)
        self.assertIn("tokenizer.json", self.bad("pull", "google/tiny"))

    def test_the_commit_is_recorded_and_a_revision_can_be_named(self):
        self.good("pull", f"{REPO}@refs/pr/1")
        resolved = [path for _, path, _ in self.hub.asked("hub")
                    if "/resolve/" in path]
        self.assertTrue(all(COMMIT in path for path in resolved), resolved)
        self.assertIn("revision/refs%2Fpr%2F1", self.hub.asked("hub")[0][1])
        error = self.bad("pull", REPO, "--revision", "nope")
        self.assertIn("nope", error)

    def test_a_renamed_repository_is_followed_with_the_token(self):
        self.hub.renamed["old/name"] = REPO
        self.hub.repos[REPO].private = True
        self.good("pull", "old/name", env={"HF_TOKEN": TOKEN})

    def test_on_a_terminal_a_bar_is_drawn(self):
        self.hub.fail("cdn", DIGEST, fake_hub.drip(4, 0.15))
        main, worker = pty.openpty()
        child = subprocess.Popen([self.binary, "pull", REPO], stderr=worker,
                                 stdout=subprocess.PIPE,
                                 env=self.environment())
        os.close(worker)
        shown = b""
        while True:
            try:
                piece = os.read(main, 4096)
            except OSError:
                break
            if not piece:
                break
            shown += piece
        child.stdout.read()
        child.stdout.close()
        self.assertEqual(child.wait(60), 0, shown)
        os.close(main)
        self.assertIn(b"\r", shown)
        self.assertIn(b"[#", shown)


class FailureTest(HubTestCase):
    def test_goes_on_where_a_transfer_broke_off(self):
        half = len(GGUF) // 2
        self.hub.fail("cdn", DIGEST, fake_hub.broken_off(half),
                      fake_hub.broken_off(1000))
        self.good("pull", REPO)
        self.assertEqual(self.file_of(FILE).read_bytes(), GGUF)
        first, second, third = [h for _, _, h in self.hub.asked("cdn")]
        self.assertNotIn("Range", first)
        self.assertEqual(second["Range"], f"bytes={half}-")
        self.assertEqual(third["Range"], f"bytes={half + 1000}-")
        self.assertTrue(second["If-Range"].startswith('"'))

    def test_a_later_run_goes_on_too(self):
        half = len(GGUF) // 2
        self.hub.fail("cdn", DIGEST, fake_hub.broken_off(half))
        error = self.bad("pull", REPO, "--retries", "0")
        self.assertIn("goes on", error)
        self.assert_nothing_pulled()
        out = self.good_json("pull", REPO)
        self.assertEqual(out["fetched_bytes"], len(GGUF) - half)
        self.assertEqual(self.hub.asked("cdn")[1][2]["Range"],
                         f"bytes={half}-")

    def test_content_that_changed_meanwhile_comes_whole(self):
        partial = self.models / "hub/.partial" / DIGEST
        partial.parent.mkdir(parents=True)
        partial.write_bytes(GGUF[:1000])
        partial.with_suffix(".etag").write_text('"older"')
        self.good("pull", REPO)
        headers = self.hub.asked("cdn")[0][2]
        self.assertEqual(headers["If-Range"], '"older"')
        self.assertEqual(self.file_of(FILE).read_bytes(), GGUF)

    def test_damage_of_an_earlier_run_is_repaired(self):
        partial = self.models / "hub/.partial" / DIGEST
        partial.parent.mkdir(parents=True)
        partial.write_bytes(bytes(1000))
        self.good("pull", REPO)
        self.assertEqual(self.file_of(FILE).read_bytes(), GGUF)

    def test_too_long_a_rest_of_an_earlier_run_is_thrown_away(self):
        partial = self.models / "hub/.partial" / DIGEST
        partial.parent.mkdir(parents=True)
        partial.write_bytes(GGUF + b"more")
        self.good("pull", REPO)
        self.assertEqual(self.file_of(FILE).read_bytes(), GGUF)

    def test_wrong_bytes_never_become_a_model(self):
        self.hub.fail("cdn", DIGEST, fake_hub.other_bytes)
        self.assertIn(DIGEST, self.bad("pull", REPO))
        self.assert_nothing_pulled()
        self.assertEqual(list(self.models.glob("hub/org/**/*.gguf")), [])
        self.good("pull", REPO)

    def test_a_wrong_length_is_an_error(self):
        self.hub.repos[REPO].listing[FILE] = {
            "size": 1000, "lfs": {"sha256": DIGEST, "size": 1000}}
        self.assertIn("1000", self.bad("pull", REPO))

    def test_busy_and_broken_servers_are_asked_again(self):
        self.hub.fail("hub", "/api/", fake_hub.status(429, Retry_After="1"),
                      fake_hub.status(500), fake_hub.status(503))
        self.hub.fail("cdn", DIGEST, fake_hub.status(502),
                      fake_hub.status(403))  # its signature has expired
        start = time.monotonic()
        self.good("pull", REPO)
        self.assertGreaterEqual(time.monotonic() - start, 1)
        self.assertEqual(len(self.hub.asked("cdn")), 3)
        # Each attempt asks the hub for a new address.
        resolved = [p for _, p, _ in self.hub.asked("hub") if "/resolve/" in p]
        self.assertEqual(len(resolved), 3)

    def test_who_asks_for_too_much_patience_is_not_waited_for(self):
        self.hub.fail("hub", "/api/", fake_hub.status(429, Retry_After="7200"))
        self.assertIn("7200", self.bad("pull", REPO))

    def test_gives_up_with_the_last_reason(self):
        self.hub.fail("hub", "/api/", *[fake_hub.status(503)] * 3)
        error = self.bad("pull", REPO, "--retries", "1")
        self.assertIn("503", error)
        self.assertIn("2 attempts", error)

    def test_a_connection_without_bytes_is_given_up(self):
        event = threading.Event()
        self.addCleanup(event.set)
        self.hub.fail("hub", "/api/", fake_hub.stuck(event))
        self.good("pull", REPO, "--timeout", "1")

    def test_slow_drips_arrive(self):
        self.hub.fail("cdn", DIGEST, fake_hub.drip(12, 0.1))
        self.good("pull", REPO)
        self.assertEqual(len(self.hub.asked("cdn")), 1)

    def test_nobody_listens(self):
        error = self.bad("pull", REPO, "--retries", "1",
                         env={"HF_ENDPOINT": "http://127.0.0.1:1"})
        self.assertIn("127.0.0.1", error)

    def test_an_interrupt_keeps_what_has_come(self):
        event = threading.Event()
        self.addCleanup(event.set)
        self.hub.fail("cdn", DIGEST, fake_hub.drip(1000, 0.05))
        child = subprocess.Popen([self.binary, "pull", REPO],
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE,
                                 env=self.environment())
        partial = self.models / "hub/.partial" / DIGEST
        end = time.monotonic() + 60
        while time.monotonic() < end and not (
                partial.exists() and partial.stat().st_size > 0):
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
        self.assertEqual(child.returncode, 130, errors)
        self.assertIn(b"kept", errors)
        self.assertGreater(partial.stat().st_size, 0)
        out = self.good_json("pull", REPO)
        self.assertLess(out["fetched_bytes"], len(GGUF))

    def test_what_nobody_goes_on_with_goes(self):
        partial = self.models / "hub" / ".partial"
        self.write("models/hub/.partial/old", b"x" * 3000)
        self.write("models/hub/.partial/old.etag", b'"x"')
        self.write("models/hub/.partial/new", b"x" * 2000)
        os.utime(partial / "old", (1, 1))
        self.assertIn("2 unfinished", self.run_carat("list").stderr.decode())
        notes = json.loads(self.good("list", "--json"))["notes"]
        self.assertEqual(len([n for n in notes if "rm --partial" in n]), 1)
        done = self.run_carat("pull", REPO)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"Deleted what 1 unfinished", done.stderr)
        self.assertEqual([p.name for p in partial.iterdir()], ["new"])
        self.bad("rm", "--partial", code=2)  # nobody can be asked
        self.assertIn("Deleted 1 unfinished",
                      self.good("rm", "--partial", "--yes"))
        self.assertEqual(list(partial.iterdir()), [])
        self.assertEqual(self.good("rm", "--partial", "--yes"), "")
        self.bad("rm", "--yes", code=2)
        self.assertEqual(self.file_of(FILE).read_bytes(), GGUF)

    def test_two_processes_share_one_file(self):
        self.hub.fail("cdn", DIGEST, fake_hub.drip(20, 0.05))
        children = [subprocess.Popen(
            [self.binary, "pull", REPO, "--json"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, env=self.environment())
            for _ in range(2)]
        fetched = [json.loads(c.communicate(timeout=60)[0])["fetched_bytes"]
                   for c in children]
        self.assertEqual([c.returncode for c in children], [0, 0])
        self.assertEqual(self.file_of(FILE).read_bytes(), GGUF)
        self.assertEqual(len(self.hub.asked("cdn")), 1, fetched)

    def test_a_full_disk_is_seen_before_the_first_byte(self):
        huge = 1 << 43
        self.hub.repos[REPO].listing[FILE] = {
            "size": huge, "lfs": {"sha256": DIGEST, "size": huge}}
        error = self.bad("pull", REPO)
        self.assertIn("8192.00 GiB", error)
        self.assertIn("free", error)
        self.assertEqual(self.hub.asked("cdn"), [])

    def test_what_carat_cannot_read_is_not_kept(self):
        junk = b"GGUF" + bytes(100)
        self.hub.repos[REPO] = fake_hub.Repo({FILE: junk}, lfs={FILE})
        self.assertIn("cannot read it", self.bad("pull", REPO))
        self.assert_nothing_pulled()
        self.assertEqual([p for p in self.models.rglob("*") if p.is_file()],
                         [])
