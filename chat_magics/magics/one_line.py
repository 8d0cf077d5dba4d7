"""What goes wrong in a magic, as one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from IPython.core.error import UsageError

__all__ = ["one_line_errors"]


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Failures as IPython's usage errors: one line, no traceback."""
    try:
        yield
    except UsageError:
        raise
    except KeyboardInterrupt:
        raise UsageError("interrupted") from None
    except Exception as error:
        from ..errors import ChatError

        if not isinstance(error, ChatError):
            raise
        typed = f" ({error.command})" if error.command else ""
        raise UsageError(error.message + typed) from None
