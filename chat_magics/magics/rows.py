"""What `%%chat_rows` does: the line parsed, names looked up, the frame asked."""

from __future__ import annotations

from keyword import iskeyword
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..batch import OPENAI_BATCH, ask, retry
from . import lines

if TYPE_CHECKING:
    from ..conversation import Session

__all__ = ["rows"]


def rows(session: Session, shell: Any, line: str, cell: str) -> Any:
    """Asks the cell of the rows of a frame; gives the frame where no variable takes it.

    Args:
        session: of the shell.
        shell: whose variables are meant.
        line: of the magic.
        cell: the prompt.

    Raises:
        UsageError: the line makes no sense, or a variable is not there.
        ChatError: see `chat_magics.batch.ask`.
    """
    parsed = lines.rows().parse(line)
    if parsed.out is not None and (not parsed.out.isidentifier() or iskeyword(parsed.out)):
        raise UsageError(f"--out needs the name of a variable, not {parsed.out!r}")
    how = {
        "name": parsed.name,
        "model": parsed.model,
        "system": parsed.system,
        "concurrency": parsed.concurrency,
        "max_cost": parsed.max_cost,
        "engine": _engine(shell, parsed.engine),
        "session": session,
    }
    data, into = _variable(shell, parsed.frame), _into(shell, parsed.into)
    prompt = cell.removesuffix("\n")
    if parsed.retry is None:
        given = {"refresh": parsed.refresh, "dry_run": parsed.dry_run}
        answered = ask(data, prompt, into, **given, **how)
    else:
        if parsed.refresh or parsed.dry_run:
            raise UsageError("--retry asks what failed, and takes neither --refresh nor --dry-run")
        answered = retry(data, _variable(shell, parsed.retry), prompt, into, **how)
    if parsed.dry_run:
        print(answered)  # noqa: T201 - what was asked for
        return None
    if parsed.out is None:
        return answered
    shell.user_ns[parsed.out] = answered
    return None


def _variable(shell: Any, name: str) -> Any:
    if name not in shell.user_ns:
        raise UsageError(f"there is no variable {name}: make the frame in a cell before")
    return shell.user_ns[name]


def _into(shell: Any, name: str) -> Any:
    if name in shell.user_ns:
        return shell.user_ns[name]
    if name in lines.TYPES:
        return lines.TYPES[name]
    if name.endswith(".json"):
        return Path(name)
    raise UsageError(
        f"--into {name}: there is no such variable; name a model, a JSON schema, a file that ends "
        f"in .json, or {', '.join(lines.TYPES)}"
    )


def _engine(shell: Any, name: str | None) -> Any:
    if name is None or "://" in name or name == OPENAI_BATCH:
        return name
    return _variable(shell, name)
