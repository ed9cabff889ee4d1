"""Interactive chart of the report as a Vega-Lite specification: curves and distances for the choices of a reader."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from convrnn_experiments.comparison.choices import Choice
from convrnn_experiments.report.canvas import CHANCE
from convrnn_experiments.report.formats import fixed, with_interval

Spec = dict[str, Any]
EXITS = {
    "index": "block i at exit i",
    "all": "spread over all exits",
    "linear": "evenly spaced, fitted",
    "affine": "speed and delay, fitted",
    "affine-multiply-adds": "multiply-adds, speed and delay",
}
"""Match of exits -> its name in the list of choices."""
MISSES = {
    "chance": "score 1/16",
    "wrong": "count as wrong",
    "answered": "are left out",
    "random": "are a random category",
}
"""Convention for missed responses -> its name in the list of choices."""
_SHAPES = ("square", "triangle-up", "diamond", "triangle-down", "cross", "circle")
_INK = "currentColor"
"""Colour of the text of the page, light or dark."""


def explore_chart(results: Sequence[Choice], colours: Mapping[str, str], noun: str, shown: Choice) -> Spec:
    """Describe the chart; equal results give an equal specification.

    Args:
        results: Results of all choices.
        colours: Network -> colour.
        noun: Name of the observers.
        shown: Result whose condition, convention and match are selected at first.
    """
    networks = list(dict.fromkeys(result.network for result in results))
    selected = "datum.condition === condition && datum.misses === misses"
    switches = ", ".join(f"network_{number}" for number in range(len(networks)))
    filters = {
        "humans": [{"filter": selected}],
        "networks": [
            {"filter": f"{selected} && datum.exits === exits && [{switches}][datum.number]"},
        ],
    }
    colour = {
        "field": "network",
        "type": "nominal",
        "scale": {"domain": networks, "range": [colours[network] for network in networks]},
        "legend": None,
    }
    shape = {
        "field": "network",
        "type": "nominal",
        "scale": {"domain": networks, "range": [_SHAPES[i % len(_SHAPES)] for i in range(len(networks))]},
        "legend": None,
    }
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "background": None,
        "config": _config(),
        "params": _params(results, networks, shown),
        "datasets": {
            "humans": _humans(results),
            "networks": _points(results, networks),
            "distances": _distances(results, networks),
        },
        "concat": [_curves(filters, colour, shape, noun), _ranking(filters["networks"], colour, shape, noun)],
        "columns": 2,
        "spacing": 36,
    }


def _config() -> Spec:
    return {
        "font": "inherit",
        "axis": {
            **{f"{part}Color": _INK for part in ("label", "title", "domain", "tick", "grid")},
            **{"gridOpacity": 0.13, "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal"},
        },
        "title": {
            "color": _INK,
            "subtitleColor": _INK,
            "anchor": "start",
            "fontSize": 14,
            "subtitleFontSize": 12,
        },
        "axisY": {"labelLimit": 190},
        "view": {"stroke": None},
    }


def _params(results: Sequence[Choice], networks: Sequence[str], shown: Choice) -> list[Spec]:
    def select(name: str, label: str, options: list[str], labels: list[str], value: str) -> Spec:
        bind = {"input": "select", "name": label, "options": options, "labels": labels}
        return {"name": name, "value": value, "bind": bind}

    conditions = list(dict.fromkeys(result.condition for result in results))
    misses = list(dict.fromkeys(result.misses for result in results))
    exits = [str(kind) for kind in dict.fromkeys(result.exits for result in results)]
    lists = [
        select("condition", "Condition", conditions, conditions, shown.condition),
        select("misses", "Missed responses", misses, [MISSES[name] for name in misses], shown.misses),
        select("exits", "Exits", exits, [EXITS[name] for name in exits], str(shown.exits)),
    ]
    boxes = [
        {"name": f"network_{number}", "value": True, "bind": {"input": "checkbox", "name": network}}
        for number, network in enumerate(networks)
    ]
    return lists + boxes


def _humans(results: Sequence[Choice]) -> list[Spec]:
    """Return a row per condition, convention and block, on the images of the network with the most images."""
    largest: dict[tuple[str, str], Choice] = {}
    for result in results:
        key = result.condition, result.misses
        if key not in largest or result.images.sum() > largest[key].images.sum():
            largest[key] = result
    return [
        {
            **{"condition": condition, "misses": misses, "observers": result.observers},
            **_point(result, block),
            **_estimate(result.human[block]),
        }
        for (condition, misses), result in largest.items()
        for block in _blocks(result)
    ]


def _points(results: Sequence[Choice], networks: Sequence[str]) -> list[Spec]:
    return [
        {
            **_names(result, networks),
            **_point(result, block),
            **{"step": round(float(result.positions[block]) + 1, 2)},
            **_estimate(result.accuracy[block]),
        }
        for result in results
        for block in _blocks(result)
    ]


def _distances(results: Sequence[Choice], networks: Sequence[str]) -> list[Spec]:
    return [
        {
            **_names(result, networks),
            **{"images": int(result.images.sum()), "observers": result.observers},
            **_estimate(result.rmse),
        }
        for result in results
        if math.isfinite(result.rmse.value)
    ]


def _blocks(result: Choice) -> list[int]:
    """Return the blocks with an answer and an accuracy."""
    return [
        block
        for block, time in enumerate(result.times)
        if math.isfinite(time) and math.isfinite(result.human[block].value) and result.images[block]
    ]


def _names(result: Choice, networks: Sequence[str]) -> Spec:
    return {
        "condition": result.condition,
        "misses": result.misses,
        "exits": str(result.exits),
        "network": result.network,
        "number": networks.index(result.network),
    }


def _point(result: Choice, block: int) -> Spec:
    return {
        "block": block + 1,
        "time": round(float(result.times[block]), 1),
        "images": int(result.images[block]),
    }


def _estimate(estimate: Any) -> Spec:
    """Return the value, the ends of the interval (null if unknown), and all as text."""
    numbers = {"value": estimate.value, "low": estimate.low, "high": estimate.high}
    rounded: Spec = {
        name: round(number, 2) if math.isfinite(number) else None for name, number in numbers.items()
    }
    text = with_interval(estimate) if math.isfinite(estimate.low) else fixed(estimate.value)
    return rounded | {"text": text}


def _tooltip(**titles: str) -> list[Spec]:
    return [{"field": field, "title": title} for field, title in titles.items()]


def _curves(filters: Mapping[str, list[Spec]], colour: Spec, shape: Spec, noun: str) -> Spec:
    x = {
        "field": "time",
        "type": "quantitative",
        "title": "Mean response time (ms)",
        "scale": {"zero": False, "padding": 12},
        "axis": {"grid": False, "tickCount": 6},
    }

    def y(field: str = "value") -> Spec:
        return {
            "field": field,
            "type": "quantitative",
            "title": "Accuracy (%)",
            "scale": {"domain": [0, 100]},
            "axis": {"tickCount": 5},
        }

    common = {"block": "Response-time block", "time": "Mean response time (ms)", "text": "Accuracy (%)"}
    human_tooltip = _tooltip(**common, images="Images", observers="Observers")
    network_tooltip = _tooltip(network="Network", **common, step="Time step", images="Images")
    humans, networks = (
        {"data": {"name": name}, "transform": filters[name]} for name in ("humans", "networks")
    )
    ends = {"x": x, "y": y("low"), "y2": {"field": "high"}}
    layers = [
        {"data": {"values": [{}]}, "mark": _chance(), "encoding": {"y": {"datum": CHANCE}}},
        {**humans, "mark": {"type": "area", "color": _INK, "opacity": 0.12}, "encoding": ends},
        {
            **humans,
            "mark": {"type": "line", "color": _INK, "strokeWidth": 3},
            "encoding": {"x": x, "y": y()},
        },
        {
            **networks,
            "mark": {"type": "rule", "strokeWidth": 1.2, "opacity": 0.55},
            "encoding": ends | {"color": colour},
        },
        {
            **networks,
            "mark": {"type": "line", "strokeWidth": 1.8},
            "encoding": {"x": x, "y": y(), "color": colour},
        },
        {
            **humans,
            "mark": {"type": "point", "filled": True, "opacity": 1, "size": 60, "color": _INK},
            "encoding": {"x": x, "y": y(), "tooltip": human_tooltip},
        },
        {
            **networks,
            "mark": {"type": "point", "filled": True, "opacity": 1, "size": 75},
            "encoding": {"x": x, "y": y(), "color": colour, "shape": shape, "tooltip": network_tooltip},
        },
    ]
    title = {
        "text": {"expr": "condition"},
        "subtitle": [f"Thick line and band: {noun}", "Bars and band: 95 % confidence intervals"],
    }
    return {"title": title, "width": 460, "height": 300, "layer": layers}


def _chance() -> Spec:
    return {"type": "rule", "color": _INK, "opacity": 0.5, "strokeDash": [2, 3]}


def _ranking(transform: list[Spec], colour: Spec, shape: Spec, noun: str) -> Spec:
    y = {
        "field": "network",
        "type": "nominal",
        "sort": {"field": "value"},
        "title": None,
        "axis": {"ticks": False, "domain": False, "labelFontSize": 12},
    }

    def x(field: str) -> Spec:
        return {
            "field": field,
            "type": "quantitative",
            "title": "SAT-curve RMSE (percentage points)",
            "scale": {"zero": True},
            "axis": {"tickCount": 5},
        }

    tooltip = _tooltip(network="Network", text="RMSE (points)", images="Images", observers="Observers")
    layers = [
        {
            "mark": {"type": "rule", "strokeWidth": 2},
            "encoding": {"x": x("low"), "x2": {"field": "high"}, "y": y, "color": colour},
        },
        {
            "mark": {"type": "point", "filled": True, "opacity": 1, "size": 90},
            "encoding": {"x": x("value"), "y": y, "color": colour, "shape": shape, "tooltip": tooltip},
        },
    ]
    title = {
        "text": f"Distance from {noun}",
        "subtitle": "Corrected for sampling noise; nearest first",
    }
    view = {"title": title, "width": 300, "height": {"step": 34}}
    return view | {"data": {"name": "distances"}, "transform": transform, "layer": layers}
