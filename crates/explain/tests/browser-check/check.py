"""Drives a page of `unet-reweight explain` in a real browser and looks for errors.

    pip install playwright            # and a Chromium: `apt-get install chromium`
    python check.py EXPLAIN_FOLDER [SCREENSHOT_FOLDER]
"""

import json
import pathlib
import shutil
import sys

from playwright.sync_api import sync_playwright

WIDTHS = {"phone": (390, 844), "desktop": (1280, 900)}


def check(page, name, shots):
    problems = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(folder.joinpath("index.html").resolve().as_uri())
    data = json.loads(page.locator("#data").text_content())
    assert page.locator(".unet .block").count() == len(data["paths"])
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"{name}: the page is {wide} pixels wider than the screen"
    seeds = len(data["seeds"])
    assert page.locator("#rows .row").count() == seeds
    if shots:
        page.screenshot(path=shots / f"{name}.png", full_page=True)
    # The keyboard chooses a block, the slider a factor, a radio button a window.
    page.locator('.unet .block[data-block="0"]').focus()
    page.keyboard.press("Enter")
    assert data["paths"][0] in page.locator("#told").text_content()
    slider = page.locator("#factor")
    slider.focus()
    page.keyboard.press("Home")
    assert page.locator("#shown").text_content() == "skipped"
    before = page.locator("#rows .row img").nth(1).get_attribute("src")
    page.get_by_label("late", exact=False).first.check()
    after = page.locator("#rows .row img").nth(1).get_attribute("src")
    assert before != after, "another window is another picture"
    schedule = json.loads(page.locator("#text").text_content())
    skipped = [row[0] for row in schedule["blocks"]["thresholds"]]
    assert skipped[0] == 0 and skipped[-1] == 2, skipped
    for _ in range(2):
        page.keyboard.press("Tab")
    slider.focus()
    page.keyboard.press("End")
    assert page.locator("#shown").text_content() == f"× {max(data['factors'])}".replace(".0", "")
    for kind, word in [("schedule", "weights"), ("command", "unet-reweight generate"), ("diffusers", "register_forward_hook"), ("comfyui", "UNetReweightApply")]:
        page.locator(f'[data-copy="{kind}"]').click()
        page.wait_for_function("document.getElementById('copied').textContent !== ''")
        assert page.locator("#copied").text_content() == "Copied."
        assert word in page.evaluate("navigator.clipboard.readText()")
    workflow = json.loads(page.evaluate("navigator.clipboard.readText()"))
    nodes = {node["id"]: node for node in workflow["nodes"]}
    assert workflow["version"] and workflow["extra"] is not None
    for link, source, output, target, slot, kind in workflow["links"]:
        start, end = nodes[source]["outputs"][output], nodes[target]["inputs"][slot]
        assert link in start["links"] and end["link"] == link and start["type"] == end["type"] == kind
    text = next(node for node in nodes.values() if node["type"] == "UNetReweightScheduleText")
    assert json.loads(text["widgets_values"][0])["blocks"]["weights"]
    page.locator("#rows .row img").first.click()
    assert page.locator("#zoom").is_visible()
    page.wait_for_function("document.querySelector('#zoom img').complete")
    assert page.evaluate("document.querySelector('#zoom img').naturalWidth") > 0
    page.keyboard.press("Escape")
    assert not page.locator("#zoom").is_visible()
    assert page.locator("img:not([alt])").count() == 0
    page.locator("summary").click()
    rows = page.locator("#numbers tbody tr").count()
    assert rows == (len(data["pictures"]) - seeds) // seeds, rows
    assert not problems, problems
    print(f"{name}: {rows} rows of numbers, no errors")


folder = pathlib.Path(sys.argv[1])
shots = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=shutil.which("chromium"))
    for scheme in ("light", "dark"):
        for name, (width, height) in WIDTHS.items():
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,
                permissions=["clipboard-read", "clipboard-write"],
            )
            check(context.new_page(), f"{name}-{scheme}", shots)
            context.close()
    browser.close()
