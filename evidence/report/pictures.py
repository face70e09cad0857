"""The picture of a scenario: its requests as dots, what users felt, faults and events on one clock (SVG).

And the picture of a run: where its time went, a bar for each.
"""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Iterable, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from evidence.answers import Answer
from evidence.measures import FaultWindow
from evidence.report.model import Build, Event, Scenario
from evidence.spending import Row
from lab.errors import printable

# Told apart also by those who do not see red or green as others do (Okabe and Ito's palette).
FAILED, UNKNOWN, SHADE, DARK, PLAIN = "#c43c00", "#7d3c98", "#e69f00", "#6b4a00", "#5b6470"
SERIES = {
    ("blue", 0): "#0072b2",
    ("blue", 1): "#56b4e9",
    ("green", 0): "#00855f",
    ("green", 1): "#5fc39b",
}
OTHERS = ("#8a6d3b", "#b58900", "#6c71c4")
MOODS = {"good": "#00855f", "bad": FAILED, "plain": PLAIN}
MOST_SERIES = 12  # in the legend
MOST_TEXT = 200  # characters of one text in a lane
RASTER = 1500  # dots; more are drawn as an image inside the SVG, which stays small
WIDTH, DOTS_HEIGHT, LANE_HEIGHT = 10.0, 2.6, 0.4
STRIPES = 300  # of the users' lane
CHARACTER = 0.053  # inches of a letter in a lane
ROWS = (0.62, 0.97)  # where the words of a lane stand: beside one another, else above
LEAST = 0.0002  # seconds; a log scale has no zero
WORK, WAIT = SERIES["blue", 0], SERIES["blue", 1]
BARS_WIDTH, BAR_HEIGHT = 3.9, 0.36  # inches: a phone shows it whole, and it can be read

mpl.rcParams.update(
    {
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#9aa3ad",
        "text.color": "#1d2530",
        "axes.labelcolor": "#1d2530",
        "xtick.color": "#46505c",
        "ytick.color": "#46505c",
    }
)


def series(answers: Iterable[Answer]) -> dict[tuple[str, str], str]:
    """(release, color) of the successes -> its hue: the color's own, lighter for its second release."""
    who = sorted({(answer.color, answer.release) for answer in answers if not answer.failed})
    hues: dict[tuple[str, str], str] = {}
    for color in sorted({color for color, _ in who}):
        for order, release in enumerate(release for other, release in who if other == color):
            fallback = OTHERS[(len(hues)) % len(OTHERS)]
            hues[release, color] = SERIES.get((color, order), fallback)
    return hues


def label(release: str, color: str) -> str:
    text = printable(f"{release} by {color}" if color else release or "ok")
    return text.replace("$", r"\$")  # no formula


def span(scenario: Scenario) -> tuple[float, float]:
    """The part of the wall clock that is drawn: from the first request to the last answer or fault's end."""
    begins = [answer.planned for answer in scenario.answers[:1]] or [scenario.begin]
    begins += [fault.begin for fault in scenario.faults]
    ends = [answer.finished for answer in scenario.answers[-1:]] or [scenario.begin + scenario.seconds]
    ends += [fault.end for fault in scenario.faults if fault.end is not None]
    begin, end = min(begins), max(ends)
    room = max(0.5, 0.01 * (end - begin))
    return begin - room, end + room


def zero(scenario: Scenario) -> float:
    """The moment called 0: the first fault, or the first request."""
    if scenario.faults:
        return scenario.faults[0].begin
    return scenario.answers[0].planned if scenario.answers else scenario.begin


