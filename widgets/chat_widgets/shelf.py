"""The shelf: the conversations of this history, to open, rename, pin and delete."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ipywidgets import Button, HBox, Select, Text, VBox

from chat_magics import ChatError, Conversation
from chat_magics.caption import ago

from .said import Said

if TYPE_CHECKING:
    from chat_magics.history import ConversationRecord

    from .panel import ChatPanel

__all__ = ["Shelf"]

SHOWN = 200
PINNED = "pinned"
NOTHING = "Nothing was found."


class Shelf(VBox):
    """A list of conversations with a search box, and what can be done with the chosen one.

    Args:
        panel: which shows the one that is opened.
    """

    def __init__(self, panel: ChatPanel) -> None:
        self._panel = panel
        self._asked = ""
        self._listing = False
        # As they are typed: the list follows, and Enter in the name finds all of it here.
        self.search = Text(description="Search", placeholder="Search titles and all that was said")
        self.list = Select(description="Conversations", options=(), rows=6)
        self.name = Text(description="New name", placeholder="a new name")
        self.said = Said()
        for field in (self.search, self.list, self.name):
            field.layout.width = "auto"
            field.add_class("chat-magics-unlabelled")
        actions = [
            ("Open", self._open),
            ("Pin", self._pin),
            ("Delete", self._delete),
            ("Rename", self._rename),
        ]
        self.buttons = {name: self._button(name, does) for name, does in actions}
        self.search.observe(lambda _: self.opened(), "value")
        self.list.observe(lambda _: self._chosen(), "value")
        # By these the view finds what Enter and a double click are to press.
        self.list.add_class("chat-magics-list")
        self.name.add_class("chat-magics-name")
        for name in ("Open", "Rename"):
            self.buttons[name].add_class(f"chat-magics-does-{name.lower()}")
        *others, rename = self.buttons.values()
        row = HBox([*others, self.name, rename]).add_class("chat-magics-actions")
        super().__init__([self.search, self.list, row, self.said])

    def _button(self, name: str, does: Callable[[], None]) -> Button:
        button = Button(description=name)

        def clicked(_: Any) -> None:
            try:
                does()
            except ChatError as error:
                self.said.value = error.message

        button.on_click(clicked)
        return button

    def opened(self) -> None:
        """Lists the conversations anew."""
        records = self._found(self.search.value.strip())
        records.sort(key=lambda record: PINNED not in record.tags)
        self._list(tuple((self._line(record), record.id) for record in records))
        if not records:
            self.said.value = NOTHING
        elif self.said.value == NOTHING:
            self.said.value = ""

    def _list(self, options: tuple[tuple[str, str], ...]) -> None:
        """Shows these; the chosen one stays chosen, and what is asked about it asked."""
        if options == self.list.options:
            return
        chosen = self.list.value
        self._listing = True
        with self.list.hold_sync():
            self.list.options = options
            self.list.value = chosen if chosen in [id for _, id in options] else None
        self._listing = False
        if self.list.value != chosen:
            self._chosen()

    def _line(self, record: ConversationRecord) -> str:
        opened = "open" if record.id == self._panel.conversation.id else ""
        return " · ".join(part for part in (_title(record), opened, ago(record.used)) if part)

    def _found(self, words: str) -> list[ConversationRecord]:
        history = self._panel.session.history
        records = history.load_conversations(limit=SHOWN)
        if not words:
            return records
        titled = [record for record in records if words.lower() in _title(record).lower()]
        try:
            said = dict.fromkeys(history.search(words)["conversation"])
        except ChatError:
            return titled  # nothing that could stand in a text, such as `*`
        have = {record.id for record in titled}
        found = [history.conversation(id) for id in said if id not in have]
        # Nobody goes on talking in a run over the rows of a frame.
        return titled + [record for record in found if not record.is_run]

    def _chosen(self) -> None:
        if self._listing:
            return
        self._asked = ""
        self.buttons["Delete"].description = "Delete"
        record = self._record() if self.list.value else None
        pinned = record is not None and PINNED in record.tags
        self.buttons["Pin"].description = "Unpin" if pinned else "Pin"
        self.said.value = ""

    def _record(self) -> ConversationRecord:
        if self.list.value is None:
            raise ChatError("choose a conversation in the list first")
        return self._panel.session.history.conversation(self.list.value)

    def _open(self) -> None:
        record = self._record()
        self._panel.conversation = Conversation.open(record.id, session=self._panel.session)
        self.said.value = f"Opened {_title(record)}"

    def _rename(self) -> None:
        record = self._record()
        if not self.name.value.strip():
            raise ChatError("type the new name into the field before the button first")
        history, listing = self._panel.session.history, self._panel.session.listing
        listing.changed(history.rename(record.id, self.name.value))
        self.name.value = ""
        self._changed()

    def _pin(self) -> None:
        record = self._record()
        history = self._panel.session.history
        change = history.untag if PINNED in record.tags else history.tag
        self._panel.session.listing.changed(change(record.id, PINNED))
        self._changed()

    def _delete(self) -> None:
        record = self._record()
        if self._asked != record.id:
            self._asked = record.id
            self.buttons["Delete"].description = "Really delete"
            self.said.value = f"«{_title(record)}» goes with all that was said in it: press again"
            return
        self._panel.session.listing.delete(record.id)
        self._changed()
        self.said.value = f"«{_title(record)}» is deleted"

    def _changed(self) -> None:
        self.opened()
        self._chosen()
        self._panel.renamed()


def _title(record: ConversationRecord) -> str:
    mark = "★ " if PINNED in record.tags else ""
    return f"{mark}{record.name or record.title or 'new'}"
