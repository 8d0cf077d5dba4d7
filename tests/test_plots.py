"""chat_magics.plots: readable on any page, and honest about what is not known."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle

from chat_magics.errors import ConfigError, InvalidRequest
from chat_magics.history import History
from chat_magics.messages import Usage
from chat_magics.plots import (
    Plot,
    by_group,
    hit_rate,
    latency,
    over_time,
    overview,
    retries_and_errors,
    tokens_and_cost,
)
from tests.history_samples import ask
from tests.plot_samples import bars, days, models, stats, texts, words

ALL: list[Callable[[], Plot]] = [
    lambda: tokens_and_cost(days(3, {}, {"cost": None, "unpriced": 4})),
    lambda: hit_rate(days(3)),
    lambda: retries_and_errors(days(3)),
    lambda: over_time(days(3)),
    lambda: latency(models(3)),
    lambda: latency(models(3, {"latency_p95": 900.0})),
    lambda: by_group(models(3, {}, {"cost": None, "unpriced": 4})),
    lambda: by_group(stats("status", ["complete", "error"])),
    lambda: overview(days(3), models(3)),
    lambda: tokens_and_cost(days(0)),
]


@pytest.fixture(scope="module", params=ALL)
def plot(request: pytest.FixtureRequest) -> Plot:
    made: Plot = request.param()
    return made


def contrast(colour: Any, background: str) -> float:
    """As WCAG 2 defines it."""

    def luminance(of: Any) -> float:
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(of)]
        return sum(share * c for share, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(colour), luminance(background)))
    return (high + 0.05) / (low + 0.05)


def colours(plot: Plot) -> set[Any]:
    """Of all that is drawn but the faint lines of the grid."""
    seen: set[Any] = {to_rgba(text.get_color()) for text in texts(plot)}
    for axes in plot.figure.axes:
        for artist in axes.findobj(lambda each: isinstance(each, (Line2D, Rectangle))):
            ends = [artist.get_color()] if isinstance(artist, Line2D) else []
            if isinstance(artist, Rectangle):
                ends = [artist.get_facecolor(), artist.get_edgecolor()]
            alpha = artist.get_alpha()
            seen |= {to_rgba(each) for each in ends if alpha is None and artist.get_visible()}
        seen |= {to_rgba(spine.get_edgecolor()) for spine in axes.spines.values()}
    return {colour for colour in seen if colour[3] > 0}


def test_all_is_readable_on_a_light_page_and_on_a_dark_one(plot: Plot) -> None:
    low = {c for c in colours(plot) for page in ("#fff", "#111") if contrast(c, page) < 4.3}
    assert low == set()
    assert {text.get_fontsize() for text in texts(plot) if text.get_fontsize() < 9} == set()


def test_the_background_is_the_page(plot: Plot) -> None:
    assert plot.figure.get_facecolor() == (0, 0, 0, 0)
    assert {to_rgba(axes.get_facecolor())[3] for axes in plot.figure.axes} <= {0}


def test_no_words_are_drawn_over_others_or_beyond_the_picture(plot: Plot) -> None:
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts(plot)]
    page = plot.figure.bbox.padded(1)
    for n, (word, box) in enumerate(boxes):
        over = [other for other, second in boxes[n + 1 :] if box.padded(-1).overlaps(second)]
        assert (word, over) == (word, [])
        assert page.x0 <= box.x0 <= box.x1 <= page.x1, word
        assert page.y0 <= box.y0 <= box.y1 <= page.y1, word


@pytest.mark.parametrize(
    ("plot", "labels"),
    [
        (tokens_and_cost(days(2)), ["tokens per day", "US dollars per day", "day (UTC) · "]),
        (hit_rate(days(2)), ["% of exchanges", "day (UTC) · "]),
        (retries_and_errors(days(2)), ["retries per day", "errors per day", "day (UTC) · "]),
        (latency(models(2)), ["seconds"]),
        (by_group(models(2)), ["tokens", "US dollars", "seconds"]),
    ],
)
def test_axes_are_named_with_their_units(plot: Plot, labels: list[str]) -> None:
    named = [axes.get_xlabel() for axes in plot.figure.axes]
    named += [axes.get_ylabel() for axes in plot.figure.axes]
    assert [label for label in labels if not any(n.startswith(label) for n in named)] == []


# What is drawn


def test_bars_have_the_heights_of_the_figures() -> None:
    plot = tokens_and_cost(days(2, {}, {"prompt_tokens": 100, "cost": 0.5}))
    assert bars(plot) == [3_000, 100, 400, 400]
    assert bars(plot, 1) == [0.25, 0.5]


@pytest.mark.parametrize(
    ("count", "unit", "bar"),
    [(1, "day", 3_000), (92, "day", 3_000), (93, "week", 21_000), (1_096, "month", 81_000)],
)
def test_days_become_weeks_and_months_where_they_are_many(count: int, unit: str, bar: int) -> None:
    plot = tokens_and_cost(days(count))
    assert plot.figure.axes[0].get_ylabel() == f"tokens per {unit}"
    assert bars(plot)[0] == bar
    assert sum(bars(plot)) == count * 3_400


@pytest.mark.parametrize("count", [1, 2, 7, 8, 30, 92, 93, 400, 729, 731, 1_096, 4_000])
def test_dates_are_few_and_each_only_once(count: int) -> None:
    plot = hit_rate(days(count))
    (axes,) = plot.figure.axes
    bottom = axes.xaxis.get_ticklabels()
    names = [text.get_text() for text in texts(plot) if text in bottom]
    assert 1 <= len(names) <= 8
    assert len(names) == count or len(names) > 2
    assert "2026" in axes.get_xlabel()
    assert len(set(names)) == len(names) or count > 366


def test_days_between_are_left_empty() -> None:
    plot = retries_and_errors(days(2, step=5))
    (first, last) = (bar.get_x() for bar in plot.figure.axes[0].patches)
    assert last - first == pytest.approx(5)


def test_the_hit_rate_of_a_week_weighs_its_days() -> None:
    rows = [{"exchanges": 9, "hits": 0, "hit_rate": 0.0}, {"exchanges": 1, "hits": 1}]
    gap = {"exchanges": 5, "hits": 0, "hit_rate": None}
    plot = hit_rate(days(100, *rows, {**gap}))
    (line,) = plot.figure.axes[0].get_lines()
    assert line.get_ydata()[0] == pytest.approx(10)
    assert pd.isna(line.get_ydata()[1])


def test_median_and_95th_percentile_are_a_dot_and_the_end_of_a_line() -> None:
    (axes,) = latency(models(1)).figure.axes
    drawn = {float(line.get_xdata()[0]) for line in axes.get_lines()}
    assert drawn == {2.0, 6.0, 0.5, 1.5}
    assert axes.get_legend_handles_labels()[1] == ["whole reply", "first token"]


def test_of_many_models_the_ten_of_most_exchanges_are_shown_and_that_is_said() -> None:
    frame = models(30, *({"exchanges": n} for n in range(30)))
    plot = latency(frame)
    assert "Time to the reply by model, top 10 of 30" in words(plot)
    shown = [name for name in words(plot) if name.startswith("model-")]
    assert shown == [f"model-{n}" for n in range(29, 19, -1)]
    assert "top 10 of 30" in plot.words


def test_other_groups_are_named_as_they_are() -> None:
    plot = by_group(stats("surface", ["cell", None]))
    assert {"cell", "unknown", "Tokens, cost and time by surface"} <= set(words(plot))


def test_one_error_is_no_errors() -> None:
    plot = retries_and_errors(days(1, {"retries": 1, "errors": 1}))
    assert "1 retry" in plot.words
    assert "1 error," in plot.words or plot.words.endswith("1 error.")


def test_a_long_name_loses_its_middle_and_dollars_are_no_formula() -> None:
    plot = latency(stats("model", ["a" * 30 + "z" * 30, "$x$"]))
    assert {"a" * 13 + "…" + "z" * 14, "$x$"} <= set(words(plot))
    assert "a" * 30 + "z" * 30 in plot.words


# What is not known


def test_an_unknown_price_is_marked_and_said_and_not_a_zero() -> None:
    plot = tokens_and_cost(days(3, {}, {"cost": None, "unpriced": 4}, {"cost": 0, "unpriced": 4}))
    (marks,) = plot.figure.axes[1].get_lines()
    assert len(marks.get_xdata()) == 2
    assert "× price unknown for 8 of 12 exchanges" in words(plot)
    assert plot.words.endswith("cost $0.25, price unknown for 8 of 12 exchanges.")


def test_what_is_free_is_zero_and_not_marked() -> None:
    plot = tokens_and_cost(days(2, {"cost": 0.0}))
    assert "cost $0" in words(plot)
    assert list(plot.figure.axes[1].get_yticks()) == []
    assert [len(line.get_xdata()) for line in plot.figure.axes[1].get_lines()] == [0]


def test_where_no_price_is_known_there_is_no_scale() -> None:
    plot = tokens_and_cost(days(2, {"cost": None, "unpriced": 4}))
    assert list(plot.figure.axes[1].get_yticks()) == []
    assert (
        plot.words.endswith("tokens; price unknown for 8 of 8 exchanges.") or "$" not in plot.words
    )


def test_a_model_without_times_or_price_says_so() -> None:
    none = dict.fromkeys(("latency_median", "latency_p95", "first_token_median"), None)
    plot = by_group(models(2, {}, {**none, "first_token_p95": None, "cost": None, "unpriced": 4}))
    assert {"no time", "price unknown"} <= set(words(plot))
    assert "model-1 3,000 + 400 tokens, price unknown, no time measured" in plot.words


@pytest.mark.parametrize("make", [tokens_and_cost, hit_rate, retries_and_errors, over_time])
def test_without_exchanges_the_plot_says_that_there_is_nothing_yet(make: Any) -> None:
    plot = make(days(0))
    assert str(plot) == "Nothing yet: no exchange to show."
    assert words(plot) == [str(plot)]


# Given, shown, saved


def test_the_statistics_of_a_history_are_plotted() -> None:
    history = History("sqlite://", on_warning=pytest.fail)
    usage = Usage(prompt_tokens=20, completion_tokens=5)
    ask(history, history.new_conversation(), model="demo", usage=usage, cost=0.0, latency=1.5)
    plot = overview(history.stats(by="day"), history.stats(by="model"))
    assert "20 prompt and 5 completion tokens; cost $0." in plot.words
    assert "demo median 1.5 s" in plot.words
    history.close()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: hit_rate(models(1)), r"needs the columns day: give history.stats\(by='day'\)"),
        (lambda: latency(days(1)), r'for groups: give history.stats\(by="model"\)'),
        (lambda: latency(days(1).drop(columns="day")), "for groups"),
        (lambda: overview(days(1), models(1).drop(columns="latency_p95")), "latency_p95"),
    ],
)
def test_another_frame_is_refused_with_what_to_give(call: Any, words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        call()


def test_a_notebook_gets_a_sharp_picture_with_words() -> None:
    plot = hit_rate(days(3))
    data, metadata = plot._repr_mimebundle_()
    size = metadata["image/png"]
    width, height = (int.from_bytes(data["image/png"][at : at + 4], "big") for at in (16, 20))
    assert (size["width"], size["height"]) == (720, 280)
    assert (width, height) == (1440, 560)
    assert data["text/plain"] == size["alt"] == plot.words


@pytest.mark.parametrize(
    ("name", "begins"), [("a.png", b"\x89PNG"), ("a.SVG", b"<?xml"), ("a.pdf", b"%PDF")]
)
def test_a_plot_is_saved_by_the_ending_of_the_file(
    tmp_path: Path, name: str, begins: bytes
) -> None:
    assert hit_rate(days(2)).save(tmp_path / name).read_bytes()[:5].startswith(begins)
    assert list(tmp_path.glob("*.*")) == [tmp_path / name]


def test_a_file_is_replaced_only_by_force(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("mine")
    with pytest.raises(InvalidRequest):
        hit_rate(days(2)).save(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_text() == "mine"
    hit_rate(days(2)).save(tmp_path / "a.png", force=True)
    with pytest.raises(InvalidRequest, match=r"\.png, \.svg, \.pdf"):
        hit_rate(days(2)).save(tmp_path / "a.jpg")


@pytest.fixture
def without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.setitem(sys.modules, name, None)


def test_without_matplotlib_one_line_tells_what_to_install(without_matplotlib: None) -> None:
    with pytest.raises(ConfigError, match=r"pip install 'chat-magics\[plots\]'$"):
        overview(days(2), models(2))


LOADED = """
import sys
import chat_magics.plots as plots
assert not {"matplotlib", "pandas", "numpy"} & set(sys.modules)
from tests.plot_samples import days, models
plots.overview(days(3), models(3))._repr_mimebundle_()
assert "matplotlib" in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""


def test_matplotlib_is_loaded_with_the_first_plot_and_pyplot_never() -> None:
    subprocess.run([sys.executable, "-c", LOADED], cwd=Path(__file__).parents[1], check=True)
