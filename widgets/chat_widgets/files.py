"""Conversations as files: a real download, and an import by upload."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipywidgets import Button, Checkbox, Dropdown, FileUpload, HBox, VBox

from chat_magics import ChatError
from chat_magics.export import FORMATS, load

from .said import Said

if TYPE_CHECKING:
    from .panel import ChatPanel

__all__ = ["Files"]

MOST_BYTES = 50 * 2**20

MIME = {
    "json": "application/json",
    "csv": "text/csv",
    "html": "text/html",
    "ipynb": "application/x-ipynb+json",
    "markdown": "text/markdown",
    "parquet": "application/vnd.apache.parquet",
}


class Files(VBox):
    """Downloads the conversation, or all of them, and takes files in.

    Args:
        panel: whose conversation is meant, and whose view saves the file.
    """

    def __init__(self, panel: ChatPanel) -> None:
        self._panel = panel
        self.format = Dropdown(options=tuple(FORMATS), description="Format")
        self.everything = Checkbox(value=False, description="All conversations", indent=False)
        self.download = Button(description="Download")
        self.upload = FileUpload(multiple=False, description="", tooltip="Import a file")
        self.upload.add_class("chat-magics-upload")
        self.said = Said()
        self.download.on_click(self._download)
        self.upload.observe(self._import, "value")
        row = HBox([self.format, self.everything, self.download, self.upload])
        super().__init__([row.add_class("chat-magics-actions"), self.said])

    def opened(self) -> None:
        """Nothing is kept from the last time."""
        self.said.value = ""

    def _download(self, _button: Any) -> None:
        format = self.format.value
        chat = self._panel.conversation
        title = "conversations" if self.everything.value else chat.name or chat.record.title
        name = f"{_file_name(title)}{FORMATS[format][0]}"
        try:
            with tempfile.TemporaryDirectory() as folder:
                target = Path(folder) / name
                done = chat.export(target, format=format, everything=self.everything.value)
                content = target.read_bytes()
        except ChatError as error:
            self.said.value = error.message
            return
        if not done.exchanges:
            self.said.value = "There is nothing to download yet."
            return
        self._panel.transcript.download(name, MIME.get(format, "text/plain"), content)
        count = f"{done.exchanges:,} exchange{'' if done.exchanges == 1 else 's'}"
        self.said.value = " · ".join([f"{name}: {count}", *done.notes])

    def _import(self, _change: Any) -> None:
        if not self.upload.value:
            return
        (file,) = self.upload.value
        # Else the file stays in the widget's state, and is saved with the notebook.
        self.upload.value = ()
        content, name = bytes(file["content"]), Path(str(file["name"])).name
        if len(content) > MOST_BYTES:
            self.said.value = f"{name} has more than {MOST_BYTES >> 20} MB, which is too much here"
            return
        with tempfile.TemporaryDirectory() as folder:
            self.said.value = self._taken_in(Path(folder) / (name or "file"), content)

    def _taken_in(self, source: Path, content: bytes) -> str:
        try:
            source.write_bytes(content)
            said = " · ".join(self._panel.session.listing.take_in(load(source)))
        except (ChatError, OSError) as error:
            said = str(error)
        # Of the place where it stood for a moment, nobody needs to know.
        return said.replace(str(source), source.name)


def _file_name(title: str) -> str:
    kept = "".join(c if c.isalnum() or c in " -_" else " " for c in title)
    return "-".join(kept.split())[:60] or "conversation"
