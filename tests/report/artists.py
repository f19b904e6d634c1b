"""What is drawn, read back from the artists of a matplotlib figure: tables of labels and values."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure


def steps(axes: Axes) -> pd.DataFrame:
    """Bands and lines over bins: a row per bin, by its end, a column per label.

    Bands are as thick as they are drawn, and each lies on the one before.
    """
    columns, below, edges = {}, 0.0, None
    for patch in axes.patches:
        values, found, baseline = patch.get_data()
        edges = found if edges is None else edges
        assert found.tolist() == edges.tolist()
        if patch.get_fill():
            assert (baseline == below).all()
            values, below = values - baseline, values
        columns[patch.get_label()] = values
    assert edges is not None
    assert edges[0] == 0
    return pd.DataFrame(columns, index=edges[1:])


def bars(axes: Axes) -> pd.DataFrame:
    """Stacked horizontal bars: a row per name from the top, a column per label, ``end``: the text there."""
    places = axes.get_yticks().tolist()
    columns, left = {}, np.zeros(len(places))
    for container in axes.containers:
        assert [bar.get_x() for bar in container] == left.tolist()
        assert [bar.get_y() + bar.get_height() / 2 for bar in container] == places
        columns[container.get_label()] = [bar.get_width() for bar in container]
        left += columns[container.get_label()]
    assert places == sorted(places, reverse=True)
    assert [text.xy for text in axes.texts] == list(zip(left, places, strict=True))
    columns["end"] = [text.get_text() for text in axes.texts]
    return pd.DataFrame(columns, index=[text.get_text() for text in axes.get_yticklabels()])


def curves(axes: Axes) -> tuple[dict[str, list[tuple[float, float]]], list[tuple[float, float]]]:
    """Points of each line by its label, and the dots."""
    points = {line: list(zip(*map(np.ndarray.tolist, line.get_data()), strict=True)) for line in axes.lines}
    lines = {str(line.get_label()): at for line, at in points.items() if line.get_marker() == "None"}
    return lines, [dot for line, at in points.items() if line.get_marker() == "o" for dot in at]


def cells(axes: Axes) -> pd.DataFrame:
    """The cells of a map that are not empty: edges ``left right bottom top`` and ``value``."""
    (mesh,) = axes.collections
    corners, values = np.asarray(mesh.get_coordinates()), mesh.get_array()
    row, column = np.nonzero(~np.ma.getmaskarray(values))
    (left, bottom), (right, top) = corners[row, column].T, corners[row + 1, column + 1].T
    value = values[row, column]
    return pd.DataFrame({"left": left, "right": right, "bottom": bottom, "top": top, "value": value})


def strips(figure: Figure) -> dict[str, Axes]:
    """The axes that have a name beside them, by it."""
    return {axes.get_ylabel(): axes for axes in figure.axes if axes.get_ylabel() and axes.get_subplotspec()}


def labelled(axes: Axes) -> dict[str, tuple[float, float]]:
    """The names beside the axes from the lowest on, and what each is joined to."""
    ordered = sorted(axes.texts, key=lambda text: text.xyann[1])
    return {text.get_text(): text.xy for text in ordered}


def legend(axes: Axes) -> list[str]:
    """The texts of the legend, the lowest first."""
    return [text.get_text() for text in axes.get_legend().get_texts()][::-1]
