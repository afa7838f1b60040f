"""The site in a real browser, opened from its folder: sorting, filtering, links, keyboard, no network, no errors."""

import shutil

import pytest

from eegemo_utils.report import build_site
from tests import made_runs

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Six finished runs of two papers, one with ten seconds more than another, one failed, one left."""
    folder = tmp_path_factory.mktemp("site runs")
    for i, (paper, dataset) in enumerate([("gru", "simulated"), ("gru", "muse"), ("gmss", "simulated")] * 2):
        metrics = {"accuracy_published": 0.95 - i / 10, "accuracy_by_trial": 0.5, "accuracy_by_subject": 0.4,
                   "chance": 0.25, "majority": 0.3}
        run = made_runs.finished(folder / f"{paper} {i}", paper, metrics, made_runs.executed(), dataset=dataset, seed=i,
                                 hidden_units=10 + i, learning_rate_of_the_optimiser=0.1 * i)
        made_runs.write(run / "figures" / "x.png", "cut off")
    made_runs.failed(folder / "broken", error={"cell": 3, "error": "no such electrode", "kind": "raised"})
    made_runs.sweep(folder, {"name": "not yet", "notebook": "gru", "parameters": {"seed": 9}, "status": "left"})
    return build_site(folder, folder / "site", lambda line: None).start


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser, site):
    """The start page; when a test is over, nothing was asked of a network and nothing complained."""
    requests, complaints = [], []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(5000)
    context.on("request", lambda request: requests.append(request.url))
    context.on("console", lambda message: complaints.append(message.text))
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    opened = context.new_page()
    opened.goto(site.as_uri())
    yield opened
    context.close()
    outside = [url for url in requests if not url.startswith(("data:", site.parent.as_uri()))]
    assert not outside and not complaints


def column(page, name):
    """The texts of a column of the rows that are shown."""
    return page.evaluate("""name => {
        const table = document.getElementById("table");
        const at = [...table.tHead.rows[0].cells].findIndex(cell => cell.textContent.trim() === name);
        return [...table.tBodies[0].rows].filter(row => !row.hidden).map(
            row => row.cells[at].dataset.text ?? row.cells[at].textContent.trim());
    }""", name)


def test_numbers_sort_as_numbers_and_what_is_missing_stays_last(page):
    head = page.get_by_role("button", name="published", exact=True)
    head.click()
    down = column(page, "published")
    assert down == ["0.950", "0.850", "0.750", "0.650", "0.550", "0.450", "", ""]
    assert page.locator("th[aria-sort=descending]").inner_text().strip().startswith("published")
    head.click()
    assert column(page, "published") == [*reversed(down[:6]), "", ""]
    assert page.locator("th[aria-sort]").count() == 1


def test_text_sorts_as_people_read_it(page):
    page.get_by_role("button", name="run", exact=True).click()
    assert column(page, "run")[:2] == ["broken", "gmss 2"]
    page.get_by_role("button", name="run", exact=True).click()
    assert column(page, "run")[:2] == ["not yet", "gru 4"]


def test_filters(page):
    count = page.locator("#count")
    assert count.inner_text() == "8 of 8 runs"
    page.get_by_role("combobox", name="Paper", exact=True).select_option("gmss")
    assert column(page, "run") == ["gmss 2", "gmss 5"] and count.inner_text() == "2 of 8 runs"
    page.get_by_role("searchbox", name="Search").fill("0.450")
    assert column(page, "run") == ["gmss 5"]
    page.get_by_role("searchbox", name="Search").fill("nothing like it")
    assert column(page, "run") == [] and page.get_by_text("No run matches.").is_visible()
    page.get_by_role("button", name="Show all").click()
    assert len(column(page, "run")) == 8 and not page.get_by_text("No run matches.").is_visible()
    page.get_by_role("combobox", name="Status", exact=True).select_option("failed")
    assert column(page, "run") == ["broken"]
    page.get_by_role("combobox", name="Status", exact=True).select_option("")
    page.get_by_role("combobox", name="Dataset", exact=True).select_option("muse")
    assert column(page, "run") == ["gru 1", "gru 4"]


def test_with_the_keyboard_alone(page):
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    for _ in range(40):
        if page.evaluate("document.activeElement.textContent") == "published":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert column(page, "published")[0] == "0.950"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid", "what has the focus is seen"


def test_links_open_and_lead_back(page, site):
    for link in page.locator("a[href]").all():
        target = link.get_attribute("href")
        if target.startswith("#"):
            assert page.locator(f"[id='{target[1:]}']").count() == 1, target
        else:
            assert (site.parent / target.replace("%20", " ").replace("%3D", "=")).is_file(), target
    page.get_by_role("link", name="gru 0").first.click()
    assert page.title() == "gru 0" and page.get_by_role("heading", name="A paper").is_visible()
    assert page.evaluate("document.querySelectorAll('.formula math').length") == 4
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    page.get_by_role("link", name="1 Data & more").click()
    page.get_by_role("link", name="EEGEmo: all runs").click()
    assert page.locator("#table").is_visible()


def test_a_failed_run_says_why_and_shows_how_far_it_came(page):
    page.locator("#troubles").get_by_role("link", name="broken").click()
    assert "no such electrode" in page.locator(".stopped").inner_text()
    assert "ValueError" in page.locator(".output_error").inner_text()
    assert page.locator("main").bounding_box()["width"] > 700, "no room is kept for sections that are not there"


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_no_page_is_wider_than_the_window(page, site, width):
    page.set_viewport_size({"width": width, "height": 800})
    for path in (site, site.parent / "pages" / "broken.html", next((site.parent / "pages").glob("gru-0*.html"))):
        page.goto(path.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width, path.name


def outside(page, selector, width):
    """The texts of the cells of a table that reach past the window."""
    return page.evaluate("""([selector, width]) => [...document.querySelectorAll(`${selector} :is(th, td)`)].filter(
        (cell) => cell.offsetWidth && cell.getBoundingClientRect().right > width).map((cell) => cell.textContent)""",
                         [selector, width])


@pytest.mark.parametrize("width", [400, 1300])
def test_scores_are_seen_without_scrolling_sideways(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    heads = page.locator("#table thead th:visible").all_inner_texts()
    scores = ["published", "by trial", "by subject", "chance"]
    few = ["run", *scores]
    assert heads == (few if width == 400 else ["run", "protocol", *scores, "majority", "status", "paper", "data",
                                               "dataset", "seed", "time (s)", "settings"])
    assert outside(page, "#table", width) == [] and outside(page, "#summary", width) == []
    assert page.get_by_text("0.950").first.is_visible()
    assert page.locator("#table tr", has_text="broken").locator(".badge.failed:visible").count() == 1
    sticks = "[...document.querySelectorAll('#table tr')].map((row) => getComputedStyle(row.cells[0]).position)"
    assert set(page.evaluate(sticks)) == {"sticky"}


def test_long_settings_are_folded(page):
    fold = page.locator("#table details").first
    assert "hidden_units=" in fold.text_content() and not fold.locator("span").is_visible()
    fold.locator("summary").click()
    assert fold.locator("span").is_visible()
    page.get_by_role("searchbox", name="Search").fill("hidden_units=13")
    assert column(page, "run") == ["gru 3"]


def test_prints(page):
    page.emulate_media(media="print")
    assert not page.locator(".controls").is_visible() and page.locator("#table").is_visible()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


def test_without_scripts_it_is_a_plain_table(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.as_uri())
    assert not page.locator(".controls").is_visible() and page.get_by_text("gru 0").first.is_visible()
    context.close()


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """Four seeds under two protocols, whose difference is tested, and a run with a long reason."""
    folder = tmp_path_factory.mktemp("compared")
    for seed in range(4):
        for protocol, mean in (("published", 0.9), ("by_trial", 0.5)):
            metrics = {f"accuracy_{protocol}": mean + seed / 50, "accuracy_network_without_extras": mean - seed / 30}
            made_runs.finished(folder / f"{protocol}-{seed}", "multitask_cnn", metrics, made_runs.executed(), seed=seed,
                               protocol=protocol, dataset="deap")
    reason = "In [4], section 'Training': the cell raised ValueError: no such electrode, " + "x" * 60
    made_runs.failed(folder / "multitask_cnn-seed=7-protocol=by_trial",
                     error={"cell": 3, "error": reason, "kind": "raised", "attempts": 3})
    return build_site(folder, folder / "site", lambda line: None).start


@pytest.mark.parametrize("width", [400, 1300])
def test_comparisons_and_reasons_are_seen_without_scrolling_sideways(browser, compared, width):
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(compared.as_uri())
    assert outside(page, "#comparisons", width) == [] and outside(page, "#troubles", width) == []
    row = page.locator("#comparisons tbody tr").first
    for text in ("multitask_cnn", "as published", "trials left out", "+0.400", "4 seeds", "0.125", "0.25"):
        assert row.locator(f"text={text} >> visible=true").count() >= 1, text
    row = page.locator("#troubles tbody tr").first
    for text in ("no such electrode", "In [3]", "failed", "3"):
        assert text in row.inner_text().replace("\xa0", " "), text
    page.close()
