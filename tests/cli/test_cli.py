"""The commands, run as a person or a script runs them.

    CARAT_BIN=build/release/carat python3 -m unittest discover -s tests/cli

CARAT_TEST_MODEL may name a real model for the tests that need a slow one.
"""

import json
import os
import signal
import subprocess
import time
import unittest

from carat_test_case import CHAT, TINY, TINY_GGUF, CaratTestCase

REAL = os.environ.get("CARAT_TEST_MODEL")
TEXT = "the rain in the thin air is here and on it the hare ran\n"


class HelpTest(CaratTestCase):
    COMMANDS = ["run", "chat", "show", "list", "pull", "rm", "ps", "tokenize",
                "render", "parse", "score", "bench", "doctor", "version"]

    def test_every_command_explains_itself_with_examples(self):
        top = self.good("--help")
        for command in self.COMMANDS:
            self.assertIn(command, top)
            text = self.good(command, "--help")
            self.assertIn("Example", text)
            self.assertIn(f"carat {command}", text)

    def test_no_command_shows_help_and_is_a_usage_error(self):
        done = self.run_carat()
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"Examples:", done.stderr)

    def test_usage_errors_exit_with_2_and_point_to_help(self):
        for arguments in (["frobnicate"], ["run"],
                          ["run", TINY, "hi", "--nonsense"],
                          ["run", TINY, "hi", "--temp", "warm"],
                          ["run", TINY, "hi", "--threads", "0"],
                          ["run", TINY, "hi", "--logprobs", "2"],
                          ["run", TINY, "hi", "--raw", "--system", "x"],
                          ["show", TINY, "--kv", "f8"]):
            self.assertIn("--help", self.bad(*arguments, code=2), arguments)

    def test_version(self):
        self.assertRegex(self.good("--version"), r"^carat \d+\.\d+")
        self.assertIn("compiler", self.good_json("version"))


