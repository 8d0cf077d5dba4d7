"""`%chat_stats`: the figures of a conversation, a run or all, as a table or plotted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..conversation import Conversation, Session
from . import lines

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = ["stats"]


def stats(session: Session, variables: Mapping[str, Any], line: str) -> DataFrame:
    """The figures: a readable table of one conversation or of all, or a frame of groups.

    Args:
        session: of the shell.
        variables: of the shell; the frame of a run over rows stands for that run.
        line: of the magic.
    """
    session.refresh()
    parsed = lines.stats().parse(line)
    name = " ".join(parsed.name)
    if name and parsed.all:
        raise UsageError("%chat_stats --all is all of it: name no conversation")
    everything = parsed.all or parsed.by == "conversation"
    filters: dict[str, Any] = {}
    if name in variables and _is_of_run(variables[name]):
        from ..batch import runs_of

        filters["conversation"] = runs_of(variables[name])
    elif not everything:
        chosen = Conversation.open(name, session=session) if name else session.conversation
        filters["conversation"] = chosen.id
    titles = _titles(session) if parsed.by == "conversation" else {}
    if parsed.plot:
        _plot(session, parsed.by, filters, titles)
    found = session.history.stats(by=parsed.by, **filters)
    if parsed.by is not None:
        from ..frames.shown import shown

        return shown("stats", found, titles)
    from ..frames import readable

    return readable(found)


def _is_of_run(value: Any) -> bool:
    return isinstance(getattr(value, "attrs", None), dict) and "chat_magics" in value.attrs


def _titles(session: Session) -> dict[str, str]:
    records = session.history.load_conversations(None, runs=True)
    return {record.id: record.name or record.title or record.id[:8] for record in records}


def _plot(
    session: Session, by: str | None, filters: dict[str, Any], titles: Mapping[str, str]
) -> None:
    from IPython.display import display

    from .. import plots

    history = session.history
    if by is None:
        days, models = history.stats(by="day", **filters), history.stats(by="model", **filters)
        picture = plots.overview(days, models)
    elif by == "day":
        picture = plots.over_time(history.stats(by="day", **filters))
    else:
        picture = plots.by_group(history.stats(by=by, **filters), titles=titles)
    display(picture)  # type: ignore[no-untyped-call]
