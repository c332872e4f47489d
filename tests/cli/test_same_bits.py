"""The same bits on every instruction set, thread count and cache type.

Logits of whole programs: CARAT_ISA chooses the kernels for all of a process.
"""

import os
import unittest

from carat_test_case import DATA, CaratTestCase

MODELS = ["tiny/gemma3", "tiny/gemma4-e", "tiny/gemma4-dense",
          "tiny/gemma4-moe", "tiny-gguf/gemma3-q8_0.gguf",
          "tiny-gguf/gemma3-q4_0.gguf", "tiny-gguf/gemma4-e-q4_0.gguf",
          "tiny-gguf/gemma4-dense-q4_0.gguf",
          "tiny-gguf/gemma4-moe-q4_0.gguf"]


class SameBitsTest(CaratTestCase):

    def logits(self, model, isa, threads, ids, context):
        out = self.folder / f"{isa}-{threads}.bin"
        self.good("score", model, "-", "--ids", "--ctx", context, "--windows",
                  "1", "--threads", threads, "--dump-logits", out, "--quiet",
                  stdin=" ".join(map(str, ids)), env={"CARAT_ISA": isa},
                  timeout=300)
        return out.read_bytes()

    def sets(self, model):
        report = self.good_json("doctor")
        names = [name for name in ("scalar", "avx2", "avxvnni", "avx512",
                                   "neon", "i8mm") if name in str(report)]
        self.assertIn("scalar", names, f"doctor names no kernels: {report}")
        return names

    def check(self, model, ids, context):
        truth = self.logits(model, "scalar", 1, ids, context)
        self.assertGreater(len(truth), 4 * len(ids))
        for isa in self.sets(model):
            for threads in (1, 3):
                self.assertEqual(
                    truth == self.logits(model, isa, threads, ids, context),
                    True, f"{model}: {isa} with {threads} threads differs "
                    "from scalar")

    def test_tiny_models_give_the_same_logits_on_all_instruction_sets(self):
        ids = [(i * 37 + 11) % 380 + 4 for i in range(60)]
        for model in MODELS:
            with self.subTest(model=model):
                self.check(DATA / model, ids, 48)

    def test_the_real_model_gives_the_same_logits(self):
        model = os.environ.get("CARAT_TEST_MODEL")
        if not model:
            self.skipTest("CARAT_TEST_MODEL names no model")
        ids = [(i * 7919 + 13) % 250000 + 300 for i in range(16)]
        self.check(model, ids, 12)


if __name__ == "__main__":
    unittest.main()
