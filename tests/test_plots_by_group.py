"""Pictures of groups: what is counted, which panels there are, and how groups are called."""

from __future__ import annotations

import warnings

from chat_magics.plots import by_group, latency
from tests.plot_samples import models, stats, words


def test_errors_are_counted_and_panels_with_nothing_in_them_left_out() -> None:
    nothing = {"prompt_tokens": 0, "completion_tokens": 0, "cost": None, "exchanges": 1}
    untimed = dict.fromkeys(("latency_median", "latency_p95", "first_token_median"), None)
    plot = by_group(stats("error", ["RateLimited"], {**nothing, **untimed}))
    assert [axes.get_xlabel() for axes in plot.figure.axes] == ["exchanges"]
    assert plot.words == "Exchanges by error: RateLimited 1 exchange."
    timed = by_group(stats("status", ["error"], nothing)).words
    assert timed.startswith("Exchanges and time by status: error 1 exchange, median 2 s")


def test_where_all_is_zero_the_exchanges_are_left() -> None:
    zero = dict.fromkeys(("prompt_tokens", "completion_tokens", "cost"), 0)
    plot = by_group(models(1, {**zero, "latency_median": None}))
    assert plot.words == "Exchanges by model: model-0 4 exchanges."


def test_conversations_are_labelled_with_their_titles() -> None:
    frame = stats("conversation", ["id1", "id2"])
    for draw in (by_group, latency):
        plot = draw(frame, titles={"id1": "Why joins?"})
        assert {"Why joins?", "id2"} <= set(words(plot))
        assert "Why joins?" in plot.words


def test_letters_that_no_font_has_are_no_warnings() -> None:
    plot = latency(stats("model", ["\u7b2c\u4e00", "\ue000"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert plot.png()
