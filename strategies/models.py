"""Hypothesis strategies of model families: sizes small enough that a violation is readable."""

from hypothesis import strategies as st

from boundcheck.geometry import (
    Attention,
    BothLayers,
    Family,
    GeneralQuadratic,
    Linear,
    Polynomial,
    Quadratic,
    ReluLayer,
    TwoLayer,
)

Families = st.SearchStrategy[Family]


def _regular(families: Families) -> Families:
    """Without the models of more outputs than parameters: no sample of theirs has a Jacobian of full row rank."""
    return families.filter(lambda family: family.outputs_count <= family.parameters)


def linear_models(*, max_inputs: int = 6, max_outputs: int = 2) -> Families:
    """f(θ, x) = Θ·x."""
    return st.builds(Linear, inputs=st.integers(1, max_inputs), outputs_=st.integers(1, max_outputs))


def polynomial_models(*, max_inputs: int = 3, max_degree: int = 4) -> Families:
    """⟨θ, φ(x)⟩ with all monomials or orthonormal Hermite polynomials of degree 1 to at most `max_degree` <= 4."""
    return st.builds(
        Polynomial,
        inputs=st.integers(1, max_inputs),
        degree=st.integers(1, max_degree),
        kind=st.sampled_from(["monomial", "hermite"]),
        centred=st.booleans(),
    )


def quadratic_models(*, max_dimension: int = 5, max_outputs: int = 2) -> Families:
    """f_j = a_jᵀθ + ½·c_j·θᵀAθ, one curvature A for all: both smoothness constants are exact."""
    return _regular(st.builds(Quadratic, dimension=st.integers(1, max_dimension), outputs_=st.integers(1, max_outputs)))


def general_quadratic_models(*, max_dimension: int = 3, max_outputs: int = 2) -> Families:
    """f_j = a_jᵀθ + ½·θᵀA_jθ, a curvature of its own for each sample and output."""
    return _regular(
        st.builds(GeneralQuadratic, dimension=st.integers(1, max_dimension), outputs_=st.integers(1, max_outputs))
    )


def two_layer_models(*, max_inputs: int = 5, max_width: int = 8, max_outputs: int = 2) -> Families:
    """a·φ(W·x)/√width with the first layer trained, φ = tanh, softplus or sigmoid."""
    two_layer = st.builds(
        TwoLayer,
        inputs=st.integers(1, max_inputs),
        width=st.integers(1, max_width),
        outputs_=st.integers(1, max_outputs),
        activation=st.sampled_from(["tanh", "softplus", "sigmoid"]),
    )
    return _regular(two_layer)


def both_layers_models(*, max_inputs: int = 3, max_width: int = 4, max_outputs: int = 2) -> Families:
    """a·φ(W·x)/√width with both layers trained, ReLU among the φ: constants in a ball."""
    return st.builds(
        BothLayers,
        inputs=st.integers(1, max_inputs),
        width=st.integers(1, max_width),
        outputs_=st.integers(1, max_outputs),
        activation=st.sampled_from(["tanh", "softplus", "sigmoid", "relu"]),
    )


def relu_models(*, max_inputs: int = 3, max_width: int = 4) -> Families:
    """a·max(W·x, 0)/√width with the first layer trained: linear up to the nearest kink."""
    return st.builds(ReluLayer, inputs=st.integers(1, max_inputs), width=st.integers(1, max_width))


def attention_models(*, max_tokens: int = 3, max_inner: int = 2, max_width: int = 3) -> Families:
    """Self-attention, averaged, with a network of one hidden layer on it, all trained: constants in a ball."""
    return st.builds(
        Attention,
        tokens=st.integers(1, max_tokens),
        inputs=st.integers(1, 2),
        inner=st.integers(1, max_inner),
        width=st.integers(1, max_width),
        activation=st.sampled_from(["tanh", "softplus", "sigmoid"]),
    )


def network_models() -> Families:
    """Any of the networks whose constants hold in a ball."""
    return st.one_of(both_layers_models(), relu_models(), attention_models())


def curved_models() -> Families:
    """Any of the families whose Jacobian moves with the parameters, with constants in closed form."""
    return st.one_of(quadratic_models(), general_quadratic_models(), two_layer_models())


def models() -> Families:
    """Any of the families whose constants hold everywhere."""
    return st.one_of(linear_models(), curved_models(), polynomial_models(max_inputs=2, max_degree=3))
