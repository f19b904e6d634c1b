"""Figures by their data: tables worked out by hand, what is drawn of them, what the captions say."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from made import run
from matplotlib.figure import Figure
from matplotlib.text import Text
from runs import SCENARIO, TABLES

import tracereplay as tr
from tracereplay.errors import ResultError
from tracereplay.report import figures
from tracereplay.studies import run_traces

PAGE = 4096
TIMES = (110, 120, 125)
ENDS = [10, 20, 26]


def table(data: pd.DataFrame) -> dict:
    """A table as plain lists, its index first."""
    return {data.index.name: data.index.tolist(), **{name: data[name].tolist() for name in data}}


def in_pages(*pages: int) -> list[int]:
    return [n * PAGE for n in pages]


HAND_MADE = {
    "faults": (
        run(
            TIMES,
            {
                "a": {"host_major_faults": [1, 4, 7], "demand_faults": [1, 3, 3], "double_faults": [0, 1, 4]},
                "b": {"host_major_faults": [1, 3, 3], "stale_reads": [0, 2, 2], "false_reads": [1, 1, 1]},
            },
        ),
        {
            "time": ENDS,
            "demand_faults": [1, 2, 0],
            "double_faults": [0, 1, 3],
            "stale_reads": [0, 2, 0],
            "false_reads": [1, 0, 0],
        },
    ),
    "guest-faults": (
        run(
            TIMES,
            {
                "a": {"guest_minor_faults": [5, 6, 6], "guest_file_fills": [2, 3, 3]},
                "b": {"guest_minor_faults": [1, 1, 1], "guest_major_faults": [0, 4, 5]},
            },
        ),
        {
            "time": ENDS,
            "guest_major_faults": [0, 4, 1],
            "guest_file_fills": [2, 1, 0],
            "guest_zero_fills": [4, 0, 0],
        },
    ),
    "swap-io": (
        run(
            TIMES,
            {
                "a": {"guest_swap_reads": [0, 1, 3], "host_swap_writes": [2, 2, 2]},
                "b": {"guest_swap_writes": [1, 1, 2], "host_swap_reads": [0, 0, 4]},
            },
        ),
        {
            "time": ENDS,
            "guest_swap_reads": in_pages(0, 1, 2),
            "guest_swap_writes": in_pages(1, 0, 1),
            "host_swap_reads": in_pages(0, 0, 4),
            "host_swap_writes": in_pages(2, 0, 0),
        },
    ),
    "frames": (
        run(
            TIMES,
            {
                "b": {"frames_in_use": [1, 4, 6], "shared_frames": [0, 1, 2]},
                "a": {"frames_in_use": [2, 2, 3], "shared_frames": [1, 0, 0]},
            },
        ),
        {
            "time": ENDS,
            "b": in_pages(1, 3, 4),
            "a": in_pages(1, 2, 3),
            "shared frames": in_pages(1, 1, 2),
            "free": in_pages(7, 4, 1),
        },
    ),
    "balloon": (
        run(
            TIMES,
            {"a": {"ballooned": [1, 3, 3], "balloon_target": [3, 3, 0]}, "b": {"ballooned": [0, 0, 1]}},
        ),
        {
            "time": ENDS,
            ("actual", "a"): in_pages(1, 3, 3),
            ("actual", "b"): in_pages(0, 0, 1),
            ("target", "a"): in_pages(3, 3, 0),
            ("target", "b"): in_pages(0, 0, 0),
        },
    ),
    # of 9 zero-mapped and shared pages 2 + 4 are saved; KSM keeps an item of 64 bytes for 9 + 3 + 1 pages
    "sharing": (
        run(
            TIMES,
            {
                "a": {
                    "shared": [0, 7, 7],
                    "shared_frames": [0, 3, 3],
                    "zero_mapped": [0, 2, 2],
                    "reclaimed_zero": [0, 2, 2],
                    "reclaimed_self": [0, 3, 3],
                    "reclaimed_inter_vm": [0, 1, 0],
                    "reclaimed_cross_family": [0, 0, 1],
                    "pages_unshared": [0, 3, 3],
                    "pages_volatile": [5, 1, 1],
                }
            },
            sharing={"mode": "ksm"},
        ),
        {
            "time": ENDS,
            "shared": in_pages(0, 7, 7),
            "reclaimed_zero": in_pages(0, 2, 2),
            "reclaimed_self": in_pages(0, 3, 3),
            "reclaimed_inter_vm": in_pages(0, 1, 0),
            "reclaimed_cross_family": in_pages(0, 0, 1),
            "net": [-5 * 64, 6 * PAGE - 13 * 64, 6 * PAGE - 13 * 64],
        },
    ),
    "double-paging": (
        run(
            TIMES,
            {
                "a": {"double_faults": [0, 1, 4], "host_swap_reads": [0, 2, 9]},
                "b": {
                    "stale_reads": [0, 0, 2],
                    "silent_swap_writes": [1, 1, 1],
                    "host_swap_writes": [1, 1, 3],
                },
            },
        ),
        {
            "kind": ["double_faults", "stale_reads", "false_reads", "silent_swap_writes"],
            "a": [4, 0, 0, 0],
            "b": [0, 2, 0, 1],
        },
    ),
    "time-by-cause": (
        run(
            TIMES,
            {
                "a": {"accesses": [2, 4, 9], "guest_minor_faults": [1, 1, 2], "host_minor_faults": [0, 0, 3]},
                "b": {
                    "cow_breaks": [0, 0, 4],
                    "guest_swap_reads": [0, 0, 5],
                    "guest_swap_writes": [0, 0, 6],
                    "host_swap_reads": [0, 0, 7],
                    "host_swap_writes": [0, 0, 8],
                },
            },
        ),
        {
            "vm": ["a", "b"],
            "accesses": [9, 0],
            "guest_minor_faults": [20, 0],
            "host_minor_faults": [300, 0],
            "cow_breaks": [0, 4_000],
            "guest_swap_reads": [0, 50_000],
            "host_swap_reads": [0, 70_000],
            "guest_swap_writes": [0, 600_000],
            "host_swap_writes": [0, 800_000],
        },
    ),
}
"""A run of two VMs and the table that the figure makes of it."""


@pytest.mark.parametrize("kind", HAND_MADE)
def test_tables_by_hand(kind):
    """Every number of every figure that a result alone can tell."""
    result, expected = HAND_MADE[kind]
    found = figures.data(kind, result)
    assert table(found) == expected
    assert list(found) == [name for name in expected if name != found.index.name]


def test_every_figure_is_tested():
    """A new figure needs a row above, or one below where it reads the traces."""
    with_traces = {name for name in figures.names() if figures.needs(name)}
    assert {*HAND_MADE, *with_traces} == {*figures.names()}
    assert with_traces == {"heat", "miss-ratio", "working-set"}


def test_esx_keeps_sixteen_bytes_for_a_shared_frame():
    """The net saving in the other dialect: 7 pages on 3 frames save 4 pages less 48 bytes."""
    said = {"shared": [7], "shared_frames": [3], "reclaimed_self": [4]}
    found = figures.data("sharing", run([110], {"a": said}, sharing={"mode": "esx"}))
    assert found["net"].tolist() == [4 * PAGE - 48]
    assert "hints are not counted" in figures.caption("sharing", found)


@pytest.mark.parametrize("kind", [k for k in HAND_MADE if k not in ("frames", "time-by-cause")])
def test_a_run_in_which_nothing_happens_has_no_such_figure(kind):
    """None, and a message that says what to run instead."""
    result = run(TIMES, {"a": {}})
    assert figures.data(kind, result) is None
    with pytest.raises(ResultError, match=f"^no figure {kind}: .*; replay .*"):
        run_traces.figure_data(result, kind)


def test_a_run_of_a_version_without_balloon_targets():
    """Loaded as before; only this figure is missing."""
    result, _ = HAND_MADE["balloon"]
    old = replace(result, timeline=result.timeline.drop(columns="balloon_target"))
    assert figures.data("balloon", old) is None
    assert figures.data("frames", old) is not None


def test_balloon_targets_are_recorded_as_asked():
    """Two VMs, one with a balloon of 8 pages from time 200 to 900; ticks every 50, sampled every 100."""
    result = tr.replay(SCENARIO, TABLES, jit=False)
    found = figures.data("balloon", result) // PAGE
    asked = {end: 8 if 200 <= end < 900 else 0 for end in (*range(100, 1701, 100), 1799)}
    assert found["target", "one"].to_dict() == asked
    assert found["target", "two"].to_dict() == dict.fromkeys(asked, 0)
    assert found["actual", "one"].tolist() == [0, *[8] * 7, *[0] * 10]


def test_bins_hold_an_equal_number_of_samples():
    """Of 250 samples 83 bins of 3 and one of 1; nothing is lost."""
    times = range(110, 110 + 2500, 10)
    faults = list(range(1, 251))
    found = figures.data("faults", run(times, {"a": {"host_major_faults": faults, "demand_faults": faults}}))
    assert found.index.tolist() == [*range(30, 2500, 30), 2501]
    assert found["demand_faults"].tolist() == [3] * 83 + [1]
    assert found.attrs == {"bin": 30, "time_unit": "accesses", "page_size": PAGE}


def test_a_run_without_ticks_has_one_bin():
    """From its first access to its last; even if that is one access."""
    for last, end in ((100, 1), (131, 32)):
        found = figures.data("frames", run([last], {"a": {"frames_in_use": [2]}}, tick=0))
        assert found.index.tolist() == [end]
        assert found.attrs["bin"] == end
        assert figures.draw("frames", found).axes[0].get_xlim() == (0, end)


def test_the_largest_vms_are_shown_by_name():
    """Nine VMs: seven in the run's order, the two smallest summed."""
    vms = {f"v{i}": {"frames_in_use": [i]} for i in (5, 1, 9, 2, 3, 4, 8, 7, 6)}
    found = figures.data("frames", run([110], vms, host={"frames": 50})) // PAGE
    assert list(found) == ["v5", "v9", "v3", "v4", "v8", "v7", "v6", "other VMs", "shared frames", "free"]
    assert found.iloc[0].tolist() == [5, 9, 3, 4, 8, 7, 6, 3, 0, 5]


