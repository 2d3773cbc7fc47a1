"""A fake of GitHub Actions' cache service, version 2, for BuildKit's client: cache_service.py FOLDER

Listens on a free port of the loopback interface and prints the port. An entry belongs to the branch of the token that
created it. A token's claim `ac` lists the branches that it can read, its own first, and the branch that it can write.

FOLDER/mode contains one word; a test can change it at any time:
    works      everything works (default)
    throttled  429 for each call
    expired    401 for each call
    full       429 for each new entry, like GitHub above the quota
    lost       the lists of layers exist, but not the layers
    broken     the lists exist, and each download of a layer ends early

FOLDER/counts.json contains the number of requests, updated after each one.
"""

import base64
import collections
import http.server
import json
import os
import pathlib
import re
import sys
import threading
import time
import urllib.parse

READ, WRITE = 1, 2
SERVICE = "/twirp/github.actions.results.api.v1.CacheService/"


class Refused(Exception):
    """An error of the service."""

    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class Cache:
    """The entries by branch, key and version, and the numbers of requests."""

    def __init__(self, folder):
        self.folder = folder
        self.lock = threading.RLock()
        self.entries = {}
        self.blobs = {}
        self.blocks = collections.defaultdict(dict)
        self.counts = collections.Counter()

    def mode(self):
        try:
            return (self.folder / "mode").read_text().strip()
        except FileNotFoundError:
            return "works"

    def count(self, what, number=1):
        with self.lock:
            self.counts[what] += number
            text = json.dumps(self.counts, indent=1, sort_keys=True)
            new = self.folder / "counts.new"
            new.write_text(text)
            os.replace(new, self.folder / "counts.json")

    def create(self, scopes, key, version):
        """Reserves an entry of the branch that the token can write; returns the identifier of its blob."""
        branch = next((name for name, permission in scopes if permission & WRITE), None)
        if branch is None:
            raise Refused(403, "permission_denied")
        if self.mode() == "full":
            self.count("refused as full")
            raise Refused(429, "resource_exhausted")
        with self.lock:
            name = (branch, key, version)
            if name in self.entries:
                self.count("exists already")
                raise Refused(409, "already_exists")
            identifier = str(len(self.entries) + 1)
            self.entries[name] = {"blob": identifier, "done": False, "number": len(self.entries)}
        return identifier

    def finalize(self, scopes, key, version, size):
        branch = next((name for name, permission in scopes if permission & WRITE), None)
        with self.lock:
            entry = self.entries.get((branch, key, version))
            if entry is None:
                raise Refused(404, "not_found")
            if len(self.blobs.get(entry["blob"], b"")) != size:
                raise Refused(400, "invalid_argument")
            entry["done"] = True
        self.count(f"stored {kind(key)}")
        self.count("stored bytes", size)
        self.count(f"stored by {branch}")
        return entry["blob"]

    def find(self, scopes, keys, version):
        """The newest entry of the first key prefix with entries, in the token's order of branches."""
        with self.lock:
            for branch, permission in scopes:
                if not permission & READ:
                    continue
                for index, key in enumerate(keys):
                    found = [
                        (entry["number"], name[1], entry["blob"])
                        for name, entry in self.entries.items()
                        if entry["done"] and name[0] == branch and name[2] == version
                        and (name[1] == key or (index > 0 and name[1].startswith(key)))
                    ]
                    if found:
                        _, matched, blob = max(found)
                        self.count(f"hit {kind(key)}")
                        self.count(f"read of {branch}")
                        return matched, blob
        self.count(f"miss {kind(keys[0])}")
        return None


def kind(key):
    """`layer`, or `list of SCOPE`: BuildKit stores a list of layers for each scope."""
    found = re.fullmatch(r"index-(.*)-1-[0-9a-f]{8}(#[0-9]*)?", key)
    return f"list of {found[1]}" if found else "layer"


