"""The machine and its files: the packed cache, doctor, list."""

import json
import unittest

from carat_test_case import TINY_GGUF, CaratTestCase


class PackedCacheTest(CaratTestCase):
    def answer(self, *more):
        done = self.run_carat("run", TINY_GGUF, "--raw", "the rain",
                              "--max-tokens", "12", "--temp", "0", "--verbose",
                              *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout, done.stderr.decode()

    def test_the_second_start_maps_what_the_first_has_packed(self):
        plain, notes = self.answer()
        self.assertIn("packed in", notes)
        self.assertNotIn("packed weights", notes)
        first, notes = self.answer("--packed-cache", "on")
        self.assertIn("packed weights written", notes)
        second, notes = self.answer("--packed-cache", "on")
        self.assertIn("packed weights found", notes)
        self.assertEqual([first, second], [plain, plain])
        files = self.good_json("doctor")["packed_cache"]
        self.assertEqual([f["model"] for f in files], [TINY_GGUF.name])
        self.assertIn(TINY_GGUF.name, self.good("doctor"))

    def test_a_damaged_file_is_reported_and_written_anew(self):
        folder = self.folder / "packed"
        plain, _ = self.answer("--packed-cache", folder)
        [path] = folder.iterdir()
        path.write_bytes(path.read_bytes()[:-1])
        again, notes = self.answer("--packed-cache", folder)
        self.assertIn("is ignored", notes)
        self.assertIn("packed weights written", notes)
        self.assertEqual(again, plain)
        self.assertIn("found", self.answer("--packed-cache", folder)[1])

    def test_a_folder_that_cannot_be_used_is_an_error(self):
        file = self.write("file", "x")
        self.assertIn("--packed-cache", self.bad(
            "run", TINY_GGUF, "--raw", "x", "--packed-cache", file / "sub"))

    def test_too_little_room_only_warns(self):
        _, notes = self.answer("--packed-cache", self.folder / "packed",
                               "--packed-cache-size", "1KiB")
        self.assertIn("--packed-cache-size", notes)
        self.assertIn("packed weights failed", notes)


class MachineTest(CaratTestCase):
    def test_doctor_reports_every_topic(self):
        text = self.good("doctor")
        for topic in ("cpu", "kernels", "threads", "memory", "huge pages",
                      "models", "compiler"):
            self.assertIn(topic, text)
        out = self.good_json("doctor")
        self.assertIn(out["isa"], out["supported_isas"])
        for check in out["checks"]:
            self.assertIn(check["status"], ("ok", "warn"))

    def test_doctor_says_when_a_kernel_set_is_impossible(self):
        out = self.good_json("doctor", env={"CARAT_ISA": "imaginary"})
        kernels = [c for c in out["checks"] if c["topic"] == "kernels"][0]
        self.assertEqual(kernels["status"], "warn")
        self.assertIn("imaginary", kernels["hint"])
        out = self.good_json("doctor", env={"CARAT_ISA": "scalar"})
        self.assertEqual(out["isa"], "scalar")


class ListTest(CaratTestCase):
    def add_ollama(self, name, content):
        digest = "ab" * 32
        manifest = {"layers": [{
            "mediaType": "application/vnd.ollama.image.model",
            "digest": "sha256:" + digest}]}
        base = ".ollama/models/"
        model, tag = name.split(":")
        self.write(base + f"manifests/registry.ollama.ai/library/{model}/{tag}",
                   json.dumps(manifest))
        return self.write(base + f"blobs/sha256-{digest}", content)

    def test_lists_models_and_opens_them_by_name(self):
        blob = self.add_ollama("tiny:q4", TINY_GGUF.read_bytes())
        out = self.good_json("list")
        self.assertEqual(len(out["models"]), 1)
        model = out["models"][0]
        self.assertEqual(model["name"], "tiny:q4")
        self.assertEqual(model["path"], str(blob))
        self.assertEqual(model["architecture"], "gemma3")
        self.assertEqual(model["quantisation"], "Q4_0")
        self.assertIn("tiny:q4", self.good("list"))
        self.assertEqual(self.good_json("show", "tiny:q4")["path"], str(blob))
        self.assertIn("tiny:q4", self.bad("run", "tiny:q5", "hi"))

    def test_an_unusable_model_is_listed_as_such(self):
        self.add_ollama("broken:1", b"GGUF and no more")
        self.assertIn("error", self.good_json("list")["models"][0])
        self.assertIn("not usable", self.good("list"))

    def test_nothing_found_is_no_error(self):
        self.assertEqual(self.good_json("list")["models"], [])
        done = self.run_carat("list")
        self.assertEqual(done.returncode, 0)
        self.assertIn(b"No models were found", done.stderr)


if __name__ == "__main__":
    unittest.main()
