"""The kinds of traits that settings are: what `%config` calls them, and how they refuse a value."""

from __future__ import annotations

from typing import Any, NoReturn

from traitlets import Bool, Dict, Float, Int, List, TraitError, Unicode, Union

__all__ = ["Number", "Switch", "SwitchOrText", "Table", "Text", "Texts", "Whole"]

_LONGEST_VALUE = 60


class _OneLine:
    """Refuses in one line that a person can use; traitlets' own line is about its classes."""

    expected = ""
    name: str | None
    help: str

    def error(self, obj: Any, value: Any, error: Any = None, info: Any = None) -> NoReturn:
        """Refuses the value.

        Raises:
            TraitError: always.
        """
        shown = " ".join(repr(value).split())
        if len(shown) > _LONGEST_VALUE:
            shown = shown[: _LONGEST_VALUE - 1] + "…"
        raise TraitError(f"{self.name}: must be {self.expected}, not {shown} ({self.help})")


class Text(_OneLine, Unicode):  # type: ignore[type-arg] # generic in traitlets' stubs alone
    """Text."""

    expected = "text"


class Number(_OneLine, Float):  # type: ignore[type-arg]
    """A number."""

    expected = "a number"


class Whole(_OneLine, Int):  # type: ignore[type-arg]
    """A whole number."""

    expected = "a whole number"


class Switch(_OneLine, Bool):  # type: ignore[type-arg]
    """True or False."""

    expected = "True or False"


class SwitchOrText(_OneLine, Union):
    """True, False or text."""

    expected = "True, False or text"


class Texts(_OneLine, List):  # type: ignore[type-arg]
    """A list of texts; also taken as one text with commas."""

    expected = "a list of texts"

    def set(self, obj: Any, value: Any) -> None:
        """Sets it.

        Raises:
            TraitError: it is no such list.
        """
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        super().set(obj, value)


class Table(_OneLine, Dict):
    """Names with a value each."""

    expected = "a dict"
