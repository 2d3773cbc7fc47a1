"""Fetches the newest wheel that this interpreter accepts: fetch-published.py PROJECT VERSION FOLDER

Prefers VERSION, if it is not empty and the index has a wheel of it. Writes the wheel and FOLDER/published.json, whose
`file` is null if the index has no such wheel. Retries like fetch.py.

Runs in the pinned pip (see fetch-sdist.py). pip does not distinguish an index that fails from one without the wheel:
this script does.
"""

import json
import os
import sys

from pip._internal.cli.status_codes import SUCCESS
from pip._internal.commands.download import DownloadCommand
from pip._internal.exceptions import CommandError, NetworkConnectionError
from pip._internal.index import collector
from pip._internal.network.download import Downloader
from pip._vendor.packaging.specifiers import InvalidSpecifier, SpecifierSet
from pip._vendor.packaging.utils import canonicalize_name
from retries import repeated

NOT_FOUND = (404, 410)


class Requests:
    """Records the requests for index pages that fail, except for `not found`."""

    def __init__(self, request):
        self.failures = []
        self.request = request

    def __call__(self, url, session):
        try:
            return self.request(url, session)
        except NetworkConnectionError as error:
            if getattr(error.response, "status_code", None) not in NOT_FOUND:
                self.failures.append(error)
            raise
        except Exception as error:
            self.failures.append(error)
            raise


class FetchCommand(DownloadCommand):
    project = version = None
    fetched = None

    def run(self, options, args):
        session = self.get_default_session(options)
        self.fetched = repeated(lambda: self.fetch(options, session))
        return SUCCESS

    def fetch(self, options, session):
        # A finder caches its results.
        finder = self._build_package_finder(options=options, session=session)
        collector._get_simple_response = pages = Requests(collector._get_simple_response)
        try:
            candidate = self.candidate(finder)
        finally:
            collector._get_simple_response = pages.request
        if pages.failures:
            failure = pages.failures[0]
            raise CommandError("the index does not answer: {}".format(failure)) from failure
        return candidate and Downloader(session, options.progress_bar)(candidate.link, options.download_dir)[0]

    def candidate(self, finder):
        if self.version:
            try:
                exact = finder.find_best_candidate(self.project, SpecifierSet("=={}".format(self.version)))
                if exact.best_candidate is not None:
                    return exact.best_candidate
            except InvalidSpecifier:
                pass
        return finder.find_best_candidate(self.project).best_candidate


def main():
    project, version, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    command = FetchCommand("fetch", "Fetch one wheel.")
    command.project, command.version = canonicalize_name(project), version
    status = command.main(["--no-deps", "--only-binary", ":all:", "--progress-bar", "off", "--dest", folder])
    if status != SUCCESS:
        sys.exit("error: cannot fetch a published wheel of {} for the comparison".format(command.project))
    name = command.fetched and os.path.basename(command.fetched)
    print(name or "the index has no wheel of {} for this interpreter and system".format(command.project))
    with open(os.path.join(folder, "published.json"), "w") as out:
        json.dump({"schema_version": 1, "project": command.project, "file": name}, out, indent=2, sort_keys=True)
        out.write("\n")


if __name__ == "__main__":
    main()
