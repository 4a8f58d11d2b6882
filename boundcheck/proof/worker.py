"""The child process in which proofs run: one JSON request a line, one JSON answer a line.

A wrong call into a C library can end a process, and a proof can take for ever: the parent may kill this one at any time. It
imports neither torch nor anybody's claims; what it is sent is data.
"""

import json
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from boundcheck.proof.arithmetic import NotSupportedError
from boundcheck.proof.program import Input, Program
from boundcheck.proof.routes import PRECISIONS, by_balls, by_other_means

MEMORY_LIMIT = 4 * 2**30
"""Bytes this process may have: a proof that needs more fails alone, not the machine."""


class _Worker:
    def __init__(self) -> None:
        self.programs: dict[int, Program] = {}

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if "program" in request:
            self.programs[request["number"]] = Program.from_json(request["program"])
            return {}
        program = self.programs[request["number"]]
        inputs = [Input.from_json(value) for value in request["inputs"]]
        if request["route"] == "first":
            precisions = request["precisions"] or PRECISIONS
            return by_balls(program, inputs, identity=request["identity"], precisions=precisions).to_json()
        return by_other_means(program, inputs, identity=request["identity"]).to_json()


def _limit_memory() -> None:
    with suppress(ImportError, ValueError, OSError):  # not on every system, and never above what is already set
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))


def main() -> None:
    """Answer until the parent closes the pipe."""
    _limit_memory()
    sys.set_int_max_str_digits(0)  # our own exact numbers, from our own parent
    worker = _Worker()
    for line in sys.stdin:
        try:
            answer = worker.answer(json.loads(line))
        except NotSupportedError as error:
            answer = {"unsupported": error.operation, "error": str(error)}
        except MemoryError:
            answer = {"error": f"it needs more than {MEMORY_LIMIT // 2**30} GiB"}
        except Exception as error:  # whatever it is, the parent has to be told
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
