"""What a page of `docs/` tells its reader to type, taken from the page itself."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent.parent

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$|^#+ ([^\n]+)$", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"(?:#!.*\n)?# (\S*(?:\.\w+|file))\n")


class Block(NamedTuple):
    """A fenced block, under its heading; `name` is that of the file it is, empty where it is none."""

    heading: str
    language: str
    text: str

    @property
    def name(self) -> str:
        named = _NAME.match(self.text)
        return named[1] if named else ""


def page(name: str) -> str:
    return (ROOT / "docs" / f"{name}.md").read_text()


def blocks(name: str) -> list[Block]:
    """Return the fenced blocks of a page."""
    found, heading = [], ""
    for language, text, title in _FENCE.findall(page(name)):
        heading = title or heading
        found += [] if title else [Block(heading, language, text)]
    return found


def write_files(name: str, folder: Path, *wanted: str) -> None:
    """Write the blocks of a page that are files: all, or those of these names."""
    written = [block for block in blocks(name) if block.name and (not wanted or block.name in wanted)]
    assert {block.name for block in written} >= set(wanted)
    for block in written:
        path = folder / block.name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)


def file_of(name: str, wanted: str) -> str:
    """Return the one block of a page that is this file."""
    (block,) = [block for block in blocks(name) if block.name == wanted]
    return block.text


def values(yaml: str, key: str) -> list[str]:
    """Return the plain scalars of a key, in the order of the file: all the YAML that these pages have."""
    return re.findall(rf"^\s*(?:- )?{key}: (.+)$", yaml, re.MULTILINE)


def table(name: str, heading: str) -> list[list[str]]:
    """Return the rows of the tables under a heading, a list of cells each."""
    found, here = [], False
    for line in _FENCE.sub(lambda match: match[0] if match[3] else "", page(name)).splitlines():
        here = line.lstrip("# ") == heading if line.startswith("#") else here
        if here and line.startswith("|"):
            found.append([cell.strip() for cell in line.strip("|").split("|")])
    return [row for row in found if not set("".join(row)) <= set("-: ")]


def names_in(cell: str) -> set[str]:
    """Return what a cell shows as code."""
    return set(re.findall(r"`([^`]+)`", cell))


def settings(toml: str) -> dict[str, Any]:
    """Return the table [augment] of a configuration."""
    document = tomllib.loads(toml)["augment"]
    assert isinstance(document, dict)
    return document


def arguments_of(python: str, function: str) -> Iterator[tuple[str, Any]]:
    """Yield name and value of each keyword with which a script calls a function or makes an object."""
    for node in ast.walk(ast.parse(python)):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), keywords=keywords) if name == function:
                yield from ((keyword.arg or "", ast.literal_eval(keyword.value)) for keyword in keywords)


def headings(text: str) -> set[str]:
    """Return the headings of a page as links name them: small letters, hyphens for spaces, nothing else kept."""
    titles = [match[3] for match in _FENCE.finditer(text) if match[3]]
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
