PYTHON ?= python3
BIN := .venv/bin
export TF_CPP_MIN_LOG_LEVEL ?= 3

.PHONY: setup demo test lint bench eval readme

setup: .venv/.installed

.venv/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable ".[dev]"
	touch $@

demo: setup  ## the main job: list, load, export three ways, check, time, predict without TensorFlow
	$(BIN)/python -m zoo.demo

test: setup
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile
	$(BIN)/python -m pytest --nbmake notebooks -p no:warnings

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## latency of every HAR model on every runtime, interleaved, and the demo; rewrites zoo/benchmarks/results
	$(BIN)/python -m zoo.benchmarks.latency
	$(BIN)/python -m zoo.demo > zoo/benchmarks/results/demo.txt

eval: setup  ## every score of every card, again, on Keras and on ONNX ($$ZOO_DATA or a download)
	$(BIN)/python -m zoo.cli.evaluating

readme: setup  ## the README's tables, from the cards and the results
	$(BIN)/python -m zoo.benchmarks.readme
