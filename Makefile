# snaploop: everything a newcomer needs. `make demo` and `make test` do their own set-up.
PYTHON ?= python3.11
BIN := .venv/bin

.PHONY: demo try test check setup fast clean

demo: setup  ## the whole loop on a virtual board: photos by touch, labels, sync, training, kmodel, live video, twice
	$(BIN)/snaploop demo --out out/demo

try: setup  ## the same with your own hands: the host's page and a virtual board's, whose card is empty
	$(BIN)/snaploop try --out out/try

test: setup  ## every test, with training, compiling and Canaan's simulator for real; what mostly waits goes two files at a time
	$(BIN)/python -m pytest -m "not slow" -n 2 --dist loadfile --no-loadscope-reorder
	$(BIN)/python -m pytest -m slow

check: setup  ## format, lint, types, import contracts, unit tests: under a minute
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest tests/unit tests/portable -q -m "not slow" -n 2

setup:  ## .venv, Python and npm dependencies, .NET runtime, system libraries; seconds when nothing changed
	@PYTHON="$(PYTHON)" bash setup.sh

clean:  ## forget the environment and everything that was made
	rm -rf .venv node_modules out
