"""Thoughts, tools, schemas and grammars on the command line; render, parse."""

import json
import os
import pty
import select
import stat
import subprocess
import sys
import time
import unittest

from carat_test_case import CHAT, DATA, TINY, CaratTestCase

TINY4 = DATA / "tiny" / "gemma4-e"
CHAT4 = ["--chat-format", "gemma4-small"]
MODEL = [TINY4, *CHAT4]
DIM = {"name": "dim", "description": "Dims a lamp", "parameters": {
    "type": "object",
    "properties": {"level": {"type": "integer", "minimum": 0, "maximum": 9},
                   "lamp": {"enum": ["desk", "hall"]}},
    "required": ["level", "lamp"]}}
OFF = {"name": "off", "description": "All off"}


class ShapeTestCase(CaratTestCase):
    def tools(self, *tools, name="tools.json"):
        return self.write(name, json.dumps(list(tools)))

    def ask(self, *options, seed=1, tokens=200):
        return self.good("run", *MODEL, "--quiet", "--seed", seed,
                         "--max-tokens", tokens, "hello", *options)


class RunShapeTest(ShapeTestCase):
    def test_a_required_call_is_one_line_of_json(self):
        tools = self.tools({"type": "function", "function": DIM}, OFF)
        for seed in range(5):
            out = self.ask("--tools", tools, "--tool-choice", "dim", seed=seed)
            for line in out.splitlines():
                call = json.loads(line)
                self.assertEqual(call["name"], "dim")
                self.assertIn(call["arguments"]["level"], range(10))
                self.assertIn(call["arguments"]["lamp"], ("desk", "hall"))
                self.assertTrue(call["id"])

    def test_json_lists_the_calls(self):
        tools = self.write("g.json", json.dumps(
            {"functionDeclarations": [DIM, OFF]}))
        out = self.good_json("run", *MODEL, "--seed", "3", "hello", "--tools",
                             tools, "--tool-choice", "dim,off",
                             "--max-tokens", "300")
        self.assertEqual(out["finish_reason"], "tool_calls")
        self.assertTrue(out["tool_calls"])
        self.assertEqual(out["text"], "")
        for call in out["tool_calls"]:
            self.assertIn(call["name"], ("dim", "off"))
            self.assertIsInstance(call["arguments"], dict)

    def test_no_call_with_choice_none(self):
        tools = self.tools(OFF)
        out = self.good_json("run", *MODEL, "--seed", "3", "hello", "--tools",
                             tools, "--tool-choice", "none",
                             "--max-tokens", "40")
        self.assertEqual(out["tool_calls"], [])

    def test_a_schema_holds_with_and_without_thought(self):
        schema = self.write("s.json", json.dumps(DIM["parameters"]))
        for options in ([], ["--think"], ["--think=20"]):
            value = json.loads(self.ask("--schema", schema, *options))
            self.assertEqual(set(value), {"level", "lamp"})

    def test_a_grammar_holds_with_and_without_thought(self):
        grammar = self.write("g.gbnf", 'root ::= ("ab" | "cd"){2} "!"')
        for options in ([], ["--think=20"]):
            self.assertRegex(self.ask("--grammar", grammar, *options),
                             r"^(ab|cd){2}!\n$")

    def test_a_cut_answer_says_that_it_is_not_complete(self):
        schema = self.write("s.json", json.dumps(DIM["parameters"]))
        done = self.run_carat("run", *MODEL, "hello", "--schema", schema,
                              "--max-tokens", "2")
        self.assertIn(b"not complete", done.stderr)

    def test_thoughts_go_to_stderr_when_asked_for(self):
        # Only a thought and one fixed answer are possible.
        schema = self.write("s.json", '{"const":"done"}')
        shown = []
        for options in ([], ["--show-thoughts"]):
            for seed in range(8):
                done = self.run_carat(
                    "run", *MODEL, "--quiet", "--think=8", "--schema", schema,
                    "--seed", seed, "hello", *options)
                self.assertEqual(done.stdout, b'"done"\n', done.stderr)
                if not options:
                    self.assertEqual(done.stderr, b"")
                shown.append(done.stderr)
        self.assertTrue(any(shown))

    def test_bad_options_are_named(self):
        tools = self.tools(OFF)
        run = ["run", *MODEL, "hello"]
        for options, wanted in (
                (["--think=soon"], "soon"),
                (["--think=-1"], "-1"),
                (["--tools", "/nowhere.json"], "/nowhere.json"),
                (["--tools", self.write("x.json", "{")], "x.json"),
                (["--tools", self.tools(OFF, OFF, name="y.json")], "twice"),
                (["--tools", tools, "--tool-choice", "on"], "'on'"),
                (["--tools", tools, "--tool-choice", ","], "--tool-choice"),
                (["--schema", self.write("a.json", "{")], "schema"),
                (["--schema", self.write(
                    "u.json", '{"type":"array","contains":{}}')], "contains"),
                (["--grammar", self.write("g.gbnf", "root ::= nope")], "nope")):
            self.assertIn(wanted, self.bad(*run, *options))
        for options in (["--tool-choice", "auto"],
                        ["--raw", "--tools", tools],
                        ["--raw", "--think"],
                        ["--schema", tools, "--grammar", tools]):
            self.bad(*run, *options, code=2)

    def test_formats_without_thoughts_or_tools_say_so(self):
        tools = self.tools(OFF)
        run = ["run", TINY, *CHAT, "hello"]
        self.assertIn("no thinking", self.bad(*run, "--think"))
        self.assertIn("no tool calls", self.bad(*run, "--tools", tools))

    def test_bad_commands_in_a_tools_file_are_named(self):
        for extra, wanted in (({"command": "ls"}, "command"),
                              ({"command": []}, "command"),
                              ({"command": [1]}, "command"),
                              ({"command": ["a\0b"]}, "command"),
                              ({"command": ["ls"], "timeout_s": 0},
                               "timeout_s"),
                              ({"command": ["ls"], "max_output_bytes": "x"},
                               "max_output_bytes")):
            message = self.bad("run", *MODEL, "hi", "--tools",
                               self.tools({**OFF, **extra}))
            self.assertIn(wanted, message)
            self.assertIn("off", message)


