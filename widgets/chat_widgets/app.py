"""The panel as a page of its own: what notebooks/app.ipynb shows to a visitor.

from chat_widgets.app import show
show()
"""

from __future__ import annotations

import logging
import os
import threading

from IPython.display import display

from chat_magics import ChatError, Conversation, Session

from .own_key import OwnKey
from .panel import ChatPanel
from .visitor import Visitor

__all__ = ["AppPanel", "show"]

_log = logging.getLogger(__name__)


def show() -> None:
    """Shows the panel to the visitor of this kernel, with the conversation that the URL names."""
    visitor = Visitor.expected()
    if folder := os.environ.get("CHAT_MAGICS_SERVE_FOLDER"):
        os.chdir(folder)  # where the server was started, and where its .env is
    given = {"owner": visitor.owner, "address": visitor.address}
    settings = {name: value for name, value in given.items() if value}
    session = Session(settings) if visitor.door else Session.current()
    display(AppPanel(visitor, session))  # type: ignore[no-untyped-call]


class AppPanel(ChatPanel):
    """The panel of one visitor.

    Args:
        visitor: whose page it is.
        session: with the visitor as owner.
    """

    surface = "app"
    in_url = True

    def __init__(self, visitor: Visitor, session: Session) -> None:
        self._visitor = visitor
        self._told = ""
        conversation, refusal = _opened(visitor.conversation, session)
        super().__init__(conversation, session=session)
        if os.environ.get("CHAT_MAGICS_SERVE_OWN_KEY", "").lower() in ("1", "true", "yes", "on"):
            self.bar.options.add(OwnKey(session))
        if refusal:
            self.transcript.notice(refusal)
        self._tell_server()

    def _show(self, conversation: Conversation) -> None:
        super()._show(conversation)
        self._tell_server()

    def _tell_server(self) -> None:
        id = self.conversation.id
        if id != self._told:
            self._told = id
            threading.Thread(target=self._tell, args=(id,), daemon=True).start()

    def _tell(self, id: str) -> None:
        try:
            self._visitor.shows(id)
        except OSError as error:
            _log.warning("the server was not told what the page shows: %s", error)


def _opened(id: str, session: Session) -> tuple[Conversation, str]:
    """The conversation that the URL names, or a new one and why."""
    fresh = session.conversation
    if not id:
        return fresh, ""
    try:
        return Conversation.open(id, session=session), ""
    except ChatError:
        # The same words where it is somebody else's: that it is there is nobody's business.
        return fresh, "This page's link names no conversation of yours: a new one begins here."