def test_target_and_balloon_name_the_same_vms():
    """Nine VMs whose balloons are not yet what was asked for."""
    vms = {f"v{i}": {"ballooned": [9 - i], "balloon_target": [i]} for i in range(9)}
    found = figures.data("balloon", run([110], vms)) // PAGE
    assert found["actual"].iloc[0].to_dict() == {**{f"v{i}": 9 - i for i in range(2, 9)}, "other VMs": 17}
    assert found["target"].iloc[0].to_dict() == {**{f"v{i}": i for i in range(2, 9)}, "other VMs": 1}


# ---- what the traces tell -------------------------------------------------------------------------


@pytest.fixture
def from_traces(tmp_path):
    """``from_traces(rows, **scenario)``: a run of a file of these rows, ticks every 5."""

    def made(rows: dict, **scenario) -> tr.Result:
        path = tmp_path / "t.parquet"
        tr.write_trace(path, rows, force=True)
        said = {"tick": 5, "host": {"memory": "100%"}, "vm": [{"trace": str(path)}]} | scenario
        return tr.replay(said, jit=False)

    return made


ROWS = {
    "time": np.arange(100, 111, dtype=np.uint64),
    "vm": np.array([0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0], np.uint16),
    "page": np.array([1, 1, 2, 7, 1, 3, 1, 1, 2, 9, 9], np.uint64),
    "op": np.array([0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0], np.uint8),
}
"""Windows of 5: VM 0 touches 1 2 (7 is freed), then 3 1 2 9, then 9; VM 1 touches 1, then 1."""


