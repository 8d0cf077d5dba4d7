"""Prompts over rows: a template over the rows of a frame, and typed columns of the answers."""

__all__: list[str] = []
