"""The colours of all pictures: as readable on a light page as on a dark one.

A picture's background is transparent, and it does not know what it is shown on. Each colour has a
contrast of 4.3 or more on #fff and on JupyterLab's dark #111, which leaves but one luminance for
all of them. Blue and vermilion are told apart in the common kinds of colour blindness; what two
colours tell, a shape or a hatch tells too.
"""

from __future__ import annotations

__all__ = ["BLUE", "GREY", "VERMILION"]

BLUE = "#0b7cd0"
"""What is first: prompts, whole replies, money."""

VERMILION = "#cf5100"
"""What is second: completions, the first token, errors."""

GREY = "#797979"
"""Words, axes, and what is not known."""
