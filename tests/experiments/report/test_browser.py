"""Report page in a browser: rendering, controls, console, requests, dark and narrow screens, print."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from convrnn_experiments.report import interactive

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium to open the page in")
needs_controls = pytest.mark.skipif(
    interactive.libraries() is None, reason="the extra `interactive` is not installed"
)

MEASURE = """
const box = e => e.getBoundingClientRect();
const all = [...document.querySelectorAll("main *, header *")];
const measure = () => ({
  images: document.images.length,
  shown: [...document.images].filter(i => i.complete && i.naturalWidth > 0 && box(i).width > 0).length,
  asked: performance.getEntriesByType("resource").map(e => e.name).filter(n => !n.startsWith("data:")),
  wide: all.filter(e => box(e).right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80)),
  small: Math.min(...all.filter(e => e.innerText).map(e => parseFloat(getComputedStyle(e).fontSize))),
  width: innerWidth,
  scroll: document.documentElement.scrollWidth,
});
"""

CONTROL = """
const pause = () => new Promise(resolve => setTimeout(resolve, 50));
const ready = async () => { while (document.body.dataset.ready !== "true") await pause(); };
const marks = () => [...document.querySelectorAll("#explore-chart svg path, #explore-chart svg line")]
  .map(e => e.getAttribute("d") + e.getAttribute("transform") + e.getAttribute("x2")).join();
