"""A small Hugging Face hub on this machine, for tests without a network.

It answers what the hub's own Python client and carat ask: the repository's
JSON, HEAD and GET of resolve/, a redirect of large files to a second server
(the content network) with ranges, and the failures of real life. What is
asked stays in `requests`, so that a test can look for what must not be sent.
"""

import dataclasses
import hashlib
import http.server
import json
import threading
import time
import urllib.parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_testtoken"


def git_blob(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@dataclasses.dataclass
class Repo:
    files: dict  # path -> bytes
    lfs: set = dataclasses.field(default_factory=set)  # served by the CDN
    commit: str = COMMIT
    gated: bool = False  # the listing is public, the files are not
    private: bool = False  # nothing is, and nobody says that it exists
    # Changes to the listing: path -> members of its entry.
    listing: dict = dataclasses.field(default_factory=dict)
    extra_entries: list = dataclasses.field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        hub = self.server.hub
        # A proxy is given the whole address.
        url = urllib.parse.urlsplit(self.path)
        path = urllib.parse.unquote(url.path)
        with hub.lock:
            hub.requests.append((self.server.role, self.command, self.path,
                                 dict(self.headers.items())))
            fault = hub.take_fault(self.server.role, path)
        whole = self.wfile
        try:
            if fault and fault(self):
                return
            if self.server.role == "cdn":
                self.content(path)
            else:
                self.hub_page(hub, path)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            self.wfile = whole  # a fault is for one request

    # The hub.

    def hub_page(self, hub, path):
        parts = path.strip("/").split("/")
        if path.startswith("/api/models/"):
            repo_name, rest = "/".join(parts[2:4]), parts[4:]
        else:
            repo_name, rest = "/".join(parts[:2]), parts[2:]
        if repo_name in hub.renamed:
            new = hub.renamed[repo_name]
            self.reply(307, Location=self.path.replace(repo_name, new, 1))
            return
        repo = hub.repos.get(repo_name)
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repo is None or (repo.private and not allowed):
            status = 404 if allowed else 401
            self.reply(status, X_Error_Code="RepoNotFound")
        elif rest[:1] in (["revision"], []) and "/api/" in path:
            self.listing(repo, repo_name, "/".join(rest[1:]) or "main")
        elif rest[:1] == ["resolve"]:
            if repo.gated and not allowed:
                self.reply(401 if "Authorization" not in self.headers else 403,
                           X_Error_Code="GatedRepo")
            else:
                self.resolve(repo, rest[1], "/".join(rest[2:]))
        else:
            self.reply(404)

    def known(self, repo, revision):
        if revision in ("main", "refs/pr/1", repo.commit):
            return True
        self.reply(404, X_Error_Code="RevisionNotFound")
        return False

    def listing(self, repo, name, revision):
        if not self.known(repo, revision):
            return
        siblings = []
        for path, content in repo.files.items():
            entry = {"rfilename": path, "size": len(content),
                     "blobId": git_blob(content)}
            if path in repo.lfs:
                entry["blobId"] = git_blob(b"version pointer")
                entry["lfs"] = {"sha256": hashlib.sha256(content).hexdigest(),
                                "size": len(content), "pointerSize": 130}
            entry.update(repo.listing.get(path, {}))
            siblings.append(entry)
        body = {"_id": "1", "id": name, "modelId": name, "sha": repo.commit,
                "private": repo.private, "gated": repo.gated, "tags": [],
                "downloads": 0, "likes": 0,
                "siblings": siblings + repo.extra_entries}
        self.reply(200, json.dumps(body).encode(),
                   Content_Type="application/json")

    def resolve(self, repo, revision, path):
        if not self.known(repo, revision):
            return
        content = repo.files.get(path)
        if content is None:
            self.reply(404, X_Error_Code="EntryNotFound")
            return
        commit = {"X_Repo_Commit": repo.commit}
        if path in repo.lfs:
            digest = hashlib.sha256(content).hexdigest()
            self.reply(302, X_Linked_Etag=f'"{digest}"',
                       X_Linked_Size=str(len(content)), ETag='"pointer"',
                       Location=f"{self.server.hub.cdn_url}/{digest}", **commit)
        else:
            self.body(content, git_blob(content), **commit)

    # Content.

    def content(self, path):
        with self.server.hub.lock:
            found = [content for repo in self.server.hub.repos.values()
                     for content in repo.files.values()
                     if hashlib.sha256(content).hexdigest() == path[1:]]
        if not found:
            self.reply(403)
            return
        self.body(found[0], path[1:17])

    def body(self, content, tag, **headers):
        etag = f'"{tag}"'
        headers = {"ETag": etag, "Accept_Ranges": "bytes", **headers}
        want = self.headers.get("Range")
        condition = self.headers.get("If-Range")
        if not want or (condition and condition != etag):
            self.reply(200, content, **headers)
            return
        start = int(want.removeprefix("bytes=").split("-")[0])
        if start >= len(content):
            self.reply(416, Content_Range=f"bytes */{len(content)}")
            return
        self.reply(206, content[start:], **headers, Content_Range=(
            f"bytes {start}-{len(content) - 1}/{len(content)}"))


# Faults. Each takes the handler and says whether it has answered.


def status(code, **headers):
    def fault(handler):
        handler.reply(code, **headers)
        return True
    return fault


def broken_off(count):
    """The head of the whole, `count` bytes and a closed connection."""
    def fault(handler):
        inner = handler.wfile

        class Cut:
            def __init__(self):
                self.head, self.left = True, count

            def write(self, data):
                if self.head:  # end_headers writes the head at once
                    self.head = False
                    return inner.write(data)
                inner.write(data[:self.left])
                inner.flush()
                handler.close_connection = True
                return len(data)

            def flush(self):
                inner.flush()

        handler.wfile = Cut()
        return False
    return fault


def other_bytes(handler):
    """As long as they should be, but not the same."""
    inner = handler.wfile

    class Changed:
        def __init__(self):
            self.head = True

        def write(self, data):
            if self.head:
                self.head = False
                return inner.write(data)
            return inner.write(bytes(len(data)))

        def flush(self):
            inner.flush()

    handler.wfile = Changed()
    return False


def drip(pieces, pause):
    """The body in small pieces."""
    def fault(handler):
        inner = handler.wfile

        class Slow:
            def __init__(self):
                self.head = True

            def write(self, data):
                if self.head:
                    self.head = False
                    return inner.write(data)
                step = max(1, len(data) // pieces)
                for at in range(0, len(data), step):
                    inner.write(data[at:at + step])
                    inner.flush()
                    time.sleep(pause)
                return len(data)

            def flush(self):
                inner.flush()

        handler.wfile = Slow()
        return False
    return fault


def stuck(event):
    """A head, some bytes, then nothing until `event`."""
    def fault(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        handler.wfile.write(b"GGUF")
        handler.wfile.flush()
        event.wait(120)
        handler.close_connection = True
        return True
    return fault


def redirect(target):
    def fault(handler):
        handler.reply(302, Location=target)
        return True
    return fault


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass  # a client that was stopped leaves its connections


class FakeHub:
    """Two servers: the hub at `url`, its content network at `cdn_url`."""

    def __init__(self):
        self.repos = {}
        self.renamed = {}
        self.requests = []  # (role, method, path, headers)
        self.lock = threading.Lock()
        self._faults = []  # [role, part of the path, fault], each used once
        self._servers = [self._start("hub"), self._start("cdn")]
        self.url, self.cdn_url = (
            f"http://127.0.0.1:{server.server_address[1]}"
            for server in self._servers)

    def _start(self, role):
        server = Server(("127.0.0.1", 0), Handler)
        server.hub, server.role = self, role
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return server

    def close(self):
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def fail(self, role, part, *faults):
        """The next requests to `role` whose path holds `part` fail so."""
        with self.lock:
            self._faults += [[role, part, fault] for fault in faults]

    def take_fault(self, role, path):
        for i, (its_role, part, fault) in enumerate(self._faults):
            if its_role == role and part in path:
                del self._faults[i]
                return fault
        return None

    def asked(self, role):
        with self.lock:
            return [(method, path, headers) for its, method, path, headers in
                    self.requests if its == role]
