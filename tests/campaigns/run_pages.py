"""`make pages`: open a run's HTML page in headless Chromium and check what only a browser can tell; screenshots beside it.

    python tests/campaigns/run_pages.py [RUN.json] [--out FOLDER]

Exit code 0 where every check passed, 1 where one did not, 2 where the browser or Playwright is missing.
"""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from boundcheck.errors import BoundcheckError
from boundcheck.record import read_run
from boundcheck.report.html import html_page
from tests.campaigns import page_checks

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1200, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}}
TOUCHED: dict[str, Any] = PHONE | {"has_touch": True, "is_mobile": True}
WINDOWS: dict[str, dict[str, Any]] = {
    "desktop": DESKTOP | {"color_scheme": "light"},
    "desktop, dark": DESKTOP | {"color_scheme": "dark"},
    "phone": TOUCHED | {"color_scheme": "light"},
    "phone, dark": TOUCHED | {"color_scheme": "dark"},
    "without script": PHONE | {"java_script_enabled": False},
}

SPOILED = """<div id="summary" style="width: 3000px; background: #fff; color: #aaa">too wide and too pale</div>
<h6>too deep</h6><a href="#nowhere">nowhere</a><script src="https://example.invalid/x.js"></script>"""
"""What no check may let pass: put into the page, each must complain of it."""


def main() -> int:
    """Make the page, open it, check it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path, default=Path("reports/latest/run.json"))
    parser.add_argument("--out", type=Path, default=Path(".boundcheck/pages"))
    options = parser.parse_args()
    try:
        start, browser_path = needed()
        run = read_run(options.run)
    except BoundcheckError as error:
        print(f"pages: {error}", file=sys.stderr)
        return 2
    options.out.mkdir(parents=True, exist_ok=True)
    page = options.out / "report.html"
    page.write_text(html_page(run), encoding="utf-8")
    print(f"{page}: {page.stat().st_size / 1e6:.1f} MB, {len(run['claims'])} claims")
    with start() as playwright:
        browser = playwright.chromium.launch(executable_path=browser_path, args=ARGUMENTS)
        failures = blind(browser, page) + check(browser, page.resolve().as_uri(), run, options.out)
        browser.close()
    print(f"screenshots: {options.out}")
    return 1 if failures else 0


def needed() -> tuple[Callable[[], Any], str]:
    """Playwright's start and the path of a browser. Raises BoundcheckError where one is missing, with what to install."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        raise BoundcheckError("Playwright is not installed", remedy="pip install 'boundcheck[pages]'") from None
    for name in BROWSERS:
        if found := shutil.which(name):
            return sync_playwright, found
    raise BoundcheckError(
        f"no browser on PATH ({', '.join(BROWSERS)})", remedy="install Chromium, on Debian: apt-get install chromium"
    )


def blind(browser: Any, page: Path) -> int:
    """How many checks have nothing to say of a spoiled page."""
    spoiled = page.with_name("spoiled.html")
    spoiled.write_text(page.read_text(encoding="utf-8").replace("</main>", f"{SPOILED}</main>"), encoding="utf-8")
    window = browser.new_page(**WINDOWS["desktop"])
    heard = page_checks.listen(window)
    window.goto(spoiled.resolve().as_uri())
    silent = [name for name, complaints in page_checks.static_checks(window) if not complaints]
    silent += ["console and requests"] if not any(line.startswith("error") for line in heard) else []
    spoiled.unlink()
    window.close()
    return _say("every check complains of a spoiled page", [f"silent: {name}" for name in silent])


def check(browser: Any, address: str, run: dict[str, Any], out: Path) -> int:
    """All checks in every kind of window; how many of them failed."""
    failures = 0
    for name, settings in WINDOWS.items():
        context = browser.new_context(**settings)
        window = context.new_page()
        heard = page_checks.listen(window)
        window.goto(address)
        for title, complaints in page_checks.checks_for(name, window, run, out):
            failures += _say(f"{name}: {title}", complaints)
        failures += _say(
            f"{name}: no console error, no request", [line for line in heard if not line.endswith(address)]
        )
        context.close()
    return failures


def _say(title: str, complaints: list[str]) -> bool:
    print(f"{'FAIL' if complaints else 'ok  '} {title}")
    for complaint in complaints[:10]:
        print(f"       {complaint}")
    return bool(complaints)


if __name__ == "__main__":
    sys.exit(main())
