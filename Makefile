# What pywnv is checked, shown and measured with. `make` alone lists the targets.

VENV := .venv/bin
SUITES := trixie sid
NEXT := $(SUITES:%=test-next-%)
WINDOW := wireshark xvfb=Xvfb openbox xdotool imagemagick=import
SCREEN := $(WINDOW) chromium

# Where it is set, as in many containers, each start would compile all of pywnv and its tests anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo test test-fast test-next $(NEXT) coverage lint rules generate bench hostile fuzz screenshots docs release \
	clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: .venv/.done ## make .venv: pywnv, editable, and what its checks need

demo: setup ## show the main job on a capture
	@scripts/need.sh tshark
	@$(VENV)/python scripts/demo.py

test: lint ## run every check and every test
	@scripts/need.sh tshark $(SCREEN)
	$(VENV)/pytest -n 2

test-fast: setup ## run the quick tests: without Wireshark, with LuaJIT only
	@scripts/need.sh tshark
	$(VENV)/pytest -n 2 --fast

test-next: $(NEXT) ## run the Wireshark tests on the tshark of newer Debians

coverage: setup ## report the lines of Python and Lua that no test runs; takes longer than test
	@scripts/need.sh tshark $(SCREEN)
	$(VENV)/pytest -n 2 --cov --lua-coverage

lint: setup ## check Python, Lua, spelling and the generated files
	@scripts/need.sh lua-check=luacheck
	$(VENV)/ruff check
	$(VENV)/ruff format --check
	$(VENV)/mypy
	$(VENV)/codespell
	luacheck --quiet pywnv/lua lua/wnv.lua
	$(VENV)/pywnv generate --check

rules: setup ## switch each rule and limit of the engine off, and print which captures change
	$(VENV)/python tests/rules_off.py

generate: setup ## make lua/ and profiles/ from the tables
	$(VENV)/pywnv generate

bench: setup ## measure speed and memory
	@scripts/need.sh tshark
	$(VENV)/python benchmarks/run.py

hostile: setup ## measure captures made to defeat us
	$(VENV)/python benchmarks/hostile.py

fuzz: setup ## damage inputs for some minutes and see what breaks
	@scripts/need.sh tshark
	$(VENV)/python tests/fuzz.py

screenshots: setup ## take the pictures of the docs
	@scripts/need.sh $(SCREEN)
	$(VENV)/python scripts/screenshots.py
	$(VENV)/python scripts/report_pictures.py

docs: setup .venv/.docs ## build the pages as a web site in .cache/site; fails on a broken link
	NO_MKDOCS_2_WARNING=1 $(VENV)/mkdocs build --strict --quiet --site-dir .cache/site

release: setup ## build wheel, sdist and the zip of plugin and profiles in dist/
	$(VENV)/python scripts/release.py

clean: ## remove all that make has made
	rm -rf .venv .cache .hypothesis dist

.venv/.done: pyproject.toml
	@python=$$(scripts/python.sh) && "$$python" -m venv .venv
	@$(VENV)/pip install --quiet --editable '.[dev]'
	@touch $@

.venv/.docs: pyproject.toml
	@$(VENV)/pip install --quiet --editable '.[docs]'
	@touch $@

$(NEXT): test-next-%: setup .cache/next/%/.done
	@scripts/need.sh tshark $(WINDOW)
	PATH="$(CURDIR)/.cache/next/$*/bin:$$PATH" $(VENV)/pytest -n 2 -m wireshark

.cache/next/%/.done: scripts/next.sh
	@scripts/need.sh mmdebstrap
	scripts/next.sh $* $(@D) $(if $(filter sid,$*),wireshark)
