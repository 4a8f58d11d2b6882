# `make verify` and `make test` need Python 3.11+ and make, nothing else: they make their own environment in .venv.
PYTHON  ?= python3
VENV    ?= .venv
PROFILE ?= default
DEVICE  ?= cpu
JOBS    ?= 2
LANES   ?= 1300000
RUN     ?= reports/latest/run.json
BIN     := $(VENV)/bin

.PHONY: help verify test lint soundness certified kills mutants planted hunts ablations figures constants appendix reports published latex pages \
	bench bench-compare speed gpu slow wheel-test clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/.ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "boundcheck needs Python 3.11 or newer; '$(PYTHON)' is older. Name another: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

verify: $(VENV)/.ready ## check every claim (PROFILE=fast|default|deep DEVICE=cpu|cuda|auto JOBS=2), write $(RUN)
	$(BIN)/python -m pytest theorems -n $(JOBS) --dist loadgroup -q \
		--boundcheck-profile $(PROFILE) --boundcheck-device $(DEVICE) --boundcheck-json $(RUN)

test: lint ## lint, types, import contract and all tests but the slowest
	$(BIN)/python -m pytest tests -n $(JOBS) -q -m "not slow"

slow: $(VENV)/.ready ## the tests that `make test` leaves out: all claims on a pretend GPU (two minutes)
	$(BIN)/python -m pytest tests -n $(JOBS) -q -m slow

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy boundcheck tests
	$(BIN)/lint-imports

soundness: $(VENV)/.ready ## compare more than a million screened numbers with ball arithmetic (LANES=1300000, JOBS=2)
	BOUNDCHECK_LANES=$(LANES) $(BIN)/python -m pytest tests/campaigns/run_soundness.py -n $(JOBS) -q -s

certified: $(VENV)/.ready ## prove a thousand instances of each true claim in ball arithmetic alone (some minutes)
	$(BIN)/python -m pytest tests/campaigns/run_certified.py -n $(JOBS) -q -s

kills: $(VENV)/.ready ## kill 300 runs at random moments: nothing reported may be lost (a few minutes)
	$(BIN)/python -m pytest tests/campaigns/run_kills.py -q -s

planted: $(VENV)/.ready ## bounds wrong by 1e-4 that 50,000 random instances do not break must fall to the hunt (some minutes)
	$(BIN)/python -m pytest tests/campaigns/run_planted.py -q -s

hunts: $(VENV)/.ready ## random search beside the hunt, after the same time, for twenty claims (many minutes)
	$(BIN)/python tests/campaigns/run_hunt.py

wheel-test: $(VENV)/.ready ## build wheel and sdist, install in a new environment, try it outside the repository (minutes, downloads torch)
	$(BIN)/python tests/campaigns/run_wheel.py

MUTATED := verdict:test_verdict_lanes.py,test_verdict.py \
	proof/finding:proof/test_finding_edges.py,proof/test_finding.py \
	rigor/enclosure:rigor/test_rounding_constants.py \
	rigor/arithmetic:rigor/test_rounding_constants.py \
	rigor/decisions:rigor/test_decision_edges.py,rigor/test_decisions.py

mutants: $(VENV)/.ready ## break the verdict and the enclosure kernels in every small way (minutes a module); tests/MUTATION.md says what may be left
	@for pair in $(MUTATED); do \
		$(BIN)/python tests/campaigns/run_mutants.py boundcheck/$${pair%%:*}.py $$(echo $${pair#*:} | tr , '\n' | sed 's|^|tests/|'); \
	done

figures: $(VENV)/.ready ## draw reports/dose-response.svg: loss of utility along a flow, between its certified bounds
	$(BIN)/python -m boundcheck.theorems.alignment_collapse.experiments.dose_response reports

PAPERS := local-edits alignment-collapse

reports: $(VENV)/.ready ## check both papers and write what came of it in every format: reports/local-edits, reports/alignment-collapse (PROFILE=default: the better part of an hour)
	@for paper in $(PAPERS); do \
		$(BIN)/python -m pytest theorems/$$(echo $$paper | tr - _) -n $(JOBS) --dist loadgroup -q \
			--boundcheck-profile $(PROFILE) --boundcheck-json reports/latest/$$paper/run.json || exit 1; \
	done
	@$(MAKE) --no-print-directory published

published: $(VENV)/.ready ## the same pages from the runs that `make reports` left in reports/latest
	@for paper in $(PAPERS); do \
		rm -rf reports/$$paper && mkdir -p reports/$$paper && \
		cp -r reports/latest/$$paper/run.json reports/latest/$$paper/counterexamples reports/latest/$$paper/extremes reports/$$paper/ && \
		for format in html markdown latex json; do \
			$(BIN)/boundcheck report reports/$$paper/run.json --format $$format -o reports/$$paper || exit 1; \
		done; \
	done

ABLATED := LE-6i:U LE-6ii:U LE-6iii:U LE-7:U LE-linear:corrected AC-6.2:corrected AC-6.3:corrected AC-quartic:lower

ablations: $(VENV)/.ready ## take the premises away in turn and hunt what is left (about five minutes), write reports/ablations
	$(BIN)/boundcheck ablate $(ABLATED) --structures 2 --lanes 32 --steps 40 --save reports/ablations

constants: $(VENV)/.ready ## find the constants that are needed: reports/constants.md, .svg, .json (minutes; goes on where it was interrupted)
	$(BIN)/python -m boundcheck.theorems.local_edits.experiments.constants reports

appendix: $(VENV)/.ready ## where d_eff and r part ways: reports/appendix-b.md, .svg, .json (two minutes)
	$(BIN)/python -m boundcheck.theorems.local_edits.experiments.spectra reports

latex: $(VENV)/.ready ## compile the LaTeX report of $(RUN) and of a hostile run with pdflatex; pages as PNG in .boundcheck/latex
	$(BIN)/python -m tests.campaigns.run_latex $(RUN) --pictures .boundcheck/latex

pages: $(VENV)/.ready ## open the HTML page of RUN in headless Chromium and check it (needs Chromium); screenshots in .boundcheck/pages
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'playwright>=1.45'
	$(BIN)/python -m tests.campaigns.run_pages $(RUN) --out .boundcheck/pages

ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1

bench: $(VENV)/.ready ## time geometry and claims beside other ways (some minutes; STRICT=1 fails where a target is missed), save in .benchmarks
	$(ONE_THREAD) BOUNDCHECK_STRICT=$(STRICT) $(BIN)/python -m pytest tests/benchmarks -o python_files='bench_*.py' -q -s \
		--benchmark-autosave --benchmark-quiet

bench-compare: $(VENV)/.ready ## the last two saves of `make bench` beside each other
	$(BIN)/python -m tests.benchmarks.compare

speed: $(VENV)/.ready ## write reports/speed.md, .json and figures of the last save of `make bench`
	$(BIN)/python -m tests.benchmarks.page

gpu: $(VENV)/.ready ## everything that must be as true on a GPU as on the CPU (needs one; BOUNDCHECK_GPU_SUITE_ON=cpu tries the suite itself)
	$(BIN)/python -m pytest tests/gpu -q -s

clean: ## remove the environment and everything made
	rm -rf $(VENV) build dist *.egg-info .boundcheck .benchmarks .hypothesis .pytest_cache .mypy_cache .ruff_cache reports/latest
