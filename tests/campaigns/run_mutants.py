"""Break one module in every small way and see which breaks its tests notice; `tests/MUTATION.md` says what is left.

    python tests/campaigns/run_mutants.py boundcheck/verdict.py tests/test_verdict.py
    python tests/campaigns/run_mutants.py --list boundcheck/verdict.py

A mutant exists in the memory of one forked process only: no file is written. Unlike general tools it also mutates decorated
functions (every error rule is one), properties, module constants and defaults.
"""

import ast
import copy
import importlib
import os
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 120
WARM = ("pytest", "_pytest.pytester", "hypothesis.strategies", "mpmath", "scipy.linalg", "tests.conftest")
"""Imported once, before the forks; what they and the module import of this project is forgotten again."""

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
BINARY: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub,),
    ast.Sub: (ast.Add,),
    ast.Mult: (ast.Div,),
    ast.Div: (ast.Mult,),
    ast.FloorDiv: (ast.Mult,),
    ast.Pow: (ast.Mult,),
    ast.BitAnd: (ast.BitOr,),
    ast.BitOr: (ast.BitAnd,),
    ast.LShift: (ast.RShift,),
    ast.RShift: (ast.LShift,),
}
NAMES = {
    "maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "amax": "amin", "amin": "amax",
    "lower": "upper", "upper": "lower", "any": "all", "all": "any", "isinf": "isfinite", "isfinite": "isinf",
    "mid": "rad", "rad": "mid", "logical_and": "logical_or", "logical_or": "logical_and", "VIOLATED": "HOLDS",
    "held": "broken", "broken": "held", "HOLDING": "BREAKING", "HOLDS": "INCONCLUSIVE",
}  # fmt: skip
TRANSPARENT = {"widen", "abs", "clone", "counted", "double", "clamp", "to"}
"""Calls that a mutant leaves out: `widen(x)` becomes `x`, `x.abs()` becomes `x`."""


