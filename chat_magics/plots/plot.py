"""One picture: shown in a notebook, told in words, saved."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chat_magics.errors import InvalidRequest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Plot"]

_DENSITY = 2
"""Pixels of the picture for one of the page, so that it is sharp on screens that have them."""

_FORMATS = ("png", "svg", "pdf")


class Plot:
    """A picture of statistics.

    Args:
        figure: matplotlib's, to be changed at will; its background is transparent.
        words: what the picture shows, for a terminal and for a screen reader.
    """

    def __init__(self, figure: Figure, words: str) -> None:
        self.figure = figure
        self.words = words

    def __repr__(self) -> str:
        return f"Plot({self.words!r})"

    def __str__(self) -> str:
        return self.words

    def save(self, target: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Writes the picture, whole or not at all, and gives the path.

        Args:
            target: ends in `.png`, `.svg` or `.pdf`.
            force: replaces a file that is there.

        Raises:
            InvalidRequest: another ending, a file that is there, a folder that is not.
        """
        from chat_magics.export.files import (  # loads the formats
            checked_target,
            path_text,
            whole_file,
        )

        ending = Path(path_text(target)).suffix.removeprefix(".").lower()
        if ending not in _FORMATS:
            endings = ", ".join(f".{each}" for each in _FORMATS)
            raise InvalidRequest(f"A plot is saved as {endings}: let the file's name end in one.")
        path = checked_target(target, force=force)
        with whole_file(path, force=force) as temporary, temporary.open("wb") as file:
            self._draw(file, ending)
        return path

    def png(self) -> bytes:
        """The picture as PNG, sharp on screens of double density."""
        file = io.BytesIO()
        self._draw(file, "png")
        return file.getvalue()

    def _draw(self, file: Any, kind: str) -> None:
        dpi = _DENSITY * self.figure.dpi
        with warnings.catch_warnings():
            # A letter that no font here has is drawn as a box; a line for each says no more.
            warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
            # Colours as they are here, whatever the person's matplotlib settings say of saving.
            self.figure.savefig(file, format=kind, dpi=dpi, facecolor="none", edgecolor="none")

    def _repr_mimebundle_(
        self, include: Sequence[str] | None = None, exclude: Sequence[str] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        png = self.png()
        # Width and height stand at the same place in every PNG.
        width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
        size = {"width": width // _DENSITY, "height": height // _DENSITY}
        data = {"image/png": png, "text/plain": self.words}
        return data, {"image/png": {**size, "alt": self.words}}
