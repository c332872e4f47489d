"""The huggingface_hub package: that the hub of the tests is one.

It downloads from the same small hub as carat does, and both must end with the
same commit, the same files and the same digests. Otherwise that hub would only
be what carat takes for one.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/cli"))
import fake_hub  # noqa: E402

HUB = fake_hub.FakeHub()
HOME = tempfile.TemporaryDirectory()
os.environ.update(HF_ENDPOINT=HUB.url, HF_HOME=HOME.name, HF_HUB_OFFLINE="0",
                  HF_HUB_DISABLE_TELEMETRY="1")
for name in ("HF_TOKEN", "http_proxy", "HTTP_PROXY"):
    os.environ.pop(name, None)

import huggingface_hub  # noqa: E402  (reads the environment)
from huggingface_hub import errors  # noqa: E402

from harness import check, finish  # noqa: E402

GGUF = (TOP / "tests/data/tiny-gguf/gemma3-q4_0.gguf").read_bytes()
FILE = "tiny-Q4_0.gguf"
REPO = "org/tiny-GGUF"
HUB.repos[REPO] = fake_hub.Repo({FILE: GGUF, "README.md": b"# hello\n"},
                                lfs={FILE})
HUB.repos["org/gated"] = fake_hub.Repo({FILE: GGUF}, lfs={FILE}, gated=True)


def carat(*arguments, **environment):
    return subprocess.run(
        [os.environ["CARAT_BIN"], *arguments], capture_output=True, check=False,
        timeout=120, env={**os.environ, "CARAT_MODELS": HOME.name + "/carat",
                          **environment})


@check
def both_download_the_same():
    path = huggingface_hub.hf_hub_download(REPO, FILE)
    mine = json.loads(carat("pull", REPO, "--json").stdout)
    assert pathlib.Path(path).read_bytes() == GGUF
    assert pathlib.Path(mine["path"]).read_bytes() == GGUF
    # The commit, as the cache of the one and the answer of the other have it.
    assert pathlib.Path(path).parent.name == mine["revision"]
    assert mine["files"][0]["sha256"] == hashlib.sha256(GGUF).hexdigest()


@check
def both_read_the_listing_alike():
    info = huggingface_hub.HfApi().model_info(REPO, files_metadata=True)
    mine = json.loads(carat("pull", REPO, "--dry-run", "--json").stdout)
    assert info.sha == mine["revision"]
    theirs = {f.rfilename: f for f in info.siblings}
    for file in mine["files"]:
        assert theirs[file["path"]].size == file["bytes"]
        assert theirs[file["path"]].lfs.sha256 == file["sha256"]
    # A small file has the name that git gives it.
    path = huggingface_hub.hf_hub_download(REPO, "README.md")
    blob = pathlib.Path(path).resolve().name
    assert blob == theirs["README.md"].blob_id == fake_hub.git_blob(
        b"# hello\n")


@check
def carat_opens_what_the_package_downloaded():
    shown = carat("show", f"hf:{REPO}:Q4_0")
    assert b"gemma3" in shown.stdout, shown.stderr


@check
def both_take_the_same_refusals():
    for repo, file, kind, words in (
            ("org/gated", FILE, errors.GatedRepoError, b"licence"),
            ("org/none", FILE, errors.RepositoryNotFoundError, b"not exist")):
        try:
            huggingface_hub.hf_hub_download(repo, file)
        except kind:
            pass
        else:
            raise AssertionError(f"{repo} was downloaded")
        assert words in carat("pull", repo).stderr
    try:
        huggingface_hub.hf_hub_download(REPO, FILE, revision="nope")
    except errors.RevisionNotFoundError:
        pass
    assert b"nope" in carat("pull", f"{REPO}@nope").stderr


@check
def both_send_the_token_to_the_hub_only():
    path = huggingface_hub.hf_hub_download("org/gated", FILE,
                                           token=fake_hub.TOKEN)
    assert pathlib.Path(path).read_bytes() == GGUF
    done = carat("pull", "org/gated", HF_TOKEN=fake_hub.TOKEN)
    assert done.returncode == 0, done.stderr
    assert not any("Authorization" in headers
                   for _, _, headers in HUB.asked("cdn"))


HUB.close()
HOME.cleanup()
finish()
