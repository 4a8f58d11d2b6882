"""Statements as they are typeset: where formulas start and end, their trees, and both outputs."""

import importlib

import pytest

from boundcheck.claim import registered_claims
from boundcheck.report.notation import latex, mathml
from boundcheck.report.notation.parser import parse
from boundcheck.report.notation.segments import Formula, segments
from boundcheck.report.notation.tree import (
    Accent,
    Fenced,
    Gap,
    Letter,
    Name,
    Node,
    Number,
    Operator,
    Root,
    Row,
    Scripts,
)
from tests.report.reading import page, skeleton, visible


def formulas(text: str) -> list[str]:
    return [segment.text for segment in segments(text) if isinstance(segment, Formula)]


def tree(text: str) -> Node:
    (segment,) = segments(text)
    assert isinstance(segment, Formula)
    row = parse(segment.elements)
    return row.nodes[0] if len(row.nodes) == 1 else row


def row(*nodes: Node) -> Row:
    return Row(nodes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("γ_ov of S is at most γ_ov of S without its last sample.", ["γ_ov", "S", "γ_ov", "S"]),
        ("With one sample and one output, Spill = ½·(γ_ov·R/σ_max)².", ["Spill = ½·(γ_ov·R/σ_max)²"]),
        ("Where π* = D, u(θ*) - u(θ) = E_x KL(π*‖π_θ).", ["π* = D", "u(θ*) - u(θ) = E_x KL(π*‖π_θ)"]),
        ("under (7) and (11) as printed, with c = 1/16 and c' = 1/3", ["c = 1/16", "c' = 1/3"]),
        ("for a two-layer softmax policy (M all of parameter space)", ["M"]),
        ("for all a and b, unit g, symmetric A.", ["a", "b", "g", "A"]),
        ("A Gaussian policy of rank d, for Γ_1 and A: a term", ["d", "Γ_1", "A"]),
        ("eigenvalues of A fall; a is 9.7; a P(e) <= e", ["A", "a", "a P(e) <= e"]),
        ("Lemma A.6, Theorem 6.1, Lemma 6 (i), Appendix B, AC-3.3, e.g. 3-5 of 2,445 (medians)", []),
        ("704 instances, 0 violations; 256 premise_unverified; 5 % less", []),
        (
            "it falls on every rung from c_prime = 1/2 to c_prime = 1/256 (8 rungs)",
            ["c_prime = 1/2", "c_prime = 1/256"],
        ),
        ("eta is small: a beta version", []),
        ("C |D|^3 <= lambda delta^2/4", ["C |D|^3 <= lambda delta^2/4"]),
        ("overlap > 0", ["overlap > 0"]),
        ("the norm |w| and Gordon's bound - see there", ["|w|"]),
        ("<script>alert</script> & <br>", ["script>alert"]),
        ("results[1], see [2]", []),
        ("x in [0, 1) and (a, b]", ["x", "[0, 1)", "(a, b]"]),
        ("the instance(s) and/or claim(s)", []),
        ("tr Σ⁴ and 1 - ln 2 but the log of x", ["tr Σ⁴", "1 - ln 2", "x"]),
    ],
)
def test_formulas_are_found_among_words(text: str, expected: list[str]) -> None:
    assert formulas(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("σ_max²", Scripts(Letter("σ"), Name("max"), Number("2"))),
        ("λ_{d+1}", Scripts(Letter("λ"), row(Letter("d"), Operator("+"), Number("1")))),
        ("2^-6", Scripts(Number("2"), None, row(Operator("−", "prefix"), Number("6")))),
        ("x⁻¹", Scripts(Letter("x"), None, row(Operator("−", "prefix"), Number("1")))),
        ("w_ij", Scripts(Letter("w"), row(Letter("i"), Letter("j")))),
        ("γ'²", Scripts(Letter("γ"), None, row(Operator("′", "postfix"), Number("2")))),
        ("π*", Scripts(Letter("π"), None, Operator("*", "postfix"))),
        ("θ̂", Accent(Letter("θ"), "\u0302")),
        ("Ḡ", Accent(Letter("G"), "\u0304")),
        ("√λ_1", Root(Scripts(Letter("λ"), Number("1")))),
        ("sqrt(lambda_1)", Root(row(Scripts(Letter("λ"), Number("1"))))),
        ("‖Pg‖", Fenced("‖", row(row(Letter("P"), Letter("g"))), "‖")),
        ("DᵀFD", row(Scripts(Letter("D"), None, Name("T")), row(Letter("F"), Letter("D")))),
        ("x - y", row(Letter("x"), Operator("−"), Letter("y"))),
        ("C = -t", row(Letter("C"), Operator("="), Operator("−", "prefix"), Letter("t"))),
        ("lambda t", row(Letter("λ"), Gap(), Letter("t"))),
        ("F^½", Scripts(Letter("F"), None, row(Number("1"), Operator("/"), Number("2")))),
        ("Γ2", row(Letter("Γ"), Number("2"))),
        ("|x|_*", Scripts(Fenced("|", row(Letter("x")), "|"), Operator("*", "postfix"))),
        ("KL(p‖q)", row(Name("KL", function=True), Fenced("(", row(Letter("p"), Operator("‖"), Letter("q")), ")"))),
        ("(√2)²", Scripts(Fenced("(", row(Root(Number("2"))), ")"), None, Number("2"))),
        ("√(x)²", Scripts(Root(row(Letter("x"))), None, Number("2"))),
        ("x_a_b", Scripts(Scripts(Letter("x"), Letter("a")), Letter("b"))),
    ],
)
def test_trees(text: str, expected: Node) -> None:
    assert tree(text) == expected