def timeline(scenario: Scenario) -> str:
    """The picture of a scenario as SVG text."""
    lanes = ["users", *(["faults"] if scenario.faults else []), "consul", "swarm", "jenkins", "log"]
    height = DOTS_HEIGHT + LANE_HEIGHT * len(lanes) + 0.75
    figure = Figure(figsize=(WIDTH, height), dpi=130)
    FigureCanvasAgg(figure)
    ratios = [DOTS_HEIGHT, *([LANE_HEIGHT] * len(lanes))]
    grid = figure.add_gridspec(
        len(ratios),
        1,
        height_ratios=ratios,
        hspace=0.12,
        left=0.075,
        right=0.99,
        top=0.93,
        bottom=0.5 / height,
    )
    origin, (begin, end) = zero(scenario), span(scenario)
    axes = [figure.add_subplot(grid[0])]
    axes += [figure.add_subplot(grid[row], sharex=axes[0]) for row in range(1, len(ratios))]
    axes[0].set_xlim(begin - origin, end - origin)
    _dots(axes[0], scenario, origin)
    for lane, axis in zip(lanes, axes[1:], strict=True):
        _lane(axis, lane, last=lane == lanes[-1])
        _draw(axis, lane, scenario, origin)
    for axis in axes:
        _shade(axis, scenario, origin)
    _clock(axes[-1], scenario, origin)
    return _svg(figure, scenario.folder)


def _svg(figure: Figure, salt: str) -> str:
    out = io.StringIO()
    # A letter that is not in the font here may be in the reader's: it stays text in the picture.
    with mpl.rc_context({"svg.hashsalt": salt}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return out.getvalue()


def _dots(axis: Axes, scenario: Scenario, origin: float) -> None:
    axis.set_yscale("log")
    axis.set_ylabel("answer after")
    axis.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: duration(seconds)))
    axis.yaxis.set_minor_formatter(FuncFormatter(lambda *_: ""))
    axis.grid(axis="y", color="#e3e7eb", linewidth=0.7)
    axis.set_axisbelow(True)
    axis.tick_params(labelbottom=False)
    answers = scenario.answers
    if not answers:
        axis.set_ylim(0.001, 1)
        axis.text(0.5, 0.5, scenario.without, transform=axis.transAxes, ha="center", color=PLAIN)
        return
    raster = len(answers) > RASTER
    size = 3.2 if len(answers) < 4 * RASTER else 2.0
    hues = series(answers)
    for (release, color), hue in list(hues.items())[:MOST_SERIES]:
        chosen = [a for a in answers if not a.failed and (a.release, a.color) == (release, color)]
        _scatter(axis, chosen, origin, label(release, color), hue=hue, marker="o", size=size, raster=raster)
    others = set(list(hues)[MOST_SERIES:])
    if others:
        chosen = [a for a in answers if not a.failed and (a.release, a.color) in others]
        name = f"{len(others)} more"
        _scatter(axis, chosen, origin, name, hue=PLAIN, marker="o", size=size, raster=raster)
    for outcome, hue, marker in (("fail", FAILED, "x"), ("unknown", UNKNOWN, "^")):
        chosen = [a for a in answers if a.outcome == outcome]
        if chosen:
            name = {"fail": "failed", "unknown": "not known"}[outcome]
            _scatter(axis, chosen, origin, name, hue=hue, marker=marker, size=size + 2, raster=raster)
    took = [max(answer.latency, LEAST) for answer in answers]
    axis.set_ylim(min(took) / 1.6, max(took) * 1.8)
    axis.legend(
        loc="lower left", bbox_to_anchor=(0, 0.985), ncols=6, frameon=False, handletextpad=0.2,
        columnspacing=1.2, borderaxespad=0, markerscale=2,
    )  # fmt: skip


def _scatter(
    axis: Axes,
    answers: Sequence[Answer],
    origin: float,
    name: str,
    *,
    hue: str,
    marker: str,
    size: float,
    raster: bool,
) -> None:
    axis.plot(
        [answer.planned - origin for answer in answers],
        [max(answer.latency, LEAST) for answer in answers],
        linestyle="none", marker=marker, markersize=size, color=hue, label=f"{name} ({len(answers)})",
        markeredgewidth=1.1 if marker == "x" else 0, alpha=0.75 if marker == "o" else 1, rasterized=raster,
    )  # fmt: skip


def duration(seconds: float) -> str:
    """Seconds for an axis: 2 ms, 0.2 s, 5 s."""
    return f"{seconds * 1000:g} ms" if seconds < 0.1 else f"{seconds:g} s"  # noqa: PLR2004


