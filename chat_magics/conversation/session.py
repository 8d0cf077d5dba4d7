"""Session: what the surfaces of one kernel share: settings, client, history, log."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakValueDictionary

from ..answering import Answering
from ..answering_redis import AnsweringTogether
from ..cache import CompletionCache, DiskStore
from ..cache_redis import RedisStore
from ..client import Admission, ChatClient
from ..config import OPENAI_URL, ChatConfig, Sourced, key_to_send, resolve_sourced
from ..display import current_shell
from ..errors import ChatError, ConfigError
from ..history import History
from ..limits import Budget, RateLimiter
from ..redis_link import link_to
from ..telemetry import ErrorReport
from .ask import api_options
from .listing import Listing
from .redis_news import RedisNews
from .spender import Spender
from .store import Store
from .telling import Telling
from .watching import Watchers

if TYPE_CHECKING:
    from .conversation import Conversation
    from .turn import Turn

__all__ = ["Session"]

T = TypeVar("T")


class Session(Telling, Spender):
    """One client, one history, one current conversation; shared by all surfaces of a kernel.

    In IPython it lives on the shell (`Session.current()`); elsewhere it is made by hand.

    Args:
        arguments: settings given in code.
        notebook: settings given by `%config`, read anew at each ask.
        on_error: given an ErrorReport of each failure, for a monitoring service.
        client: one to share with other sessions, such as those of other owners; it keeps its own
            settings, and stays open when this session is closed.

    Example:
        >>> session = Session({"base_url": "demo"})
        >>> session.config.base_url
        'demo'
        >>> session.close()
    """

    def __init__(
        self,
        arguments: Mapping[str, Any] | None = None,
        *,
        notebook: Callable[[], Mapping[str, Any]] | None = None,
        on_error: Callable[[ErrorReport], None] | None = None,
        client: ChatClient | None = None,
    ) -> None:
        super().__init__(on_error)
        self._arguments = dict(arguments or {})
        self._notebook = notebook or dict
        self.offer: str | None = None  # the notebook's last conversation; None until looked for
        self.config, self.sources = self._resolve()
        self._shares_client = client is not None
        self.client = client or ChatClient(self.config, self.sources)
        self.loop = self.client.loop
        self.telemetry = self._open_log()
        self._conversation: Conversation | None = None
        self._closed = False
        self.opened: WeakValueDictionary[str, Conversation] = WeakValueDictionary()
        self._cache_settings: object = None
        self._redis_news = RedisNews(self._tell_of_redis)
        self._store = Store(self.warn)
        self._store.use(self.config)
        self._running: set[tuple[int, Turn]] = set()
        self._watchers: Watchers[Conversation] = Watchers()
        self.listing = Listing(self)
        self._apply()

    @classmethod
    def current(cls) -> Session:
        """The session of this IPython shell, made where there is none; a new one elsewhere."""
        shell = current_shell()
        return cls() if shell is None else cls.of(shell)

    @classmethod
    def of(cls, shell: Any) -> Session:
        """The session of a shell, with the settings of its `%config`; one, whoever asks first.

        Where that one was closed, a new one takes its place.
        """
        found = getattr(shell, "chat_magics_session", None)
        if found is None or found.closed:

            def given_here() -> Mapping[str, Any]:
                given = getattr(shell, "chat_magics_settings", None)
                return given() if given is not None else {}

            fresh, kept = cls(notebook=given_here), vars(shell)
            if found is not None and kept.get("chat_magics_session") is found:
                del kept["chat_magics_session"]
            found = kept.setdefault("chat_magics_session", fresh)
        return cast("Session", found)

    # Settings

    def _resolve(self) -> tuple[ChatConfig, Sourced]:
        return resolve_sourced(self._arguments, self._notebook())

    def refresh(self) -> None:
        """Takes in settings that changed: by `%config`, in the environment, in `.env`.

        Raises:
            ConfigError: one of them does not make sense.
        """
        config, sources = self._resolve()
        if (config, sources) != (self.config, self.sources):
            self._store.use(config)
            self.config, self.sources = config, sources
            self._apply()

    def _apply(self) -> None:
        config = self.config
        if not self._shares_client:
            self._equip(self.client)
        self.telemetry.log_content = config.log_content
        self.budget = Budget(
            config.tokens_per_day,
            config.dollars_per_day,
            config.tokens_per_conversation,
            config.dollars_per_conversation,
        )
        self._tell_of_file()

    def _equip(self, client: ChatClient) -> None:
        config = self.config
        client.configure(config, self.sources)
        cache = (config.home, config.cache_mb, config.cache_ttl, config.cache_url)
        if cache != self._cache_settings:  # else its counters would begin anew
            self._cache_settings = cache
            client.cache = self._new_cache(config)
        limiter = RateLimiter(
            config.home / "limits.db",
            per_minute=config.requests_per_minute,
            redis=config.limits,
            on_fault=lambda what, error: self.warn(what),
        )
        here = Answering(config.home / "answering")
        together = AnsweringTogether(here, config.limits) if config.limits else here
        client.admission = Admission(limiter, together)
        self._redis_news.follow(config)

    def _new_cache(self, config: ChatConfig) -> CompletionCache:
        def opened() -> RedisStore | DiskStore:
            if config.cache_url:
                return RedisStore(config.cache_url)
            return DiskStore(config.home / "cache", config.cache_mb * 2**20)

        return CompletionCache(
            opened,
            ttl=config.cache_ttl,
            remote=config.cache_url is not None,
            on_fault=lambda what, error: self.telemetry.warning(f"cache: {what}: {error!r}"),
        )

    def default_options(self) -> dict[str, Any]:
        """Options of the API that the settings ask for; only those that were set."""
        config = self.config
        return api_options(
            config.options, temperature=config.temperature, max_tokens=config.max_tokens
        )

    # History

    async def store(self, work: Callable[[History], T]) -> T:
        """The result of work on the history; runs on the loop, and is not cut off by a stop."""
        return await self._store.run(work)

    def store_now(self, work: Callable[[History], T]) -> T:
        """The same for any other thread; blocks.

        Raises:
            ChatError: the session is closed.
        """
        self.check_open()
        return self._store.run_now(work)

    @property
    def closed(self) -> bool:
        """True where `close` was called: it can be used no more."""
        return self._closed

    def check_open(self) -> None:
        """Does nothing where the session can be used.

        Raises:
            ChatError: it is closed.
        """
        if self._closed:
            raise ChatError("this session is closed: make a new one")

    @property
    def history(self) -> History:
        """Conversations and exchanges as they are stored."""
        return self.store_now(lambda history: history)

    @property
    def origin(self) -> str:
        """What this kernel's conversations belong to: a hash of the notebook's path, or nothing."""
        path = os.environ.get("JPY_SESSION_NAME", "")
        return hashlib.sha256(path.encode()).hexdigest()[:16] if path else ""

    # Conversations

    @property
    def conversation(self) -> Conversation:
        """The current one; a fresh kernel starts a new one."""
        if self._conversation is None:
            from .conversation import Conversation  # they know each other

            self._conversation = Conversation(session=self)
        return self._conversation

    @conversation.setter
    def conversation(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self._watchers.tell(conversation)

    def watch(self, on_switch: Callable[[Conversation], object]) -> Callable[[], None]:
        """Tells each time that another conversation is the current one.

        Returns:
            what ends it.
        """
        return self._watchers.add(on_switch)

    def started(self, turn: Turn) -> None:
        """Notes a turn under way, so that closing the session ends it properly."""
        self._running.add((os.getpid(), turn))

    def finished(self, turn: Turn) -> None:
        """Forgets it."""
        self._running.discard((os.getpid(), turn))

    @property
    def idle(self) -> bool:
        """True where no reply is under way."""
        return not self._running

    async def _stop_all(self) -> None:
        # A forked child knows of its parent's turns, and has none of their tasks.
        while own := [turn for pid, turn in self._running if pid == os.getpid()]:
            for turn in own:
                turn.stop("interrupted")
            await asyncio.sleep(0.001)

    # Beginning and end

    def key(self) -> str | None:
        """The key that goes to the configured server; None where none does."""
        return key_to_send(self.config, self.sources)[0]

    def use_key(self, key: str) -> None:
        """Asks with this key from now on; it is kept in memory only.

        It goes to the configured server, and to OpenAI where that is the demo model.

        Raises:
            ConfigError: it can be no key; all stays as it was.
        """
        before = self._arguments
        url = OPENAI_URL if self.config.base_url == "demo" else self.config.base_url
        # Both from the same place: so the key may go there.
        self._arguments = {**before, "api_key": key, "base_url": url}
        try:
            self.refresh()
        except ConfigError:
            self._arguments = before
            raise

    def prepare(self) -> None:
        """Loads and opens what the first question needs."""
        self.refresh()
        self.client.prepare()
        for url in filter(None, (self.config.cache_url, self.config.limits)):
            link_to(url).client()
        self.store_now(lambda history: history.durable)

    def close(self) -> None:
        """Stops what runs, keeps what came, and lets go of everything; once more does nothing."""
        if self._closed:
            return
        self.check_open()
        self.loop.run(self._stop_all())
        self._closed = True
        self._redis_news.close()
        if not self._shares_client:
            self.client.close()
        self._store.close()
