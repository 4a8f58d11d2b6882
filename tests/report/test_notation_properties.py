"""Any text at all can be typeset: nothing raises, nothing is lost, nothing escapes into markup."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boundcheck.report.notation import latex, mathml
from boundcheck.report.notation.segments import segments
from boundcheck.report.notation.tokens import tokenise
from tests.report.reading import depth_is_balanced, outside_formulas, page, skeleton, unescaped, visible

_PIECES = """
λ_1 ‖ | ( ) [ ] { } ⟨ ⟩ ⌊ ⌉ _ ^ _{ ^{ ^( ² ⁻¹ ᵀ ₊ ₊² ₙ √ √( sqrt sqrt( ½ ⅛ ⅟ θ̂ Ḡ é ö ñ \u0302 \u0591 \u20d7 π* * ** * - -- −
+ · × / // = <= >= < > != -> n! ! ≤ ≠ → ≳ ∈ ∠ Ω Δu Σ Σ_k Σ_ Tr Tr( exp KL(p‖q) min max E E_x ln log rank a A I
the and with Spill gap Pg
FD S1 theta0 gamma lambda delta eps epsilon beta_S x_i_j premise_unverified C' C″ ' '' " “ ” – — … & % $ # ~ ^ \\ ` ,, ; : . ! ?
<script> </math> <!-- ]]> &amp; &#60; $$ \\end{document} \\input{x} %% 0 1.5 1e-6 2,445 3-5 2^-6 2^ -6 (7) (i) (s) Lemma 6 A.6
e.g. a.b two-layer Gordon's P's 3rd 𝒰 ℝ ℓ ℂ ☃ 中文 д 🙂 \x00 \x1b \x85 \u2028 \ufffe ﬁ ™ ª º ① ⁽ ⁾ ₍ ⁿ ˣ ′ ‴ ∞ ∅ ∂ ∇ ∑ ∫ ¬ ~x ∼
"""
PIECES = re.split("[ \n]", _PIECES.strip("\n"))

pieces = st.lists(st.sampled_from([*PIECES, " ", " ", "\n", "\t", "\r"]), max_size=25).map("".join)
any_character = st.characters(exclude_categories=())
texts = st.one_of(pieces, st.text(max_size=40), st.text(any_character, max_size=12))


@given(texts)
@example("(" * 3000 + "x" + ")" * 3000)
@example("√" * 3000 + "x")
@example("x" + "^{" * 3000)
@example("‖a" * 3000)
def test_mathml_is_well_formed_and_loses_nothing(text: str) -> None:
    assert_same(text, without="_^{}()√")


def assert_same(text: str, *, without: str) -> None:
    """What is seen is what was given; where a letter has both scripts, the lower comes first, whichever was written first."""
    tree = page(mathml(text))
    seen, given_ = skeleton(visible(tree), without=without), skeleton(text, without=without)
    if tree.find(".//msubsup") is None:
        assert seen == given_
    else:
        assert sorted(seen) == sorted(given_)


@given(texts.map(lambda text: re.sub(r"[_^√]|sqrt", "", text)))
def test_without_scripts_and_roots_brackets_stay_too(text: str) -> None:
    if "sqrt" not in text:
        assert_same(text, without="")


@given(texts)
def test_the_only_elements_are_those_of_mathematics(text: str) -> None:
    tags = {element.tag for element in page(mathml(text)).iter()} - {"root", "span"}
    known = {"math", "mrow", "mi", "mn", "mo", "mfrac", "msqrt", "msub", "msup", "msubsup", "mover", "mspace"}
    assert tags <= known


@given(texts)
def test_the_elements_have_the_children_they_need(text: str) -> None:
    needed = {"msub": 2, "msup": 2, "mover": 2, "mfrac": 2, "msubsup": 3, "msqrt": 1, "math": 1}
    for element in page(mathml(text)).iter():
        assert len(element) == needed.get(element.tag, len(element))


@given(texts)
@example("(" * 3000 + "x" + ")" * 3000)
@example("√" * 3000 + "x")
def test_latex_is_ascii_and_balanced(text: str) -> None:
    line = latex(text)
    assert line.isascii()
    assert all(c.isprintable() for c in line)
    assert unescaped(line, "$") % 2 == 0
    assert depth_is_balanced(line)
    assert not any(unescaped(line, special) for special in "&%#")


@given(texts)
def test_latex_has_scripts_only_in_formulas(text: str) -> None:
    prose = outside_formulas(latex(text))
    assert not unescaped(prose, "_")
    assert not unescaped(prose, "^")


@given(st.characters(exclude_categories=("Zs", "Zl", "Zp")))
def test_latex_drops_no_character(character: str) -> None:
    if not character.isspace():
        assert latex(character).strip(" $")
        assert latex(f"see {character} there").replace("see", "").replace("there", "").strip(" $")


@given(st.text("abcdefgh ", min_size=1).filter(lambda text: all(len(word) > 3 for word in text.split())))
def test_plain_words_stay_as_they_are(text: str) -> None:
    assert mathml(text) == text
    assert latex(text) == re.sub(r"\s+", " ", text)


@given(texts)
def test_tokens_and_segments_are_the_text(text: str) -> None:
    assert "".join(token.text for token in tokenise(text)) == text
    assert "".join(segment.text for segment in segments(text)) == text


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "\x00", "_", "^", "{}", "x^{}", "x_{ }", "‖‖", "()", "√", "Tr", "-", "<>", "'"]
)
def test_next_to_nothing(text: str) -> None:
    assert_same(text, without="_^{}()√")
    assert depth_is_balanced(latex(text))
