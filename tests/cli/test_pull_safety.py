"""carat pull among strangers: tokens, hostile hubs, certificates."""

import json
import shutil
import ssl
import subprocess

import fake_hub
from fake_hub import COMMIT, TOKEN
from hub_test_case import DIGEST, FILE, GGUF, REPO, HubTestCase


class TokenTest(HubTestCase):
    def test_a_gated_model_says_what_to_do(self):
        self.hub.repos[REPO].gated = True
        error = self.bad("pull", REPO)
        for word in ("licence", "HF_TOKEN", f"{self.hub.url}/{REPO}"):
            self.assertIn(word, error)
        error = self.bad("pull", REPO, env={"HF_TOKEN": "hf_wrong"})
        self.assertIn("may not read", error)
        self.assertNotIn("hf_wrong", error)

    def test_the_token_goes_to_the_hub_and_nowhere_else(self):
        self.hub.repos[REPO].gated = True
        done = self.run_carat("pull", REPO, env={"HF_TOKEN": TOKEN})
        self.assertEqual(done.returncode, 0, done.stderr)
        for _, _, headers in self.hub.asked("hub"):
            self.assertEqual(headers["Authorization"], f"Bearer {TOKEN}")
        self.assertTrue(self.hub.asked("cdn"))
        for _, _, headers in self.hub.asked("cdn"):
            self.assertNotIn("Authorization", headers)
        self.assertNotIn(TOKEN.encode(), done.stdout + done.stderr)

    def test_a_redirected_listing_does_not_take_the_token_along(self):
        self.hub.fail("hub", "/api/",
                      fake_hub.redirect(self.hub.cdn_url + "/steal"))
        self.bad("pull", REPO, "--retries", "0", env={"HF_TOKEN": TOKEN})
        for _, _, headers in self.hub.asked("cdn"):
            self.assertNotIn("Authorization", headers)

    def test_the_token_is_read_from_the_hubs_own_file(self):
        self.write(".cache/huggingface/token", TOKEN + "\n")
        self.hub.repos[REPO].private = True
        self.good("pull", REPO)
        self.write("home/token", TOKEN)
        self.good("pull", REPO, env={"HF_HOME": str(self.folder / "home")})

    def test_a_token_that_would_add_a_header_is_refused(self):
        error = self.bad("pull", REPO,
                         env={"HF_TOKEN": "hf_a\r\nX-Other: secret"})
        self.assertNotIn("secret", error)
        self.assertEqual(self.hub.asked("hub"), [])

    def test_the_token_is_not_sent_in_the_clear_to_others(self):
        # A proxy of this machine stands for the network.
        self.bad("pull", REPO, "--retries", "0", env={
            "HF_ENDPOINT": "http://hub.example", "HF_TOKEN": TOKEN,
            "http_proxy": self.hub.cdn_url})
        self.assertTrue(self.hub.asked("cdn"))
        for _, path, headers in self.hub.asked("cdn"):
            self.assertIn("hub.example", path)
            self.assertNotIn("Authorization", headers)

    def test_a_missing_repository(self):
        self.assertIn("does not exist", self.bad("pull", "org/none"))
        self.assertIn("no repository", self.bad(
            "pull", "org/none", env={"HF_TOKEN": TOKEN}))


class HostileHubTest(HubTestCase):
    def test_names_that_leave_the_folder_are_left_out(self):
        bad = ["../evil.gguf", "/etc/evil.gguf", "a/../../evil.gguf",
               "a\\b.gguf", "a//b.gguf", "new\nline.gguf", ".hidden.gguf",
               "x" * 300 + ".gguf", "/".join("abcdefghij") + ".gguf"]
        self.hub.repos[REPO].extra_entries = [
            {"rfilename": name, "size": len(GGUF),
             "lfs": {"sha256": DIGEST, "size": len(GGUF)}} for name in bad]
        out = self.good_json("pull", REPO)
        self.assertEqual([f["path"] for f in out["files"]], [FILE])
        for name in bad:
            if len(name) < 300:
                self.bad("pull", f"{REPO}:{name}", code=1)

    def test_listings_that_are_none(self):
        def body(text):
            def fault(handler):
                handler.reply(200, text)
                return True
            return fault

        entry = {"rfilename": FILE, "size": 5}
        for text in (b"", b"<html>", b"[]", b"{}", b"[" * 100000,
                     b'{"sha":"main","siblings":[]}',
                     json.dumps({"sha": COMMIT}).encode(),
                     json.dumps({"sha": COMMIT, "siblings": [1]}).encode(),
                     json.dumps({"sha": COMMIT,
                                 "siblings": [entry, entry]}).encode(),
                     json.dumps({"sha": COMMIT, "siblings": [
                         {"rfilename": FILE, "size": -1}]}).encode(),
                     json.dumps({"sha": COMMIT, "siblings": [
                         {**entry, "lfs": {"sha256": "../x",
                                           "size": 5}}]}).encode(),
                     b" " * (17 << 20)):
            self.hub.fail("hub", "/api/", body(text))
            self.bad("pull", REPO)
        self.assert_nothing_pulled()

    def test_redirects_end(self):
        self.hub.fail("hub", "/api/",
                      *[fake_hub.redirect("/api/again")] * 12)
        self.assertIn("redirects more than", self.bad("pull", REPO))
        for target in ("file:///etc/passwd", "ftp://127.0.0.1/x",
                       "http://user:pass@127.0.0.1/"):
            self.hub._faults.clear()
            self.hub.fail("hub", "/api/", fake_hub.redirect(target))
            self.bad("pull", REPO)

    def test_endpoints_that_are_none(self):
        for url in ("ftp://x", "hub", "http://u:p@h", "http://h/?x"):
            self.assertIn("HF_ENDPOINT",
                          self.bad("pull", REPO, env={"HF_ENDPOINT": url}))

    def test_names_that_are_none(self):
        for name in ("org/", "/repo", "org/re po", "org/../x", "org/repo:",
                     "org/repo@", "org/repo:../x", "org/repo@../x", "a--b/c"):
            self.bad("pull", name)
        self.assertEqual(self.hub.asked("hub"), [])


class TlsTest(HubTestCase):
    def setUp(self):
        super().setUp()
        if not shutil.which("openssl"):
            self.skipTest("openssl is not here")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj",
             "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
            cwd=self.folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "cert.pem",
                                self.folder / "key.pem")
        server = self.hub._servers[0]
        server.socket = context.wrap_socket(server.socket, server_side=True)
        self.https = f"https://localhost:{server.server_address[1]}"

    def test_an_unknown_certificate_is_refused_and_a_known_one_is_not(self):
        env = {"HF_ENDPOINT": self.https}
        error = self.bad("pull", REPO, env=env)
        self.assertIn("certificate", error)
        env["CURL_CA_BUNDLE"] = str(self.folder / "cert.pem")
        # The content network of this hub has no TLS, which is not followed.
        self.assertIn("without encryption", self.bad("pull", REPO, env=env))
        self.hub.repos[REPO].lfs = set()
        self.good("pull", REPO, env=env)
