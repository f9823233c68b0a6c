# Every target does its own set-up: a clone, Python 3.11 or newer, pip and a package registry are enough.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PEERS ?= .peers
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
# Images of Python often set it, and then each process compiles anew what it loads, each worker all its tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: soak wide-area help setup demo test lint unit pages trouble interop interop-sanity scale slow stories bench kill9 web-attacks faults hostile receivers receivers-varied hostile-receivers fuzz template-fuzz fuzz-short protocol dist dist-check deb docs mixin release typed clean

help:  ## list the targets
	@grep -hE '^[a-z0-9-]+:.*##' $(firstword $(MAKEFILE_LIST)) | sed 's/:.*##/\t/' | expand -t 16

# pip learned --group with 25.1; the one that comes with a Python may be older.
$(VENV)/.ready: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ": make PYTHON=...")'
	@echo "== set-up: a virtual environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --editable . --group dev
	@$(BIN)/python -m compileall -q src  # as pip does for what it installs otherwise
	@touch $@

setup: $(VENV)/.ready  ## make the virtual environment

demo: setup  ## three nodes over mutual TLS (ARGS="--with-alertmanager PATH --keep")
	@$(BIN)/python -m tools.demo $(ARGS)

# The suites that wait more than they work run side by side, each with its output in one piece. Not the pages:
# a browser among them takes four times as long, and keeps the others from their time.
test: lint  ## all that CI runs; the last is a minute of fuzzing
	@$(MAKE) --no-print-directory --output-sync=target --jobs=2 unit peers
	@$(MAKE) --no-print-directory --output-sync=target --jobs=2 trouble interop
	@$(MAKE) --no-print-directory pages
	@$(MAKE) --no-print-directory fuzz-short

peers:  ## fetch the real programs that tests run beside Tocsin, if that is possible here
	@tools/fetch-peers $(PEERS) >/dev/null || [ $$? -eq 3 ]

lint: setup  ## ruff and mypy --strict
	@echo "== lint"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy

unit: setup  ## every test that needs no other program and no cluster of processes
	@echo "== unit"
	@$(BIN)/pytest -q -n auto -m "not interop and not slow" --ignore=tests/faults --ignore=tests/interop --ignore=tests/pages

# One browser and one node at a time: they are shared. Status 3 of the tools: not possible here, the reason is printed.
pages: setup  ## the web pages in a real browser (Debian: apt install chromium)
	@echo "== pages"
	@tools/pages/check-types $(PEERS)/typescript || [ $$? -eq 3 ]
	@tools/pages/fetch-axe $(PEERS)/axe || [ $$? -eq 3 ]
	@TOCSIN_PEERS=$(abspath $(PEERS)) TOCSIN_AXE=$(abspath $(PEERS))/axe $(BIN)/pytest -q -m "not slow" tests/pages

# These wait far more than they work: more workers than cores.
trouble: setup  ## tests with real processes in trouble: killed, stopped, attacked, full disks, bad networks
	@echo "== trouble"
	@$(BIN)/pytest -q -n 4 --dist loadfile -m "not interop and not slow" tests/faults

# Tests wait more than they work, so more workers than cores; a file's tests share its clusters.
INTEROP := $(BIN)/pytest -q -n 5 --dist loadfile -m "interop and not slow" tests/interop

# With the peers fetched a skipped test is a failure. Status 3: none can be fetched here, the reason is printed.
interop: setup  ## tests beside the real Alertmanager, amtool, Prometheus and serf
	@echo "== interop"
	@tools/fetch-peers $(PEERS); status=$$?; \
	case $$status in \
	0) TOCSIN_PEERS=$(abspath $(PEERS)) TOCSIN_PEERS_REQUIRED=1 $(INTEROP) ;; \
	3) echo "no real peers here: the interop tests are skipped"; TOCSIN_PEERS=$(abspath $(PEERS)) $(INTEROP) ;; \
	*) exit $$status ;; \
	esac

interop-sanity: setup  ## the same with a real Alertmanager in our place: tests the tests
	@tools/fetch-peers $(PEERS)
	@TOCSIN_PEERS=$(abspath $(PEERS)) TOCSIN_INTEROP_OURS=alertmanager $(INTEROP) --deselect tests/interop/test_demo.py

soak: setup  ## a busy cluster for an hour: does anything grow? (ARGS="--minutes 5 --write docs/wide-area.md")
	@$(BIN)/python -m benchmarks.soak $(ARGS)

wide-area: setup  ## nine nodes in three regions, in network namespaces (root; ARGS="--seconds 60 --cluster all")
	@tools/fetch-peers $(PEERS) || [ $$? -eq 3 ]
	@TOCSIN_PEERS=$(abspath $(PEERS)) $(BIN)/python -m tests.faults.widearea $(ARGS)

scale: setup  ## large clusters in simulation: write docs/scale.md and its pictures (ten minutes and more)
	@$(BIN)/python -m simulation.scale --write docs

