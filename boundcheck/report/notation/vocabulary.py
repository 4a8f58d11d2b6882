"""The words a formula may hold, and those that are never part of one."""

from string import ascii_lowercase


def words(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


_NAMES = """
    alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu
    nu xi pi rho sigma tau upsilon phi chi psi omega
"""
GREEK = dict(zip(_NAMES.split(), "αβγδεζηθικλμνξπρστυφχψω", strict=True))
GREEK |= {name.capitalize(): letter.upper() for name, letter in GREEK.items()} | {"eps": "ε"}
"""Spelled letters, as ASCII text has them."""

SYMBOLIC_FUNCTIONS = words(
    "Tr tr exp log ln sup inf lim det diag sin cos tan sinh cosh tanh argmin argmax erf KL Var Cov Pr"
)
"""Functions whose name is no English word: `ln 2` is a formula."""

FUNCTIONS = SYMBOLIC_FUNCTIONS | words("min max sum rank span dim ker sign sgn arg abs softmax mean median")
"""All functions: of the others, `rank(A)` is a formula and `of rank r` is not."""

PLAIN_WORDS = words(
    """
    a about above after all also an and any are as at be been before below beside beyond both but by can do does each either
    else every few for from given gives had has have hence here hold holds how however if in into is it its least less let
    many may more most much must neither no nor not of on once one only onto or other our out over own per same see since
    so some such than that the their them then there these they this those though thus to too two under unless until up upon
    was we were what when where whereas whether which while whose why will with within without would yet you your
    """
)
"""Words that join a sentence together: none of them is a quantity, whatever stands beside it."""

CITING = words(
    """
    Algorithm Appendix Assumption Chapter Claim Conjecture Corollary Definition Eq Equation Example Figure Item Lemma Part
    Proposition Remark Section Step Table Theorem equation item
    """
)
"""Words after which a letter or number is a label."""

INDICES = frozenset(ascii_lowercase[8:14])
"""i to n: a subscript of several of them is a row of indices, any other of several letters is a word."""
