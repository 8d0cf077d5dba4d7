"""`chat-magics rows`: a prompt over the rows of a Parquet file or folder."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from ..errors import InvalidRequest

__all__ = ["add_rows"]

TYPES: dict[str, Any] = {"text": None, "bool": bool, "int": int, "float": float}

_PLAIN = {
    "--model": "the model that is asked",
    "--system": "the system prompt",
    "--engine": "dask://HOST:8786: send from the workers of that cluster; openai-batch: by "
    "OpenAI's Batch API, at half the price and within a day",
}
_SWITCHES = {
    "--dry-run": "tell what would be asked, and its price",
    "--refresh": "ask what was answered before as well",
    "--retry": "ask again what was cut, and what did not fit",
    "--force": "replace a target that is there",
}


def add_rows(commands: Any) -> None:
    """Adds the command to a parser's commands."""
    parser = commands.add_parser(
        "rows",
        help="ask a prompt of every row of a Parquet file or folder",
        description="Asks a prompt of every row, and writes the rows with the answers. Equal "
        "prompts are asked once; what was answered in an earlier run is not asked again, so a run "
        "that was ended in any way is taken up by the same command.",
    )
    parser.add_argument("source", help="a Parquet file, or a folder of them")
    parser.add_argument("target", help="a file where it ends in .parquet, else a folder")
    prompt = parser.add_mutually_exclusive_group(required=True)
    prompt.add_argument("--prompt", help="with {{column}} where a row's value belongs")
    prompt.add_argument("--prompt-file", metavar="FILE", help="a text file with the prompt")
    parser.add_argument(
        "--into",
        metavar="SCHEMA",
        default="text",
        help=f"what answers are to be: a file with a JSON schema, or {', '.join(TYPES)}",
    )
    parser.add_argument("--name", default="answer", help="column of answers that are one value")
    for flag, told in _PLAIN.items():
        parser.add_argument(flag, help=told)
    for flag, told in _SWITCHES.items():
        parser.add_argument(flag, action="store_true", help=told)
    parser.add_argument("--option", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--concurrency", type=int, default=16, help="requests at a time")
    parser.add_argument("--max-cost", type=float, metavar="DOLLARS", help="what it may cost")
    parser.set_defaults(run=_rows, takes_rest=False)


def _rows(parsed: argparse.Namespace) -> int:
    from ..batch import ask_file
    from ..conversation import Session

    session = Session()
    try:
        plan = ask_file(
            parsed.source,
            parsed.target,
            _text(parsed.prompt_file) if parsed.prompt is None else parsed.prompt,
            TYPES[parsed.into] if parsed.into in TYPES else Path(parsed.into),
            model=parsed.model,
            system=parsed.system,
            options=dict(map(_option, parsed.option)),
            name=parsed.name,
            concurrency=parsed.concurrency,
            max_cost=parsed.max_cost,
            dry_run=parsed.dry_run,
            refresh=parsed.refresh,
            retry=parsed.retry,
            engine=parsed.engine,
            force=parsed.force,
            session=session,
        )
    finally:
        session.close()
    print(plan if parsed.dry_run else f"Written: {parsed.target}")
    return 0


def _text(path: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8-sig").strip("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"the prompt cannot be read from {path}: {error}") from None


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise InvalidRequest(f"--option needs KEY=VALUE, not {text!r}")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value