def _lane(axis: Axes, name: str, *, last: bool) -> None:
    axis.set_ylim(0, 1)
    axis.set_yticks([])
    axis.set_ylabel(
        {"consul": "Consul", "swarm": "Swarm", "jenkins": "Jenkins", "log": "logs"}.get(name, name),
        rotation=0,
        ha="right",
        va="center",
        labelpad=6,
    )
    axis.spines["left"].set_visible(False)
    axis.spines["bottom"].set_color("#dfe3e8" if not last else "#9aa3ad")
    axis.xaxis.set_visible(last)


def _draw(axis: Axes, lane: str, scenario: Scenario, origin: float) -> None:
    if lane == "users":
        _users(axis, scenario, origin)
    elif lane == "faults":
        _faults(axis, scenario.faults, origin)
    elif lane == "jenkins":
        _builds(axis, scenario.builds, origin)
        _marks(axis, [e for e in scenario.events if e.lane == lane and "#" not in e.text], origin)
    else:
        _marks(axis, [event for event in scenario.events if event.lane == lane], origin)


def _users(axis: Axes, scenario: Scenario, origin: float) -> None:
    """One stripe a moment: the hue of who answered, or the failure's, as far up as its share."""
    low, high = axis.get_xlim()
    # Wide enough for three requests each, or slow asking would look like gaps.
    width = (high - low) / max(1, min(STRIPES, len(scenario.answers) // 3))
    hues = series(scenario.answers)
    stripes: dict[int, list[Answer]] = {}
    for answer in scenario.answers:
        stripes.setdefault(int((answer.planned - origin - low) / width), []).append(answer)
    parts: dict[str, list[tuple[float, float, float]]] = {}
    for place, answers in stripes.items():
        bottom = 0.0
        for hue, share in stripe(answers, hues):
            parts.setdefault(hue, []).append((low + place * width, bottom, share))
            bottom += share
    for hue, bars in parts.items():
        corners = [_rectangle(left, bottom, width, height) for left, bottom, height in bars]
        # One thing to draw, which takes a third of the time that as many bars do.
        axis.add_collection(
            PolyCollection(corners, facecolors=hue, linewidths=0, rasterized=True), autolim=False
        )


def _rectangle(left: float, bottom: float, width: float, height: float) -> list[tuple[float, float]]:
    right, top = left + width, bottom + height
    return [(left, bottom), (right, bottom), (right, top), (left, top)]


def stripe(answers: Sequence[Answer], hues: dict[tuple[str, str], str]) -> list[tuple[str, float]]:
    """(hue, share) of the answers of one moment; failures first, so that they stand at the bottom."""
    shares: dict[str, float] = {}
    for answer in sorted(answers, key=lambda one: not one.failed):
        hue = {"fail": FAILED, "unknown": UNKNOWN}.get(answer.outcome) or hues[answer.release, answer.color]
        shares[hue] = shares.get(hue, 0) + 1 / len(answers)
    return list(shares.items())


def _bar(axis: Axes, begin: float, end: float, hue: str) -> None:
    axis.barh(0.15, end - begin, 0.22, begin, color=hue, linewidth=0)


def _faults(axis: Axes, faults: Sequence[FaultWindow], origin: float) -> None:
    """A bar as long as the fault; of one whose end nobody knows, its beginning."""
    for fault in faults:
        end = fault.end if fault.end is not None else fault.planned_end
        if end is None:
            axis.plot([fault.begin - origin], [0.18], marker="d", markersize=5, color=SHADE)
        else:
            _bar(axis, fault.begin - origin, end - origin, SHADE)
    texts = [(fault.begin - origin, f"{fault.name} ({fault.target})", DARK) for fault in faults]
    _texts(axis, texts)


def _builds(axis: Axes, builds: Sequence[Build], origin: float) -> None:
    texts = []
    for build in builds:
        hue = MOODS["good"] if build.result == "SUCCESS" else PLAIN if build.end is None else FAILED
        end = build.end if build.end is not None else axis.get_xlim()[1] + origin
        _bar(axis, build.begin - origin, end - origin, hue)
        texts.append((build.begin - origin, f"{build.job} #{build.number} {build.result}", hue))
    _texts(axis, texts)


def _marks(axis: Axes, events: Sequence[Event], origin: float) -> None:
    for mood, hue in MOODS.items():
        moments = [event.at - origin for event in events if event.mood == mood]
        axis.plot(moments, [0.18] * len(moments), linestyle="none", marker="d", markersize=4.5, color=hue)
    _texts(axis, [(event.at - origin, event.short, MOODS[event.mood]) for event in events])


def _texts(axis: Axes, texts: Sequence[tuple[float, str, str]]) -> None:
    """Words above the marks, as many as find room; all of them are in the page's list."""
    texts = [(moment, text[:MOST_TEXT], hue) for moment, text, hue in texts]
    low, high = axis.get_xlim()
    letter = CHARACTER * (high - low) / (WIDTH * 0.915)
    for place, row, text, hue in fitting(texts, low, high, letter):
        axis.text(
            place,
            ROWS[row],
            printable(text),
            color=hue,
            fontsize=6.8,
            va="top",
            ha="left",
            clip_on=True,
            parse_math=False,
        )


def fitting(
    texts: Sequence[tuple[float, str, str]], low: float, high: float, letter: float
) -> list[tuple[float, int, str, str]]:
    """(place, row, text, hue) of the texts that find room in a row; one near the edge is moved inwards."""
    free = [low] * len(ROWS)
    found = []
    for moment, text, hue in sorted(one for one in texts if one[1] and low <= one[0] <= high):
        width = len(text) * letter
        place = max(low, min(moment, high - width))
        row = next((row for row, until in enumerate(free) if until <= place), None)
        if row is not None:
            found.append((place, row, text, hue))
            free[row] = place + width + letter
    return found


def _shade(axis: Axes, scenario: Scenario, origin: float) -> None:
    """Planned time of a fault lightly, the time it really lasted more strongly."""
    low, high = axis.get_xlim()
    for fault in scenario.faults:
        if fault.planned_end is not None:
            axis.axvspan(
                fault.begin - origin,
                min(fault.planned_end - origin, high),
                color=SHADE,
                alpha=0.10,
                lw=0,
                zorder=0,
            )
        if fault.end is not None:
            axis.axvspan(fault.begin - origin, fault.end - origin, color=SHADE, alpha=0.18, lw=0, zorder=0)
        axis.axvline(fault.begin - origin, color="#8a5a00", linewidth=0.9)
    axis.set_xlim(low, high)


def _clock(axis: Axes, scenario: Scenario, origin: float) -> None:
    axis.xaxis.set_major_locator(MaxNLocator(nbins=12, steps=[1, 2, 5, 10]))
    what = "the fault" if scenario.faults else "the first request"
    at = time.strftime("%H:%M:%S", time.localtime(origin))
    axis.set_xlabel(f"seconds since {what}, at {at}")


def bars(rows: Sequence[Row]) -> str:
    """The picture of where a run's time went as SVG text: each row's seconds, those of waits lighter."""
    height = BAR_HEIGHT * len(rows) + 0.75
    figure = Figure(figsize=(BARS_WIDTH, height), dpi=130)
    FigureCanvasAgg(figure)
    axis = figure.add_axes((0.01, 0.45 / height, 0.97, 1 - 0.75 / height))
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    axis.set_xlabel("seconds")
    for place, row in enumerate(rows):
        _spent(axis, place, row)
    axis.set_xlim(left=0)
    if any(row.waited for row in rows):  # a run from before waits were kept does not tell them from work
        axis.legend(
            [Rectangle((0, 0), 1, 1, color=hue) for hue in (WORK, WAIT)], ["at work", "waiting"],
            loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, borderaxespad=0,
        )  # fmt: skip
    return _svg(figure, "bars")


def _spent(axis: Axes, place: int, row: Row) -> None:
    """A bar and above it its name; a part stands out from what is in it."""
    work = row.seconds - row.waited
    axis.barh(place + 0.25, work, 0.34, color=WORK)
    axis.barh(place + 0.25, row.waited, 0.34, work, color=WAIT)
    axis.text(
        0, place + 0.04, printable(row.name), transform=axis.get_yaxis_transform(), fontsize=7.8, va="bottom",
        weight="normal" if row.what else "bold", parse_math=False,
    )  # fmt: skip