def test_a_sum_is_a_sum_and_a_covariance_a_letter() -> None:
    assert latex("Σ_k ‖B_k‖²") == r"$\sum_k\,\lVert B_k\rVert^2$"
    assert latex("Tr(Σ_1)") == r"$\operatorname{Tr}(\Sigma_1)$"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Spill >= 2^-8·γ_ov²·E_i‖f_θ̂(x_i)‖²: 5 % less",
            r"$\mathrm{Spill}\ge2^{-8}\cdot\gamma_{\mathrm{ov}}^2\cdot E_i\lVert f_{\hat{\theta}}(x_i)\rVert^2$: 5 \% less",
        ),
        ("Δu <= ½·DᵀFD", r"$\Delta u\le\frac{1}{2}\cdot D^{\mathrm{T}}FD$"),
        ("|KL(p‖q) - Var_p(w)/2|", r"$\lvert\operatorname{KL}(p\,\|\,q)-\operatorname{Var}_p(w)/2\rvert$"),
        ("‖F^{1/2}·P·D(t)‖ - C″t³", r"$\lVert F^{1/2}\cdot P\cdot D(t)\rVert-C^{\prime\prime}t^3$"),
        (
            "a_b & 50% of #1, {see}: ~/my\\dir",
            r"$a_b$ \& 50\% of \#1, \{see\}: \textasciitilde{}/my\textbackslash{}dir",
        ),
        (
            "the snow ☃ said “naïve” -- no",
            r"the snow \texttt{U+2603} said \textquotedblleft{}na\"{i}ve\textquotedblright{} -{}-{} no",
        ),
        ("one\n\n  two", "one two"),
        ("∑_{i=1}^n x_i <= n!·max_i x_i", r"$\sum_{i=1}^n\,x_i\le n!\cdot\max_ix_i$"),
        (
            "||A x||_2 <= sigma_max(A) ||x||_2",
            r"$\lvert\lvert A\,x\rvert\rvert_2\le\sigma_{\max}(A)\,\lvert\lvert x\rvert\rvert_2$",
        ),
        ("2*x**2 <= eta*grad f(x_t)!", r"$2*x**2\le\eta*\mathrm{grad}\,f(x_t)$!"),
        ("lives in ℝ, ∠ABC", r"lives in $\mathbb{R}$, $\angle\mathrm{ABC}$"),
    ],
)
def test_latex(text: str, expected: str) -> None:
    assert latex(text) == expected


def test_mathml_of_a_statement() -> None:
    assert mathml("at least c·γ² & more") == (
        'at least <math alttext="c·γ²"><mrow><mi>c</mi><mo form="infix" stretchy="false">·</mo>'
        "<msup><mi>γ</mi><mn>2</mn></msup></mrow></math> &amp; more"
    )


def test_punctuation_stays_with_its_formula() -> None:
    spans = page(mathml("policies (here ψ = ½ for N(f, I)), and (x)_k: all of λ, too.")).findall("span")
    assert [visible(span) for span in spans] == ["N(f,I)),", "(x)k:", "λ,"]


def test_mathml_keeps_the_source_of_a_formula_for_those_who_copy_it() -> None:
    elements = page(mathml("where x < y and a\n<= b")).findall(".//math")
    assert [element.get("alttext") for element in elements] == ["x < y", "a\n<= b"]


@pytest.mark.parametrize(
    "hostile",
    ["<script>alert(1)</script>", '"><img src=x onerror=a>', "x_<b> = y", "&lt;i&gt; <= 1", "‖<b>‖²"],
)
def test_markup_in_a_statement_stays_text(hostile: str) -> None:
    tree = page(mathml(hostile))
    assert not {element.tag for element in tree.iter()} & {"script", "img", "b", "i"}
    assert skeleton(visible(tree), without="_") == skeleton(hostile, without="_")


@pytest.fixture(scope="module")
def statements() -> list[str]:
    for paper in ("alignment_collapse", "local_edits"):
        importlib.import_module(f"boundcheck.theorems.{paper}")
    return [claim.statement for claim in registered_claims().values()]


def test_every_registered_statement_is_typeset(statements: list[str]) -> None:
    assert len(statements) > 100
    for statement in statements:
        assert "U+" not in latex(statement), statement
        page(mathml(statement))


def test_in_registered_statements_no_sign_is_left_in_the_prose(statements: list[str]) -> None:
    for statement in statements:
        prose = "".join(s.text for s in segments(statement) if not isinstance(s, Formula))
        assert not set(prose) & set("‖√·²³⁴ᵀ=<>_^{}[]/*+|θσγλΣΓ"), (statement, prose)
