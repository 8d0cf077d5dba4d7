"""ChatPanel: the chat as a widget. It holds no logic of the chat: it drives a Conversation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from IPython.display import display
from ipywidgets import VBox

from chat_magics import ChatError, Conversation, Session
from chat_magics.attachments import ACCEPTED, of_bytes, readable_size
from chat_magics.display import current_shell
from chat_magics.history import Exchange, Surface
from chat_magics.messages import Message

from . import incoming
from .bar import Bar
from .stage import Stage
from .starters import after_cells, starters
from .still import StillTranscript
from .subshell import serve_beside_cells
from .transcript import Transcript

__all__ = ["ChatPanel"]


class ChatPanel(VBox):
    """A panel to chat in: prompts, streaming replies, options, conversations, analytics.

    Args:
        conversation: the one to show; without it, the current one of the notebook, whichever that
            is, the same that `%%chat` cells ask in.
        session: what it shares with the other surfaces; the shell's by default.
        height: of the transcript, as a CSS length; 520 px where empty.
        settings: settings of `ChatConfig`, such as `model` or `base_url`; they make a session of
            its own.

    Raises:
        ConfigError: a setting does not make sense.

    Example:
        >>> panel = ChatPanel(base_url="demo", history="sqlite://")
        >>> reply = panel.ask("Hello")
        >>> "demo" in reply.text.lower()
        True
        >>> panel.close()
    """

    surface: ClassVar[Surface] = "panel"

    def __init__(
        self,
        conversation: Conversation | None = None,
        *,
        session: Session | None = None,
        height: str = "",
        **settings: Any,
    ) -> None:
        if conversation is not None:
            session = conversation.session
        self.session = session or (Session(settings) if settings else Session.current())
        self._follows = conversation is None
        self._bar, self._transcript = self._outside()
        self._transcript.limit = self.session.config.max_prompt_chars
        self._transcript.accept = list(ACCEPTED)
        self._transcript.max_bytes = self.session.config.file_limits._asdict()
        self._transcript.height = height
        self._still = StillTranscript(self._transcript)
        self._stage = self._staged(conversation or self.session.conversation)
        super().__init__([self._bar, self._transcript])
        self.add_class("chat-magics-panel")
        self._unwatch = self.session.watch(self._switched) if self._follows else _nothing
        self._forget_cells = after_cells(current_shell(), self._transcript.tell_starters)
        self._bar.act_on(self)
        self.serve_beside_cells()

    def _outside(self) -> tuple[Bar, Transcript]:
        return Bar(), Transcript(self.take, self._starters)

    # The conversation

    @property
    def conversation(self) -> Conversation:
        """What is shown; to set it shows another."""
        return self._stage.conversation

    @conversation.setter
    def conversation(self, conversation: Conversation) -> None:
        if self._follows:
            self.session.conversation = conversation  # which comes back as a switch
        self._show(conversation)

    def _switched(self, conversation: Conversation) -> None:
        self._show(conversation)

    def _show(self, conversation: Conversation) -> None:
        if conversation is not self._stage.conversation:
            self._stage.leave()
            self._stage = self._staged(conversation)
            self._bar.refresh()

    def _staged(self, conversation: Conversation) -> Stage:
        self._transcript.conversation = conversation.id
        return Stage(conversation, self._transcript, self._settled, self._bar.begun)

    def _settled(self, _exchange: Exchange) -> None:
        self._still.update()
        self._bar.settled()

    def ask(self, prompt: str, **options: Any) -> Any:
        """Asks as if it was typed; arguments as for `Conversation.ask`. Gives the reply, sent."""
        return self.conversation.ask(prompt, **options).send()

    # Where it stands

    def dock(self) -> None:
        """Shows the panel at the right of the notebook, in JupyterLab and Notebook 7."""
        _docked_panels(current_shell())[:] = [self]
        self._transcript.ask_for_dock(self.model_id)

    @classmethod
    def dock_here(cls) -> None:
        """Displays the one docked panel of this kernel, made where there is none."""
        docked = _docked_panels(current_shell())
        if not docked or docked[0].comm is None:
            docked[:] = [cls()]
        display(docked[0])  # type: ignore[no-untyped-call]

    def _repr_mimebundle_(self, **given: Any) -> dict[str, Any]:
        """What a page shows as the panel; where it cannot, it says what to do."""
        shown = super()._repr_mimebundle_(**given)
        return {**shown, "text/plain": "Chat panel: run this cell to use it."}

    def _ipython_display_(self) -> None:
        """The panel, and for where no kernel is a transcript that stays as it is."""
        display(self._repr_mimebundle_(), raw=True)  # type: ignore[no-untyped-call]
        self._still.display()

    # What the view asks for

    def take(self, message: incoming.Incoming, files: list[bytes]) -> None:
        """Does what a checked message of the view asks for."""
        self._ACTIONS[type(message)](self, message, files)

    def _ask(self, message: incoming.Ask, files: list[bytes]) -> None:
        limits = self.session.config.file_limits
        named = zip(message.attachments, files, strict=True)
        try:
            attached = tuple(of_bytes(each.name, file, each.mime, limits) for each, file in named)
            ask = replace(self._bar.ask(message.text), attachments=attached)
            self.conversation.reply_to(ask).send()
        except ChatError as error:
            self._transcript.refused(message.text, error.message)

    def _wake(self, message: incoming.Wake, files: list[bytes]) -> None:
        """Does nothing: the panel is there."""

    def _stop(self, message: incoming.Stop, files: list[bytes]) -> None:
        # Of the conversation: the stage may not have heard of it yet.
        shown = [reply for reply in self.conversation.replies if not reply.ask.alone]
        for reply in shown[:1]:
            reply.stop()

    def _regenerate(
        self, message: incoming.Regenerate | incoming.Retry, files: list[bytes]
    ) -> None:
        self.conversation.regenerate(message.id, surface=self.surface).send()

    def _edit(self, message: incoming.Edit, files: list[bytes]) -> None:
        try:
            self.conversation.edit(message.id, message.text, surface=self.surface).send()
        except ChatError as error:
            self._transcript.refused(message.text, error.message)

    def _version(self, message: incoming.Version, files: list[bytes]) -> None:
        if self.conversation.replies:
            # It would wait for the reply, and Stop would wait for it.
            raise ChatError("a reply is under way: stop it, or wait for its end")
        family = list(self._stage.versions(message.id))
        at = family.index(message.id) + message.step if message.id in family else -1
        if 0 <= at < len(family):
            self.conversation.bring_back(family[at])

    def _show_sent(self, message: incoming.ShowSent, files: list[bytes]) -> None:
        exchange = self._stage.exchange(message.id)
        if exchange is None:
            raise ChatError("this reply is not known here: reload the page")
        self._transcript.sent(
            message.id,
            messages=[_as_text(sent) for sent in self.conversation.sent(exchange)],
            options=exchange.options,
            model=exchange.model_asked,
            request_id=exchange.request_id,
        )

    def _docked(self, message: incoming.Docked, files: list[bytes]) -> None:
        if not message.done:
            self._transcript.notice("This page has no dock for the panel: it stays here.")

    _ACTIONS: ClassVar[dict[type, Callable[..., None]]] = {
        incoming.Wake: _wake,
        incoming.Ask: _ask,
        incoming.Stop: _stop,
        incoming.Regenerate: _regenerate,
        incoming.Retry: _regenerate,
        incoming.Edit: _edit,
        incoming.Version: _version,
        incoming.ShowSent: _show_sent,
        incoming.Docked: _docked,
    }

    # For the controls

    @property
    def bar(self) -> Bar:
        """What stands above it."""
        return self._bar

    @property
    def transcript(self) -> Transcript:
        """The view of what was said."""
        return self._transcript

    def further_options(self) -> list[Any]:
        """Fields that the drawer of options has beside its own."""
        return []

    def start_anew(self) -> None:
        """Begins a new conversation; the one before is kept."""
        self.conversation = Conversation(session=self.session)

    def renamed(self) -> None:
        """Shows the title anew."""
        self._bar.refresh_title()

    def serve_beside_cells(self) -> None:
        """Has all controls react while a cell runs, where the kernel can; new ones as well."""
        serve_beside_cells([self], current_shell())

    def _starters(self) -> list[str]:
        return starters(current_shell())

    def close(self) -> None:
        """Takes the panel away; the conversation stays, and a reply under way goes on."""
        self._unwatch()
        self._forget_cells()
        self._stage.leave()
        super().close()


def _as_text(message: Message) -> dict[str, str]:
    """A message for the view, which need not show its images again."""
    images = (f"[{image.mime}, {readable_size(image.size)}]" for image in message.images)
    return {"role": message.role, "content": "\n\n".join([message.content, *images])}


def _docked_panels(shell: Any) -> list[ChatPanel]:
    """The docked panel of a kernel, if there is one; kept on the shell, as its session is."""
    if shell is None:
        return []
    found: list[ChatPanel] = vars(shell).setdefault("chat_magics_docked", [])
    return found


def _nothing() -> None:
    """What ends the watch of a panel that follows nothing."""