def scopes_of(header):
    """The branches of a token, its own first, each with its permission."""
    try:
        payload = header.removeprefix("Bearer ").split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        access = json.loads(claims["ac"])
    except (AttributeError, IndexError, KeyError, ValueError):
        raise Refused(401, "unauthenticated") from None
    if claims["exp"] < time.time():
        raise Refused(401, "unauthenticated")
    scopes = [(each["Scope"], each["Permission"]) for each in access]
    return sorted(scopes, key=lambda scope: not scope[1] & WRITE)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Logs nothing: counts.json has the requests."""

    @property
    def cache(self):
        return self.server.cache

    def body(self):
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while size := int(self.rfile.readline().split(b";")[0], 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status, body=b"", headers=()):
        self.send_response(status)
        fields = dict(headers)
        fields.setdefault("Content-Length", str(len(body)))
        # The client of block blobs requires these headers.
        fields.setdefault("x-ms-request-id", "1")
        fields.setdefault("ETag", '"1"')
        fields.setdefault("Last-Modified", self.date_time_string())
        for name, value in fields.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def answer_json(self, status, value):
        self.answer(status, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def do_POST(self):
        body = self.body()
        try:
            if not self.path.startswith(SERVICE):
                raise Refused(404, "bad_route")
            mode = self.cache.mode()
            if mode in ("throttled", "expired"):
                self.cache.count(mode)
                raise Refused(*{"throttled": (429, "resource_exhausted"), "expired": (401, "unauthenticated")}[mode])
            scopes = scopes_of(self.headers["Authorization"])
            request = json.loads(body)
            self.answer_json(200, self.call(self.path.removeprefix(SERVICE), scopes, request))
        except Refused as error:
            self.answer_json(error.status, {"code": error.code, "msg": error.code})

    def call(self, name, scopes, request):
        key, version = request["key"], request["version"]
        place = f"http://{self.headers['Host']}/blob/"
        if name == "CreateCacheEntry":
            identifier = self.cache.create(scopes, key, version)
            return {"ok": True, "signed_upload_url": f"{place}{identifier}?sig=x"}
        if name == "FinalizeCacheEntryUpload":
            size = int(request["size_bytes"])
            return {"ok": True, "entry_id": self.cache.finalize(scopes, key, version, size)}
        if name == "GetCacheEntryDownloadURL":
            keys = [key, *request.get("restore_keys", [])]
            found = self.cache.find(scopes, keys, version)
            if found is None:
                return {"ok": False, "signed_download_url": "", "matched_key": ""}
            matched, identifier = found
            kept = "layer" if kind(key) == "layer" else "list"
            url = f"{place}{identifier}?sig=x&of={kept}"
            return {"ok": True, "signed_download_url": url, "matched_key": matched}
        raise Refused(404, "bad_route")

    def do_PUT(self):
        body = self.body()
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        identifier = url.path.removeprefix("/blob/")
        part = query.get("comp", [""])[0]
        with self.cache.lock:
            if part == "block":
                self.cache.blocks[identifier][query["blockid"][0]] = body
            elif part == "blocklist":
                names = re.findall(r"<(?:Latest|Uncommitted|Committed)>([^<]*)<", body.decode())
                blocks = self.cache.blocks.pop(identifier, {})
                self.cache.blobs[identifier] = b"".join(blocks[name] for name in names)
            elif self.headers.get("x-ms-blob-type") == "BlockBlob":
                self.cache.blobs[identifier] = body
            else:
                return self.answer(400)
        self.answer(201)

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        of = urllib.parse.parse_qs(url.query).get("of", ["layer"])[0]
        blob = self.cache.blobs.get(url.path.removeprefix("/blob/"))
        mode = self.cache.mode()
        if blob is None or (mode == "lost" and of == "layer"):
            self.cache.count("lost")
            return self.answer(404, headers={"x-ms-error-code": "BlobNotFound"})
        wanted = self.headers.get("x-ms-range") or self.headers.get("Range")
        start, end = 0, len(blob) - 1
        if wanted:
            first, last = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted).groups()
            start, end = int(first), min(int(last or end), end)
        part = blob[start : end + 1]
        headers = {"Content-Type": "application/octet-stream", "x-ms-blob-type": "BlockBlob"}
        if wanted:
            headers["Content-Range"] = f"bytes {start}-{end}/{len(blob)}"
        if mode == "broken" and of == "layer":
            self.cache.count("broken off")
            headers["Content-Length"] = str(len(part))
            self.answer(206 if wanted else 200, part[: len(part) // 2], headers)
            self.close_connection = True
            return None
        self.cache.count(f"downloaded {of}")
        return self.answer(206 if wanted else 200, part, headers)

    do_HEAD = do_GET


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """Ignores a client that closes its connection early."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def main():
    folder = pathlib.Path(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    server.cache = Cache(folder)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
