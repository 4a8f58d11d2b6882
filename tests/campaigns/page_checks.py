"""What is asked of a page in a browser: each check gives its complaints, none where all is well."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

CONTRAST = 4.5
Checked = tuple[str, list[str]]

IDS = """() => {
  const ids = Array.from(document.querySelectorAll("[id]"), e => e.id);
  const twice = ids.filter((id, place) => ids.indexOf(id) !== place).map(id => "id twice: " + id);
  const missing = [];
  for (const e of document.querySelectorAll("[aria-labelledby], a[href^='#'], use")) {
    const names = e.hasAttribute("aria-labelledby") ? e.getAttribute("aria-labelledby").split(" ")
      : [e.getAttribute("href").slice(1)];
    for (const name of names) if (!document.getElementById(name)) missing.push("nothing is called " + name);
  }
  return twice.concat(missing);
}"""

OUTLINE = """() => {
  const found = [];
  let last = 0;
  for (const h of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
    const level = Number(h.tagName[1]);
    if (level > last + 1) found.push(`h${level} follows h${last}: ${h.textContent}`);
    last = level;
  }
  for (const name of ["header", "nav", "main", "footer"])
    if (!document.querySelector(name)) found.push("no " + name);
  for (const svg of document.querySelectorAll("figure svg")) {
    const title = svg.querySelector("title");
    if (svg.getAttribute("role") !== "img" || !title || !title.textContent) found.push("a figure without a name");
  }
  return found;
}"""

WIDTH = """(width) => {
  for (const d of document.querySelectorAll("details")) d.open = true;
  const page = document.scrollingElement;
  const found = page.scrollWidth <= width ? [] : [`the page is ${page.scrollWidth} wide, the window ${width}`];
  for (const e of document.querySelectorAll("main *")) {
    if (e.closest(".scroll, .fit") || e.closest("svg") || getComputedStyle(e).position === "absolute") continue;
    if (e.closest("thead") && e.closest(".stack")) continue;
    const right = e.getBoundingClientRect().right;
    if (right > width + 1) found.push(`${e.tagName} reaches to ${right}: ${e.textContent.slice(0, 60)}`);
  }
  for (const d of document.querySelectorAll("details")) d.open = false;
  return found;
}"""

CONTRASTS = """(least) => {
  for (const d of document.querySelectorAll("details")) d.open = true;
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const known = new Map();
  const rgba = colour => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
      known.set(colour, Array.from(canvas.getImageData(0, 0, 1, 1).data));
    }
    return known.get(colour);
  };
  const light = rgb => {
    const [r, g, b] = rgb.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = e => {
    for (let at = e; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
      if (colour[3] > 0) throw new Error("a background that is half transparent");
    }
    return [255, 255, 255, 255];
  };
  const seen = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || ["SCRIPT", "STYLE", "title", "OPTION"].includes(e.tagName)) continue;
    const style = getComputedStyle(e);
    const front = e.closest("svg") ? style.fill : style.color;
    const [one, two] = [light(rgba(front)), light(behind(e))].sort((a, b) => b - a);
    const ratio = (one + 0.05) / (two + 0.05);
    const key = front + " on " + behind(e).slice(0, 3);
    if (ratio < least && !seen.has(key)) seen.set(key, `${ratio.toFixed(2)}: ${key}, at ${e.textContent.slice(0, 40)}`);
  }
  for (const d of document.querySelectorAll("details")) d.open = false;
  return Array.from(seen.values());
}"""

FOCUS = """() => {
  const e = document.activeElement;
  const style = getComputedStyle(e);
  const box = e.getBoundingClientRect();
  return {
    href: e.getAttribute("href") || "", rel: e.getAttribute("rel") || "", tag: e.tagName,
    marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    shown: box.bottom > 0 && box.top < innerHeight && box.width > 0,
    section: (e.closest("article") || {id: ""}).id,
  };
}"""


def listen(window: Any) -> list[str]:
    """What the page says to the console or asks of the network, as it comes: a list that grows."""
    heard: list[str] = []
    window.on("console", lambda message: heard.append(f"{message.type}: {message.text}"))
    window.on("pageerror", lambda error: heard.append(f"error: {error}"))
    window.on(
        "request", lambda request: None if request.url.startswith("data:") else heard.append(f"asked for {request.url}")
    )
    return heard


def checks_for(name: str, window: Any, run: dict[str, Any], out: Path) -> Iterator[Checked]:
    """The checks that belong to this kind of window."""
    if name == "without script":
        yield "all claims are there", without_script(window, len(run["claims"]))
        return
    yield from static_checks(window)
    if name == "desktop":
        yield "the filter", filtering(window, run)
        yield "the keyboard reaches every claim of the table", through_the_table(window, len(run["claims"]))
        yield "the keyboard goes through all claims", through_the_claims(window, len(run["claims"]))
        yield "prints", printing(window, out)
    pictures(window, name.replace(", ", "-"), run, out)


def static_checks(window: Any) -> Iterator[Checked]:
    """What can be seen without touching anything."""
    yield f"text contrast at least {CONTRAST}", window.evaluate(CONTRASTS, CONTRAST)
    yield "nothing is wider than the window", window.evaluate(WIDTH, window.viewport_size["width"])
    yield "ids are unique, and what is referred to exists", window.evaluate(IDS)
    yield "headings, landmarks, named figures", window.evaluate(OUTLINE)


def without_script(window: Any, claims: int) -> list[str]:
    """A window without script shows every claim, and no filter that would do nothing."""
    found = []
    if window.locator("article.claim").count() != claims:
        found.append("claims are missing")
    if window.locator("#claims-table tr[data-group]:visible").count() != claims:
        found.append("rows of the table are missing")
    if window.locator("#filter").is_visible():
        found.append("the filter is shown")
    return found


def filtering(window: Any, run: dict[str, Any]) -> list[str]:
    """Words and a verdict leave the rows that fit, and say how many."""
    first = run["claims"][0]
    key = f"{first['id']}:{first['form']}"
    window.fill("#filter-words", key.upper())
    rows = window.locator("#claims-table tr[data-group]:visible")
    wanted = sum(key.lower() in f"{claim['id']}:{claim['form']}".lower() for claim in run["claims"])
    found = [] if rows.count() == wanted else [f"{rows.count()} rows for {key}, expected {wanted}"]
    window.fill("#filter-words", "")
    refuted = sum(claim["verdict"] == "REFUTED" for claim in run["claims"])
    window.select_option("#filter-verdict", "falls")
    found += [] if rows.count() == refuted else [f"{rows.count()} refuted rows, expected {refuted}"]
    said = window.locator("#filter-shown").text_content()
    found += [] if said.startswith(f"{refuted} of ") else [f"it says {said}"]
    window.select_option("#filter-verdict", "")
    return found


def through_the_table(window: Any, claims: int) -> list[str]:
    """Tab from the top: the skip link first, then every claim of the table in order, each seen and marked."""
    window.evaluate("() => { scrollTo(0, 0); document.activeElement.blur(); }")
    window.reload()
    wanted = window.locator("#claims-table th a").evaluate_all("links => links.map(a => a.getAttribute('href'))")
    window.keyboard.press("Tab")
    found = [] if window.evaluate(FOCUS)["href"] == "#content" else ["the first stop is no skip link"]
    reached = []
    for _ in range(4 * claims + 200):
        window.keyboard.press("Tab")
        focus = window.evaluate(FOCUS)
        if not (focus["marked"] and focus["shown"]):
            found.append(f"a stop that is not seen: {focus}")
        if focus["href"] in wanted and window.evaluate(
            "() => Boolean(document.activeElement.closest('#claims-table'))"
        ):
            reached.append(focus["href"])
        if len(reached) == len(wanted):
            break
    return found + (
        [] if reached == wanted else [f"{len(reached)} of {len(wanted)} reached, in another order or not at all"]
    )


def through_the_claims(window: Any, claims: int) -> list[str]:
    """Enter on the last row's first neighbour, then from each section to the next by Tab and Enter alone."""
    first = window.locator("#claims-table th a").first
    first.focus()
    window.keyboard.press("Enter")
    visited = [window.evaluate("() => decodeURIComponent(location.hash.slice(1))")]
    for _ in range(claims - 1):
        for _ in range(60):
            window.keyboard.press("Tab")
            focus = window.evaluate(FOCUS)
            if focus["rel"] == "next" and focus["section"] == visited[-1]:
                break
        else:
            return [f"no way on from {visited[-1]}"]
        window.keyboard.press("Enter")
        visited.append(window.evaluate("() => decodeURIComponent(location.hash.slice(1))"))
    articles = window.locator("article.claim").evaluate_all("all => all.map(e => e.id)")
    return [] if visited == articles else [f"{len(set(visited))} of {len(articles)} visited"]


