"""The page in a real browser: it sorts, finds, opens pictures, prints, and nothing in it runs that should not."""

import os
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

from tests.conftest import start, write_image

NAMES = ("<img src=x onerror=alert(1)>", '"><svg onload=alert(2)>', "cat", "dog", "Émile")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-component-update",
    "--disable-background-networking", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[webdriver.Chrome]:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        message = "needs Chromium and its driver: make browser"
        (pytest.fail if os.environ.get("REBALANCE_BROWSER") == "require" else pytest.skip)(message)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    started = webdriver.Chrome(options, Service(driver))
    yield started
    started.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the report of a tree with names that are markup."""
    root = tmp_path_factory.mktemp("page")
    for number, name in enumerate(NAMES):
        for copy in range(2 + 3 * number):
            write_image(root / "source" / name / f"{copy}{name}.png", 20 * number + copy, size=(160, 120))
    report = root / "report.html"
    arguments = ["augment", root / "source", "-o", root / "out", "-s", "sqrt", "-q", "--report", report]
    started = start(*arguments)
    _, remarks = started.communicate(timeout=60)
    assert started.returncode == 0, remarks
    return report.as_uri()


@pytest.fixture
def shown(browser: webdriver.Chrome, page: str) -> Iterator[webdriver.Chrome]:
    """The page, freshly opened on a desktop; afterwards the browser has nothing to complain of."""
    emulate(browser, width=1280)
    browser.get(page)
    yield browser
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]


def emulate(browser: webdriver.Chrome, *, width: int, scheme: str = "light", medium: str = "") -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": medium, "features": features})


def column(browser: webdriver.Chrome, place: int) -> list[str]:
    rows = browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    return [row.find_elements(By.TAG_NAME, "td")[place].text for row in rows if row.is_displayed()]


def title(browser: webdriver.Chrome, name: str) -> WebElement:
    return next(one for one in browser.find_elements(By.CSS_SELECTOR, "thead button") if one.text == name)


def test_names_are_shown_as_they_are(shown: webdriver.Chrome) -> None:
    assert sorted(column(shown, 1)) == sorted(NAMES)
    assert shown.execute_script("return document.querySelectorAll('svg, [onerror], [onload]').length") == 0
    sources = shown.execute_script("return [...document.images].map((image) => image.src.slice(0, 15))")
    assert set(sources) == {"data:image/jpeg", "data:,"}
    assert shown.execute_script("return [...document.images].every((image) => image.alt || image.closest('dialog'))")


def test_a_click_on_a_title_sorts_and_again_turns_it_round(shown: webdriver.Chrome) -> None:
    title(shown, "before").click()
    assert column(shown, 3) == ["2", "5", "8", "11", "14"]
    title(shown, "before").send_keys(Keys.ENTER)
    assert column(shown, 3) == ["14", "11", "8", "5", "2"]
    assert title(shown, "before").find_element(By.XPATH, "..").get_attribute("aria-sort") == "descending"
    title(shown, "class").click()
    assert column(shown, 1)[-3:] == ["cat", "dog", "Émile"]
    title(shown, "generated").click()
    shares = [int(text.rstrip("%")) for text in column(shown, 5)]
    assert shares == sorted(shares)


def test_what_is_typed_filters_classes_and_pictures(shown: webdriver.Chrome) -> None:
    search = shown.find_element(By.CSS_SELECTOR, "input[type=search]")
    search.send_keys("emil")
    assert column(shown, 1) == ["Émile"]
    assert shown.find_element(By.CSS_SELECTOR, "[role=status]").text == "1 of 5"
    sections = shown.find_elements(By.CSS_SELECTOR, ".strips section")
    assert [section.find_element(By.TAG_NAME, "h3").text for section in sections if section.is_displayed()] == ["Émile"]
    search.clear()
    search.send_keys(" ")
    assert len(column(shown, 1)) == 5


def test_bars_can_be_logarithmic(shown: webdriver.Chrome) -> None:
    def widths() -> list[float]:
        found: list[float] = shown.execute_script(
            "return [...document.querySelectorAll('td i:first-child')].map((bar) => bar.getBoundingClientRect().width)"
        )
        return sorted(found)

    linear = widths()
    assert linear[0] / linear[-1] == pytest.approx(2 / 14, abs=0.02)
    shown.find_element(By.CSS_SELECTOR, "input[type=checkbox]").click()
    assert widths()[0] / widths()[-1] == pytest.approx(0.4057, abs=0.02)  # ln 3 / ln 15


def test_a_picture_opens_large_and_the_keys_go_on(shown: webdriver.Chrome) -> None:
    first, second = shown.find_elements(By.CSS_SELECTOR, "figure button")[:2]
    first.send_keys(Keys.ENTER)
    dialog = shown.find_element(By.TAG_NAME, "dialog")
    assert dialog.is_displayed()
    large = dialog.find_element(By.TAG_NAME, "img")
    assert large.get_attribute("src") == first.find_element(By.TAG_NAME, "img").get_attribute("src")
    assert large.size["width"] >= 160
    dialog.send_keys(Keys.ARROW_RIGHT)
    assert large.get_attribute("src") == second.find_element(By.TAG_NAME, "img").get_attribute("src")
    assert dialog.find_element(By.TAG_NAME, "p").text.startswith("1<img src=x") or dialog.text
    shown.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert not dialog.is_displayed()
    WebDriverWait(shown, 5).until(lambda there: there.switch_to.active_element == second)


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_and_can_be_read(shown: webdriver.Chrome, width: int, scheme: str) -> None:
    emulate(shown, width=width, scheme=scheme)
    assert shown.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    worst: Any = shown.execute_script(_CONTRAST)
    assert worst[0] >= 4.5, worst
    paper = shown.execute_script("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


_CONTRAST = """
const parse = (color) => color.match(/[\\d.]+/g).map(Number);
const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const light = (rgb) => rgb.slice(0, 3).map((c) => linear(c / 255))
  .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
