"""AppPanel: the panel of one visitor, shown by the front of their page."""

from __future__ import annotations

import logging
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from chat_magics import Conversation, Session
from chat_magics.errors import InvalidRequest, NotFound

from .own_key import OwnKey
from .panel import ChatPanel

if TYPE_CHECKING:
    from .bar import Bar
    from .front import Front
    from .transcript import Transcript
    from .visitor import Visitor

__all__ = ["AppPanel"]

_log = logging.getLogger(__name__)


class AppPanel(ChatPanel):
    """The panel of one visitor.

    Args:
        front: has the bar and the transcript, on screen already.
        visitor: whose conversations these are.
        session: with the visitor as owner.
    """

    surface = "app"

    def __init__(self, front: Front, visitor: Visitor, session: Session) -> None:
        self._front = front
        self._visitor = visitor
        self._told = ""
        self._messenger = ThreadPoolExecutor(1, thread_name_prefix="chat_magics-panel-door")
        conversation, refusal = _opened(visitor.conversation, session)
        super().__init__(conversation, session=session)
        if refusal:
            self.transcript.notice(refusal)
        self._tell_server()
        session.busy.add(self._answers)

    @classmethod
    def behind(cls, front: Front, visitor: Visitor) -> AppPanel:
        """The panel behind a front.

        Raises:
            ConfigError: a setting does not make sense.
        """
        return cls(front, visitor, _session(visitor))

    def _outside(self) -> tuple[Bar, Transcript]:
        return self._front.bar, self._front.transcript

    def further_options(self) -> list[Any]:
        """A key of one's own, where the server lets visitors bring one."""
        allowed = os.environ.get("CHAT_MAGICS_SERVE_OWN_KEY", "").lower()
        return [OwnKey(self.session)] if allowed in ("1", "true", "yes", "on") else []

    def _show(self, conversation: Conversation) -> None:
        super()._show(conversation)
        self._tell_server()

    def _tell_server(self) -> None:
        id = self.conversation.id
        if id != self._told:
            self._told = id
            self._messenger.submit(self._tell, conversation=id)

    def _answers(self, busy: bool) -> None:
        # The server waits for it where it is to end.
        self._messenger.submit(self._tell, answering=str(int(busy)))

    def _tell(self, **what: str) -> None:
        try:
            self._visitor.tell(**what)
        except OSError as error:
            _log.warning("the server was not told what the page does: %s", error)


def _session(visitor: Visitor) -> Session:
    if not visitor.door:
        return Session.current()
    given = {"owner": visitor.owner, "address": visitor.address}
    return Session({name: value for name, value in given.items() if value})


def _opened(id: str, session: Session) -> tuple[Conversation, str]:
    """The conversation that the URL names, or a new one and why."""
    fresh = session.conversation
    if not id:
        return fresh, ""
    try:
        return Conversation.open(id, session=session), ""
    except (InvalidRequest, NotFound):
        # The same words where it is somebody else's: that it is there is nobody's business.
        return fresh, "This page's link names no conversation of yours: a new one begins here."
