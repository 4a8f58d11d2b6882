"""One exception for everything a user can get wrong: what was given, what was expected, what to do."""


class BoundcheckError(Exception):
    """A mistake in a claim, a strategy, an option or a file, told in one sentence."""

    def __init__(self, given: str, *, expected: str = "", remedy: str = "") -> None:
        parts = [given.rstrip(".")]
        if expected:
            parts.append(f"expected {expected.rstrip('.')}")
        if remedy:
            parts.append(remedy.rstrip("."))
        super().__init__("; ".join(parts) + ".")


class UnknownOperatorError(BoundcheckError):
    """A traced claim uses an operator that has no error rule, so no verdict of it can be trusted."""

    def __init__(self, operator: str) -> None:
        super().__init__(
            f"the claim uses the operator {operator}, which has no rounding rule",
            expected="operators of boundcheck.rigor.vocabulary()",
            remedy="rewrite the step with those, or add a rule with boundcheck.rigor.rule",
        )
        self.operator = operator
