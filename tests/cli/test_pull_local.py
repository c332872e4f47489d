"""carat pull --from-file, and carat rm."""

import json
import os
import pathlib
import pty
import subprocess

from carat_test_case import TINY, TINY_GGUF
from hub_test_case import DIGEST, GGUF, REPO, HubTestCase


class ImportTest(HubTestCase):
    def test_a_file_becomes_a_model_of_its_own(self):
        source = self.write("some file-Q4_0.gguf", GGUF)
        self.write("mmproj-other.gguf", b"GGUFx")
        out = self.good_json("pull", "mine:1", "--from-file", source,
                             "--sha256", DIGEST)
        self.assertEqual(out["files"][0]["sha256"], DIGEST)
        self.assertEqual(len(out["files"]), 1)
        source.write_bytes(b"changed")
        self.assertEqual(pathlib.Path(out["path"]).read_bytes(), GGUF)
        self.assertIn("gemma3", self.good("show", "mine:1"))
        self.assertEqual(self.hub.asked("hub"), [])
        self.good("rm", "-y", "mine:1")
        self.assertEqual([p for p in self.models.rglob("*") if p.is_file()],
                         [])
        self.assertTrue(source.exists())

    def test_a_folder_too_and_a_second_import_replaces_the_first(self):
        out = self.good_json("pull", "my/tiny", "--from-file", TINY)
        first = pathlib.Path(out["path"])
        self.assertTrue((first / "config.json").exists())
        self.assertIn("safetensors", self.good("show", "my/tiny"))
        out = self.good_json("pull", "my/tiny", "--from-file", TINY_GGUF)
        self.assertFalse(first.exists())
        self.assertIn("GGUF", self.good("show", "my/tiny"))
        self.assertEqual(
            len(json.loads(self.good("list", "--json"))["models"]), 1)

    def test_what_is_no_model_is_not_taken(self):
        junk = self.write("junk.gguf", b"GGUF" + bytes(64))
        self.bad("pull", "x", "--from-file", junk)
        self.bad("pull", "x", "--from-file", self.folder / "none.gguf")
        self.bad("pull", "../x", "--from-file", TINY_GGUF)
        self.bad("pull", "x", "--from-file", TINY_GGUF, "--sha256", "0" * 64)
        self.bad("pull", "x", "--from-file", TINY_GGUF, "--quant", "Q4_0",
                 code=2)
        self.assert_nothing_pulled()
        self.assertEqual(list(self.models.glob("hub/.partial/*")), [])


class RmTest(HubTestCase):
    def test_asks_unless_told_not_to(self):
        self.good("pull", REPO)
        self.assertIn("--yes", self.bad("rm", REPO, code=2))
        main, worker = pty.openpty()
        for answer, left in ((b"n\n", 1), (b"y\n", 0)):
            child = subprocess.Popen([self.binary, "rm", REPO], stdin=worker,
                                     stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE,
                                     env=self.environment())
            os.write(main, answer)
            child.communicate(timeout=60)
            models = json.loads(self.good("list", "--json"))["models"]
            self.assertEqual(len(models), left)
        os.close(main)
        os.close(worker)

    def test_touches_nothing_of_other_programs(self):
        other = self.write(".lmstudio/models/a/b/m-Q4_0.gguf", GGUF)
        self.assertIn("LM Studio", self.bad("rm", "-y", "a/b"))
        self.assertTrue(other.exists())

    def test_shared_files_stay_for_the_other_model(self):
        self.hub.repos["google/gemma-3-1b-it-qat-q4_0-gguf"] = (
            self.hub.repos[REPO])
        self.good("pull", "gemma3:1b")
        self.good("pull", "google/gemma-3-1b-it-qat-q4_0-gguf")
        self.good("rm", "-y", "gemma3:1b")
        self.assertIn("gemma3", self.good("show", "gemma-3-1b-it-qat-q4_0-gguf"))
        self.good("rm", "-y", "google/gemma-3-1b-it-qat-q4_0-gguf:Q4_0")
        self.assertEqual(list(self.models.rglob("*.gguf")), [])

    def test_a_file_put_there_by_hand_goes_with_its_parts(self):
        for part in (1, 2):
            self.write(f"models/s-Q4_0-0000{part}-of-00002.gguf", GGUF)
        self.good("rm", "-y", "s-Q4_0")
        self.assertEqual(list(self.models.rglob("*.gguf")), [])
