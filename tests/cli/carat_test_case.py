"""What the tests of the command line share: running carat, tiny models."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

DATA = pathlib.Path(__file__).resolve().parents[1] / "data"
TINY = DATA / "tiny" / "gemma3"
TINY_GGUF = DATA / "tiny-gguf" / "gemma3-q4_0.gguf"
# The chat format that suits the tiny model's vocabulary.
CHAT = ["--chat-format", "gemma3"]


class CaratTestCase(unittest.TestCase):
    """Each test has a folder of its own, which is also its HOME."""

    def setUp(self):
        self.binary = os.environ.get("CARAT_BIN")
        if not self.binary:
            self.fail("CARAT_BIN must name the program to test")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="carat-cli-"))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def environment(self, **extra):
        keep = ("PATH", "CARAT_ISA", "LD_LIBRARY_PATH", "ASAN_OPTIONS",
                "UBSAN_OPTIONS", "TSAN_OPTIONS")
        out = {key: os.environ[key] for key in keep if key in os.environ}
        out.update(HOME=str(self.folder), LANG="C.UTF-8", TERM="xterm")
        out.update(extra)
        return out

    def run_carat(self, *arguments, stdin=b"", env=None, timeout=60):
        """The finished process; nobody may die of a signal."""
        if isinstance(stdin, str):
            stdin = stdin.encode()
        done = subprocess.run([self.binary, *map(str, arguments)],
                              input=stdin, capture_output=True, check=False,
                              env=self.environment(**(env or {})),
                              timeout=timeout)
        self.assertGreaterEqual(done.returncode, 0, done.stderr)
        # Nothing here is a terminal. (A tiny model writes any byte.)
        self.assertNotIn(b"\x1b", done.stderr)
        if arguments[:1] not in (("run",), ("chat",)):
            self.assertNotIn(b"\x1b", done.stdout)
        return done

    def good(self, *arguments, **options):
        """Its stdout as text; it must succeed."""
        done = self.run_carat(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def good_json(self, *arguments, **options):
        return json.loads(self.good(*arguments, "--json", **options))

    def bad(self, *arguments, code=1, **options):
        """Its one error line; it must fail with `code` and print no data."""
        done = self.run_carat(*arguments, **options)
        text = done.stderr.decode()
        self.assertEqual(done.returncode, code, text)
        lines = [l for l in text.splitlines() if l.startswith("carat: error:")]
        self.assertEqual(len(lines), 1, text)
        self.assertEqual(done.stdout, b"")
        return lines[0]

    def write(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            content = content.encode()
        path.write_bytes(content)
        return path

    def copy_tiny(self, **config_changes):
        """A copy of the tiny folder with other values in config.json."""
        folder = self.folder / "model"
        shutil.copytree(TINY, folder)
        config = json.loads((folder / "config.json").read_text())
        config.update(config_changes)
        (folder / "config.json").write_text(json.dumps(config))
        return folder
