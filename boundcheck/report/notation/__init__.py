"""A claim's plain statement, typeset: prose with formulas among it becomes MathML or LaTeX.

text → tokens → terms (fences paired, scripts attached) → segments (prose, formulas) → tree → MathML, LaTeX.
"""

from boundcheck.report.notation.latex import latex
from boundcheck.report.notation.mathml import mathml

__all__ = ["latex", "mathml"]
