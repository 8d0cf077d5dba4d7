"""Loading and unloading the extension, and who else has a `%%chat`."""

from __future__ import annotations

import contextlib
import sys
from typing import Any

from .completer import matcher_for
from .magics import ChatMagics
from .questions import Question
from .record_magics import RecordMagics
from .row_magics import RowMagics
from .warm_up import WarmUp, wanted

__all__ = ["load", "unload"]

_ATTRIBUTE = "chat_magics_extension"


class _Extension:
    """What loading put into a shell, and what stood there before."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.magics = ChatMagics(shell=shell)
        self.parts = (self.magics, RecordMagics(shell=shell), RowMagics(shell=shell))
        self.replaced = self._others()
        shell.register_magics(*self.parts)
        shell.chat_magics_settings = self.magics.given_here
        self.matcher = matcher_for(self.magics)
        shell.Completer.custom_matchers.append(self.matcher)
        shell.input_transformer_manager.token_transformers.append(Question)
        self.warm_up = WarmUp(shell, self._prepare)
        if wanted() and self.magics.warm_up is not False:
            self.warm_up.start()

    def _others(self) -> dict[tuple[str, str], Any]:
        """Magics of others that have our names, by kind and name."""
        found: dict[tuple[str, str], Any] = {}
        registered = self.shell.magics_manager.magics
        for kind, name in self._ours():
            if other := registered[kind].get(name):
                found[kind, name] = other
        return found

    def _ours(self) -> list[tuple[str, str]]:
        kinds = [(kind, names) for part in self.parts for kind, names in part.magics.items()]
        return [(kind, name) for kind, names in kinds for name in names]

    def tell_clashes(self) -> None:
        """Names whose magics are replaced."""
        for (kind, name), other in self.replaced.items():
            sign = "%%" if kind == "cell" else "%"
            owner = getattr(other, "__module__", None) or type(other).__module__
            sys.stderr.write(
                f"chat_magics: {sign}{name} of {owner} is replaced; "
                "%unload_ext chat_magics brings it back\n"
            )

    def _prepare(self) -> None:
        from ..errors import ChatError

        # What stands in the way, such as a missing key, is told at the first question.
        with contextlib.suppress(ChatError):
            self.magics.session.prepare()

    def remove(self) -> None:
        self.warm_up.stop()
        registered = self.shell.magics_manager.magics
        for kind, name in self._ours():
            registered[kind].pop(name, None)
        for (kind, name), other in self.replaced.items():
            registered[kind][name] = other
        for part in self.parts:
            self.shell.configurables.remove(part)
        self.shell.Completer.custom_matchers.remove(self.matcher)
        self.shell.input_transformer_manager.token_transformers.remove(Question)
        self.shell.chat_magics_settings = None


def load(shell: Any) -> None:
    """Registers the magics; loading twice changes nothing."""
    if getattr(shell, _ATTRIBUTE, None) is None:
        extension = _Extension(shell)
        setattr(shell, _ATTRIBUTE, extension)
        extension.tell_clashes()


def unload(shell: Any) -> None:
    """Takes the magics away, and gives back those of others that they replaced."""
    extension = getattr(shell, _ATTRIBUTE, None)
    if extension is not None:
        extension.remove()
        setattr(shell, _ATTRIBUTE, None)
