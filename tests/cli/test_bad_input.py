"""Files and arguments that are wrong: one clear error, never a crash."""

import random
import unittest

from carat_test_case import TINY, TINY_GGUF, CaratTestCase


class BadModelTest(CaratTestCase):
    def error(self, path, *options):
        return self.bad("run", path, "--raw", "the", "--max-tokens", "1",
                        *options)

    def damaged_gguf(self, old, new, count=1):
        """The tiny GGUF with bytes replaced by as many others."""
        self.assertEqual(len(old), len(new))
        whole = TINY_GGUF.read_bytes()
        self.assertIn(old, whole)
        return self.write("damaged.gguf", whole.replace(old, new, count))

    def test_wrong_path(self):
        missing = self.folder / "missing.gguf"
        self.assertIn(str(missing), self.error(missing))
        self.assertIn("nonesuch", self.error("nonesuch"))

    def test_a_folder_without_a_model(self):
        self.assertIn(str(self.folder), self.error(self.folder))

    def test_not_a_model_at_all(self):
        self.error(self.write("text.gguf", "just text\n" * 100))
        self.error(self.write("empty.gguf", ""))

    def test_truncated_gguf_wherever_it_is_cut(self):
        whole = TINY_GGUF.read_bytes()
        dice = random.Random(1)
        cuts = [1, 4, 8, 23, 24, 100, len(whole) // 2, len(whole) - 1]
        cuts += [dice.randrange(len(whole)) for _ in range(10)]
        for cut in cuts:
            with self.subTest(cut=cut):
                self.error(self.write("cut.gguf", whole[:cut]))

    def test_truncated_safetensors(self):
        folder = self.copy_tiny()
        weights = folder / "model.safetensors"
        whole = weights.read_bytes()
        for cut in (0, 7, 8, 50, len(whole) // 2, len(whole) - 1):
            with self.subTest(cut=cut):
                weights.write_bytes(whole[:cut])
                self.assertIn("safetensors", self.error(folder))

    def test_unknown_architecture_names_it_and_the_known_ones(self):
        path = self.damaged_gguf(b"\x06\0\0\0\0\0\0\0gemma3",
                                 b"\x06\0\0\0\0\0\0\0llamax")
        message = self.error(path)
        self.assertIn("llamax", message)
        self.assertIn("gemma3", message)
        self.assertIn("gemma4", message)
        folder = self.copy_tiny(model_type="llamax",
                                architectures=["LlamaxForCausalLM"])
        self.assertIn("llamax", self.error(folder).lower())

    def test_missing_tensor_is_named(self):
        path = self.damaged_gguf(b"blk.0.attn_q.weight",
                                 b"blk.0.attn_X.weight")
        self.assertIn("blk.0.attn_q.weight", self.error(path))

    def test_wrong_shape_says_expected_and_found(self):
        message = self.error(self.copy_tiny(intermediate_size=96))
        self.assertIn("96", message)
        self.assertIn("64", message)

    def test_nonsense_in_config(self):
        for changes in ({"hidden_size": 0}, {"hidden_size": -64},
                        {"num_hidden_layers": 10**9},
                        {"num_attention_heads": "four"},
                        {"head_dim": 2**40}, {"sliding_window": -1},
                        {"rms_norm_eps": None, "vocab_size": [1]}):
            with self.subTest(changes=changes):
                folder = self.copy_tiny(**changes)
                self.error(folder)
                for file in folder.iterdir():
                    file.unlink()
                folder.rmdir()

    def test_config_that_is_no_json(self):
        folder = self.copy_tiny()
        (folder / "config.json").write_text('{"model_type": ')
        self.assertIn("config.json", self.error(folder))

    def test_tokenizer_that_is_no_json(self):
        folder = self.copy_tiny()
        (folder / "tokenizer.json").write_text("[")
        self.error(folder)

    def test_context_beyond_the_models(self):
        self.assertIn("512", self.error(TINY, "--ctx", "100000"))

    def test_prompt_longer_than_the_context(self):
        message = self.bad("run", TINY, "--raw", "the rain " * 100, "--ctx",
                           "64")
        self.assertIn("64", message)
        self.assertIn("context", message)

    def test_unknown_chat_format_lists_the_known(self):
        message = self.bad("run", TINY, "hi", "--chat-format", "pirate")
        self.assertIn("pirate", message)
        self.assertIn("gemma3", message)

    def test_every_command_refuses_a_bad_file_in_the_same_way(self):
        path = self.write("bad.gguf", b"GGUF\x03\0\0\0" + b"\xff" * 64)
        text = self.write("text.txt", "the rain")
        for command in (["show", path], ["tokenize", path, "x"],
                        ["score", path, text], ["bench", path],
                        ["chat", path], ["run", path, "x"]):
            with self.subTest(command=command):
                self.bad(*command)

    def test_random_damage_never_crashes(self):
        whole = bytearray(TINY_GGUF.read_bytes())
        dice = random.Random(7)
        # The header and metadata; damaged weights are just other numbers.
        for _ in range(25):
            damaged = bytearray(whole)
            for _ in range(dice.randint(1, 6)):
                damaged[dice.randrange(min(12000, len(damaged)))] = (
                    dice.randrange(256))
            path = self.write("random.gguf", bytes(damaged))
            done = self.run_carat("show", path)
            self.assertIn(done.returncode, (0, 1))

    def test_json_errors_stay_on_stderr(self):
        done = self.run_carat("show", self.folder / "missing.gguf", "--json")
        self.assertEqual(done.stdout, b"")
        self.assertNotEqual(done.returncode, 0)


class HostileNameTest(CaratTestCase):
    def test_control_characters_do_not_reach_the_terminal(self):
        done = self.run_carat("run", "\x1b[31mred\nline", "hi")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.count(b"\n"), 1)

    def test_very_long_name(self):
        self.bad("run", "x" * 5000, "hi")

    def test_tensor_names_are_escaped_in_show(self):
        whole = TINY_GGUF.read_bytes()
        path = self.write("names.gguf", whole.replace(
            b"blk.0.attn_q.weight", b"blk.0.attn_\x1b.weight", 1))
        self.run_carat("show", path, "--tensors")


if __name__ == "__main__":
    unittest.main()
