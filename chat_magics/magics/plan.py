"""What `--dry-run` shows: the messages, their tokens and price, and what is left to spend."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from ..attachments import readable_size
from ..pricing import format_cost

if TYPE_CHECKING:
    from ..conversation import Plan

__all__ = ["show_plan"]


def show_plan(plan: Plan) -> None:
    """Prints a plan; nothing was sent."""
    request = plan.request
    lines = [f"Nothing was sent. To {request.base_url}, model {request.model}, would go:", ""]
    if plan.guessed:
        lines.insert(1, "(The model is a guess: the server was not asked for its models.)")
    for message in request.messages:
        lines.append(f"[{message.role}]")
        lines.extend(f"  {line}" for line in message.content.splitlines() or [""])
        lines.extend(f"  ({each.mime}, {readable_size(each.size)})" for each in message.images)
    options = ", ".join(f"{name}={value!r}" for name, value in request.options.items())
    lines += ["", f"options: {options or 'none'}"]
    lines.append(f"about {plan.tokens:,} tokens, {format_cost(plan.price)} before the reply")
    lines.append("cache: hit, it would cost nothing" if plan.cached else "cache: miss")
    for name, left in plan.left.items():
        shown = format_cost(left) if name.startswith("dollars") else f"{left:,.0f} tokens"
        lines.append(f"left of {name}: {shown}")
    if not plan.left:
        lines.append("no budget is set")
    sys.stdout.write("\n".join(lines) + "\n")
