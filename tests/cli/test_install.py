"""What cmake --install puts down, and that its service file starts it."""

import pathlib
import re
import shlex
import shutil
import signal
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from carat_test_case import CHAT, TINY, CaratTestCase


class InstallTest(CaratTestCase):
    def setUp(self):
        super().setUp()
        build = pathlib.Path(self.binary).resolve().parent
        if not (build / "cmake_install.cmake").exists():
            self.skipTest("CARAT_BIN is not in a folder that cmake made")
        self.prefix = self.folder / "prefix"
        subprocess.run(["cmake", "--install", build, "--prefix", self.prefix],
                       check=True, stdout=subprocess.DEVNULL, timeout=120)
        self.unit = self.prefix / "lib/systemd/system/carat.service"

    def start_command(self):
        line = re.search(r"^ExecStart=(.*)$", self.unit.read_text(), re.M)
        return shlex.split(line[1])

    def test_everything_is_there(self):
        for name in ("bin/carat", "lib/systemd/system/carat.service",
                     "lib/sysusers.d/carat.conf",
                     "share/doc/carat/examples/serve.conf",
                     "share/doc/carat/examples/environment",
                     "share/doc/carat/LICENSE", "share/doc/carat/NOTICE",
                     "share/doc/carat/docs/server.md"):
            self.assertTrue((self.prefix / name).is_file(), name)
        self.assertNotIn("@", self.unit.read_text().replace("@system-service",
                                                            "")
                         .replace("@privileged", ""))
        self.assertEqual(self.start_command()[0],
                         str(self.prefix / "bin/carat"))

    def test_systemd_understands_the_unit(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("no systemd-analyze")
        done = subprocess.run(["systemd-analyze", "verify", self.unit],
                              capture_output=True, check=False, timeout=120)
        about = [line for line in (done.stdout + done.stderr).decode()
                 .splitlines() if "carat" in line]
        self.assertEqual(about, [])

    def test_the_example_holds_options_that_there_are(self):
        """With every line switched on, each option's name is known."""
        example = self.prefix / "share/doc/carat/examples/serve.conf"
        text = re.sub(r'^#(?=[\w-]+ = )', "", example.read_text(), flags=re.M)
        # One address only, and nothing that has to exist on this machine.
        lines = [line for line in text.splitlines()
                 if not re.match(r"(MODEL|host|port|tls-|api-key-file) ?", line)]
        config = self.write("serve.conf", "\n".join(lines) + "\nport = 0\n"
                            f"MODEL = [\"{TINY}\"]\n")
        self.serve_until_ready(config)

    def test_the_services_command_serves_reloads_and_ends(self):
        config = self.write("serve.conf", (
            self.prefix / "share/doc/carat/examples/serve.conf").read_text()
            .replace("port = 11435", "port = 0")
            + f"MODEL = [\"{TINY}\"]\nthreads = 1\n"
            + f"chat-format = \"{CHAT[1]}\"\n")
        self.serve_until_ready(config)

    def serve_until_ready(self, config):
        command = self.start_command()
        at = command.index("--config") + 1
        self.assertEqual(command[at], "/etc/carat/serve.conf")
        command[at] = str(config)
        log = self.folder / "log"
        with open(log, "wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=self.environment(
                    CARAT_MODELS=str(self.folder / "models"),
                    CARAT_CACHE=str(self.folder / "cache")))
        try:
            def wait_for(pattern):
                while True:
                    found = re.search(pattern, log.read_text())
                    if found:
                        return found
                    self.assertIsNone(process.poll(), log.read_text())
                    time.sleep(0.02)
            port = wait_for(r"listening on http://127.0.0.1:(\d+)")[1]
            url = f"http://127.0.0.1:{port}/ready"
            while True:
                try:
                    with urllib.request.urlopen(url, timeout=300) as answer:
                        self.assertEqual(answer.status, 200)
                    break
                except urllib.error.HTTPError as error:
                    self.assertEqual(error.code, 503)
                    time.sleep(0.02)
            process.send_signal(signal.SIGHUP)
            wait_for("SIGHUP")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(120), 0)
            self.assertIn("ending", log.read_text())
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()


if __name__ == "__main__":
    unittest.main()
