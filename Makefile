# Thin: what it does, the programs do. Every target works from a fresh checkout.
TARGET := $(or $(CARGO_TARGET_DIR),target)
PROGRAMS := -p vvtv-exporter -p vvtv-playout -p vvtv-remediator -p vvtvctl -p vvtv-tests
FUZZ := $(wildcard */fuzz/Cargo.toml */*/fuzz/Cargo.toml)

.PHONY: help up break test soak lint advisories bench fuzz packages

help: ## This list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

up: packages ## The whole stack on this machine, with a live board; Ctrl-C stops everything
	cargo build --profile lab --no-default-features --locked --bins $(PROGRAMS)
	@$(TARGET)/lab/vvtv-lab up

break: ## Harm the running stack: make break FAULT=encoder-frozen (UNDO=1 takes it back); without FAULT, a list
	@test -x $(TARGET)/lab/vvtv-lab || { echo 'no stack was built yet: make up'; exit 1; }
	@$(TARGET)/lab/vvtv-lab break $(FAULT) $(if $(UNDO),--undo)

test: ## Every test, the end-to-end ones on the real components too
	@deploy/packages tests
	@if cargo nextest --version >/dev/null 2>&1; then \
		set -x; cargo nextest run --workspace --locked && cargo test --workspace --locked --doc; \
	else \
		set -x; cargo test --workspace --locked -- --test-threads=1 --skip soak::; \
	fi

soak: packages ## Faults of quality on the real components, minutes each
	cargo nextest run --profile soak --workspace --locked

lint: tools ## Format, clippy, documentation, unused and forbidden dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked
	cargo machete
	cargo fetch --locked
	cargo deny --offline check bans licenses sources
	@echo 'lint: known vulnerabilities of dependencies are not looked for here, because that takes the network: make advisories'

advisories: tools ## Known vulnerabilities of dependencies, by the RustSec database (takes the network)
	cargo deny check advisories

bench: packages ## Benchmarks, then how long each fault lasts on the real stack (a quarter of an hour)
	cargo bench --workspace --locked
	cargo build --release --locked $(PROGRAMS)
	@$(TARGET)/release/vvtv-lab bench

fuzz: ## Fuzz every parser for a minute each, from the recorded inputs on (needs a nightly toolchain; SECONDS=10 for less)
	@cargo fuzz --version >/dev/null 2>&1 || { echo 'installing cargo-fuzz: takes a minute'; cargo install --locked --quiet cargo-fuzz --version 0.13.1; }
	@set -e; $(if $(FUZZ),,echo 'there are no fuzz targets';) for manifest in $(FUZZ); do \
		cd $$(dirname $$manifest)/..; \
		for target in $$(cargo +nightly fuzz list); do \
			mkdir -p fuzz/corpus/$$target; \
			cargo +nightly fuzz run $$target fuzz/corpus/$$target tests/fixtures $(CURDIR)/streaming/tests/fixtures -- \
				-max_total_time=$(or $(SECONDS),60) -timeout=5 -rss_limit_mb=1024; \
		done; \
		cd $(CURDIR); \
	done

packages:
	@deploy/packages

.PHONY: tools
tools:
	@cargo machete --version >/dev/null 2>&1 || { echo 'installing cargo-machete: takes a minute'; cargo install --locked --quiet cargo-machete --version 0.9.2; }
	@cargo deny --version >/dev/null 2>&1 || { echo 'installing cargo-deny: takes some minutes'; cargo install --locked --quiet cargo-deny --version 0.20.2; }
