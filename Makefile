PYTHON ?= python3
BIN := .venv/bin
export TF_CPP_MIN_LOG_LEVEL ?= 3
# Modules are compiled when they are first imported, and kept: most of what pip installs is never imported.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test conformance lint bench bench-report bench-guard eval readme

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: setup  ## the main job: list, load, export three ways, check, time, predict without TensorFlow
	$(BIN)/python -m zoo.demo

test: setup
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest --numprocesses auto --nbmake notebooks -p no:warnings

conformance: setup  ## what `make test` leaves out: further cases of what others show already
	CONFORMANCE=all $(BIN)/python -m pytest -m thorough --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## every suite, its results as CSV in zoo/benchmarks/results, and the demo; three quarters of an hour
	for suite in latency cost inference streaming scaling forms pretrained layers; do \
		$(BIN)/python -m zoo.benchmarks.$$suite || exit 1; done
	$(BIN)/python -m zoo.demo > zoo/benchmarks/results/demo.txt

bench-report: setup  ## the pictures and the README's tables, from the results
	$(BIN)/python -m zoo.benchmarks.report
	$(BIN)/python -m zoo.benchmarks.readme

bench-guard: setup  ## the inference suite again: fails if a ratio fell by more than 25 %
	$(BIN)/python -m zoo.benchmarks.guard

eval: setup  ## every score of every card, again, on Keras and on ONNX ($$ZOO_DATA or a download)
	$(BIN)/python -m zoo.cli.evaluating

readme: setup  ## the README's tables, from the cards and the results
	$(BIN)/python -m zoo.benchmarks.readme
