"""Catalogue: which models there are at which server, asked once, and which one is the default."""

from __future__ import annotations

from ..config import ChatConfig, Sourced
from ..errors import ChatError, ModelNotFound, NotAllowed
from .servers import Servers

__all__ = ["Catalogue"]

DEMO = "demo"
"""The base URL of the demo model, and the name of its one model."""


class Catalogue:
    """The models of the servers in use, by base URL.

    Args:
        servers: the ways to them.
    """

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._names: dict[str, list[str]] = {}

    async def listed(
        self, config: ChatConfig, sources: Sourced, *, fresh: bool = False
    ) -> list[str]:
        """The names that the configured server lists; asked once, or anew where `fresh`.

        Raises:
            ChatError: it cannot be asked.
        """
        url = config.base_url
        if fresh or not self._names.get(url):
            self._names[url] = await self._servers.transport(config, sources).models()
        return self._names[url]

    def known(self, config: ChatConfig) -> list[str]:
        """The names known without asking: the server's where it was asked, else the fallback."""
        unasked = [DEMO] if config.base_url == DEMO else list(config.fallback_models)
        named = config.policy.named_models if config.policy else ()
        names = self._names.get(config.base_url) or unasked
        return config.allowed(names) or list(named) or names

    def likely(self, config: ChatConfig) -> tuple[str, bool]:
        """The model that a prompt would go to, and whether that is a guess; asks no server."""
        if config.model:
            return config.model, False
        if config.at_openai:
            return self._at_openai(config), False
        if config.base_url == DEMO:
            return DEMO, False
        return self.known(config)[0], not self._names.get(config.base_url)

    def _at_openai(self, config: ChatConfig) -> str:
        """OpenAI's current small one; under a policy the first that it allows, as far as known."""
        named = config.policy.named_models if config.policy else ()
        return next(iter([*config.allowed(config.fallback_models), *named, *self.known(config)]))

    async def default(self, config: ChatConfig, sources: Sourced) -> str:
        """The configured model, or OpenAI's current small one, or the first the server lists.

        Raises:
            ChatError: the server cannot be asked, or lists none.
        """
        if config.model or config.at_openai:
            return self.likely(config)[0]
        names = await self.listed(config, sources)
        if not names:
            raise ModelNotFound(f"{config.host} lists no model: set one (model)")
        allowed = config.allowed(names)
        if not allowed:
            raise NotAllowed(f"the policy allows none of the models that {config.host} lists")
        return allowed[0]

    async def explained(
        self, error: ModelNotFound, model: str, config: ChatConfig, sources: Sourced
    ) -> ModelNotFound:
        """The error with the models that are there, in its one line."""
        try:
            names = config.allowed(await self.listed(config, sources))
        except ChatError:
            return error  # what matters is the model; that the list fails too adds nothing
        if not names or model in names:
            return error  # it is there: what the server said is about something else
        listed = ", ".join(names[:12]) + (f", … ({len(names)} in all)" if len(names) > 12 else "")
        return ModelNotFound(
            f"{config.host} has no model {model!r}; it has {listed}",
            code=error.code,
            param=error.param,
            request_id=error.request_id,
        )
