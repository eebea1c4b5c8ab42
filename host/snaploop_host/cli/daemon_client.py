"""Ask the daemon that runs on our data folder, through its JSON API."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

from ..errors import BadInputError, ConflictError, HostError, NotFoundError

TIMEOUT_S = 30.0  # cancelling waits for a process to end
_ERRORS: dict[int, type[HostError]] = {400: BadInputError, 404: NotFoundError, 409: ConflictError}


def post(daemon: dict[str, Any], path: str, body: dict[str, Any]) -> Any:
    """The JSON answer to a POST.

    Args:
        daemon: what `app.daemon_address` gives.
        path: such as /api/runs/3/cancel.
        body: a JSON-able object.

    Raises:
        HostError: of the kind that the daemon's status says, with its line; or it does not answer.
    """
    address = urlsplit(daemon["url"])
    headers = {"Content-Type": "application/json"}
    if daemon.get("token"):
        headers["Authorization"] = f"Bearer {daemon['token']}"
    connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=TIMEOUT_S)
    try:
        connection.request("POST", path, json.dumps(body), headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise HostError(f"the daemon at {daemon['url']} does not answer ({error}): restart `snaploop serve`") from error
    finally:
        connection.close()
    if response.status >= 400:
        raise _ERRORS.get(response.status, HostError)(answer.get("error", f"status {response.status}"))
    return answer
