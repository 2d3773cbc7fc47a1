"""Fetches one file and verifies its hash: fetch.py URL DESTINATION SHA256

Tries temporary failures (a busy server, a broken connection) three times. Fails quickly if a host does not answer:
builds have other sources. Prints the error as one line, without the user information of the URL.
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

# Limit for the name lookup, the connection and TLS together. urllib's own limit applies to each address of a host, which
# adds up to minutes if the network drops packets.
ANSWER_SECONDS = 8
# Limit between two packets of an answer.
STALL_SECONDS = 30
# Seconds between the tries.
PAUSES = (1, 3)
# HTTP statuses of temporary failures.
TRANSIENT = (408, 425, 429, 500, 502, 503, 504)


class TooSlow(Exception):
    pass


def request_for(url):
    """The host and the request. urllib does not support user:password@host."""
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
    """Returns whether another try can succeed."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in TRANSIENT
    reason = getattr(error, "reason", error)
    if isinstance(reason, (TooSlow, ssl.SSLCertVerificationError)):
        return False
    return isinstance(reason, (OSError, http.client.HTTPException))


def download(request, part):
    """Fetches into the file `part`; returns its hash."""
    with deadline(ANSWER_SECONDS):
        response = urllib.request.urlopen(request, timeout=STALL_SECONDS)
    digest = hashlib.sha256()
    size = 0
    with response, open(part, "wb") as out:
        for block in iter(lambda: response.read(1 << 20), b""):
            digest.update(block)
            out.write(block)
            size += len(block)
    # When it reads in blocks, urllib does not detect a connection that ends early.
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
        sys.exit("{}: the sha256 is {} instead of the pinned {}".format(host, digest.hexdigest(), expected))
    os.replace(part, destination)


if __name__ == "__main__":
    main()
