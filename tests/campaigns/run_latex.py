"""`make latex`: the LaTeX of a run, and of one whose every text is hostile, compiled for real; its pages as pictures.

Needs pdflatex; lualatex and pdftoppm are used where they are there.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from boundcheck.record import read_run
from boundcheck.report.writing import write_report
from tests.report.runs import ALL, FALSE, NASTY, run

TOO_WIDE = 10.0
"""Points by which a line may stick out before it is reported."""

PASTED = r"""\documentclass[twocolumn]{article}
\usepackage{array,booktabs,longtable,amsmath,amssymb}
\begin{document}
\onecolumn
%s
\end{document}
"""
_OVERFULL = re.compile(r"^Overfull \\hbox \(([\d.]+)pt too wide\).*$", flags=re.MULTILINE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("--pictures", type=Path, help="a folder for the pages as PNG")
    options = parser.parse_args()
    if not shutil.which("pdflatex"):
        print(
            "pdflatex is missing: install TeX Live (Debian: texlive-latex-extra and lmodern; elsewhere tug.org/texlive)."
        )
        return 2
    failed = False
    with tempfile.TemporaryDirectory() as scratch:
        for name, each in {"run": read_run(options.run), "hostile": hostile_run()}.items():
            folder = Path(scratch) / name
            files = [path.name for path in write_report(each, "latex", folder) if path.suffix == ".tex"]
            pasted = "\n".join(rf"\input{{{file}}}" for file in files[1:])
            (folder / "pasted.tex").write_text(PASTED % pasted, encoding="ascii")
            for engine in filter(shutil.which, ("pdflatex", "lualatex")):
                for document in ("report", "pasted"):
                    failed |= not compiles(engine, folder, document, f"{name}, {document}")
            if name == "run" and options.pictures:
                picture(folder / "report.pdf", options.pictures)
    return int(failed)


def compiles(engine: str, folder: Path, document: str, words: str) -> bool:
    """Compile twice, for the widths of long tables; say how many pages came out, or the error."""
    command = [engine, "-interaction=nonstopmode", "-halt-on-error", f"{document}.tex"]
    for _ in range(2):
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
        log = (folder / f"{document}.log").read_text(encoding="utf-8", errors="replace")
        if done.returncode:
            print(
                f"{engine}: {words}: FAILED\n" + "\n".join(re.findall(r"^(?:!|l\.\d).*$", log, flags=re.MULTILINE)[:6])
            )
            return False
    pages = re.search(r"Output written on .*?\((\d+) pages?", log.replace("\n", ""))
    wide = [found[0] for found in _OVERFULL.finditer(log) if float(found[1]) > TOO_WIDE]
    print(
        f"{engine}: {words}: {pages[1] if pages else 'no'} pages, {len(wide)} lines more than {TOO_WIDE:g}pt too wide"
    )
    for line in wide[:3]:
        print(f"    {line}")
    return pages is not None


def picture(document: Path, folder: Path) -> None:
    """The pages as PNG."""
    if not shutil.which("pdftoppm"):
        print("pdftoppm is missing (poppler-utils): no pictures of the pages.")
        return
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["pdftoppm", "-r", "80", "-png", str(document), str(folder / "page")], check=True)
    print(f"pages are in {folder}")


def hostile_run() -> Mapping[str, Any]:
    """A claim of each kind for every nasty text, which stands wherever a claim has a text."""
    claims = []
    for i, words in enumerate(NASTY):
        base = ALL[i % len(ALL)]
        shown = {"drawn": words, "instance": [words, words * 3], "routes": FALSE["shown"]["routes"]}
        texts = dict.fromkeys(("source", "statement", "reason", "notes"), words)
        claims.append(base | texts | {"id": f"MY-{i}{words}", "shown": shown, "counterexample": f"x/{words}.json"})
        claims[-1]["premises"] = [{"name": words, "accepted": 1, "stated": 2}]
        claims[-1]["constants"] = [constant | {"unit": words} for constant in base["constants"]]
    return run(*claims, command=" ".join(NASTY[:12]))


if __name__ == "__main__":
    sys.exit(main())