def printing(window: Any, out: Path) -> list[str]:
    """A PDF as the browser prints it."""
    printed = window.pdf(path=str(out / "report.pdf"), format="A4")
    return [] if printed.startswith(b"%PDF") else ["no PDF came"]


def pictures(window: Any, name: str, run: dict[str, Any], out: Path) -> None:
    """The top, the table, and one claim of each kind."""
    window.goto(window.url.split("#")[0])
    window.evaluate("() => scrollTo(0, 0)")
    window.screenshot(path=str(out / f"{name}-top.png"))
    window.locator("#claims").scroll_into_view_if_needed()
    window.evaluate("() => document.getElementById('claims').scrollIntoView()")
    window.screenshot(path=str(out / f"{name}-table.png"))
    for kind, claim in kinds(run).items():
        key = f"{claim['id']}:{claim['form']}"
        article = window.locator("article.claim", has=window.locator("h3", has_text=key)).first
        article.screenshot(path=str(out / f"{name}-{kind}.png"))


def kinds(run: dict[str, Any]) -> dict[str, Any]:
    """One claim of each kind that the run has."""
    wanted = {
        "holds": lambda claim: claim["verdict"] == "HOLDS" and claim["hunted"],
        "refuted": lambda claim: claim["verdict"] == "REFUTED" and claim["shown"],
        "ladder": lambda claim: claim["ladder"],
        "real": lambda claim: claim["input"] == "real",
        "identity": lambda claim: claim["kind"] == "identity",
    }
    return {kind: next(filter(fits, run["claims"])) for kind, fits in wanted.items() if any(map(fits, run["claims"]))}
