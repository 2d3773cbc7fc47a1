"""Repeats what failed on the network and may succeed a moment later, as often as fetch.py does.

Runs inside the pinned pip, whose own retries do not cover an answer that breaks off. Needs fetch.py beside it.
"""

import time

from fetch import PAUSES, TRANSIENT
from pip._internal.exceptions import NetworkConnectionError
from pip._vendor import requests, urllib3


def may_pass(error):
    """Whether another try may do better."""
    if isinstance(error, NetworkConnectionError):
        return getattr(error.response, "status_code", None) in TRANSIENT
    if isinstance(error, (requests.exceptions.SSLError, requests.ConnectTimeout)):
        return False
    broken = (requests.exceptions.ChunkedEncodingError, requests.exceptions.RetryError, urllib3.exceptions.HTTPError)
    return isinstance(error, (requests.ConnectionError, requests.Timeout, *broken))


def repeated(call):
    """What `call` returns, at the third try at the latest."""
    for pause in PAUSES + (None,):
        try:
            return call()
        except Exception as error:
            if pause is None or not may_pass(error.__cause__ or error):
                raise
            print("failed, once more in {} s: {}".format(pause, error))
        time.sleep(pause)
