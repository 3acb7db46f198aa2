"""Pages as files: what they tell, that nothing in a name is markup, and how large they get."""

import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rebalance.page.content import Album, Page, Picture, Row, Strip
from rebalance.page.html import render
from rebalance.page.pictures import thinned
from tests.conftest import MakeTree, Run, write_image


class Seen(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str) -> int:
        return sum(tag == name for name, _ in self.tags)


def page_of(path: Path) -> Seen:
    return Seen(path.read_text())


def test_a_page_tells_what_was_made(run: Run, source: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("augment", source, "-o", tmp_path / "out", "--report", page, "-q").code == 0
    seen = page_of(page)
    assert "Of 13 images of 3 classes, augment made 21 files. 8 of them are made of 5 images" in seen.text
    assert "The imbalance ratio (largest / smallest) was 3.50 and is 1.00." in seen.text
    assert "0% to 71% of a class is generated" in seen.text
    assert "Never split this OUTPUT again" in seen.text
    assert "rebalance augment SOURCE -o OUTPUT -s 'not majority' --seed 0 --config copy --rotation-range 7" in seen.text
    rows = re.findall(r"<tr><td>(.*)", page.read_text())
    assert [re.sub(r"<[^>]*>", " ", row).split() for row in rows] == [
        ["0", "cat", "4", "7", "43%", "1", "0"],
        ["1", "dog", "2", "7", "71%", "3", "0"],
        ["2", "owl", "7", "7", "0%", "0", "0"],
    ]
    assert seen.count("img") == 6 + 4 + 3 + 2 + 5 + 1  # and the one that is shown large


def test_a_picture_stands_over_what_is_generated_from_it(run: Run, big_source: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("augment", big_source, "-o", tmp_path / "out", "-s", "0.2", "--report", page, "-q").code == 0
    section = page.read_text().split("<section>")[2]
    originals, generated = (
        re.findall(r"alt=\"b, \w+: ([^\"]*)\"", strip) for strip in section.split('class="strip"')[1:]
    )
    assert len(generated) == 3
    assert [name.partition("_aug")[0] for name in generated] == [name.removesuffix(".png") for name in originals[:3]]
    assert "<bdi>rotation " in section


def test_what_is_left_out_is_shown_where_its_source_is_at_hand(run: Run, source: Path, tmp_path: Path) -> None:
    page, output = tmp_path / "page.html", tmp_path / "out"
    assert run("undersample", source, "-o", output, "-s", "2", "--report", page, "-q").code == 0
    shown = page_of(page)
    assert "7 images are left out." in shown.text
    assert "7: left out by undersample (random): cat/" in shown.text
    alts = [attributes["alt"] or "" for tag, attributes in shown.tags if tag == "img"]
    assert sum("left out" in alt for alt in alts) == 7
    assert run("report", output, "-o", page).code == 0
    alts = [attributes["alt"] or "" for tag, attributes in page_of(page).tags if tag == "img"]
    assert not any("left out" in alt for alt in alts)
    assert run("report", output, "-o", page, "--source", source).code == 0
    assert page_of(page).tags == shown.tags


NAMES = [
    "<img src=x onerror=alert(1)>", "\"><svg onload=alert(2)>", "&lt;b&gt;", "' onclick='alert(3)", "]]><!--", "{{x}}",
    "a\u202eb", "\udcff", "new\nline",
]  # fmt: skip


def test_a_name_is_text_and_nothing_else(run: Run, tmp_path: Path) -> None:
    source, page, output = tmp_path / "source", tmp_path / "page.html", tmp_path / "out"
    for number, name in enumerate(NAMES):
        write_image(source / name / f"{name}.png", number)
        write_image(source / name / f"{number}.png", 50 + number)
    write_image(source / NAMES[0] / "more.png", 99)
    assert run("augment", source, "-o", output, "--report", page, "-q").code == 0
    seen = page_of(page)
    assert not seen.count("svg")
    assert not [key for _, attributes in seen.tags for key in attributes if key.startswith("on")]
    assert {attributes["src"][:5] for tag, attributes in seen.tags if tag == "img" and attributes["src"]} == {"data:"}
    assert all(name in seen.text for name in NAMES[:-2])
    assert r"\udcff" in seen.text
    assert r"new\x0aline" in seen.text
    inspected = tmp_path / "inspected.html"
    assert run("inspect", source, "--report", inspected, "-q").code == 0
    assert all(name in page_of(inspected).text for name in NAMES[:-2])


def test_a_page_asks_nothing_of_the_network(run: Run, source: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert run("inspect", source, "--report", page, "-q").code == 0
    text = page.read_text()
    assert not re.search(r"(https?:|src=\"(?!data:)|url\(|@import|<link)", text)
    assert "default-src 'none'; img-src data:" in text


def test_a_thousand_classes_stay_small_and_show_those_that_grow_most(tmp_path: Path) -> None:
    write_image(tmp_path / "a.jpg", 1, size=(900, 700), quality=95)
    picture = Picture("output", "a.jpg")
    strips = tuple(Strip(title, (picture,) * 6) for title in ("originals", "generated"))
    albums = tuple(Album(f"class {number}", strips, growth=number) for number in range(1000))
    shown = thinned(albums)
    assert [album.title for album in shown] == [f"class {number}" for number in range(700, 1000)]
    assert {len(strip.pictures) for album in shown for strip in album.strips} == {1}
    rows = tuple(Row(f"class {number}", number, 1000, ("99%", "10", "0")) for number in range(1000))
    page = Page("t", "l", (), "class", ("x", "y", "z"), rows, tuple(shown), (), "", ())
    assert len(render(page, lambda _: None)) < 600_000
    many = Page("t", "l", (), "class", ("x", "y", "z"), rows * 20, (), (), "", ())
    assert "The first 5,000 are shown" in render(many, lambda _: None).decode()
    assert len(render(many, lambda _: None)) < 1_500_000


def test_pictures_end_where_there_is_no_more_room(tmp_path: Path) -> None:
    from rebalance.page.pictures import Gallery  # noqa: PLC0415

    write_image(tmp_path / "a.png", 1, size=(700, 700))
    gallery = Gallery({"output": str(tmp_path)}, 600)
    addresses = [gallery.show(Picture("output", "a.png")) for _ in range(600)]
    assert sum(len(address) for address in addresses if address) < 3_700_000
    assert addresses[0] is not None
    assert gallery.show(Picture("output", "absent.png")) is None


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["augment", "{source}", "-n", "--report", "p.html"], 2, "--dry-run makes nothing"),
        (["augment", "{source}", "-o", "{tmp}/o", "--report", "p.txt"], 2, "'p.txt' does not end with .html"),
        (["augment", "{source}", "-o", "{tmp}/o", "--report", "{source}/p.html"], 5, "nothing is ever written there"),
        (["augment", "{source}", "-o", "{tmp}/o", "--report", "{tmp}/o/p.html"], 5, "or is not there"),
        (["augment", "{source}", "-o", "{tmp}/o", "--report", "{tmp}/notes.html"], 5, "is there and is no page"),
        (["inspect", "{source}", "--report", "{source}/cat/p.html"], 5, "nothing is ever written there"),
        (["report", "{source}", "-o", "{tmp}/p.html"], 1, "not a tree that rebalance made"),
        (["report", "{tmp}/made", "-o", "{tmp}/made/p.html"], 5, "nothing is ever written there"),
        (["report", "{tmp}/made"], 2, "Missing option '-o'"),
    ],
)
def test_a_page_that_cannot_be_written_is_refused_before_anything_is_made(
    run: Run, source: Path, tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    (tmp_path / "notes.html").write_text("<html>mine</html>")
    assert run("augment", source, "-o", tmp_path / "made", "-q").code == 0
    ran = run(*(argument.format(source=source, tmp=tmp_path) for argument in arguments))
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err
    assert not (tmp_path / "o").exists()
    assert (tmp_path / "notes.html").read_text() == "<html>mine</html>"


def test_a_page_replaces_a_page_and_comes_again_where_all_is_up_to_date(run: Run, source: Path, tmp_path: Path) -> None:
    page, output = tmp_path / "page.html", tmp_path / "out"
    assert run("augment", source, "-o", output, "--report", page, "-q").code == 0
    first = page.read_bytes()
    page.unlink()
    assert run("augment", source, "-o", output, "--report", page).code == 0
    assert page.read_bytes() == first
    assert run("augment", source, "-o", output, "--report", page).code == 0
    assert page.read_bytes() == first
    assert run("verify", output).code == 0


def test_lists_vectors_and_labels_have_pages(run: Run, make_tree: MakeTree, tmp_path: Path) -> None:
    source = make_tree({"cat": 9, "dog": 4})
    page = tmp_path / "page.html"
    assert run("augment", source, "-o", tmp_path / "list", "--write", "list", "--report", page, "-q").code == 0
    assert "augment made 18 entries of a list" in page_of(page).text
    assert "counts 3 times" in page_of(page).text
    assert run("smote", source, "-o", tmp_path / "rows", "--write", "vectors", "--report", page, "-q").code == 0
    assert "smote made 18 vectors" in page_of(page).text
    assert run("augment", source, "--labels", "folders", "-o", tmp_path / "labels", "--report", page, "-q").code == 0
    assert "Of 13 images of 2 labels, augment made 18 files." in page_of(page).text


def test_inspect_shows_some_pictures_of_each_label(run: Run, source: Path, tmp_path: Path) -> None:
    table, page = tmp_path / "labels.csv", tmp_path / "page.html"
    rows = [
        f"{path.relative_to(source)},{n % 2},{int(n == 3)},0" for n, path in enumerate(sorted(source.rglob("*.png")))
    ]
    table.write_text("path,tabby,<b>old</b>,never\n" + "\n".join(rows) + "\n")
    assert run("inspect", source, "--labels", table, "--report", page, "-q").code == 0
    seen = page_of(page)
    assert "13 images with 3 labels, 0.538 an image; 7 images have none." in seen.text
    assert "Labels that never occur: 'never'" in seen.text
    alts = [attributes["alt"] or "" for tag, attributes in seen.tags if tag == "img"]
    assert sum(alt.startswith("tabby, images: ") for alt in alts) == 6
    assert sum(alt.startswith("<b>old</b>, images: ") for alt in alts) == 1
    assert "tabby, <b>old</b>" in seen.text


def test_inspect_shows_what_looks_odd(run: Run, make_tree: MakeTree, tmp_path: Path) -> None:
    source, page = make_tree({"cat": 12, "dog": 1, "owl": 12}), tmp_path / "page.html"
    (source / "cat" / "bad.png").write_bytes(b"no picture")
    assert run("inspect", source, "--check", "--report", page, "-q").code == 4
    seen = page_of(page)
    assert "26 images of 3 classes; the imbalance ratio (largest / smallest) is 13.00." in seen.text
    assert "1 classes of a single image: 'dog'" in seen.text
    assert "1 images cannot be used, 'cat/bad.png' first" in seen.text
    assert "Advice" in seen.text


def test_pictures_that_are_not_there_are_told_and_a_source_that_is_none_is_refused(
    run: Run, source: Path, tmp_path: Path
) -> None:
    output, page = tmp_path / "out", tmp_path / "page.html"
    assert run("undersample", source, "-o", output, "-s", "2", "-q").code == 0
    for wrong, why in ((tmp_path / "absent", "no such folder"), (output / "rebalance.jsonl", "not a folder")):
        ran = run("report", output, "-o", page, "--source", wrong)
        assert (ran.code, ran.out) == (3, "")
        assert why in ran.err
    (tmp_path / "other").mkdir()
    ran = run("report", output, "-o", page, "--source", tmp_path / "other")
    assert ran.code == 0
    assert "note: 7 pictures are not there to be shown, 'cat/" in ran.err
    assert run("report", output, "-o", page).err == ""


@pytest.mark.parametrize(
    "edited",
    [
        {"command": "augment]\nEND\ntouch /tmp/evil\n["},
        {"sampling_strategy": "1/0"},
        {"rendering": {"originals": "keep"}},
        {"recipe": None},
    ],
)
def test_a_manifest_that_was_sealed_by_someone_else_ends_in_a_line(
    run: Run, source: Path, tmp_path: Path, edited: dict[str, object]
) -> None:
    output, page = tmp_path / "out", tmp_path / "page.html"
    assert run("augment", source, "-o", output, "-q").code == 0
    manifest = output / "rebalance.jsonl"
    first, rest = manifest.read_bytes().split(b"\n", 1)
    head = json.loads(first)
    del head["head_sha256"]
    head["request"] |= edited
    content = json.dumps(head, separators=(",", ":")).encode().removesuffix(b"}")
    seal = hashlib.sha256(content).hexdigest()
    manifest.write_bytes(content + f',"head_sha256":"{seal}"}}\n'.encode() + rest)
    ran = run("report", output, "-o", page)
    assert (ran.code, ran.out) == (1, "")
    assert "its request is " in ran.err
    assert not page.exists()
