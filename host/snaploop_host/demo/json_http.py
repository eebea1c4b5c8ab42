"""JSON over HTTP to a server on this machine, with one connection kept open: touches are many and small."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from .errors import DemoError


class JsonHttp:
    """Requests to one base URL; answers are parsed JSON (or bytes, from `get_bytes`)."""

    def __init__(self, name: str, url: str, timeout_s: float = 60) -> None:
        """Remember where; connects with the first request."""
        self._name = name
        self.url = url
        self._netloc = urlsplit(url).netloc
        self._timeout_s = timeout_s
        self._connection: http.client.HTTPConnection | None = None

    def get(self, path: str) -> Any:
        """The JSON value at `path`."""
        return json.loads(self._request("GET", path, None))

    def get_bytes(self, path: str) -> bytes:
        """The bytes at `path`."""
        return self._request("GET", path, None)

    def post(self, path: str, content: dict[str, object] | None = None) -> Any:
        """The JSON value that a POST of `content` answers."""
        return json.loads(self._request("POST", path, content or {}) or b"null")

    def _request(self, method: str, path: str, content: dict[str, object] | None) -> bytes:
        body = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json"} if body is not None else {}
        for attempt in (1, 2):
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._netloc, timeout=self._timeout_s)
            try:
                self._connection.request(method, path, body, headers)
                response = self._connection.getresponse()
                answer = response.read()
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                self._connection = None
                # A kept connection may have been closed by the other side between two requests: once more on a fresh one.
                if attempt == 1 and not isinstance(error, TimeoutError):
                    continue
                raise DemoError(f"{self._name} does not answer {method} {path}: {error}") from error
            if response.status >= 400:
                raise DemoError(
                    f"{self._name} answers {method} {path} with {response.status}: {answer[:300].decode(errors='replace')}"
                )
            return answer
        raise DemoError(f"{self._name} does not answer {method} {path}")