slow: setup  ## long simulations and soaks, property-based tests with all their examples, and tests beside the Alertmanagers between the oldest and the newest
	@tools/fetch-peers $(PEERS) || [ $$? -eq 3 ]
	@TOCSIN_THOROUGH=1 TOCSIN_PEERS=$(abspath $(PEERS)) $(BIN)/pytest -q -n auto -m "slow or hypothesis"

stories: setup  ## random stories against the real Alertmanager (ARGS="--seeds 0:1000 --nodes three --minimise")
	@tools/fetch-peers $(PEERS)
	@TOCSIN_PEERS=$(abspath $(PEERS)) $(BIN)/python -m tests.stories $(ARGS)

bench: setup  ## measure beside the real Alertmanager, write docs/performance.md (ARGS="--only NAME --quick")
	@tools/fetch-peers $(PEERS) || [ $$? -eq 3 ]  # not possible here: then Tocsin alone is measured
	@TOCSIN_PEERS=$(abspath $(PEERS)) $(BIN)/python -m benchmarks $(ARGS)

kill9: setup  ## kill a node at random points and look for losses (ARGS="--trials 1000 --seed 7")
	@$(BIN)/python -m tests.faults.kill9 $(ARGS)

web-attacks: setup  ## attack the HTTP interface and measure what others notice (ARGS="--seconds 4 --only pipelined")
	@$(BIN)/python -m tests.faults.web_attacks $(ARGS)

faults: setup  ## clusters of real processes on bad networks, disks and clocks (ARGS="--only killed --seed 7")
	@tools/fetch-peers $(PEERS) || [ $$? -eq 3 ]  # not possible here: then clusters of Tocsin alone
	@TOCSIN_PEERS=$(abspath $(PEERS)) $(BIN)/python -m tests.faults.suite $(ARGS)

hostile: setup  ## attack a running cluster in every known way, and measure it meanwhile (ARGS="--only streams --write docs/attacks.md")
	@$(BIN)/python -m tests.faults.hostile $(ARGS)

receivers: setup  ## play all captures of what Alertmanager sends to receivers (ARGS="--only slack --jobs 4")
	@$(BIN)/python -m tests.receivers $(ARGS)

receivers-varied: setup  ## sections made by chance, beside the real Alertmanager (ARGS="--count 300 --seed 7 --only slack")
	@tools/fetch-peers $(PEERS)
	@TOCSIN_PEERS=$(abspath $(PEERS)) $(BIN)/python -m tests.receivers.varied $(ARGS)

hostile-receivers: setup  ## receivers that behave badly: what each costs (ARGS="--only mail --write docs/bad-receivers.md")
	@$(BIN)/python -m tests.faults.hostile_receivers $(ARGS)

fuzz: setup  ## fuzz every parser for half an hour (ARGS="--seconds 60 --target stream")
	@$(BIN)/python -m tests.fuzz --seconds 1800 $(ARGS)

template-fuzz: setup  ## 20,000 templates made by chance, beside the real amtool (ARGS="--count 500 --seed 7 --keep")
	@tools/fetch-peers $(PEERS)
	@$(BIN)/python -m tests.templatefuzz $(ARGS) $(abspath $(PEERS))/alertmanager-sid/usr/bin/amtool

fuzz-short: setup  ## the same for half a minute
	@echo "== fuzz"
	@$(BIN)/python -m tests.fuzz --seconds 30

protocol: setup  ## generate the protobuf modules anew
	@PATH=$(abspath $(BIN)):$$PATH tools/generate-protocol

dist: setup  ## both distributions, tocsin-gossip and tocsin, as sdists and wheels in dist/
	@$(BIN)/python -m tools.dist

docs: setup  ## the documentation as a site, in build/docs; a warning is an error
	@$(PIP) install --group docs
	@$(BIN)/codespell --ignore-words-list=$(WORDS) README.md CHANGELOG.md ARCHITECTURE.md CONTRIBUTING.md SECURITY.md docs mixin examples packaging
	@$(BIN)/python -m sphinx -b html -q -W --keep-going -c docs/site . build/docs
	@echo build/docs/docs/index.html

WORDS := ot,nd,te,ser,assertIn

PROMTOOL ?= $(firstword $(abspath $(wildcard $(PEERS)/promtool-sid/usr/bin/promtool)) promtool)
mixin:  ## our rules, checked and tested by promtool (PROMTOOL=PATH)
	@$(PROMTOOL) check rules mixin/tocsin.rules.yml
	@cd mixin && $(PROMTOOL) test rules tests.yml

deb: setup  ## a Debian package of the node, in dist/
	@$(BIN)/python -m tools.debian

typed: setup  ## what pyright and mypy --strict see of the library as it is installed, and of its examples
	@$(PIP) install --group release
	@$(BIN)/python -m tools.typed

release: setup  ## both distributions with SBOM, audit and checksums, in dist/ (TAG=v0.2.0)
	@$(PIP) install --group release
	@$(BIN)/python -m tools.release --tag "$(TAG)"

dist-check: setup  ## the same, each installed alone in a fresh environment
	@$(BIN)/pytest -q -m slow tests/packaging

clean:  ## remove what the targets made
	rm -rf $(VENV) $(PEERS) .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis
