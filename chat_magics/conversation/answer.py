"""Answer: what a reply tells once it has ended, its figures, its code, its JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..errors import BadResponse
from ..messages import Message, Usage

if TYPE_CHECKING:
    from ..history import Exchange
    from ..markdown import CodeBlock
    from ..measures import Measures

__all__ = ["Answer"]


class Answer:
    """The part of Reply that looks at the whole of it; each of these sends it and waits."""

    exchange: Exchange | None
    sent_messages: tuple[Message, ...]

    if TYPE_CHECKING:

        @property
        def text(self) -> str: ...

        def wait(self, timeout: float | None = None) -> bool: ...

    @property
    def code(self) -> tuple[CodeBlock, ...]:
        """The code blocks of the reply, each with `language` and `code`."""
        from ..markdown import code_blocks  # the parser is needed by who looks at code only

        return code_blocks(self.text)

    def json(self) -> Any:
        """The reply read as JSON, a code fence around it taken off.

        Raises:
            BadResponse: it is no JSON.
        """
        blocks = [block.code for block in self.code]
        for text in (self.text, *blocks[:1]):
            try:
                return json.loads(text)
            except ValueError as error:
                reason = error
        raise BadResponse(f"the reply is not JSON ({reason}); its text is in reply.text")

    @property
    def usage(self) -> Usage | None:
        """Tokens; waits. None where nothing was answered."""
        return self._final.usage if self._final else None

    @property
    def cost(self) -> float | None:
        """US dollars, broken attempts included; waits. None where the price is unknown."""
        return self._final.cost if self._final else None

    @property
    def cached(self) -> bool:
        """True where it came from the cache; waits."""
        return bool(self._final and self._final.cached)

    @property
    def model(self) -> str | None:
        """The model that answered; waits."""
        return self._final.model if self._final else None

    @property
    def context(self) -> tuple[Message, ...]:
        """Exactly what was sent; waits."""
        self.wait()
        return self.sent_messages

    @property
    def measures(self) -> Measures:
        """Words, language, sentiment, key phrases and more of its text; waits.

        Sentiment and language need the extra `analysis`.
        """
        from ..measures import measure  # when somebody looks at them

        return measure(self.text)

    @property
    def _final(self) -> Exchange | None:
        self.wait()
        return self.exchange
