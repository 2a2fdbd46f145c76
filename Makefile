# Everything that a developer runs. `make` alone says what there is.

PYTHON ?= python3
MINUTES ?= 10
# CONTRIBUTING.md says what to set for a small form.
TESTS =
SMALL =
MODULE =
JOB_SECONDS =
PICTURES = docs/images
export PIP_CACHE_DIR ?= $(CURDIR)/.cache/pip
export PIP_DISABLE_PIP_VERSION_CHECK = 1

PYTEST = -m pytest --quiet
# An environment is newer than what it was made from, or it is made again.
ENVIRONMENT = .venv/made
COMPAT = .compat/2.11 .compat/lowest .compat/clients

.DEFAULT_GOAL = help
.DELETE_ON_ERROR:
.PHONY: help demo ui test coverage lint docs browser pictures compat cluster bench soak $(COMPAT:.compat/%=compat-%) mutate environments clean

help:
	@echo 'Targets:'
	@sed -n 's/^\([a-z]*\):.*## /  \1 /p' $(MAKEFILE_LIST) | while read -r target what; do \
		printf '  make %-8s %s\n' "$$target" "$$what"; done

demo: $(ENVIRONMENT) ## run the example DAG on a real Airflow, against the emulator
	@.venv/bin/python -m demo

ui: $(ENVIRONMENT) ## the same, and leave Airflow's UI up until Ctrl-C
	@.venv/bin/python -m demo.ui $(if $(JOB_SECONDS),--job-seconds=$(JOB_SECONDS))

test: $(ENVIRONMENT) ## run the tests on Airflow 3
	@echo '== Tests with constraints.txt'
	@.venv/bin/python $(PYTEST) $(TESTS)

coverage: PYTEST += --cov --cov-report=term:skip-covered
coverage: test ## the same, and see what they do not reach

lint: $(ENVIRONMENT) ## check style, types and who imports whom
	@echo '== ruff check' && .venv/bin/ruff check
	@echo '== ruff format' && .venv/bin/ruff format --check
	@echo '== mypy' && .venv/bin/mypy
	@echo '== lint-imports' && .venv/bin/lint-imports
	@echo '== codespell' && .venv/bin/codespell

docs: $(ENVIRONMENT) ## build the documentation: .docs/html/index.html
	@AIRFLOW_HOME=$(CURDIR)/.docs/airflow .venv/bin/sphinx-build --quiet --fail-on-warning --keep-going docs .docs/html
	@echo 'The documentation is in .docs/html/index.html.'

browser: $(ENVIRONMENT) ## try the jobs page in Chromium, on a real Airflow
	@echo '== Tests of the page'
	@.venv/bin/python $(PYTEST) --override-ini='addopts=--import-mode=importlib' --confcutdir=tests/browser tests/browser

pictures: $(ENVIRONMENT) ## take the pictures of the page that the documentation shows
	@.venv/bin/python -m browser $(PICTURES)

compat: test $(COMPAT:.compat/%=compat-%) ## run the tests also on older Airflows, and Snowflake's own client

# These know no Airflow, so an older one changes nothing for them.
compat-2.11 compat-lowest: PYTEST += --ignore=tests/cortex --ignore=tests/docs --ignore=tests/emulator
# What Airflow 2.11.0 itself is made of is deprecated in the eyes of the rest.
compat-lowest: PYTEST += --pythonwarnings=ignore::DeprecationWarning
compat-2.11 compat-lowest: compat-%: .compat/%/made
	@echo '== Tests with constraints-$*.txt'
	@.compat/$*/bin/python $(PYTEST)

compat-clients: .compat/clients/made
	@echo '== Tests of the emulator with snowflake-ml-python, without Airflow'
	@.compat/clients/bin/python $(PYTEST) --override-ini='addopts=--import-mode=importlib' --confcutdir=tests/clients tests/clients

bench: $(ENVIRONMENT) ## measure what waiting costs, and write benchmarks/RESULTS.md
	@.venv/bin/python -m benchmarks $(if $(SMALL),--small)

soak: $(ENVIRONMENT) ## run 500 waits for MINUTES=10, and check that nothing grows
	@.venv/bin/python -m benchmarks.soak --minutes $(MINUTES)

cluster: .compat/cluster/made ## wait for many jobs on a cluster of processes, with chaos
	@.compat/cluster/bin/python -m cluster

# What the names of the mutants begin with: of all, or of those of one MODULE.
MUTANTS = airflow_provider_cortex.$(if $(MODULE),$(subst /,.,$(MODULE)).)
RESULTS = .compat/mutation/bin/mutmut results | sed -n '/^ *$(MUTANTS)/p'
# A mutant in cortex/ is tried with the tests in tests/cortex only (tests/mutation.py).
mutate: export PYTEST_ADDOPTS = $(if $(filter cortex/%,$(MODULE)),--deselect=tests/test_)
mutate: .compat/mutation/made ## change the code in many small ways, and list what no test notices
	@.compat/mutation/bin/mutmut run $(if $(MODULE),'$(MUTANTS)*')
	@echo '== What a few seconds of tests did not notice is tried with all of them'
	@$(RESULTS) | sed -n 's/^ *\(.*\): survived$$/\1/p' \
		| MUTATE_SECONDS=600 xargs --no-run-if-empty .compat/mutation/bin/mutmut run
	@$(RESULTS)

clean: ## remove all that these targets have made
	rm -rf .browser .cache .cluster .compat .coverage .demo .docs .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache .venv build dist mutants
	find . -name __pycache__ -prune -exec rm -rf {} +

# What a machine that checks everything needs, two at a time: make --jobs=2 environments
environments: $(ENVIRONMENT) $(COMPAT:%=%/made) .compat/cluster/made .compat/mutation/made

# $(call environment,constraints,what to install): make the environment that the target's file is in.
# Python compiles what it imports; to compile all that is installed takes as long as to install it.
# pip comes first: the one of Python 3.11 knows neither --group nor --build-constraint.
define environment
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("This needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + ". Try: make PYTHON=python3.11")'
	@echo '== Installing into $(@D), as $(1) says'
	@$(PYTHON) -m venv --clear $(@D)
	@$(@D)/bin/pip install -qq --constraint $(1) pip
	@$(@D)/bin/pip install -qq --no-compile --constraint $(1) --build-constraint $(1) $(2)
	@touch $@
endef

.venv/made: pyproject.toml constraints.txt
	$(call environment,constraints.txt,--editable '.[emulator]' --group test --group browser --group docs --group lint)
	@# Its tests run in several processes, and each would compile the same.
	@.venv/bin/python -m compileall -qq -j 0 .venv/lib

.compat/2.11/made: pyproject.toml constraints-2.11.txt
	$(call environment,constraints-2.11.txt,--editable '.[emulator]' --group test)

.compat/lowest/made: pyproject.toml constraints-lowest.txt
	$(call environment,constraints-lowest.txt,--editable '.[emulator]' --group test)

.compat/cluster/made: pyproject.toml constraints-cluster.txt
	$(call environment,constraints-cluster.txt,--editable '.[emulator]' --group cluster)

.compat/mutation/made: pyproject.toml constraints.txt
	$(call environment,constraints.txt,--editable '.[emulator]' --group test --group mutation)

.compat/clients/made: pyproject.toml constraints-clients.txt
	$(call environment,constraints-clients.txt,'fakesnow[server]' pytest snowflake-ml-python trustme)
	@$(@D)/bin/pip install -qq --no-compile --no-deps --build-constraint constraints-clients.txt --editable .
