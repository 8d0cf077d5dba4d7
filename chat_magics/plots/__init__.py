"""Pictures of statistics: frames that `history.stats(by=…)` gives → a `Plot` to look at or save.

matplotlib (the extra `plots`) is loaded with the first picture, and pyplot never: it keeps a list
of all figures and is not made for threads. The files: `plot` is what comes out, `canvas` and
`colours` are what all pictures share, `periods` and `over_time` draw along time, `groups` and
`by_group` draw one row for each model or another group, `overview` puts four pictures together.
"""

from chat_magics.plots.by_group import by_group, latency
from chat_magics.plots.over_time import hit_rate, over_time, retries_and_errors, tokens_and_cost
from chat_magics.plots.overview import overview
from chat_magics.plots.plot import Plot

__all__ = [
    "Plot",
    "by_group",
    "hit_rate",
    "latency",
    "over_time",
    "overview",
    "retries_and_errors",
    "tokens_and_cost",
]
