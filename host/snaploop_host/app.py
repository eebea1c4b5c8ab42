"""The only wiring of the host: a config comes in, working objects go out. Called by cli/ and tests."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .config import Config
from .errors import ConflictError, StorageError
from .files import write_atomically
from .jobs.job_processes import WORKER, JobProcesses
from .network import own_address
from .services.import_samples import ImportSamples
from .services.invite_board import InviteBoard
from .services.pair_board import PairBoard
from .services.publish_model import PublishModel
from .services.sync_board import USB, BoardApi
from .services.train_model import TrainModel
from .storage.blobs import BlobFolder
from .storage.database import open_database
from .storage.pictures import PillowPictures
from .storage.store import SqlStore

if TYPE_CHECKING:
    from aiohttp import web

    from .links.usb_ports import UsbPorts

logger = logging.getLogger(__name__)

STEP_EVERY_S = 1.0  # how often running jobs are looked at; the page shows nothing faster
DATABASE = "snaploop.db"
DAEMON_FILE = "daemon.json"
TOKEN_FILE = "token"
LOCK_FILE = "daemon.lock"


@dataclass(frozen=True, slots=True)
class Host:
    """Everything that works on one data folder."""

    config: Config
    store: SqlStore
    blobs: BlobFolder
    pictures: PillowPictures
    jobs: JobProcesses
    train: TrainModel
    pair: PairBoard
    invite: InviteBoard
    importer: ImportSamples
    board_api: BoardApi

    def close(self) -> None:
        """Close the database; jobs go on."""
        self.store.close()


def open_host(config: Config, worker: Sequence[str] = WORKER) -> Host:
    """The host on its data folder, which is made or upgraded when it must be.

    Raises:
        StorageError: the folder cannot be used.
    """
    folder = config.data_dir
    store = SqlStore(open_database(folder / DATABASE))
    blobs = BlobFolder(folder / "blobs")
    pictures = PillowPictures(blobs, folder / "thumbnails")
    jobs = JobProcesses(folder / "jobs", worker, folder / "weights")
    train = TrainModel(store, blobs, jobs, PublishModel(store, blobs, jobs))
    pair = PairBoard(store)
    invite = InviteBoard(store, pair)
    return Host(
        config=config,
        store=store,
        blobs=blobs,
        pictures=pictures,
        jobs=jobs,
        train=train,
        pair=pair,
        invite=invite,
        importer=ImportSamples(store, blobs, pictures),
        board_api=BoardApi(store, blobs, pictures, train.start, socket.gethostname(), accept_invited=invite.accept),
    )


@contextlib.contextmanager
def sole_trainer(config: Config) -> Iterator[None]:
    """Hold the lock that says: this process looks after the jobs of the data folder.

    Raises:
        ConflictError: another process does.
    """
    config.data_dir.mkdir(parents=True, exist_ok=True)
    with (config.data_dir / LOCK_FILE).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            running = daemon_address(config.data_dir)
            where = f" at {running['url']}" if running else ""
            raise ConflictError(
                f"another snaploop works on {config.data_dir}{where}: use that one, or give --data another folder"
            ) from error
        yield


class Supervisor:
    """Looks at the jobs every second in a thread of its own."""

    def __init__(self, train: TrainModel) -> None:
        """Adopt what runs already, then go on."""
        self._train = train
        self._end = threading.Event()
        train.resume()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking; the jobs go on."""
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(STEP_EVERY_S):
            try:
                self._train.step()
            except Exception:  # boundary: one bad job must not stop the daemon
                logger.exception("looking after the jobs failed")


def serve_usb(host: Host) -> UsbPorts:
    """Bridges for the ports of the config."""
    from .links.recover import SILENT_S  # pyserial only where it is used
    from .links.usb_ports import UsbPorts

    config = host.config
    return UsbPorts(
        config.usb_ports,
        config.finds_usb_boards,
        lambda request: host.board_api.handle(request, USB),
        is_heard_elsewhere=lambda board_id: host.board_api.was_heard(board_id, SILENT_S),
    )


def access_token(config: Config) -> str:
    """The token for page and API when others can reach us; made once per data folder, readable by its owner only."""
    path = config.data_dir / TOKEN_FILE
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        token = secrets.token_urlsafe(24)
        write_atomically(path, token.encode(), mode=0o600)
        return token
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror}): check its owner") from error


@contextlib.contextmanager
def announced(config: Config, url: str, token: str | None) -> Iterator[None]:
    """Tell other snaploop commands where this daemon listens, as long as the block runs."""
    path = config.data_dir / DAEMON_FILE
    said = {"url": url, "pid": os.getpid(), "token": token}
    write_atomically(path, json.dumps(said).encode(), mode=0o600)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def daemon_address(data_dir: Path) -> dict[str, Any] | None:
    """{"url", "pid", "token"} of the daemon on this data folder, None when none runs."""
    try:
        said: dict[str, Any] = json.loads((data_dir / DAEMON_FILE).read_bytes())
        os.kill(int(said["pid"]), 0)
        with (data_dir / LOCK_FILE).open("r") as lock:
            fcntl.flock(
                lock, fcntl.LOCK_SH | fcntl.LOCK_NB
            )  # nobody holds it: the daemon was killed and its pid is another's
        return None
    except BlockingIOError:
        return said
    except (OSError, ValueError, KeyError):
        return None


def web_application(host: Host, usb: UsbPorts, token: str | None) -> web.Application:
    """Page, API and board road over this host."""
    from .links.install_jobs import InstallJobs
    from .services.model_details import ModelDetails
    from .services.overview import Overview
    from .web.application import application  # aiohttp only where it is used
    from .web.context import Context

    return application(
        Context(
            store=host.store,
            blobs=host.blobs,
            thumbnails=host.pictures,
            train=host.train,
            overview=Overview(host.store, host.train),
            details=ModelDetails(host.store, host.jobs),
            board_api=host.board_api,
            pair=host.pair,
            invite=host.invite,
            address_for_boards=lambda: "127.0.0.1" if host.config.is_loopback else own_address(),
            usb=usb,
            installs=InstallJobs(host.pair, usb),
            token=token,
        )
    )


async def serve_until(host: Host, stop: asyncio.Event, is_up: Callable[[str, str | None], None]) -> None:
    """The daemon: page, API and boards until `stop` is set. `is_up` gets the address and the token, None when none is needed.

    Raises:
        ConflictError: another daemon works on the data folder.
        AddressTakenError, BadInputError: cannot listen.
    """
    from .links.host_beacon import HostBeacon
    from .web.application import serve

    config = host.config
    token = None if config.is_loopback else access_token(config)
    with contextlib.ExitStack() as stack:
        stack.enter_context(sole_trainer(config))
        usb = stack.enter_context(contextlib.closing(serve_usb(host)))

        def announce(port: int) -> None:
            shown = "127.0.0.1" if config.host in ("0.0.0.0", "::") else config.host
            url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
            stack.enter_context(announced(config, url, token))
            stack.enter_context(contextlib.closing(HostBeacon(host.store.find_board, port, config.is_loopback)))
            stack.enter_context(contextlib.closing(Supervisor(host.train)))
            is_up(url, token)

        await serve(web_application(host, usb, token), config.host, config.port, announce, stop)