class RunTest(CaratTestCase):
    def test_continues_a_text_and_times_it_on_stderr(self):
        done = self.run_carat("run", TINY, "--raw", "the rain",
                              "--max-tokens", "12", "--temp", "0")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.endswith(b"\n"))
        lines = done.stderr.decode().splitlines()
        self.assertEqual(len(lines), 1)
        self.assertRegex(lines[0], r"prompt \d+ tokens.*tokens/s.*answer \d+ "
                         r"tokens.*tokens/s.*first token after")

    def test_quiet_says_nothing_on_stderr(self):
        done = self.run_carat("run", TINY, "--raw", "the", "--quiet",
                              "--max-tokens", "4")
        self.assertEqual(done.stderr, b"")

    def test_same_seed_same_text_and_another_seed_another(self):
        def text(seed):
            return self.good("run", TINY, "--raw", "the rain", "--seed", seed,
                             "--max-tokens", "40", "--ignore-end")

        self.assertEqual(text(5), text(5))
        self.assertNotEqual(text(5), text(6))

    def test_json_has_text_usage_timings_and_seed(self):
        arguments = ["run", TINY, "--raw", "the rain", "--temp", "0",
                     "--max-tokens", "12", "--ignore-end"]
        out = self.good_json(*arguments)
        plain = self.good(*arguments)
        self.assertEqual(plain.rstrip("\n"), out["text"].rstrip("\n"))
        self.assertEqual(out["finish_reason"], "max_tokens")
        self.assertEqual(out["usage"]["output_tokens"], 12)
        self.assertGreater(out["usage"]["prompt_tokens"], 1)
        self.assertGreater(out["timings"]["first_token_ms"], 0)
        self.assertIn("seed", out)

    def test_logprobs_come_with_each_token(self):
        out = self.good_json("run", TINY, "--raw", "the rain", "--temp", "0",
                             "--max-tokens", "6", "--logprobs", "3",
                             "--ignore-end")
        self.assertEqual(len(out["logprobs"]), 6)
        for token in out["logprobs"]:
            self.assertLessEqual(token["logprob"], 0)
            self.assertEqual(len(token["top"]), 3)
            best = [t["logprob"] for t in token["top"]]
            self.assertEqual(best, sorted(best, reverse=True))
            self.assertEqual(token["id"], token["top"][0]["id"])

    def test_piped_text_is_put_behind_the_prompt(self):
        def tokens(prompt, stdin):
            out = self.good_json("run", TINY, "--raw", *prompt,
                                 "--max-tokens", "1", stdin=stdin)
            return out["usage"]["prompt_tokens"]

        self.assertEqual(tokens(["the"], "rain"), tokens(["the\n\nrain"], ""))
        self.assertEqual(tokens([], "the rain"), tokens(["the", "rain"], ""))

    def test_no_prompt_is_a_usage_error(self):
        self.assertIn("no prompt", self.bad("run", TINY, code=2))

    def test_stop_string_is_neither_shown_nor_passed(self):
        arguments = ["run", TINY, "--raw", "the rain", "--temp", "0",
                     "--max-tokens", "60", "--ignore-end"]
        whole = self.good_json(*arguments)["text"]
        stop = whole[len(whole) // 2:][:3]
        out = self.good_json(*arguments, "--stop", stop)
        self.assertEqual(out["text"], whole[:whole.index(stop)])
        self.assertEqual(out["finish_reason"], "stop_string")
        self.assertEqual(out["stop_string"], stop)

    def test_logit_bias_forbids_a_token(self):
        arguments = ["run", TINY, "--raw", "the rain", "--temp", "0",
                     "--max-tokens", "1", "--logprobs", "0", "--ignore-end"]
        first = self.good_json(*arguments)["logprobs"][0]["id"]
        other = self.good_json(*arguments, "--logit-bias", f"{first}=-100")
        self.assertNotEqual(other["logprobs"][0]["id"], first)
        for bias, named in (("much", "ID=VALUE"), ("100000=1", "100000")):
            self.assertIn(named, self.bad("run", TINY, "--raw", "the",
                                          "--logit-bias", bias))

    def test_bad_sampling_values_are_named(self):
        for option, value in (("--temp", "-1"), ("--top-p", "1.5"),
                              ("--min-p", "2"), ("--repeat-penalty", "0")):
            message = self.bad("run", TINY, "--raw", "the", option, value)
            self.assertIn(value, message)

    def test_answers_a_message_in_the_chat_format(self):
        out = self.good_json("run", TINY, *CHAT, "the rain", "--system", "on",
                             "--max-tokens", "5")
        raw = self.good_json("run", TINY, "--raw", "the rain", "--max-tokens",
                             "5")
        self.assertGreater(out["usage"]["prompt_tokens"],
                           raw["usage"]["prompt_tokens"])

    def test_base_model_says_once_that_it_continues_text(self):
        done = self.run_carat("run", TINY, "--chat-format", "none", "the",
                              "--max-tokens", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count(b"base model"), 1)
        self.assertIn("--system", self.bad(
            "run", TINY, "--chat-format", "none", "the", "--system", "x"))

    def test_reads_gguf_as_well(self):
        self.assertTrue(self.good("run", TINY_GGUF, "--raw", "the",
                                  "--max-tokens", "3", "--ignore-end"))

    def test_threads_do_not_change_the_text(self):
        texts = {self.good("run", TINY_GGUF, "--raw", TEXT, "--seed", "1",
                           "--max-tokens", "30", "--threads", n)
                 for n in (1, 2, 3)}
        self.assertEqual(len(texts), 1)

    def test_closed_pipe_ends_quietly(self):
        with subprocess.Popen(
                [self.binary, "run", str(TINY), "--raw", "the", "--quiet",
                 "--ignore-end", "--max-tokens", "400"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=self.environment()) as process:
            process.stdout.close()
            errors = process.stderr.read()
            self.assertEqual(process.wait(60), 0)
        self.assertEqual(errors, b"")

    @unittest.skipUnless(REAL, "needs CARAT_TEST_MODEL")
    def test_ctrl_c_stops_the_answer(self):
        with subprocess.Popen(
                [self.binary, "run", REAL, "--raw", "Once upon a time",
                 "--ignore-end", "--max-tokens", "5000"],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, env=self.environment()) as process:
            self.assertTrue(process.stdout.read(5))
            process.send_signal(signal.SIGINT)
            start = time.monotonic()
            _, errors = process.communicate(timeout=60)
            self.assertLess(time.monotonic() - start, 5)
            self.assertEqual(process.returncode, 130)
        self.assertIn(b"tokens/s", errors)
        self.assertNotIn(b"error", errors)

    @unittest.skipUnless(REAL, "needs CARAT_TEST_MODEL")
    def test_real_model_goes_on_sensibly(self):
        text = self.good("run", REAL, "--raw", "One, two, three, four,",
                         "--temp", "0", "--max-tokens", "5")
        self.assertIn("five, six", text)


class TokenizeTest(CaratTestCase):
    def ids(self, text):
        return [int(i) for i in self.good("tokenize", TINY, text).split()]

    def test_text_to_ids_and_back(self):
        for text in ("the rain", "  two  spaces", "line\n\nbreak", "é日🙂",
                     "<end_of_turn>"):
            ids = self.ids(text)
            self.assertEqual(self.good("tokenize", TINY, "--ids",
                                       ",".join(map(str, ids))), text + "\n")

    def test_control_tokens_only_when_asked_for(self):
        plain = self.ids("<end_of_turn>")
        self.assertGreater(len(plain), 1)
        special = self.good_json("tokenize", TINY, "<end_of_turn>",
                                 "--special")
        self.assertEqual(special["count"], 1)
        self.assertEqual(special["pieces"], ["<end_of_turn>"])

    def test_bos_and_stdin_and_pieces(self):
        ids = self.ids("the rain")
        with_bos = self.good_json("tokenize", TINY, "--bos", stdin="the rain")
        self.assertEqual(with_bos["ids"], [2] + ids)
        lines = self.good("tokenize", TINY, "--pieces", "the rain").splitlines()
        self.assertEqual([int(l.split("\t")[0]) for l in lines], ids)

    def test_batch_both_ways(self):
        texts = ["the rain", "", "a\nb", "\"quoted\"", "日本"]
        out = self.good("tokenize", TINY, "--lines",
                        stdin="".join(json.dumps(t) + "\n" for t in texts))
        ids = [json.loads(line) for line in out.splitlines()]
        self.assertEqual(ids, [self.ids(t) if t else [] for t in texts])
        back = self.good("tokenize", TINY, "--decode-lines", stdin=out)
        self.assertEqual([json.loads(l) for l in back.splitlines()], texts)

    def test_batch_takes_bytes_that_are_no_text(self):
        out = self.good("tokenize", TINY, "--lines", stdin='{"hex":"ff00c3"}\n')
        self.assertEqual(len(json.loads(out)), 3)

    def test_batch_names_the_bad_line(self):
        for line in ("{", "7", '{"hex":"0"}', '{"hex":"zz"}'):
            done = self.run_carat("tokenize", TINY, "--lines",
                                  stdin='"a"\n' + line + "\n")
            self.assertEqual(done.returncode, 1)
            self.assertIn(b"line 2", done.stderr)
            self.assertEqual(done.stdout.count(b"\n"), 1)

    def test_ids_that_do_not_exist(self):
        for ids in ("99999", "-1", "2,x"):
            self.bad("tokenize", TINY, f"--ids={ids}")


class ShowTest(CaratTestCase):
    def test_text_names_what_matters(self):
        text = self.good("show", TINY)
        for word in ("gemma3", "layers", "sliding over 16", "context",
                     "licence", "chat format", "embedding", "attention",
                     "Memory at 512 tokens", "weights", "total"):
            self.assertIn(word, text)

    def test_json_adds_up(self):
        out = self.good_json("show", TINY, "--tensors")
        memory = out["memory"]
        parts = ("weights_bytes", "kv_bytes", "scratch_bytes",
                 "tokenizer_bytes", "program_bytes")
        self.assertEqual(memory["total_bytes"], sum(memory[p] for p in parts))
        self.assertEqual(memory["kv_bytes"],
                         sum(g["bytes"] for g in memory["kv_groups"]))
        self.assertEqual(out["parameters"],
                         sum(g["elements"] for g in out["groups"]))
        self.assertEqual(out["vocab"], 384)
        self.assertIn("completion", out["capabilities"])
        names = [t["name"] for t in out["tensors"]]
        self.assertIn("model.embed_tokens.weight", names)

    def test_context_and_cache_type_change_the_memory(self):
        def kv(*options):
            return self.good_json("show", TINY, *options)["memory"]["kv_bytes"]

        self.assertLess(kv("--ctx", "64"), kv("--ctx", "512"))
        self.assertEqual(kv("--kv", "f32"), 2 * kv())
        # Heads of 16: a byte each and one 16-bit scale.
        self.assertEqual(32 * kv("--kv", "q8"), 18 * kv())

    def test_quantisation_of_gguf(self):
        out = self.good_json("show", TINY_GGUF)
        self.assertEqual(out["quantisation"], "Q4_0")
        self.assertEqual(out["format"], "GGUF")


class ScoreTest(CaratTestCase):
    def setUp(self):
        super().setUp()
        self.text = self.write("text.txt", TEXT * 6)

    def test_perplexity_over_windows(self):
        out = self.good_json("score", TINY, self.text, "--ctx", "32")
        self.assertGreater(out["perplexity"], 1)
        self.assertGreater(out["windows"], 2)
        self.assertEqual(out["scored_tokens"], 31 * out["windows"])
        first = self.good_json("score", TINY, self.text, "--ctx", "32",
                               "--windows", "1")
        self.assertEqual(first["scored_tokens"], 31)
        self.assertIn("perplexity", self.good("score", TINY, self.text))

    def test_a_model_agrees_with_its_own_dump_to_the_bit(self):
        dump = self.folder / "logits.bin"
        self.good("score", TINY, self.text, "--ctx", "24", "--windows", "2",
                  "--dump-logits", dump)
        self.assertEqual(dump.stat().st_size,
                         16 + 2 * (4 + 24 * 4 + 24 * 384 * 4))
        for extra in ([], [self.text]):
            out = self.good_json("score", TINY, *extra, "--reference", dump)
            reference = out["reference"]
            self.assertEqual(reference["max_logit_difference"], 0)
            self.assertEqual(reference["mean_kl"], 0)
            self.assertEqual(reference["top1_agreement"], 1)
            self.assertEqual(reference["perplexity"], out["perplexity"])

    def test_quantisation_shows_as_divergence(self):
        dump = self.folder / "logits.bin"
        self.good("score", TINY, self.text, "--ctx", "24",
                  "--dump-logits", dump)
        out = self.good_json("score", TINY_GGUF, "--reference", dump)
        self.assertGreater(out["reference"]["mean_kl"], 0)
        self.assertGreater(out["reference"]["max_kl"],
                           out["reference"]["mean_kl"])
        self.assertGreater(out["reference"]["max_logit_difference"], 0)

    def test_another_text_is_not_the_dumps(self):
        dump = self.folder / "logits.bin"
        self.good("score", TINY, self.text, "--ctx", "16", "--windows", "1",
                  "--dump-logits", dump)
        other = self.write("other.txt", "on and on and on and on\n" * 9)
        self.assertIn("differ", self.bad("score", TINY, other, "--reference",
                                         dump))

    def test_records(self):
        records = self.folder / "records.bin"
        out = self.good_json("score", TINY, self.text, "--ctx", "32",
                             "--records", records)
        self.assertEqual(records.stat().st_size, 16 * out["scored_tokens"])
        again = self.good_json("score", TINY, self.text, "--ctx", "32",
                               "--reference-records", records)
        self.assertEqual(again["reference_records"]["top1_agreement"], 1)
        self.assertLess(
            again["reference_records"]["max_logprob_difference"], 1e-6)
        self.bad("score", TINY, self.text, "--ctx", "16",
                 "--reference-records", records)

    def test_ids_instead_of_text(self):
        ids = self.write("ids.txt", " ".join(map(str, range(60, 100))))
        out = self.good_json("score", TINY, ids, "--ids", "--ctx", "41")
        self.assertEqual(out["scored_tokens"], 40)
        self.bad("score", TINY, self.write("bad.txt", "1 2 x"), "--ids")
        self.bad("score", TINY, self.write("bad.txt", "1 99999"), "--ids")

    def test_damaged_dumps_are_refused(self):
        dump = self.folder / "logits.bin"
        self.good("score", TINY, self.text, "--ctx", "16", "--windows", "1",
                  "--dump-logits", dump)
        whole = dump.read_bytes()
        broken = [b"", whole[:12], whole[:20], whole[:-1], whole + b"x",
                  b"X" + whole[1:], whole[:8] + b"\xff" * 8 + whole[16:],
                  whole[:16] + b"\xff" * 4 + whole[20:]]
        for content in broken:
            self.bad("score", TINY, "--reference",
                     self.write("broken.bin", content))

    def test_nothing_to_score(self):
        self.bad("score", TINY, self.write("empty.txt", ""))
        self.bad("score", TINY, self.folder / "missing.txt")
        self.bad("score", TINY, self.folder)
        self.bad("score", TINY, code=2)


class BenchTest(CaratTestCase):
    def test_measures_what_was_asked_for(self):
        out = self.good_json("bench", TINY, "--prefill", "16,64",
                             "--decode-at", "0,32", "--decode-tokens", "4",
                             "--rows", "1,2", "--threads", "1,2", "--repeats",
                             "2")
        # Two rows at the first depth only.
        self.assertEqual(len(out["results"]), 2 * (2 + 3))
        for result in out["results"]:
            self.assertEqual(len(result["seconds"]), 2)
            self.assertGreater(result["tokens_per_second"], 0)
        self.assertEqual([l["threads"] for l in out["loads"]], [1, 2])
        self.assertIn("isa", out)

    def test_table(self):
        text = self.good("bench", TINY, "--prefill", "16", "--decode-at",
                         "none", "--repeats", "1")
        self.assertIn("prefill", text)
        self.assertNotIn("\ndecode", text)

    def test_what_does_not_fit_the_context_is_left_out(self):
        done = self.run_carat("bench", TINY, "--prefill", "16,100000",
                              "--decode-at", "0", "--rows", "1",
                              "--decode-tokens", "2", "--repeats", "1",
                              "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"skipped prefill of 100000", done.stderr)
        out = json.loads(done.stdout)
        self.assertEqual([(r["kind"], r["tokens"]) for r in out["results"]],
                         [("prefill", 16), ("decode", 2)])
        self.assertEqual(len(out["skipped"]), 1)

    def test_compares_with_what_the_machine_can_do(self):
        measure = ["bench", TINY_GGUF, "--prefill", "16", "--decode-at", "0",
                   "--rows", "1,2", "--decode-tokens", "2", "--repeats", "1",
                   "--threads", "1"]
        out = self.good_json(*measure)
        work, peak = out["per_token"], out["machine"][0]
        self.assertGreater(peak["read_bytes_per_second"], 0)
        for result in out["results"]:
            rate = result["tokens_per_second"]
            if result["kind"] == "decode":
                want = (rate / result["rows"] * work["decode_weight_bytes"] /
                        result["read_bytes_per_second"])
            elif peak["int8_operations_per_second"] == 0:
                continue  # plain code has no such limit
            else:
                want = (rate * 2 * work["prefill_multiply_adds"] /
                        peak["int8_operations_per_second"])
            self.assertAlmostEqual(result["share_of_limit"], want, places=6)
        load = out["loads"][0]
        self.assertGreater(load["packed_bytes"], 0)
        self.assertGreater(load["peak_bytes"], load["packed_bytes"])
        out = self.good_json(*measure, "--no-machine")
        self.assertEqual(out["machine"], [])
        prefill, decode = out["results"][:2]
        self.assertNotIn("share_of_limit", prefill)
        self.assertIn("share_of_limit", decode)

    def test_bad_lists(self):
        for value in ("", "x", "1,,2", "-5", "1,"):
            self.bad("bench", TINY, f"--prefill={value}", code=2)


if __name__ == "__main__":
    unittest.main()
