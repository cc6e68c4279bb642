"""Vega-Lite on a page: its library in one script, and what stands there until it has run.

Source of both: vl-convert, which holds Vega and draws without a browser or a network.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

from crossback_core.lazy import Lazy

vl_convert = Lazy("vl_convert")

VERSION = "6.4"  # of Vega-Lite, among those that vl-convert holds
_TEMPLATES = files("crossback_core.report") / "templates"
_SOFT = "var(--soft)"
_GRID = "var(--grid)"
_TAG = re.compile("<[^>]+>")  # what is written between tags stays
_FINER = re.compile(r"(?<=\d\.\d{2})\d+")  # hundredths of a pixel are enough
_MIXED = re.compile(r"color-mix\(in srgb, #(\w{6}) (\d+)%, #(\w{6})\)")
_FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif"

CONFIG: dict[str, Any] = {
    "background": None,
    "aria": False,  # a chart is one picture with a text; its marks say nothing more
    "font": _FONT,
    "view": {"stroke": None},
    "axis": {
        "domainColor": _GRID,
        "gridColor": _GRID,
        "tickColor": _GRID,
        "labelColor": "var(--ink)",
        "titleColor": _SOFT,
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
    },
    "text": {"fontSize": 12},
}


@cache
def script() -> str:
    """Return the page's script: Vega with its needs, and what draws charts with it."""
    bundle: str = vl_convert.javascript_bundle(template("page.js"), vl_version=VERSION)
    if re.search(r"<(!--|/?script)", bundle, re.IGNORECASE):
        raise ValueError("vl-convert's script would end the page's element: take another version")
    return bundle


def drawn(spec: dict[str, Any], *, width: int) -> str:
    """Return a chart as an SVG element, `width` pixels wide."""
    columns = spec.get("usermeta", {}).get("columns") or 1
    limits = {"axisY": {"labelLimit": width * 0.3}, "axisX": {"labelLimit": 0.6 * width / columns}}
    whole = {**spec, "width": width, "config": CONFIG | limits}
    svg: str = vl_convert.vegalite_to_svg(whole, vl_version=VERSION)
    return _TAG.sub(lambda tag: _FINER.sub("", tag[0]), svg)


def as_file(svg: str) -> str:
    """Return a chart that `drawn` made as an SVG file: its colours are plain, on the light card."""
    light = template("colours.css").partition("@media")[0]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    plain = re.sub(r"var\(--([\w-]+)\)", lambda found: colours[found[1]], svg)
    mixed = _MIXED.sub(lambda found: _mixed(found[1], int(found[2]), found[3]), plain)
    card = f'<rect width="100%" height="100%" fill="{colours["card"]}"/>'
    return mixed.replace(">", f">{card}", 1)


def _mixed(first: str, percent: int, second: str) -> str:
    """Mix two colours as a browser mixes them in srgb."""
    pairs = zip(bytes.fromhex(first), bytes.fromhex(second), strict=True)
    parts = [round((percent * a + (100 - percent) * b) / 100) for a, b in pairs]
    return f"#{bytes(parts).hex()}"


def template(name: str) -> str:
    """Return a file that belongs to the page."""
    return (_TEMPLATES / name).read_text(encoding="utf-8")
