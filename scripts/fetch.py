"""Fetch one file and check its hash: fetch.py URL DESTINATION SHA256

Tries three times where a failure may pass (a busy server, a broken connection). Gives up quickly
on a host that does not answer: a build has other places to try.
Prints one line that says why it failed, without the user information of the URL.
"""

import base64
import contextlib
import hashlib
import http.client
import os
import signal
import ssl
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

# For name, address and TLS together: urllib's own limit starts anew for each
# address of a host, which on a network that drops packets adds up to minutes.
ANSWER_SECONDS = 8
# Between two packets of an answer that has begun.
STALL_SECONDS = 30
# Between the tries.
PAUSES = (1, 3)
# Answers of a server that is busy or in trouble.
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class TooSlow(Exception):
    pass


def request_for(url):
    """urllib does not understand user:password@host."""
    parts = urllib.parse.urlsplit(url)
    headers = {"User-Agent": "xtask"}
    if parts.username is not None:
        user = urllib.parse.unquote(parts.username)
        password = urllib.parse.unquote(parts.password or "")
        token = base64.b64encode("{}:{}".format(user, password).encode()).decode()
        headers["Authorization"] = "Basic " + token
        parts = parts._replace(netloc=parts.netloc.rpartition("@")[2])
    return parts.hostname, urllib.request.Request(urllib.parse.urlunsplit(parts), headers=headers)


@contextlib.contextmanager
def deadline(seconds):
    def expired(_signal, _frame):
        raise TooSlow("no answer within {} s".format(seconds))

    signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def may_pass(error):
    """Whether another try may do better."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in TRANSIENT
    reason = getattr(error, "reason", error)
    if isinstance(reason, (TooSlow, ssl.SSLCertVerificationError)):
        return False
    return isinstance(reason, (OSError, http.client.HTTPException))


def download(request, part):
    """Fetch into the file `part`; its hash."""
    with deadline(ANSWER_SECONDS):
        response = urllib.request.urlopen(request, timeout=STALL_SECONDS)
    digest = hashlib.sha256()
    size = 0
    with response, open(part, "wb") as out:
        for block in iter(lambda: response.read(1 << 20), b""):
            digest.update(block)
            out.write(block)
            size += len(block)
    # Reading in blocks, urllib does not notice a connection that ends too early.
    length = response.headers.get("Content-Length")
    if length is not None and size < int(length):
        raise http.client.IncompleteRead(b"", int(length) - size)
    return digest


def main():
    url, destination, expected = sys.argv[1:]
    part = destination + ".part"
    host = "?"
    for pause in PAUSES + (None,):
        try:
            host, request = request_for(url)
            digest = download(request, part)
            break
        except (TooSlow, OSError, ValueError, http.client.HTTPException) as error:
            if pause is not None and may_pass(error):
                time.sleep(pause)
                continue
            if isinstance(error, urllib.error.HTTPError):
                sys.exit("{}: HTTP {} {}".format(host, error.code, error.reason))
            sys.exit("{}: {}".format(host, getattr(error, "reason", error)))
    if digest.hexdigest() != expected:
        os.unlink(part)
        sys.exit("{}: sha256 is {}, pinned is {}".format(host, digest.hexdigest(), expected))
    os.replace(part, destination)


if __name__ == "__main__":
    main()