def test_working_set_by_hand(from_traces):
    """Distinct pages per window and VM; the last window is short; a free touches nothing."""
    found = figures.data("working-set", *_with_extras(from_traces(ROWS)))
    assert table(found // PAGE) == {"time": [5, 10, 11], "vm0": [2, 4, 1], "vm1": [1, 1, 0]}
    assert found.attrs["bin"] == 5


def test_working_set_of_a_vm_that_starts_later(from_traces):
    """The second VM replays the same rows five accesses later."""
    rows = {name: column[ROWS["vm"] == 0] for name, column in ROWS.items() if name != "vm"}
    first = from_traces(rows)
    path = first.machine["vms"][0]["trace"]
    later = from_traces(rows, vm=[{"trace": path, "name": "a"}, {"trace": path, "name": "b", "start": 5}])
    found = figures.data("working-set", *_with_extras(later))
    assert table(found // PAGE) == {"time": [5, 10, 15, 16], "a": [2, 4, 1, 0], "b": [0, 2, 4, 1]}


def test_miss_ratio_of_beladys_string(from_traces):
    """LRU on 1 2 3 4 1 2 5 1 2 3 4 5: in textbooks 10 faults with 3 frames, 8 with 4."""
    rows = {"page": np.array([1, 2, 3, 4, 1, 2, 5, 1, 2, 3, 4, 5], np.uint64)}
    found = run_traces.extras(from_traces(rows), only=["miss_ratio"])["miss_ratio"]
    assert found["size_pages"].tolist() == [1, 2, 3, 4, 5]
    assert found["misses"].tolist() == [12, 12, 10, 8, 5]
    assert found["miss_ratio"].tolist() == [n / 12 for n in (12, 12, 10, 8, 5)]
    assert found.attrs["memory"] == {"vm0": 5}


def test_miss_ratio_agrees_with_replays(from_traces):
    """Every size, two VMs in one file: the misses are the guest faults of a VM of that size."""
    rng = np.random.default_rng(5)
    rows = {
        "vm": rng.integers(0, 2, 3000).astype(np.uint16),
        "page": (60 * rng.random(3000) ** 2).astype(np.uint64),
        "op": np.ones(3000, np.uint8),
    }
    result = from_traces(rows)
    found = run_traces.extras(result, only=["miss_ratio"])["miss_ratio"]
    path = result.machine["vms"][0]["trace"]
    for pages in (1, 7, 30, 60):
        said = {"tick": 0, "host": {"memory": "100%"}, "vm": [{"trace": path, "memory": pages}]}
        faults = tr.replay(said, jit=False).vms
        expected = (faults["guest_minor_faults"] + faults["guest_major_faults"]).tolist()
        curve = found[found["size_pages"] <= pages].groupby("vm")["misses"].last()
        assert curve.tolist() == expected


def test_heat_by_hand(from_traces):
    """Three touched pages in order of their numbers, a bin for every access."""
    rows = {"page": np.array([50, 50, 9, 10**15, 50], np.uint64)}
    found = figures.data("heat", *_with_extras(from_traces(rows)))
    assert found.drop(columns="vm").to_numpy().tolist() == [
        [2, 0, 1],
        [0, 1, 1],
        [1, 1, 1],
        [4, 1, 1],
        [3, 2, 1],
    ]
    assert found.attrs["bins"] == {"vm0": (1, 1)}
    assert found.attrs["pages"] == {"vm0": 3}


def _with_extras(result: tr.Result) -> tuple[tr.Result, dict[str, pd.DataFrame]]:
    return result, run_traces.extras(result)


def test_traces_that_are_gone_changed_or_in_memory(from_traces, tmp_path):
    """Said, with the figure that remains; an error where none remains."""
    first = from_traces(ROWS)
    kept, gone, changed = (tmp_path / f"{name}.parquet" for name in ("kept", "gone", "changed"))
    for path in (kept, gone, changed):
        tr.write_trace(path, {"page": [1, 2]})
    vms = [{"trace": str(p), "name": p.stem} for p in (kept, gone, changed)]
    vms.append({"trace": "table", "name": "table"})
    result = tr.replay(
        {"tick": 0, "vm": vms}, {**{v["trace"]: v["trace"] for v in vms}, "table": {"page": [5]}}, jit=False
    )
    gone.unlink()
    tr.write_trace(changed, {"page": [1, 3]}, force=True)
    data = run_traces.figure_data(result, "working-set")
    assert list(data) == ["kept"]
    told = data.attrs["warnings"]
    assert len(told) == 3
    for text, part in zip(
        told, ("gone.parquet is gone", "changed.parquet has changed", "a table in memory"), strict=True
    ):
        assert part in text
    assert "Missing: input" in figures.caption("working-set", data)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result.plot.working_set()
    assert [str(w.message) for w in caught] == list(told)
    kept.unlink()
    with pytest.raises(
        ResultError, match=r"no figure heat: it reads the run's traces, and none has anything to show: .*kept"
    ):
        result.plot.heat()
    assert run_traces.extras(first, only=["heat"]).keys() == {"heat"}


def test_rows_that_touch_no_page(from_traces, tmp_path):
    """Frees alone: the figures of traces have nothing to show, the page says why."""
    result = from_traces({"page": np.arange(3, dtype=np.uint64), "op": np.full(3, 2, np.uint8)})
    why = f"the rows of {tmp_path / 't.parquet'} touch no page: there is nothing to show of them"
    for kind in ("heat", "miss-ratio", "working-set"):
        with pytest.raises(ResultError, match=f"^no figure {kind}: .* none has anything to show: .*"):
            run_traces.figure_data(result, kind)
    assert run_traces.sources(result).warnings == (why,)
    with pytest.warns(UserWarning, match="touch no page"):
        result.report(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text().count(why) == 2  # a caution, and why figures are not shown


def test_time_begins_with_the_vms_that_run():
    """The second VM of a file alone, whose first access is at 104: axes and tables begin there."""
    vm = {"trace": "t", "trace_vm": 1}
    result = tr.replay({"tick": 1, "vm": [vm]}, {"t": pd.DataFrame(ROWS)}, jit=False)
    assert (result.machine["first_time"], result.machine["last_time"]) == (104, 107)
    assert figures.data("guest-faults", result).sum(axis=1).to_dict() == {1: 1, 2: 0, 4: 0}


def test_frees_in_a_heat_map_are_said(from_traces):
    """They are among its rows."""
    for op, words in ((2, "trace, frees included, by time"), (0, "trace by time")):
        result = from_traces({"page": np.array([1, 1], np.uint64), "op": np.array([1, op], np.uint8)})
        assert words in figures.caption("heat", run_traces.figure_data(result, "heat"))


def test_a_very_long_trace_is_not_read(from_traces, monkeypatch):
    """A look at a run must not take minutes: the limit is said."""
    monkeypatch.setattr(run_traces, "MOST_ROWS", 10)
    result = from_traces(ROWS)
    with pytest.raises(ResultError, match="has 11 rows, more than 10: it was not read"):
        result.plot.miss_ratio()


# ---- what it says ---------------------------------------------------------------------------------


UNITS = {
    "double-paging": ["Pages of 4 KiB", "in the whole run"],
    "time-by-cause": ["Time in ns", "access 100 ns", "swap device nvme"],
    "miss-ratio": ["memory in bytes"],
    "heat": ["Bins of 5 accesses to 8 accesses and of 4 KiB", "time in accesses"],
}


@pytest.mark.parametrize("kind", figures.names())
def test_captions_tell_units_and_bins(kind, busy):
    """What a reader needs in order to read numbers off the figure."""
    data, figure = busy[kind]
    caption = figures.caption(kind, data)
    for part in UNITS.get(
        kind, [f"Bins of {data.attrs['bin']} accesses" if "bin" in data.attrs else "?", "time in accesses"]
    ):
        assert part in caption
    assert figure.axes[0].get_title("left") == figures.title(kind).removesuffix(".")
    assert figures.about(kind)


@pytest.mark.parametrize("kind", figures.names())
def test_texts_are_legible_and_whole(kind, busy):
    """At least 8 points, inside the figure, and no two tick labels of an axis on each other."""
    _, figure = busy[kind]
    figure.draw_without_rendering()
    frame, ticks = figure.bbox.padded(1), tick_labels(figure)
    hidden = {
        text for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for text in axis.get_ticklabels()
    }
    for text in [*(set(figure.findobj(Text)) - hidden), *(text for texts in ticks for text in texts)]:
        if text.get_text() and text.get_visible():
            assert text.get_fontsize() >= 8
            box = text.get_window_extent()
            assert frame.contains(box.x0, box.y0), text
            assert frame.contains(box.x1, box.y1), text
    for texts in ticks:
        boxes = [text.get_window_extent() for text in texts]
        assert not any(a.overlaps(b) for a, b in itertools.pairwise(boxes)), texts


def tick_labels(figure: Figure) -> list[list[Text]]:
    """The labels that are shown on each axis; strips share the time axis of the lowest one."""
    return [
        [
            text
            for place, text in zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False)
            if min(axis.get_view_interval()) <= place <= max(axis.get_view_interval()) and text.get_text()
        ]
        for axes in figure.axes
        for axis in (axes.xaxis, axes.yaxis)
    ]


# ---- result.plot ----------------------------------------------------------------------------------


def test_plot_lists_its_figures_and_knows_no_others():
    """``dir`` and ``repr`` name them; a wrong name is an AttributeError with the nearest."""
    plot = HAND_MADE["faults"][0].plot
    assert dir(plot) == [name.replace("-", "_") for name in figures.names()]
    assert repr(plot).startswith("<figures of a run: balloon(), double_paging(), faults(), ")
    with pytest.raises(
        AttributeError, match=r'found "fault"; expected one of "balloon", .*did you mean "faults"'
    ):
        plot.fault()
    assert not hasattr(plot, "_repr_html_")


def test_a_notebook_shows_a_figure():
    """Without pyplot and its magic: IPython finds the PNG."""
    formatters = pytest.importorskip("IPython.core.formatters")
    figure = HAND_MADE["faults"][0].plot.faults()
    shown, _ = formatters.DisplayFormatter().format(figure)
    assert shown["image/png"].startswith(b"\x89PNG")


def test_records_are_json():
    """A row of the table each; two levels of columns become one name."""
    found = figures.records(figures.data("balloon", HAND_MADE["balloon"][0]))
    assert found[0] == {"time": 10, "actual a": PAGE, "actual b": 0, "target a": 3 * PAGE, "target b": 0}
    assert all(type(value) is int for value in found[0].values())
