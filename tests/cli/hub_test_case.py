"""What the tests of downloads share: a hub with one small model."""

import hashlib
import json

import fake_hub
from carat_test_case import TINY_GGUF, CaratTestCase

GGUF = TINY_GGUF.read_bytes()
DIGEST = hashlib.sha256(GGUF).hexdigest()
FILE = "tiny-Q4_0.gguf"
REPO = "org/tiny-GGUF"


class HubTestCase(CaratTestCase):
    def setUp(self):
        super().setUp()
        self.hub = fake_hub.FakeHub()
        self.addCleanup(self.hub.close)
        self.models = self.folder / "models"
        self.hub.repos[REPO] = fake_hub.Repo(
            {FILE: GGUF, "README.md": b"# hello\n", ".gitattributes": b"x"},
            lfs={FILE})

    def environment(self, **extra):
        return super().environment(**{
            "HF_ENDPOINT": self.hub.url, "CARAT_MODELS": str(self.models),
            **extra})

    def file_of(self, name):
        found = list(self.models.glob(f"hub/**/{name}"))
        self.assertEqual(len(found), 1, found)
        return found[0]

    def assert_nothing_pulled(self):
        self.assertEqual(json.loads(self.good("list", "--json"))["models"], [])