def variants(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the place of one node, with a word for each."""
    if isinstance(node, ast.Compare):
        for position, operator in enumerate(node.ops):
            for other in COMPARISONS.get(type(operator), ()):
                changed = copy.deepcopy(node)
                changed.ops[position] = other()
                yield "comparison", changed
    elif isinstance(node, ast.BinOp):
        for operator_type in BINARY.get(type(node.op), ()):
            yield "operator", ast.BinOp(node.left, operator_type(), node.right)
        if isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.BitAnd | ast.BitOr):
            yield "left only", node.left
            yield "right only", node.right
        elif isinstance(node.op, ast.Div):
            yield "left only", node.left
    elif isinstance(node, ast.BoolOp):
        yield "and/or", ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
        for position in range(len(node.values)):
            kept = [value for other, value in enumerate(node.values) if other != position]
            yield "dropped term", kept[0] if len(kept) == 1 else ast.BoolOp(node.op, kept)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not | ast.Invert):
        yield "negation", node.operand
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not isinstance(node.operand, ast.Constant):
        yield "sign", node.operand
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool):
        yield "truth", ast.Constant(not node.value)
    elif isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        for value in {node.value + 1, node.value - 1, node.value * 2, node.value / 2} - {node.value}:
            whole = isinstance(node.value, int) and float(value).is_integer()
            yield "constant", ast.Constant(int(value) if whole else value)
    elif isinstance(node, ast.IfExp):
        yield "branch", node.body
        yield "branch", node.orelse
    elif isinstance(node, ast.If):
        yield "always", ast.If(ast.Constant(True), node.body, node.orelse)
        yield "never", ast.If(ast.Constant(False), node.body, node.orelse)
    elif isinstance(node, ast.AugAssign) and isinstance(node.op, ast.BitAnd | ast.BitOr):
        yield (
            "and/or",
            ast.AugAssign(node.target, ast.BitOr() if isinstance(node.op, ast.BitAnd) else ast.BitAnd(), node.value),
        )
        yield "no update", ast.Pass()
    elif isinstance(node, ast.Attribute) and node.attr in NAMES:
        yield "name", ast.Attribute(node.value, NAMES[node.attr], node.ctx)
    elif isinstance(node, ast.Name) and node.id in NAMES and isinstance(node.ctx, ast.Load):
        yield "name", ast.Name(NAMES[node.id], node.ctx)
    if isinstance(node, ast.Call):
        called = node.func
        if isinstance(called, ast.Name) and called.id in TRANSPARENT:
            yield "dropped call", node.args[0]
        elif isinstance(called, ast.Attribute) and called.attr in TRANSPARENT:
            yield "dropped call", called.value
        if isinstance(called, ast.Attribute) and called.attr == "where" and len(node.args) == 3:
            yield "branch", node.args[1]
            yield "branch", node.args[2]


def _skipped(node: ast.AST) -> bool:
    """Docstrings, annotations and imports hold nothing to mutate."""
    return isinstance(node, ast.Import | ast.ImportFrom) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    )


def sites(tree: ast.AST) -> Iterator[tuple[Callable[[ast.AST], None], ast.AST]]:
    """Every node that may be replaced, with what replaces it."""
    for field, value in ast.iter_fields(tree):
        if field in ("annotation", "returns", "decorator_list", "bases"):
            continue
        if isinstance(value, list):
            for position, child in enumerate(value):
                if isinstance(child, ast.AST) and not _skipped(child):
                    yield partial(value.__setitem__, position), child
                    yield from sites(child)
        elif isinstance(value, ast.AST):
            yield partial(setattr, tree, field), value
            yield from sites(value)


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Each mutant of a module: what was changed, and its source."""
    tree = ast.parse(source)
    for put, node in list(sites(tree)):
        for kind, changed in list(variants(node)):
            before = ast.unparse(node).splitlines()[0]
            put(changed)
            after = ast.unparse(changed).splitlines()[0]
            yield (
                f"line {getattr(node, 'lineno', 0)}, {kind}: {before}  ->  {after}",
                ast.unparse(ast.fix_missing_locations(tree)),
            )
            put(node)


def notice(module: str, source: str | None, arguments: list[str]) -> str:
    """Run pytest in a forked process over a module with this source (None: as it is): "killed", "survived", "timeout"."""
    child = os.fork()
    if child == 0:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        if source is not None:
            _replace(module, source)
        pytest = importlib.import_module("pytest")
        code = 2
        try:
            importlib.import_module(module)  # before pytest, which would load it in a way of its own
            code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--no-header", *arguments]))
        finally:
            os._exit(code)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return "survived" if status == 0 else "killed"
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return "timeout"


def _replace(module: str, source: str) -> None:
    original: Any = SourceFileLoader.get_code

    def get_code(self: SourceFileLoader, fullname: str) -> CodeType | None:
        if fullname == module:
            return compile(source, self.get_filename(fullname), "exec")
        return original(self, fullname)

    SourceFileLoader.get_code = get_code  # type: ignore[assignment,method-assign]


def main(arguments: list[str]) -> int:
    """Returns how many mutants survived."""
    listed = arguments[:1] == ["--list"]
    path, *tests = arguments[1:] if listed else arguments
    module = path.removesuffix(".py").replace("/", ".")
    found = list(mutants((ROOT / path).read_text()))
    if listed:
        print(*(f"{number}: {about}" for number, (about, _) in enumerate(found)), sep="\n")
        return 0
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ |= {"OMP_NUM_THREADS": "1", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for name in (*WARM, module):
        importlib.import_module(name)
    for name in [name for name in sys.modules if name.split(".")[0] in ("boundcheck", "tests")]:
        del sys.modules[name]
    if notice(module, None, tests) != "survived":
        raise SystemExit("the tests fail on the module as it is")
    counts = {"killed": 0, "survived": 0, "timeout": 0}
    start = time.monotonic()
    for number, (about, source) in enumerate(found):
        outcome = notice(module, source, tests)
        counts[outcome] += 1
        if outcome != "killed":
            print(f"{outcome} {number}: {about}", flush=True)
    print(f"{path}: {len(found)} mutants, {counts}, {time.monotonic() - start:.0f} s")
    return counts["survived"]


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1:]), 100))
