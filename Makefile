.DEFAULT_GOAL := help
.PHONY: help lab-up lab-down status features crash test scenarios unit lint lint-ci summary metrics cache-keys bench hosts venv browser
.NOTPARALLEL: # one thing after the other, also with -j

# Of the user's shell nothing may decide what runs here; the lab's own programs see to the rest.
unexport BASH_ENV ENV SHELLOPTS BASHOPTS POSIXLY_CORRECT CDPATH PYTHONPATH PYTHONHOME PYTHONSAFEPATH PYTHONOPTIMIZE
unexport PYTHONWARNINGS PYTHONPLATLIBDIR MYPYPATH PYTEST_ADDOPTS PYTEST_PLUGINS PYTEST_DISABLE_PLUGIN_AUTOLOAD

SCRIPTS = lab/host.sh lab/host/*.sh faults/scripts/*.sh lab/providers/own/*.sh provisioning/ansible/roles/*/files/*.sh deployments/checkpoints/*.sh provisioning/images/base/make \
	provisioning/images/*/start provisioning/images/machine/disk tests/hosts/host tests/hosts/another-user tests/hosts/make-disk tests/hosts/make-kernel tests/hosts/run-kernel tests/hosts/chroot.sh tests/hosts/guest/* tests/plain/machines \
	.ci/run .ci/evidence .ci/install-libvirt .ci/install-vagrant .ci/lint-workflows
SOURCE = $(if $(BUNDLE),--bundle "$(BUNDLE)") $(if $(FROM),--from "$(FROM)")
RESULTS = --junitxml=.lab/junit.xml --cucumberjson=.lab/cucumber.json $(if $(ALLURE),--alluredir=$(ALLURE))

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 12

lab-up: ## bring the lab up (installs what the host lacks, asks before sudo); BUNDLE=FILE or FROM=URL: without a network
	@lab/host.sh $(SOURCE)
	@.venv/bin/lab up $(SOURCE)

lab-down: venv ## take the lab down and remove all it made
	@.venv/bin/lab down $(if $(FORCE),--force)

status: venv ## what runs, and where
	@.venv/bin/lab status

features: venv browser ## play every scenario on the lab that is up (half an hour with LABS=auto); PART=FOLDER: those of one
	@.venv/bin/pytest -c pyproject.toml $(or $(PART),features/ --ignore=features/chaos/crash) $(LABS:%=-n %) $(RESULTS)

crash: venv ## kill the harness in the middle of every kind of fault, and cut every command, ten times or TIMES
	@.venv/bin/pytest $(or $(PART),features/chaos/crash) --times $(or $(TIMES),10) $(RESULTS)

test: unit scenarios ## unit, then scenarios

scenarios: lab-up browser ## on as many labs as fit: the article, its healing and each fault once
	@.venv/bin/pytest features/article features/healing features/chaos/test_every_fault.py -n auto $(RESULTS)

unit: venv ## the tests that need no machines
	@.venv/bin/pytest -n auto tests/

lint: venv ## style and types
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/shellcheck --severity=warning $(SCRIPTS)

lint-ci: ## what CI runs, with actionlint (Go builds it the first time)
	@lab/host.sh --go
	@.ci/lint-workflows

summary: venv ## the numbers of the newest run, as Markdown
	@.venv/bin/lab report --format markdown

metrics: venv ## the same as OpenMetrics
	@.venv/bin/lab report --format openmetrics

cache-keys: venv ## what names the cache's content, for a CI that keeps it
	@.venv/bin/python -I -m provisioning.build.keys

bench: venv ## measure the lab
	@.venv/bin/python -m bench

hosts: ## type these commands on Debian 12 and 13, on kernels of their own and in containers (an hour and a half)
	@tests/hosts/host all

venv:
	@lab/host.sh --venv-only

browser:
	@lab/host.sh --browser
