"""carat chat, fed by a pipe and on a terminal."""

import json
import os
import pty
import select
import signal
import stat
import subprocess
import time
import unittest

from carat_test_case import CHAT, TINY, CaratTestCase

BAD_ROLE = '{"messages":[{"role":"king","content":"x"}]}'


class ChatTest(CaratTestCase):
    def chat(self, *lines, code=0, options=()):
        done = self.run_carat("chat", TINY, *CHAT, "--max-tokens", "6",
                              "--temp", "0", *options,
                              stdin="\n".join(lines) + "\n")
        self.assertEqual(done.returncode, code, done.stderr.decode())
        return done.stdout.decode(), done.stderr.decode()

    def saved(self, *lines, options=()):
        path = self.folder / "saved.json"
        self.chat(*lines, f"/save {path}", options=options)
        return json.loads(path.read_text())["messages"]

    def test_answers_each_line_and_remembers(self):
        messages = self.saved("the rain", "in the air")
        self.assertEqual([m["role"] for m in messages],
                         ["user", "assistant", "user", "assistant"])
        self.assertEqual(messages[2]["content"], "in the air")

    def test_slash_commands(self):
        _, errors = self.chat("/help", "/stats", "/clear", "/system be brief",
                              "/system", "/quit", "never read")
        self.assertIn("/save FILE", errors)
        self.assertIn("0 answers", errors)
        self.assertIn("System: be brief", errors)

    def test_clear_forgets_messages_but_not_the_system(self):
        messages = self.saved("the", "/clear", options=["--system", "on"])
        self.assertEqual(messages, [{"role": "system", "content": "on"}])

    def test_save_and_load_give_the_same_conversation(self):
        first = self.saved("the rain", options=["--system", "é"])
        again = self.folder / "again.json"
        self.chat(f"/load {self.folder / 'saved.json'}", f"/save {again}")
        self.assertEqual(json.loads(again.read_text())["messages"], first)

    def test_lines_that_go_on(self):
        messages = self.saved("one\\", "two", '"""three', "", 'four"""',
                              "//five")
        self.assertEqual([m["content"] for m in messages[::2]],
                         ["one\ntwo", "three\n\nfour", "/five"])

    def test_unknown_command_and_bad_files_are_errors(self):
        for line in ("/nonsense", "/load", "/load /nowhere/x.json",
                     f"/load {self.write('bad.json', '{')}",
                     f"/load {self.write('role.json', BAD_ROLE)}"):
            _, errors = self.chat(line, code=1)
            self.assertIn("carat: error:", errors)

    def test_bytes_that_are_no_text_do_no_harm(self):
        done = self.run_carat("chat", TINY, *CHAT, "--max-tokens", "2",
                              stdin=b"\xff\xfe\xf0\x9f\n")
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_base_model_is_refused_with_advice(self):
        message = self.bad("chat", TINY, "--chat-format", "none")
        self.assertIn("base model", message)
        self.assertIn("carat run", message)

    def test_too_long_a_line_is_an_error_and_the_chat_goes_on(self):
        done = self.run_carat("chat", TINY, *CHAT, "--ctx", "64",
                              "--max-tokens", "4",
                              stdin="the " * 500 + "\nthe\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b"carat: error:", done.stderr)
        self.assertTrue(done.stdout)


class TerminalTest(CaratTestCase):
    """chat on a terminal of its own."""

    def setUp(self):
        super().setUp()
        self.process, self.terminal = None, None

    def tearDown(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()
        if self.terminal is not None:
            os.close(self.terminal)

    def start(self, *arguments):
        self.terminal, inner = pty.openpty()
        self.process = subprocess.Popen(
            [self.binary, "chat", str(TINY), *CHAT, "--temp", "0",
             "--max-tokens", "4", *arguments],
            stdin=inner, stdout=inner, stderr=subprocess.PIPE,
            env=self.environment(), start_new_session=True)
        os.close(inner)

    def read_until(self, wanted, seconds=60):
        seen = b""
        end = time.monotonic() + seconds
        while wanted not in seen:
            left = end - time.monotonic()
            self.assertGreater(left, 0, f"no {wanted} in {seen}")
            if select.select([self.terminal], [], [], left)[0]:
                seen += os.read(self.terminal, 4096)
        return seen

    def test_edits_remembers_and_leaves(self):
        self.start()
        self.read_until(b"> ")
        os.write(self.terminal, "thex\x7f é日\n".encode())
        self.read_until(b"> ")
        os.write(self.terminal, b"/save chat.json\n".replace(
            b"chat.json", bytes(self.folder / "chat.json")))
        self.read_until(b"> ")
        os.write(self.terminal, b"\x04")
        self.assertEqual(self.process.wait(60), 0)
        saved = json.loads((self.folder / "chat.json").read_text())
        self.assertEqual(saved["messages"][0]["content"], "the é日")
        history = self.folder / ".cache/carat/chat_history"
        self.assertEqual(stat.S_IMODE(history.stat().st_mode), 0o600)

    def test_end_of_input_typed_while_the_answer_comes_is_kept(self):
        self.start()
        self.read_until(b"> ")
        os.write(self.terminal, b"the\n")
        self.read_until(b"\n")
        os.write(self.terminal, b"\x04")
        self.assertEqual(self.process.wait(60), 0)

    def test_no_history_leaves_no_file(self):
        self.start("--no-history")
        self.read_until(b"> ")
        os.write(self.terminal, b"the\n")
        self.read_until(b"> ")
        os.write(self.terminal, b"/quit\n")
        self.assertEqual(self.process.wait(60), 0)
        self.assertFalse((self.folder / ".cache/carat/chat_history").exists())

    def test_ctrl_c_at_the_prompt_does_not_leave(self):
        self.start()
        self.read_until(b"> ")
        os.write(self.terminal, b"half a line")
        self.read_until(b"line")
        self.process.send_signal(signal.SIGINT)
        self.read_until(b"> ")
        os.write(self.terminal, b"/quit\n")
        self.assertEqual(self.process.wait(60), 0)


if __name__ == "__main__":
    unittest.main()
