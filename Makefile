# make demo    try it: an environment, a lopsided tree, the balanced one
# make test    everything CI runs: lint, types, contracts, tests
# make check   all of that but the tests
# make bench-faults     what the fault bench of the tests takes from Debian; without it, or without root, layers are skipped
# make browser         Chromium, in which tests open reports, from Debian; without it these are skipped
# make mutations        each guard taken out once, and the layer of the fault bench that goes red
# make frameworks       Keras and torch, to which tests give exported weights; without them these are skipped
# make recipe-tools     the programs and loaders of docs/recipes.md, each in an environment of its own; without them tests run the commands alone
# make bench   speed beside the peers that make bench-setup has installed (REBALANCE_DATA leads to the photographs)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check lint bench bench-setup bench-faults bench-faults-install browser mutations frameworks recipe-tools clean
.DELETE_ON_ERROR:

demo: $(VENV)/.installed
	@test -d demo/lopsided || $(BIN)/rebalance demo demo/lopsided >/dev/null
	@echo "== before: demo/lopsided"
	@$(BIN)/rebalance inspect demo/lopsided
	@echo "== rebalance augment demo/lopsided -o demo/balanced"
	@$(BIN)/rebalance augment demo/lopsided -o demo/balanced
	@echo "== after: demo/balanced"
	@for folder in demo/balanced/*/; do echo "$$(basename $$folder)  $$(ls $$folder | wc -l)"; done
	@$(BIN)/rebalance verify demo/balanced --source demo/lopsided

test: check
	$(BIN)/python -m pytest --cov --cov-report=term

check: lint
	$(BIN)/mypy
	$(BIN)/lint-imports

lint: $(VENV)/.developing
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(VENV)/.developing
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/copying.py
	$(BIN)/python benchmarks/holdout.py
	$(BIN)/python benchmarks/counting.py
	$(BIN)/python benchmarks/scaling.py

PEERS := keras augmentor albumentations imgaug split-folders imbalanced-learn
bench-setup: $(PEERS:%=benchmarks/.peers/%/.installed)

benchmarks/.peers/%/.installed: benchmarks/peers/%.txt
	$(PYTHON) -m venv benchmarks/.peers/$*
	benchmarks/.peers/$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

FAULT_PROGRAMS := cc strace mkfs.ext4 mkfs.xfs mkfs.btrfs lowntfs-3g mount.exfat-fuse mkfs.exfat disorderfs unshare
FAULT_PACKAGES := gcc libc6-dev strace e2fsprogs xfsprogs btrfs-progs ntfs-3g exfat-fuse exfatprogs disorderfs util-linux
bench-faults:
	@for program in $(FAULT_PROGRAMS); do command -v $$program >/dev/null || exec $(MAKE) --no-print-directory bench-faults-install; done

bench-faults-install:
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $(FAULT_PACKAGES)

browser:
	@command -v chromium >/dev/null && command -v chromedriver >/dev/null || { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium chromium-driver fonts-dejavu-core; }

frameworks: $(VENV)/.developing
	$(BIN)/python -m pip install --quiet --disable-pip-version-check keras torch

RECIPE_TOOLS := dvc snakemake pre-commit keras datasets
recipe-tools: $(RECIPE_TOOLS:%=tests/.tools/%/.installed)

tests/.tools/keras/.installed: BESIDE := tensorflow-cpu pillow
tests/.tools/datasets/.installed: BESIDE := pillow
tests/.tools/torchvision/.installed: BESIDE := torch
tests/.tools/%/.installed:
	$(PYTHON) -m venv tests/.tools/$*
	tests/.tools/$*/bin/python -m pip install --quiet --disable-pip-version-check $* $(BESIDE)
	@touch $@

mutations: $(VENV)/.developing
	$(BIN)/python -m tests.faults.mutations

clean:
	rm -rf $(VENV) demo build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage*

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.developing: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@
