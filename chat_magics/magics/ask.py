"""What `%%chat` does once its line is parsed: ask, show, and hand over the reply."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError

from ..conversation import Ask, Cell, Conversation, Reply, Session
from ..conversation.ask import api_options
from ..conversation.attached import given_files
from ..display import current_cell, in_notebook, show
from ..display.cell import show_caption, show_html
from ..errors import BadResponse, NotFound
from ..markdown import to_html, wrap
from .options import NOT_AGAIN, ChatOptions
from .plan import show_plan

if TYPE_CHECKING:
    from ..markdown import CodeBlock

__all__ = ["ask", "regenerate"]


def ask(session: Session, shell: Any, options: ChatOptions) -> None:
    """Asks, shows the reply as it comes, and leaves it in the variable that was named.

    Raises:
        UsageError: it was interrupted, or the reply is not of the format asked for.
        ChatError: it failed.
    """
    session.refresh()
    files = given_files(options.attach, session.config)
    conversation = _conversation(session, options)
    place = current_cell()
    asked = Ask(
        prompt=options.prompt,
        model=options.model,
        system=options.system,
        options=_of_api(options),
        alone=options.alone,
        refresh=options.refresh,
        use_cache=not options.no_cache,
        surface="cell",
        cell=Cell(*place) if place else None,
        attachments=files,
    )
    if options.dry_run:
        plan = conversation.plan(asked)
        show_plan(plan)
        if options.out:
            shell.user_ns[options.out] = plan
        return
    if session.offer is None:
        session.offer = _offer(session, conversation)
    _deliver(conversation.reply_to(asked), shell, options)
    if session.offer and not options.quiet:
        sys.stdout.write(session.offer + "\n")
        session.offer = ""


def regenerate(session: Session, shell: Any, options: ChatOptions) -> None:
    """Asks the last prompt of the conversation again.

    Raises:
        NotFound: there is none.
        UsageError: an option makes no sense here.
    """
    for senseless in NOT_AGAIN:
        if getattr(options, senseless):
            raise UsageError(f"--{senseless.replace('_', '-')} makes no sense for asking again")
    changed: dict[str, Any] = {}
    if options.model:
        changed["model"] = options.model
    if options.system is not None:
        changed["system"] = options.system
    conversation = _conversation(session, options)
    if given := _of_api(options):
        exchanges = conversation.exchanges()
        changed["options"] = {**(exchanges[-1].options if exchanges else {}), **given}
    _deliver(conversation.regenerate(**changed), shell, options)


def _of_api(options: ChatOptions) -> dict[str, Any]:
    return api_options(
        options.options, temperature=options.temperature, max_tokens=options.max_tokens
    )


def _conversation(session: Session, options: ChatOptions) -> Conversation:
    """The current conversation, which `--new` and `--conversation` change."""
    if options.new and not options.dry_run:
        session.conversation = Conversation(session=session)
    elif options.conversation is not None:
        name = options.conversation
        try:
            opened = Conversation.open(name, session=session)
        except NotFound:
            if options.dry_run:
                return Conversation(session=session)
            opened = Conversation(name, session=session)
            if not options.quiet:
                sys.stdout.write(f"A new conversation, {name}.\n")
        if opened.id == session.conversation.id:
            return session.conversation
        if not options.dry_run:
            session.conversation = opened
        return opened
    elif options.new:
        return Conversation(session=session)
    return session.conversation


def _offer(session: Session, conversation: Conversation) -> str:
    """In a fresh kernel: how to take up the notebook's last conversation again."""
    if conversation.path or not session.origin:
        return ""
    last = session.history.latest(session.origin)
    if last is None or last.id == conversation.id:
        return ""
    return (
        f"A new conversation. This notebook's last one, «{last.name or last.title}»: "
        f"%chat_open {last.name or last.id[:8]}"
    )


def _deliver(reply: Reply, shell: Any, options: ChatOptions) -> None:
    if options.out:
        shell.user_ns[options.out] = reply
    plain = "text" if options.format == "text" else "markdown"
    quiet = options.quiet or options.format == "json"
    try:
        show(reply, format=plain, quiet=quiet)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        kept = len(reply.text_so_far)
        raise UsageError(f"interrupted; {kept} characters of the reply are kept") from None
    if reply.error is not None:
        raise reply.error.with_traceback(None)
    if options.format == "json":
        _show_json(reply, options.quiet)
    elif options.format == "code":
        _put_code_below(reply, shell)


def _show_json(reply: Reply, quiet: bool) -> None:
    try:
        text = json.dumps(reply.json(), indent=2, ensure_ascii=False)
    except BadResponse:
        if not quiet:
            show(reply)
        raise
    if not quiet:
        _show_markdown(f"```json\n{text}\n```", text)
        _show_caption(reply)


def _show_markdown(source: str, text: str) -> None:
    from ..markdown import STYLE

    show_html(f"<style>{STYLE}</style>" + wrap(to_html(source), math="tex"), text)


def _show_caption(reply: Reply) -> None:
    from ..caption import caption

    assert reply.exchange is not None
    show_caption(caption(reply.exchange), reply.exchange.notes)


def _put_code_below(reply: Reply, shell: Any) -> None:
    blocks = reply.code
    if not blocks:
        raise UsageError("the reply has no code block; its text is in the reply")
    shell.set_next_input(_as_cell(blocks), replace=False)
    if not in_notebook(shell):
        sys.stdout.write("The code is in the next input line.\n")


def _as_cell(blocks: tuple[CodeBlock, ...]) -> str:
    """The Python of the reply as one cell; else its first block, under its own cell magic."""
    python = [b.code for b in blocks if b.language.lower() in ("", "python", "py", "python3")]
    if python:
        return "\n\n".join(code.rstrip("\n") for code in python)
    first = blocks[0]
    magic = {"bash": "%%bash\n", "sh": "%%sh\n", "shell": "%%sh\n", "html": "%%html\n"}
    return magic.get(first.language.lower(), "") + first.code.rstrip("\n")
