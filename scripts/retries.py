"""Retries temporary failures of the network, like fetch.py, which it imports.

Runs in the pinned pip. pip's own retries do not cover a truncated answer.
"""

import time

from fetch import PAUSES, TRANSIENT
from pip._internal.exceptions import NetworkConnectionError
from pip._vendor import requests, urllib3


def may_pass(error):
    """Returns whether another try can succeed."""
    if isinstance(error, NetworkConnectionError):
        return getattr(error.response, "status_code", None) in TRANSIENT
    if isinstance(error, (requests.exceptions.SSLError, requests.ConnectTimeout)):
        return False
    broken = (requests.exceptions.ChunkedEncodingError, requests.exceptions.RetryError, urllib3.exceptions.HTTPError)
    return isinstance(error, (requests.ConnectionError, requests.Timeout, *broken))


def repeated(call):
    """The result of `call`, with up to three tries."""
    for pause in PAUSES + (None,):
        try:
            return call()
        except Exception as error:
            if pause is None or not may_pass(error.__cause__ or error):
                raise
            print("failed, trying again in {} s: {}".format(pause, error))
        time.sleep(pause)
