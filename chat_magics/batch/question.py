"""Question: what is asked of every row, made ready: template, shape of the answers, request."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from ..checks import check_options, check_text
from ..conversation import api_options
from ..errors import ChatError, InvalidRequest, PromptTooLong
from ..messages import ChatRequest, Message
from .outcome import Outcome, refused
from .shape import Shape
from .template import Template

if TYPE_CHECKING:
    from ..conversation import Session
    from .how import How

__all__ = ["Asked", "Question", "ready"]


class Asked(NamedTuple):
    """The prompts of some rows.

    Args:
        keys: of each row the key of its prompt; None where it has none.
        prompts: each distinct prompt by its key, in the order of the first rows that ask it.
        settled: the outcomes that are known without asking: of prompts that cannot be sent by
            their key, of rows with a missing value by their number.
    """

    keys: list[str | None]
    prompts: dict[str, str]
    settled: dict[str | int, Outcome]


class Question:
    """What is asked made ready: checked, and with the request that each row makes.

    Args:
        how: what is asked.
        session: whose settings hold.
        model: the name of the model that is asked.

    Raises:
        InvalidRequest: the template names no column, or `into` is nothing that answers can be.
        InvalidOption: an option has its own place, or is out of range.
    """

    def __init__(self, how: How, session: Session, model: str) -> None:
        config = session.config
        self.prompt = how.prompt
        self.template = Template(how.prompt)
        self.shape = Shape.of(how.into, how.name)
        options = api_options({**session.default_options(), **(how.options or {})})
        self._refuse_clash(options)
        check_options(options)
        system = config.system if how.system is None else how.system
        check_text(system or "", "the system prompt")
        user = Message(role="user", content="")
        self.request = ChatRequest(
            base_url=config.base_url,
            model=model,
            messages=(Message(role="system", content=system), user) if system else (user,),
            api=config.api,
            options={**options, **self._shape_options(config.api)},
            owner=config.owner,
        )
        self._longest = config.max_prompt_chars
        self._key = self._key_maker()

    def _refuse_clash(self, options: Mapping[str, Any]) -> None:
        taken = [name for name in ("response_format", "text") if name in options]
        if self.shape.options and taken:
            raise InvalidRequest(
                f"into says what the answers are to be: leave out option {taken[0]}"
            )

    def _shape_options(self, api: str) -> dict[str, Any]:
        if not self.shape.options or api == "chat":
            return self.shape.options
        wire = self.shape.options["response_format"]["json_schema"]
        return {"text": {"format": {"type": "json_schema", **wire}}}

    def _key_maker(self) -> Callable[[str], str]:
        """Of plain text the key of the chat, so that its cache is found as well."""
        key, identity = self.request.keys(), self.shape.identity.encode()
        if not self.shape.options:
            return key
        return lambda prompt: sha256(key(prompt).encode() + identity).hexdigest()

    @property
    def identity(self) -> str:
        """Hexadecimal, of this question, whoever asks it of whichever frame."""
        return sha256((self.request.asking("").key + self.shape.identity).encode()).hexdigest()

    def cache_key(self, key: str) -> str | None:
        """The key that the cache of the chat has for a row's; None where it has none."""
        return None if self.shape.options else key

    def asked(self, values: Mapping[str, Sequence[str | None]]) -> Asked:
        """The prompts of rows, equal ones once.

        Args:
            values: of each column of the template its texts, as `texts` gives them.
        """
        keys: list[str | None] = []
        known: dict[str, str] = {}
        prompts: dict[str, str] = {}
        settled: dict[str | int, Outcome] = {}
        for row, prompt in enumerate(self.template.prompts(values)):
            if prompt is None:
                keys.append(None)
                settled[row] = Outcome("missing", error=self.template.missing(values, row))
                continue
            key = known.get(prompt)
            if key is None:
                error = self._refusal(prompt)
                if error is None:
                    key = self._key(prompt)
                    prompts[key] = prompt
                else:
                    key = f"refused {len(known)}"
                    settled[key] = refused(error, 0, 0.0)
                known[prompt] = key
            keys.append(key)
        return Asked(keys, prompts, settled)

    def _refusal(self, prompt: str) -> ChatError | None:
        """Why a prompt cannot be sent; the same rules as for a prompt that is typed."""
        if len(prompt) > self._longest:
            return PromptTooLong(
                f"the prompt has {len(prompt):,} characters and max_prompt_chars is "
                f"{self._longest:,}: shorten it, or raise that setting"
            )
        if not prompt.isascii() or "\0" in prompt:
            try:
                check_text(prompt, "the prompt")
            except ChatError as error:
                return error
        return None

    def second(self, prompt: str, reply: str, reason: str) -> ChatRequest:
        """The request after a reply that did not fit, with the reason told."""
        said = Message(role="assistant", content=reply or "(nothing)")
        why = Message(role="user", content=f"{reason}. {self.shape.instruction}".strip())
        first = self.request.asking(prompt)
        return first.model_copy(update={"messages": (*first.messages, said, why)})


def ready(how: How, session: Session, columns: Iterable[object]) -> Question:
    """The question to a frame of these columns, at the model that is asked.

    Raises:
        ChatError: something in it is wrong, or the server cannot tell its models.
    """
    session.check_open()
    session.refresh()
    # Before the model is looked for: a wrong name of a column needs no server.
    Question(how, session, "").template.check(columns)
    model = how.model or session.loop.run(session.client.default_model())
    question = Question(how, session, model)
    if (policy := session.config.policy) is not None:
        policy.check(model, question.request.options)
    return question