const paper = (node) => {
  for (; node; node = node.parentElement) {
    const color = parse(getComputedStyle(node).backgroundColor);
    if (color.length === 3 || color[3] > 0) return color;
  }
  return [255, 255, 255];
};
let worst = [21, ""];
for (const node of document.querySelectorAll("body *")) {
  const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  if (!own || ["SCRIPT", "STYLE"].includes(node.tagName)) continue;
  const [one, other] = [light(parse(getComputedStyle(node).color)), light(paper(node))];
  const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  if (ratio < worst[0]) worst = [ratio, node.textContent];
}
return worst;
"""


def test_headings_go_down_one_by_one(shown: webdriver.Chrome) -> None:
    levels = [int(one.tag_name[1]) for one in shown.find_elements(By.CSS_SELECTOR, "h1, h2, h3, h4")]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_it_prints_black_on_white_without_what_only_a_screen_needs(shown: webdriver.Chrome) -> None:
    emulate(shown, width=900, scheme="dark", medium="print")
    assert not shown.find_element(By.CSS_SELECTOR, ".tools").is_displayed()
    assert shown.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    printed: Any = shown.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    assert len(printed["data"]) > 20_000


def test_without_scripts_everything_can_still_be_read(browser: webdriver.Chrome, page: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page)
        assert len(browser.find_elements(By.CSS_SELECTOR, "tbody tr")) == 5
        assert browser.find_elements(By.CSS_SELECTOR, "figure img")
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_page_needs_nothing_beside_it(browser: webdriver.Chrome, page: str, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere.html"
    moved.write_bytes(Path(page.removeprefix("file://")).read_bytes())
    browser.get(moved.as_uri())
    loaded: Any = browser.execute_script(
        "return performance.getEntriesByType('resource').map((one) => one.name.slice(0, 5))"
    )
    assert set(loaded) <= {"data:"}
    assert browser.execute_script("return [...document.querySelectorAll('figure img')].every((image) => image.decode)")
