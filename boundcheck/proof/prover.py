"""The parent's side of a proof: a child process that may crash, hang or be killed without hurting the run."""

import atexit
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import IO, Any, Literal
from weakref import WeakKeyDictionary

from boundcheck.errors import BoundcheckError
from boundcheck.proof.finding import Finding
from boundcheck.proof.program import Input, Program

Route = Literal["first", "second"]
SECONDS = 120.0
"""How long one proof may take by default."""


class ProofFailedError(BoundcheckError):
    """There is no proof: the child crashed, took too long, or lacks an operation."""


class Prover:
    """Proves instances in a child process, which is started when first needed and again after it was lost."""

    def __init__(self, *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._child: subprocess.Popen[str] | None = None
        self._lines: Queue[str] = Queue()
        self._numbers: WeakKeyDictionary[Program, int] = WeakKeyDictionary()
        self._sent = 0

    def prove(
        self,
        program: Program,
        inputs: Sequence[Input],
        *,
        identity: bool,
        route: Route = "first",
        precisions: Sequence[int] = (),
    ) -> Finding:
        """What the route proves of one instance.

        Args:
            program: of the claim at this structure. inputs: the instance and the constants.
            identity: whether the statement is an equality.
            route: "first" (balls) or "second" (rationals or intervals).
            precisions: bits to try, in order, instead of 128, 256 and 512.

        Raises:
            ProofFailedError: where there is no answer.

        """
        child = self._started()
        if program not in self._numbers:
            self._sent += 1
            self._ask(child, {"program": program.to_json(), "number": self._sent})
            self._numbers[program] = self._sent
        request = {
            "number": self._numbers[program],
            "inputs": [value.to_json() for value in inputs],
            "identity": identity,
            "route": route,
            "precisions": list(precisions),
        }
        return Finding.from_json(self._ask(child, request))

    def close(self) -> None:
        """End the child process."""
        child, self._child = self._child, None
        self._numbers = WeakKeyDictionary()
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout, child.stderr):
                if pipe is not None:
                    pipe.close()

    def forget(self) -> None:
        """Leave the child process to whoever started it: what a forked process has to do."""
        self._child = None
        self._lines = Queue()
        self._numbers = WeakKeyDictionary()

    def _started(self) -> "subprocess.Popen[str]":
        if self._child is not None and self._child.poll() is None:
            return self._child
        self.close()
        here = str(Path(__file__).resolve().parents[2])
        paths = [here, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._child = subprocess.Popen(
            [sys.executable, "-P", "-m", "boundcheck.proof.worker"],  # -P: not from the folder that the user is in
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        )
        self._lines = Queue()
        Thread(target=_drain, args=(self._child.stdout, self._lines), daemon=True).start()
        return self._child

    def _ask(self, child: "subprocess.Popen[str]", request: dict[str, Any]) -> dict[str, Any]:
        assert child.stdin is not None
        try:
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            line = self._lines.get(timeout=self._seconds)
        except Empty:
            self.close()
            raise ProofFailedError(f"the proof took longer than {self._seconds:g} s and was ended") from None
        except OSError:
            line = ""
        except BaseException:  # an interrupt: the answer that is still to come must not be taken for the next one's
            self.close()
            raise
        if not line:
            code = child.wait()
            words = child.stderr.read().splitlines() if child.stderr is not None else []
            self.close()
            last = f" ({words[-1]})" if words else ""
            raise ProofFailedError(f"the proving process ended with exit status {code}{last}")
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            self.close()
            raise ProofFailedError(f"the proving process said {line[:80]!r}") from None
        if "error" in answer:
            raise ProofFailedError(f"no proof: {answer['error']}")
        return answer


def _drain(stream: IO[str], lines: "Queue[str]") -> None:
    """Pass on the child's lines, and an empty one when it has ended."""
    try:
        for line in stream:
            lines.put(line)
    except ValueError:  # closed under our hands
        pass
    lines.put("")


_SHARED = Prover()
atexit.register(_SHARED.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_SHARED.forget)


def shared_prover() -> Prover:
    """The one prover of this process."""
    return _SHARED
