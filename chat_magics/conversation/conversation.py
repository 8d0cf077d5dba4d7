"""Conversation: what is asked, in what order, with what context. The same for every surface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..attachments import with_files
from ..display import current_cell
from ..errors import InvalidOption, NotFound
from ..messages import ChatRequest, Image, Message
from .ask import Ask, api_options
from .attached import File, earlier_images, files_of, given_files
from .contents import Contents
from .data import AsData
from .path import Cell, find_place, messages_of
from .reply import Reply
from .session import Session
from .spending import Plan
from .state import State
from .turn import Turn

if TYPE_CHECKING:
    from ..attachments import Attachment
    from ..history import ConversationRecord, Exchange, Status

__all__ = ["Conversation"]

AGAIN = {"model", "system", "options", "temperature", "max_tokens", "surface"}
"""What may be given to ask an exchange again."""


class Conversation(Contents, AsData):
    """Prompts and replies with a common context, kept in history.

    Args:
        name: a name to open it by later, unique among yours; None leaves it unnamed.
        session: what it shares with the other surfaces; the shell's, or one of its own.
        settings: settings of `ChatConfig`, such as `model` or `base_url`; they make a session of
            its own.

    Raises:
        ConfigError: a setting does not make sense.
        InvalidRequest: the name is taken.

    Example:
        >>> chat = Conversation(base_url="demo")
        >>> "demo" in chat.ask("Hello").text.lower()
        True
        >>> len(chat.exchanges())
        1
    """

    def __init__(
        self, name: str | None = None, *, session: Session | None = None, **settings: Any
    ) -> None:
        self.session = session or (Session(settings) if settings else Session.current())
        self.state = State(self.session, self._register)
        if name is not None:
            origin = self.session.origin
            self.state.keep(self.session.store_now(lambda h: h.create_conversation(name, origin)))

    def _register(self, record: ConversationRecord) -> None:
        self.session.opened[record.id] = self

    @classmethod
    def open(cls, ref: Any, *, session: Session | None = None, **settings: Any) -> Conversation:
        """A conversation that is in history, to go on with; one object for all of a session.

        Args:
            ref: its name, its id, or the beginning of its id; or a row of a frame of history, such
                as `history.search("joins").loc[0]`.
            session: as for `Conversation`.
            settings: as for `Conversation`.

        Raises:
            NotFound: there is none; the message tells the nearest names.
        """
        opened = cls(session=session, **settings)
        record = opened.session.listing.find(ref)
        shared = opened.session.opened.get(record.id)
        if shared is not None:
            return shared
        opened.state.keep(record)
        opened.state.loaded = False
        return opened

    # Asking

    def ask(
        self,
        prompt: str,
        *,
        model: str | None = None,
        system: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        options: Mapping[str, Any] | None = None,
        alone: bool = False,
        refresh: bool = False,
        use_cache: bool | None = None,
        attachments: Sequence[File] = (),
    ) -> Reply:
        """The reply to a prompt; it is sent when it is looked at.

        Args:
            prompt: 1 to `max_prompt_chars` characters.
            model: instead of the configured one.
            system: system prompt instead of the configured one.
            temperature: 0 to 2.
            max_tokens: longest reply, in tokens.
            options: further options of the API, sent as they are.
            alone: send it without context, and keep it out of the context of what follows.
            refresh: ask the server even where the cache has an answer.
            use_cache: False neither reads nor writes the cache; None as configured.
            attachments: paths of text files and images that go with it, read now.

        Raises:
            NotFound: a file is not there.
            InvalidRequest: a file is empty, too large, or neither text nor an image.
            PromptTooLong: the message says how long it is and which setting limits it.
            InvalidOption: an option is unknown or out of range.
            ConfigError: a setting does not make sense.
        """
        given = api_options(options, temperature=temperature, max_tokens=max_tokens)
        ask = Ask(
            prompt,
            model,
            system,
            given,
            alone,
            refresh,
            use_cache=use_cache is not False,
            cell=_asking_cell(),
            attachments=self._given(attachments),
        )
        return self.reply_to(ask)

    def _given(self, files: Sequence[File]) -> tuple[Attachment, ...]:
        if files:
            self.session.refresh()
        return given_files(files, self.session.config)

    async def ask_async(self, prompt: str, **options: Any) -> Reply:
        """The whole reply, where one is in async code; arguments as for `ask`.

        Raises:
            ChatError: it failed.
        """
        return await self.ask(prompt, **options).wait_async()

    def regenerate(self, exchange: str | None = None, **options: Any) -> Reply:
        """Asks an exchange again, past the cache; the new answer takes the old one's place.

        Args:
            exchange: its id; the last one by default.
            options: `model`, `system`, `options`, `temperature` or `max_tokens` instead of those
                it was asked with.

        Raises:
            NotFound: there is nothing to regenerate.
            InvalidOption: it takes no such option.
        """
        old = self._exchange(exchange)
        return self.reply_to(self._again(old, old.prompt, options))

    def edit(self, exchange: str, prompt: str, **options: Any) -> Reply:
        """Asks a changed prompt in the place of an earlier one; what followed leaves the path.

        Args:
            exchange: its id.
            prompt: the changed one.
            options: as for `regenerate`.

        Raises:
            NotFound: this exchange is not in the path.
            InvalidOption: it takes no such option.
        """
        return self.reply_to(self._again(self._exchange(exchange), prompt, options, cut=True))

    def _again(self, old: Exchange, prompt: str, options: dict[str, Any], cut: bool = False) -> Ask:
        if strange := options.keys() - AGAIN:
            raise InvalidOption(
                f"to ask again takes no {min(strange)!r}, only {', '.join(sorted(AGAIN))}"
            )
        named = {name: options.pop(name, None) for name in ("temperature", "max_tokens")}
        settings = {
            "model": old.model_asked,
            "system": old.system or "",
            "exact": True,
            "surface": old.surface,
            "attachments": self.session.store_now(lambda history: files_of(old, history)),
            **options,
            "options": api_options(options.get("options", old.options), **named),
        }
        cell = Cell(old.cell, old.execution) if old.cell and old.execution else None
        return Ask(prompt, refresh=True, replaces=old.id, cut=cut, cell=cell, **settings)

    def reply_to(self, ask: Ask) -> Reply:
        """The reply to an ask that a surface put together; checked here, sent when looked at."""
        self.session.refresh()
        ask.check(self.session.config.max_prompt_chars)
        return Reply(self, ask, self._start)

    def _start(self, reply: Reply) -> Callable[[Status], None]:
        self.session.check_open()
        turn = Turn(self, reply, reply.ask)
        self.state.asked(reply)
        self.session.loop.post(turn.start)

        def stop(status: Status) -> None:
            self.session.loop.post(turn.stop, status)

        return stop

    # What would be sent

    def plan(self, ask: Ask) -> Plan:
        """What an ask would send and cost; nothing is sent."""
        self.session.refresh()
        ask.check(self.session.config.max_prompt_chars)
        exchanges = {exchange.id: exchange for exchange in self.exchanges()}
        place = find_place(
            self.path,
            exchanges,
            cell=ask.cell,
            replaces=ask.replaces,
            cut=ask.cut,
            alone=ask.alone,
        )
        likely, guessed = self.session.client.likely_model(self.session.config.owner)
        before = [exchanges[id] for id in place.before]
        images = self.session.store_now(
            lambda h: earlier_images([each for each in before if each.answered], h)
        )
        request = self.request(ask, place.before, exchanges, images, ask.model or likely)[0]
        return self.session.plan(
            request,
            self.id,
            guessed=guessed and not ask.model,
            use_cache=ask.use_cache and not ask.refresh,
        )

    def request(
        self,
        ask: Ask,
        before: Sequence[str],
        exchanges: Mapping[str, Exchange],
        images: Mapping[str, tuple[Image, ...]],
        model: str,
    ) -> tuple[ChatRequest, tuple[str, ...]]:
        """What goes on the wire for an ask, and the ids of the exchanges it is sent with."""
        config = self.session.config
        system = config.system if ask.system is None else ask.system
        asked = Message(
            role="user",
            content=with_files(ask.prompt, ask.attachments),
            images=tuple(file.image for file in ask.attachments if file.kind == "image"),
        )
        messages, context = messages_of(before, exchanges, system, asked, images)
        options = self.session.options_of(ask)
        request = ChatRequest(
            base_url=config.base_url,
            model=model,
            messages=messages,
            api=config.api,
            options=options,
            owner=config.owner,
        )
        return request, context

    def _exchange(self, id: str | None) -> Exchange:
        exchanges = self.exchanges()
        for exchange in reversed(exchanges):
            if id is None or exchange.id == id:
                return exchange
        nothing = "no such exchange" if exchanges else "no exchange yet"
        raise NotFound(f"there is nothing to ask again: this conversation has {nothing}")

    def __repr__(self) -> str:
        record = self.state.record
        title = (record and (record.name or record.title)) or "new"
        return f"<Conversation {title!r}, {len(self.path)} exchanges>"


def _asking_cell() -> Cell | None:
    found = current_cell()
    return Cell(*found) if found else None