const set = async (control, change) => {
  const before = marks();
  change(control);
  control.dispatchEvent(new Event("change", { bubbles: true }));
  control.dispatchEvent(new Event("input", { bubbles: true }));
  for (let tries = 0; tries < 40 && marks() === before; tries++) await pause();
  return marks() !== before;
};
const run = async () => {
  await ready();
  const found = { controls: {} };
  for (const list of document.querySelectorAll("#explore-controls select")) {
    for (const option of [...list.options].reverse()) {
      if (option.value === list.value) continue;
      found.controls[list.name + "=" + option.value] = await set(list, l => { l.value = option.value; });
    }
  }
  const condition = document.querySelector("#explore-controls select[name=condition]");
  for (const box of document.querySelectorAll("#explore-controls input")) {
    found.controls[box.name] = false;
    for (const option of condition.options) {  // a network is not in every condition
      if (option.value !== condition.value) await set(condition, c => { c.value = option.value; });
      const changed = await set(box, b => { b.checked = false; });
      if (!changed) await set(box, b => { b.checked = true; });
      if (changed) { found.controls[box.name] = true; break; }
    }
  }
  await pause();
  const point = document.querySelector("#explore-chart svg .mark-symbol path");
  point.dispatchEvent(new PointerEvent("pointermove", { bubbles: true, clientX: 5, clientY: 5 }));
  await pause();
  found.tooltip = document.querySelector("#vg-tooltip-element")?.innerText ?? "";
  const table = document.querySelector("table.dataTable");
  const column = [...table.tHead.rows[0].cells].findIndex(cell => cell.innerText.includes("RMSE"));
  const values = () => [...table.tBodies[0].rows].map(row => row.cells[column].dataset.order);
  found.before = values();
  table.tHead.rows[0].cells[column].click();
  await pause();
  found.sorted = values();
  const search = document.querySelector(".dt-search input");
  search.value = "blur";
  search.dispatchEvent(new Event("input", { bubbles: true }));
  await pause();
  found.filtered = [...table.tBodies[0].rows].map(row => row.cells[0].innerText);
  found.asked = performance.getEntriesByType("resource").map(e => e.name).filter(n => !/^(data|blob):/.test(n));
  return found;
};
"""

FRAME = """<!doctype html><script>
addEventListener("message", event => { document.body.dataset.probe = JSON.stringify(event.data); });
</script><body><iframe src="index.html" width="WIDTH" height="1500" style="border: 0"></iframe></body>"""


def probe(tmp_path: Path, page: Path, script: str, *switches: str, width: int = 1100) -> dict:
    """Open the page in a frame, and return what a script posts; fails if the console is not empty."""
    before, end, after = page.read_text(encoding="utf-8").rpartition("</body>")
    text = f"{before}<script>{script}</script>{end}{after}"
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    frame = tmp_path / "frame.html"  # since a browser window cannot be narrower than 500 pixels
    frame.write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
    common = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking"
    common += " disable-component-update disable-sync disable-dev-shm-usage dump-dom enable-logging=stderr"
    done = subprocess.run(
        [
            *(CHROMIUM, *(f"--{switch}" for switch in (*common.split(), *switches))),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1500,1600"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=60000", frame.as_uri()),
        ],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
    )
    found = re.search(r'data-probe="([^"]*)"', done.stdout)
    assert found, done.stderr
    assert "CONSOLE" not in done.stderr
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("width", [1400, 900, 400])
def test_the_page_renders_in_a_browser(tmp_path, page, width):
    """Check that all images are shown, nothing is requested or overflows, and the console is empty."""
    script = (
        MEASURE
        + "addEventListener('load', () => setTimeout(() => parent.postMessage(measure(), '*'), 3000));"
    )
    found = probe(tmp_path, page, script, width=width)
    assert found["images"] == found["shown"] > 20
    assert found["asked"] == []
    assert found["wide"] == []
    assert found["width"] == width
    assert found["scroll"] <= width
    assert found["small"] >= 12


@needs_controls
def test_every_control_works(tmp_path, several):
    found = probe(tmp_path, several, CONTROL + "run().then(found => parent.postMessage(found, '*'));")
    assert {name.partition("=")[0] for name in found["controls"]} > {"condition", "misses", "exits"}
    assert [name for name, changed in found["controls"].items() if not changed] == []
    assert "Observers" in found["tooltip"] or "Network" in found["tooltip"]
    assert "Images" in found["tooltip"]
    assert re.search(r"\[-?[\d.]+, -?[\d.]+\]", found["tooltip"])  # the interval
    assert found["asked"] == []
    assert found["sorted"] == sorted(found["before"], key=float) != found["before"]
    assert set(found["filtered"]) == {"blur"}


@needs_controls
def test_without_scripts_the_page_is_legible(tmp_path, page):
    text = page.read_text(encoding="utf-8")
    static = tmp_path / "static.html"
    static.write_text(re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL), encoding="utf-8")
    script = MEASURE + "addEventListener('load', () => parent.postMessage({...measure(), chart: "
    script += "box(document.getElementById('explore')).height}, '*'));"
    found = probe(tmp_path, static, script)
    assert found["images"] == found["shown"] > 20
    assert found["chart"] == 0


@needs_controls
def test_ink_is_light_on_a_dark_screen(tmp_path, page):
    script = """
    const colour = e => getComputedStyle(e).fill;
    const run = async () => {
      while (document.body.dataset.ready !== "true") await new Promise(done => setTimeout(done, 50));
      const texts = [...document.querySelectorAll("#explore-chart svg text")];
      const groups = [...document.querySelectorAll("#explore-chart svg g")];
      const lit = groups.filter(group => getComputedStyle(group).filter !== "none");
      const twice = lit.filter(g => lit.some(other => other !== g && other.contains(g)));
      return { colours: [...new Set(texts.map(colour))], dark: matchMedia("(prefers-color-scheme: dark)").matches,
        brightened: lit.length > 0, twice: twice.length };
    };
    run().then(found => parent.postMessage(found, "*"));"""
    found = probe(tmp_path, page, script, "blink-settings=preferredColorScheme=0")
    assert found == {"colours": ["rgb(230, 230, 230)"], "dark": True, "brightened": True, "twice": 0}


@needs_controls
def test_print_has_the_static_figures_without_controls(tmp_path, page):
    printed = tmp_path / "page.pdf"
    subprocess.run(
        [
            *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *(f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=20000"),
            *(f"--print-to-pdf={printed}", page.as_uri()),
        ],
        capture_output=True,
        timeout=600,
        check=True,
    )
    assert printed.read_bytes().startswith(b"%PDF")
    style = re.search(r"<style>(.*?)</style>", page.read_text(encoding="utf-8"), re.DOTALL)[1]
    hidden = re.search(r"@media print.*?([^{}]*)\{ display: none !important; \}", style, re.DOTALL)[1]
    assert {"#explore", ".dt-search", "nav"} <= {name.strip() for name in hidden.split(",")}