# How many calls the tiny model makes with seed 1, on every machine.
CALLS = 1


class ChatToolsTest(ShapeTestCase):
    def chat(self, tools, *lines, options=("--allow-tools",)):
        path = self.folder / "saved.json"
        done = self.run_carat(
            "chat", *MODEL, "--max-tokens", "60", "--seed", "1", "--tools",
            tools, "--tool-choice", "dim", *options,
            stdin="\n".join(["hello", *lines, *[f"/save {path}"] * 8]) + "\n")
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        messages = json.loads(path.read_text())["messages"]
        calls = messages[1]["tool_calls"]
        results = [m for m in messages if m["role"] == "tool"]
        self.assertEqual(len(calls), CALLS)
        self.assertGreaterEqual(len(results), CALLS)
        return calls, results, done.stderr.decode()

    def script(self, text):
        path = self.write("tool.py", text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return {**DIM, "command": [sys.executable, str(path), "a b"]}

    def one_call(self, seed_tool, answer):
        """The first call's result when every question gets `answer`."""
        _, results, errors = self.chat(self.tools(seed_tool), *[answer] * CALLS)
        return results[0], errors

    def test_a_consented_command_gets_arguments_and_gives_the_result(self):
        tool = self.script("import json,sys\n"
                           "given = json.load(sys.stdin)\n"
                           "print(json.dumps({'got': given,"
                           " 'argv': sys.argv[1:]}))\n")
        calls, results, errors = self.chat(self.tools(tool), *["y"] * CALLS)
        content = results[0]["content"]
        self.assertEqual(content["got"],
                         json.loads(calls[0]["function"]["arguments"]))
        self.assertEqual(content["argv"], ["a b"])
        self.assertIn("'a b'", errors)  # the exact command was shown
        self.assertIn('"level"', errors)
        self.assertIn("[y/N]", errors)

    def test_nothing_runs_without_a_yes(self):
        mark = self.folder / "mark"
        tool = self.script(f"open({str(mark)!r}, 'w')\n")
        for answer in ("n", "", "yess", "Y!"):
            result, _ = self.one_call(tool, answer)
            self.assertIn("declined", result["content"]["error"])
        self.assertFalse(mark.exists())

    def test_nothing_runs_without_allow_tools(self):
        mark = self.folder / "mark"
        tool = self.script(f"open({str(mark)!r}, 'w')\n")
        _, results, _ = self.chat(self.tools(tool), *["y"] * CALLS, options=())
        self.assertEqual(results[0]["content"], "y")  # typed as the result
        self.assertFalse(mark.exists())

    def test_a_failure_is_a_result_that_says_so(self):
        tool = self.script("import sys\nprint('half')\n"
                           "sys.stderr.write('no lamp')\nsys.exit(3)\n")
        result, _ = self.one_call(tool, "y")
        self.assertEqual(result["content"]["error"], "exit code 3: no lamp")
        self.assertEqual(result["content"]["output"], "half\n")
        result, _ = self.one_call({**DIM, "command": ["/nowhere/tool"]}, "y")
        self.assertIn("cannot be started", result["content"]["error"])

    def test_time_and_output_are_limited(self):
        tool = self.script("import time\nprint('x', flush=True)\n"
                           "time.sleep(60)\n")
        result, _ = self.one_call({**tool, "timeout_s": 1}, "y")
        self.assertIn("after 1 seconds", result["content"]["error"])
        tool = self.script("while True: print('yes ' * 1000)\n")
        result, _ = self.one_call({**tool, "max_output_bytes": 100}, "y")
        self.assertTrue(result["content"].endswith("(cut after 100 bytes)"))
        self.assertLess(len(result["content"]), 130)

    def test_a_program_that_reads_nothing_and_leaves_children_does_not_hang(
            self):
        tool = self.script("import subprocess\n"
                           "subprocess.Popen(['sleep', '50'])\nprint('done')")
        start = time.monotonic()
        result, _ = self.one_call(tool, "y")
        self.assertEqual(result["content"], "done")
        self.assertLess(time.monotonic() - start, 30)

    def test_the_end_of_the_input_ends_the_round(self):
        tool = self.script("print('ran')\n")
        done = self.run_carat("chat", *MODEL, "--max-tokens", "60", "--seed",
                              "1", "--tools", self.tools(tool),
                              "--tool-choice", "dim", "--allow-tools",
                              stdin="hello\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(b"bytes)", done.stderr)

    def test_calls_and_results_survive_save_and_load(self):
        tool = self.script("print('ran')\n")
        self.chat(self.tools(tool), *["y"] * CALLS)
        saved = self.folder / "saved.json"
        again = self.folder / "again.json"
        self.good("chat", *MODEL, stdin=f"/load {saved}\n/save {again}\n")
        self.assertEqual(json.loads(again.read_text()),
                         json.loads(saved.read_text()))


class RenderTest(ShapeTestCase):
    TALK = [{"role": "user", "content": "Hi <bos> <|turn>"}]

    def talk(self, value=None):
        return self.write("talk.json", json.dumps(value or self.TALK))

    def test_prompt_is_exact_with_or_without_a_model(self):
        wanted = ("<bos><|turn>user\nHi <bos> <|turn><turn|>\n"
                  "<|turn>model\n")
        self.assertEqual(self.good("render", *CHAT4, self.talk()), wanted)
        self.assertEqual(self.good("render", *MODEL, self.talk()), wanted)
        self.assertEqual(
            self.good("render", *CHAT4, "-", stdin=json.dumps(self.TALK)),
            wanted)

    def test_segments_tell_control_tokens_from_the_same_text(self):
        out = json.loads(self.good("render", *CHAT4, "--json", self.talk()))
        kinds = {(s["kind"], s["text"]) for s in out["segments"]}
        self.assertIn(("control", "<|turn>"), kinds)
        self.assertIn(("text", "user\nHi <bos> <|turn>"), kinds)
        media = [{"role": "user", "content": [{"type": "image"}]}]
        out = json.loads(self.good("render", *CHAT4, "--json",
                                   self.talk(media)))
        self.assertIn("media", [s["kind"] for s in out["segments"]])

    def test_ids_decode_to_the_prompt_and_text_stays_text(self):
        ids = self.good("render", *MODEL, "--ids", self.talk())
        self.assertEqual(
            self.good("tokenize", TINY4, "--special", "--ids", ids),
            self.good("render", *MODEL, self.talk()) + "\n")
        bos = self.good("tokenize", TINY4, "--special", "<bos>").strip()
        self.assertEqual(ids.split().count(bos), 1)

    def test_worked_examples_come_out_byte_for_byte(self):
        lines = (DATA / "chat" / "examples.jsonl").read_text().splitlines()
        seen = 0
        for line in lines:
            case = json.loads(line)
            if "text" not in case or seen == 8:
                continue
            seen += 1
            out = self.good("render", "--keep-faults", "--chat-format",
                            case["format"], "-", stdin=line)
            self.assertEqual(out, case["text"])
        self.assertEqual(seen, 8)

    def test_options_change_the_prompt(self):
        talk = self.talk()
        self.assertIn("<|think|>", self.good("render", *CHAT4, "--think",
                                             talk))
        self.assertIn("declaration:off", self.good(
            "render", *CHAT4, "--tools", self.tools(OFF), talk))
        self.assertTrue(self.good("render", *CHAT4, "--no-answer",
                                  talk).endswith("<turn|>\n"))
        prefill = self.talk(self.TALK +
                            [{"role": "assistant", "content": "Yes, b"}])
        self.assertTrue(self.good("render", *CHAT4, "--prefill",
                                  prefill).endswith("Yes, b"))

    def test_bad_input_is_named(self):
        self.assertIn("MODEL", self.bad("render", self.talk(), code=2))
        self.assertIn("--ids", self.bad("render", *CHAT4, "--ids",
                                        self.talk(), code=2))
        self.assertIn("gemma4-small", self.bad(
            "render", "--chat-format", "nonsense", self.talk()))
        self.assertIn("king", self.bad("render", *CHAT4, self.write(
            "b.json", '[{"role":"king"}]')))
        self.assertIn("no thinking", self.bad("render", *CHAT, "--think",
                                              self.talk()))

    def test_a_terminal_gets_colours_and_no_foreign_controls(self):
        talk = self.talk([{"role": "user", "content": "a\x1b[2Jb"}])
        terminal, inner = pty.openpty()
        with subprocess.Popen(
                [self.binary, "render", *CHAT4, str(talk)], stdin=inner,
                stdout=inner, stderr=inner, env=self.environment()) as process:
            os.close(inner)
            seen = b""
            while select.select([terminal], [], [], 20)[0]:
                try:
                    more = os.read(terminal, 4096)
                except OSError:  # the other end is closed
                    break
                if not more:
                    break
                seen += more
            self.assertEqual(process.wait(60), 0)
        os.close(terminal)
        self.assertIn(b"\x1b[36m<|turn>\x1b[0m", seen)
        self.assertIn(b"a[2Jb", seen)


class ParseTest(ShapeTestCase):
    def parse(self, text, *options):
        return json.loads(self.good("parse", *MODEL, *options, stdin=text))

    def test_vectors_of_the_specification(self):
        lines = (DATA / "chat" / "vectors.jsonl").read_text().splitlines()
        for vector in map(json.loads, lines):
            options = ["--in-thought"] * (vector["state"] == "thought")
            options += ["--cut"] * (vector["finish"] == "length")
            tools = self.tools({"name": "f"}, {"name": "g.h-i"})
            if vector["calls"]:
                options += ["--tools", tools]
            out = self.parse(vector["raw"], *options)
            for key in ("thought", "content", "finish"):
                self.assertEqual(out[key], vector[key], vector)
            self.assertEqual([[c["name"], c["arguments"]]
                              for c in out["tool_calls"]],
                             [[name, json.loads(text)]
                              for name, text in vector["calls"]], vector)

    def test_thought_text_and_calls_are_told_apart(self):
        out = self.parse("<|channel>thought\nA B<channel|>Yes"
                         "<|tool_call>call:f{n:12345678901234567890123,"
                         "s:<|\"|>a}\"<|\"|>}<tool_call|><|tool_response>")
        self.assertEqual(out["thought"], "A B")
        self.assertEqual(out["content"], "Yes")
        self.assertEqual(out["tool_calls"], [
            {"name": "f",
             "arguments": {"n": 12345678901234567890123, "s": "a}\""}}])
        self.assertEqual(out["finish"], "tool_calls")
        self.assertEqual(out["errors"], [])

    def test_ids_and_text_give_the_same(self):
        text = "Hi<|tool_call>call:f{}<tool_call|>"
        ids = self.good("tokenize", TINY4, "--special", text)
        self.assertEqual(self.parse(ids, "--ids"), self.parse(text))

    def test_what_the_prompt_opened_and_how_it_ended_count(self):
        self.assertEqual(self.parse("A<channel|>B", "--in-thought")["thought"],
                         "A")
        out = self.parse("<|tool_call>call:f{s:<|\"|>ab", "--cut")
        self.assertEqual(out["finish"], "length")
        self.assertEqual(len(out["errors"]), 1)

    def test_an_unreadable_call_is_an_error_with_its_text(self):
        out = self.parse("<|tool_call>nonsense<tool_call|>")
        self.assertEqual(out["finish"], "malformed_tool_call")
        self.assertIn("nonsense", out["errors"][0]["raw"])

    def test_declared_tools_allow_repairs(self):
        tools = self.tools(DIM)
        out = self.parse("call:dim{level:\"5\",lamp:desk}<tool_call|>",
                         "--tools", tools)
        self.assertEqual(out["tool_calls"], [
            {"name": "dim", "arguments": {"level": 5, "lamp": "desk"}}])

    def test_bad_input_is_named(self):
        self.assertIn("--ids", self.bad("parse", *MODEL, "--ids",
                                        stdin="x"))
        self.assertIn("999999", self.bad("parse", *MODEL, "--ids",
                                         stdin="999999"))
        self.assertIn("base model", self.bad("parse", TINY4, "--chat-format",
                                             "none", stdin="x"))


if __name__ == "__main__":
    unittest.main()
