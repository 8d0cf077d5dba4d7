"""Figures of chat_magics as ratios to floors measured in the same run: `python -m benchmarks`."""
