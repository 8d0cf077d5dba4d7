"""Engines: where the requests of a run are sent from, by what a person named."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ..client import ChatClient, ignored
from ..config import ChatConfig, resolve_sourced
from ..errors import ConnectionFailed, InvalidRequest
from ..messages import ChatRequest
from ..private_files import PerProcess
from .sending import Block, Here, Sender, Sent, Task, There, send_here

if TYPE_CHECKING:
    from .pace import Pace

__all__ = ["OPENAI_BATCH", "Engine", "check_engine", "opened", "send_block"]

Engine = Executor | str | None
"""None for the loop of the client, an Executor, `dask://HOST:PORT`, or `openai-batch`."""

OPENAI_BATCH = "openai-batch"
"""The name of the engine that has OpenAI's Batch API answer, see `BatchRun`."""

_DASK = "dask://"
_CONNECT_SECONDS = 10
_BLOCKS_AT_A_TIME = 4
"""Tasks that the requests under way are spread over, at least."""
_LARGEST_BLOCK = 16
_AHEAD = 2
"""Dask's way back and forth takes some 10 ms; meanwhile a worker has other blocks."""
_SETTINGS = (
    "base_url",
    "api",
    "connect_timeout",
    "stall_timeout",
    "total_timeout",
    "max_attempts",
    "max_retry_seconds",
    "max_wait",
    "transport",
)
"""What workers take over. The key is none of these: each finds its own."""


def check_engine(engine: Engine) -> None:
    """Does nothing where it can be one.

    Raises:
        InvalidRequest: it is no Executor, and no address of a scheduler.

    Example:
        >>> check_engine("dask://localhost:8786")
        >>> check_engine("spark")
        Traceback (most recent call last):
        chat_magics.errors.InvalidRequest: engine 'spark' is none: ...
    """
    if engine in (None, OPENAI_BATCH) or isinstance(engine, Executor):
        return
    if not isinstance(engine, str) or not engine.removeprefix(_DASK) or _DASK not in engine:
        raise InvalidRequest(
            f"engine {engine!r} is none: give an Executor of concurrent.futures, or the address "
            "of a Dask scheduler, dask://HOST:8786, or openai-batch"
        )


@contextmanager
def opened(
    engine: Engine, client: ChatClient, config: ChatConfig, concurrency: int, pace: Pace
) -> Iterator[Sender]:
    """Who sends the requests of one run.

    Args:
        engine: as given.
        client: of this process.
        config: the settings that workers take over.
        concurrency: requests under way at a time, over all workers.
        pace: told what the server says of its limits, where that is heard.

    Raises:
        ConnectionFailed: no scheduler answers.
        InvalidRequest: Dask is not installed.
    """
    if engine in (None, OPENAI_BATCH):  # of a batch, what is asked once more goes out from here
        yield Here(client, pace.told)
        return
    block = max(1, min(_LARGEST_BLOCK, concurrency // _BLOCKS_AT_A_TIME))
    if isinstance(engine, ThreadPoolExecutor):  # whose threads know this client, and its key
        yield There(engine, partial(_send_by, client), block, turn=_at_once)
        return
    settings = tuple((name, getattr(config, name)) for name in _SETTINGS)
    turn = partial(_turn, client, config)  # workers know of no limits
    if isinstance(engine, Executor):
        yield There(engine, partial(send_block, settings, None), block, turn=turn)
        return
    with _dask(engine) as cluster:
        workers = max(1, len(cluster.scheduler_info(n_workers=-1)["workers"]))
        share = max(1, concurrency // workers)
        task = partial(send_block, settings, share)
        block = min(_LARGEST_BLOCK, share)  # each task costs some 3 ms, and there are others ahead
        yield There(_Cluster(cluster), task, block, ahead=_AHEAD, turn=turn)


async def _at_once(request: ChatRequest) -> None:
    """Nothing to wait for: the client that sends it does."""


async def _turn(client: ChatClient, config: ChatConfig, request: ChatRequest) -> None:
    if client.admission is not None:
        await client.admission.turn(request.owner, config, ignored)


class _Cluster:
    """Hands tasks to a Dask cluster.

    Dask's own Executor gives neither a result nor an error where a result was on its way as the
    scheduler died.

    Args:
        cluster: the client of Dask.
    """

    def __init__(self, cluster: Any) -> None:
        self._cluster = cluster

    def submit(self, task: Task, block: Block, /) -> Future[list[Sent]]:
        """What the task gives, when a worker has done it."""
        told: Future[list[Sent]] = Future()
        result = self._cluster.submit(task, block, pure=False)
        told.add_done_callback(lambda told: result.cancel() if told.cancelled() else None)
        result.add_done_callback(partial(_tell, told))
        return told


def _tell(told: Future[list[Sent]], result: Any) -> None:
    if not told.set_running_or_notify_cancel():
        return
    try:
        told.set_result(result.result())
    except BaseException as error:  # noqa: BLE001 - it goes to who asked
        told.set_exception(error)


@contextmanager
def _dask(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise InvalidRequest("dask:// needs Dask: pip install 'chat-magics[dask]'") from None
    place = address.removeprefix(_DASK)
    try:
        cluster: Any = Client(  # type: ignore[no-untyped-call]
            f"tcp://{place}", timeout=_CONNECT_SECONDS, set_as_default=False
        )
    except (OSError, TimeoutError, asyncio.TimeoutError):
        raise ConnectionFailed(f"no Dask scheduler answers at {place}") from None
    try:
        yield cluster
    finally:
        cluster.close(timeout=_CONNECT_SECONDS)


Settings = tuple[tuple[str, Any], ...]


def send_block(settings: Settings, at_once: int | None, block: Block) -> list[Sent]:
    """Sends the requests of a block; runs in a worker.

    Args:
        settings: of the client, as names and values; the key is found here, by the same rules as
            anywhere: it must be in this process's environment, and may go where it may there.
        at_once: requests under way at a time in this process, over all its blocks; None for any.
        block: requests, each with whether it is patient.
    """
    worker = _worker(settings, at_once)
    return _send_by(worker.client, block, worker.gate)


Gate = AbstractAsyncContextManager[None]


def _send_by(client: ChatClient, block: Block, gate: Gate | None = None) -> list[Sent]:
    async def one(request: ChatRequest, patient: bool) -> Sent:
        async with gate or nullcontext():
            return await send_here(client, request, patient)

    async def all_of_them() -> list[Sent]:
        return await asyncio.gather(*(one(*each) for each in block))

    return client.loop.run(all_of_them())


class _Worker(NamedTuple):
    """What a worker sends with, for all its tasks: so connections are used again."""

    client: ChatClient
    gate: Gate


_workers: PerProcess[dict[tuple[Settings, int | None], _Worker]] = PerProcess(dict)
"""Of this process; its tasks run on several threads, and must find the same one."""


def _worker(settings: Settings, at_once: int | None) -> _Worker:
    with _workers.use() as made:
        if (settings, at_once) not in made:
            given: Mapping[str, Any] = dict(settings)
            own = resolve_sourced()[0]
            # What the environment here says comes from there, as does the key that may go there.
            asked = {name: value for name, value in given.items() if value != getattr(own, name)}
            gate = asyncio.Semaphore(at_once) if at_once else nullcontext()
            made[settings, at_once] = _Worker(ChatClient(*resolve_sourced(asked)), gate)
        return made[settings, at_once]
