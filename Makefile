# Everything that a developer runs. `make` alone says what there is.

PYTHON ?= python3
MINUTES ?= 10
# CONTRIBUTING.md says what to set for a small form.
TESTS =
SMALL =
MODULE =
JOB_SECONDS =
CONN_ID =
GUESSES =
YES =
PICTURES = docs/images
# For demo, ui and browser: one of environments/environments.toml.
ENVIRONMENT = 3.3
BROWSERS = chromium firefox
# For matrix: some of them, instead of all.
ENVIRONMENTS =

PYTEST = -m pytest --quiet
# $(install) NAME makes that environment, unless it is there: the first line of what needs it.
install = $(PYTHON) -m environments install
# The programs of the environment 3.3, and of ENVIRONMENT.
MAIN = .venv/bin
CHOSEN = $(if $(filter 3.3,$(ENVIRONMENT)),.venv,.compat/$(ENVIRONMENT))/bin

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help demo demo-weekly ui test coverage matrix lint docs live browser pictures cluster bench soak mutate package environments pins clean

help:
	@echo 'Targets:'
	@sed -n 's/^\([a-z-]*\):.*## /  \1 /p' $(MAKEFILE_LIST) | while read -r target what; do \
		printf '  make %-12s %s\n' "$$target" "$$what"; done

demo: ## run the example DAG on a real Airflow, against the emulator
	@echo 'The demo takes about a minute. The first run also installs about 1 GB into the checkout.'
	@$(install) $(ENVIRONMENT)
	@$(CHOSEN)/python -m demo

demo-weekly: ## run four weeks of the weekly example on a real Airflow, and show what became of each
	@echo 'The demo takes one to two minutes. The first run also installs about 1 GB into the checkout.'
	@$(install) $(ENVIRONMENT)
	@$(CHOSEN)/python -m demo.weekly

ui: ## run the example DAG, and leave Airflow's UI up until Ctrl-C
	@$(install) $(ENVIRONMENT)
	@$(CHOSEN)/python -m demo.ui $(if $(JOB_SECONDS),--job-seconds=$(JOB_SECONDS))

test: ## run the tests on Airflow 3.3, but for the slow ones
	@$(install) 3.3
	@$(MAIN)/python $(PYTEST) $(or $(TESTS),-m 'not slow')

coverage: PYTEST += --cov --cov-report=term:skip-covered
coverage: test ## the same, and see what they do not reach

matrix: ## run the tests on every supported Airflow and Python, and print a table
	@$(PYTHON) -m environments matrix $(ENVIRONMENTS)

lint: ## check style, types and who imports whom
	@$(install) 3.3
	@echo '== ruff check' && $(MAIN)/ruff check
	@echo '== ruff format' && $(MAIN)/ruff format --check
	@echo '== mypy' && $(MAIN)/mypy
	@echo '== lint-imports' && $(MAIN)/lint-imports
	@echo '== codespell' && $(MAIN)/codespell

docs: ## build the documentation: .docs/html/index.html
	@$(install) 3.3
	@AIRFLOW_HOME=$(CURDIR)/.docs/airflow $(MAIN)/sphinx-build --quiet --fail-on-warning --keep-going docs .docs/html
	@echo 'The documentation is in .docs/html/index.html.'

# Only errors of Airflow's log: the report stands alone.
live: export AIRFLOW_HOME = $(CURDIR)/.live
live: export AIRFLOW__LOGGING__LOGGING_LEVEL = CRITICAL
live: ## check in a real account what is guessed about Snowflake
	@$(install) 3.3
	@$(MAIN)/python -m live $(if $(CONN_ID),--conn-id=$(CONN_ID)) $(if $(YES),--yes) $(GUESSES)

browser: export BROWSERS := $(BROWSERS)
browser: ## try the jobs page in Chromium and Firefox, on a real Airflow
	@$(install) $(ENVIRONMENT)
	@$(CHOSEN)/python $(PYTEST) --override-ini='addopts=--import-mode=importlib' --confcutdir=tests/browser $(or $(TESTS),tests/browser)

pictures: ## take the pictures of the page that the documentation shows
	@$(install) 3.3
	@$(MAIN)/python -m browser $(PICTURES)

bench: ## measure what waiting costs, and write benchmarks/RESULTS.md
	@$(install) 3.3
	@$(MAIN)/python -m benchmarks $(if $(SMALL),--small)

soak: ## run 500 waits for MINUTES=10, and check that nothing grows
	@$(install) 3.3
	@$(MAIN)/python -m benchmarks.soak --minutes $(MINUTES)

cluster: ## wait for many jobs on a cluster of processes, with chaos
	@$(install) cluster
	@.compat/cluster/bin/python -m cluster

# What the names of the mutants begin with: of all, or of those of one MODULE.
MUTANTS = airflow_provider_cortex.$(if $(MODULE),$(subst /,.,$(MODULE)).)
RESULTS = .compat/mutation/bin/mutmut results | sed -n '/^ *$(MUTANTS)/p'
# A mutant in cortex/ is tried with the tests in tests/cortex only (tests/mutation.py).
mutate: export PYTEST_ADDOPTS = $(if $(filter cortex/%,$(MODULE)),$(addprefix --deselect=tests/,test_ evaluation/ models/ training_data/))
mutate: ## change the code in many small ways, and list what no test notices
	@$(install) mutation
	@.compat/mutation/bin/mutmut run $(if $(MODULE),'$(MUTANTS)*')
	@echo '== What a few seconds of tests did not notice is tried with all of them'
	@$(RESULTS) | sed -n 's/^ *\(.*\): survived$$/\1/p' \
		| MUTATE_SECONDS=600 xargs --no-run-if-empty .compat/mutation/bin/mutmut run
	@$(RESULTS)

# Without isolation, its tools are those of the environment, with the versions in constraints/.
package: ## make the wheel and the source distribution, in dist/
	@$(install) 3.3
	@rm -rf dist
	@$(MAIN)/python -m build --no-isolation --outdir dist >/dev/null
	@$(MAIN)/twine check --strict dist/*

environments: ## make every environment at once, to work without a network later
	@$(install)

pins: ## choose the versions of all environments anew: constraints/
	@$(PYTHON) -m environments pins

clean: ## remove all that these targets have made
	rm -rf .browser .cache .cluster .compat .coverage .demo .docs .hypothesis .import_linter_cache .latency .live .mypy_cache .pytest_cache .ruff_cache .venv build dist mutants
	find . -name __pycache__ -prune -exec rm -rf {} +
