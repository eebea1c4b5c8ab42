"""A host's page and API over real HTTP, on a machine with one port and no board on it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from snaploop_host.app import Host, web_application


class NoPorts:
    """A host without a board on its one port."""

    port_state = "waiting"

    def state(self) -> list[dict[str, Any]]:
        """The port, waiting for a board."""
        return [{"port": "/dev/ttyACM0", "state": self.port_state, "requests": 0}]

    def pause(self, port: str, seconds: float) -> bool:
        """Whether there is such a port."""
        return port == "/dev/ttyACM0"

    def resume(self, port: str) -> bool:
        """Whether there is such a port."""
        return self.pause(port, 0)


@contextlib.asynccontextmanager
async def served(host: Host, token: str | None = None, ports: Any = None) -> AsyncIterator[TestClient[Any, Any]]:
    """A client of the host's page."""
    async with TestClient(TestServer(web_application(host, ports or NoPorts(), token))) as client:
        yield client
