"""One file of weights from the web into a folder: checked, whole or not at all, and never waited for in vain.

Checked by SHA-256: of the caller's, or by the digits of it that torchvision and doctr put into the file's name (`name-21748dd0.pt`).
Standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import logging
import os
import re
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

logger = logging.getLogger(__name__)

OFFLINE = "SNAPLOOP_OFFLINE"  # environment variable: anything in it, and nothing is fetched
STALLED_S = 15.0  # without a byte: there is no network, or none that helps
POLL_S = 0.2
CHUNK_BYTES = 1 << 16
LARGEST_BYTES = 1 << 30


class DownloadError(Exception):
    """The file could not be had; the message says why, `file` is its name."""

    def __init__(self, file: str, reason: str) -> None:
        """For the file of this name."""
        super().__init__(reason)
        self.file = file


def download(address: str, folder: Path, sha256: str = "", stalled_s: float = STALLED_S) -> Path:
    """The file at `address`, in `folder`, which is made when it is not there.

    Args:
        address: ends, before any "&", in the file's name: without `sha256` "/NAME-DIGITS.ENDING", where DIGITS begin it.
        folder: where it goes.
        sha256: of the file, in hexadecimal digits.
        stalled_s: seconds without any progress after which it is given up; resolving the host's name counts too.

    Raises:
        DownloadError: $SNAPLOOP_OFFLINE is set, no network, no such file, not the file that was published, or the folder cannot be
            written.
    """
    name = address.rpartition("/")[-1].split("&")[0]
    if os.environ.get(OFFLINE):
        raise DownloadError(name, f"{OFFLINE} is set")
    attempt = _Attempt(address, name, folder, sha256 or _digits_in(name))
    worker = threading.Thread(target=attempt.run, daemon=True)  # a resolver that hangs cannot be told to stop
    worker.start()
    while worker.is_alive() and time.monotonic() - attempt.progress_at < stalled_s:
        worker.join(POLL_S)
    if worker.is_alive():
        attempt.is_given_up = True
        raise DownloadError(name, f"{attempt.host} does not answer")
    if attempt.reason:
        raise DownloadError(name, attempt.reason)
    return folder / name


def _digits_in(name: str) -> str:
    found = re.search(r"-([0-9a-f]{8,64})\.", name)
    return found[1] if found else ""


class _Attempt:
    """What the thread does, and how far it is."""

    def __init__(self, address: str, name: str, folder: Path, sha256: str) -> None:
        self.address, self.name, self.folder, self.sha256 = address, name, folder, sha256
        self.host = address.partition("//")[2].partition("/")[0]
        self.progress_at = time.monotonic()
        self.is_given_up = False
        self.reason = ""

    def run(self) -> None:
        """Fetch, or leave `reason`."""
        partial = self.folder / f"{self.name}.part"
        try:
            self._fetch(partial)
        except urllib.error.HTTPError as error:
            self.reason = f"{self.host} answers {error.code} for {self.name}"
        except urllib.error.URLError as error:
            self.reason = f"{self.host} cannot be reached ({error.reason})"
        except (OSError, http.client.HTTPException, ValueError) as error:  # ValueError: an address that is none
            self.reason = f"{self.name} could not be fetched ({type(error).__name__}: {error})"
        if self.reason:
            logger.warning("no weights: %s", self.reason)
            with contextlib.suppress(OSError):  # the folder may not be there or not be ours to write
                partial.unlink(missing_ok=True)

    def _fetch(self, partial: Path) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        digest, size = hashlib.sha256(), 0
        with urllib.request.urlopen(self.address, timeout=STALLED_S) as answer, partial.open("wb") as file:
            while piece := answer.read(CHUNK_BYTES):
                if self.is_given_up:
                    self.reason = "given up"
                    return
                digest.update(piece)
                size += len(piece)
                if size > LARGEST_BYTES:
                    self.reason = f"{self.name} is larger than {LARGEST_BYTES >> 20} MiB"
                    return
                file.write(piece)
                self.progress_at = time.monotonic()
        if not self.sha256 or not digest.hexdigest().startswith(self.sha256):
            self.reason = f"what {self.host} sent is not {self.name}: its SHA-256 begins with {digest.hexdigest()[:8]}"
            return
        partial.replace(self.folder / self.name)
        logger.info("fetched %s, %d bytes", self.name, size)
