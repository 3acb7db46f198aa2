"""A page as one HTML file that needs nothing else, whatever names it tells of."""

import base64
import hashlib
import html
import math
from collections.abc import Iterator
from functools import cache
from importlib import resources

from rebalance.page.content import Album, Page, Picture, Row, Strip
from rebalance.page.pictures import Show

START = b"<!doctype html>\n<!-- a page of rebalance -->"
"""How such a file begins."""
_MOST_ROWS = 5000
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def render(page: Page, show: Show) -> bytes:
    """Return the file, with the pictures as `show` gives them."""
    parts = [START.decode(), *_head(page), *_body(page, show), "</html>", ""]
    return "\n".join(parts).encode()


def text(value: object) -> str:
    """Return a text for HTML: nothing in it is markup, and what is no UTF-8 or a control is escaped."""
    shown = str(value).translate(_CONTROLS).encode("utf-8", "backslashreplace").decode()
    return html.escape(shown)


def _isolated(value: object) -> str:
    """Return a name, whose direction of writing moves nothing around it."""
    return f"<bdi>{text(value)}</bdi>"


@cache
def _asset(name: str) -> str:
    return resources.files("rebalance.page").joinpath(name).read_text(encoding="utf-8")


def _head(page: Page) -> Iterator[str]:
    script = base64.b64encode(hashlib.sha256(_asset("page.js").encode()).digest()).decode()
    policy = f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{script}'"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{text(page.title)}</title>"
    yield f"<style>{_asset('page.css')}</style></head>"


def _body(page: Page, show: Show) -> Iterator[str]:
    yield f"<body><main><h1>{_isolated(page.title)}</h1>"
    yield f'<p class="lead">{_isolated(page.lead)}</p>'
    if page.warnings:
        yield '<ul class="warnings" aria-label="Warnings">'
        yield from (f"<li>{_isolated(warning)}</li>" for warning in page.warnings)
        yield "</ul>"
    yield from _table(page)
    yield from _pictures(page, show)
    for section in page.sections:
        yield f"<h2>{text(section.title)}</h2><ul>"
        yield from (f"<li>{_isolated(line)}</li>" for line in section.lines)
        yield "</ul>"
    if page.command:
        yield "<h2>The same again</h2>"
        yield f'<pre tabindex="0"><code>{text_in_lines(page.command)}</code></pre>'
        yield (
            '<p class="quiet">What is in capitals is yours to fill in. If patterns were left out with --exclude, leave '
            "them out again.</p>"
        )
    yield "<h2>What it depends on</h2><dl>"
    yield from (f"<dt>{text(key)}</dt><dd>{_isolated(value)}</dd>" for key, value in page.facts)
    yield "</dl></main>"
    yield (
        '<dialog aria-label="One picture, large"><img alt="" src="data:,"><p></p><div class="moves">'
        "<button>Previous</button><button>Next</button>"
        '<form method="dialog"><button>Close</button></form></div></dialog>'
    )
    yield f"<script>{_asset('page.js')}</script></body>"


def text_in_lines(value: str) -> str:
    """Return a text of several lines for HTML."""
    return "\n".join(text(line) for line in value.split("\n"))


def _table(page: Page) -> Iterator[str]:
    plural = f"{page.what}es" if page.what.endswith("s") else f"{page.what}s"
    is_made = any(row.after is not None for row in page.rows)
    yield f"<h2>{plural.capitalize()}</h2>"
    yield '<div class="tools">'
    yield f'<label>Find a {page.what} <input type="search" autocomplete="off"></label>'
    yield '<label><input type="checkbox"> logarithmic bars</label>'
    if is_made:
        yield '<span class="key"><b></b>before</span><span class="key"><b class="after"></b>after</span>'
    yield '<span class="quiet" role="status"></span></div>'
    counts = ("before", "after") if is_made else ("images",)
    titles = ("#", page.what, "bars" if is_made else "bar", *counts, *page.columns)
    yield f'<div class="scroll" role="region" aria-label="{plural}" tabindex="0"><table>'
    yield f"<caption>{len(page.rows):,} {plural}; a click on a title sorts</caption><thead><tr>"
    yield from (f'<th scope="col"><button type="button">{text(title)}</button></th>' for title in titles)
    yield "</tr></thead><tbody>"
    most = max((max(row.before, row.after or 0) for row in page.rows), default=0)
    yield from (_line(number, row, most) for number, row in enumerate(page.rows[:_MOST_ROWS]))
    yield "</tbody></table></div>"
    if len(page.rows) > _MOST_ROWS:
        yield (
            f'<p class="quiet">The first {_MOST_ROWS:,} are shown, to keep this page small; the manifest has all.</p>'
        )


def _line(number: int, row: Row, most: int) -> str:
    counts = [row.before] if row.after is None else [row.before, row.after]
    bars = "".join(_bar(count, most) for count in counts)
    cells = "".join(f"<td>{text(cell)}" for cell in (*(f"{count:,}" for count in counts), *row.cells))
    return f"<tr><td>{number}<td>{_isolated(row.name)}<td data-most={max(counts)}>{bars}{cells}"


def _bar(count: int, most: int) -> str:
    linear = count / most if most else 0
    logarithmic = math.log1p(count) / math.log1p(most) if most else 0
    return f'<i style="--v:{linear:.3g};--l:{logarithmic:.3g}"></i>'


def _pictures(page: Page, show: Show) -> Iterator[str]:
    shown = [album for album in page.albums if album.strips]
    if not shown:
        return
    yield "<h2>Pictures</h2>"
    yield (
        '<p class="quiet">Some of each, always the same ones; a click shows one large, the arrow keys go on. '
        "Names are those of the files.</p>"
    )
    if page.what == "class" and len(shown) < len(page.rows):
        yield f'<p class="quiet">Of {len(shown):,} of {len(page.rows):,} classes, to keep this page small.</p>'
    yield '<div class="strips">'
    for album in shown:
        yield f"<section><h3>{_isolated(album.title)}</h3>"
        for strip in album.strips:
            yield f'<p class="quiet">{text(strip.title)}</p><div class="strip">'
            yield from (_figure(album, strip, picture, show) for picture in strip.pictures)
            yield "</div>"
        yield "</section>"
    yield "</div>"


def _figure(album: Album, strip: Strip, picture: Picture, show: Show) -> str:
    address = show(picture)
    name = picture.path.rpartition("/")[2]
    named = "".join(f'<span class="name">{_isolated(line)}</span>' for line in (name, *picture.named))
    told = named + "".join(f"<span>{_isolated(line)}</span>" for line in picture.told)
    if address is None:
        return f'<figure><div class="none">not shown</div><figcaption>{told}</figcaption></figure>'
    alt = f"{album.title}, {strip.title}: {name}"
    return (
        f'<figure><button type="button" aria-label="{text(f"show large: {alt}")}"><img src="{address}" '
        f'alt="{text(alt)}" loading="lazy"></button><figcaption>{told}</figcaption></figure>'
    )
