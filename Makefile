# Two commands set everything up on a fresh Debian machine: `make demo` and `make test`. Both install what is missing.

CARGO ?= cargo
PORTBOOK = target/release/portbook
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
# What building needs: a C linker (rustc calls it), libpcap's headers and library, make's own shell tools are there.
PACKAGES = gcc libc6-dev libpcap-dev

.PHONY: demo test lab build fuzz bench lint deps clean

demo: build
	$(PORTBOOK) analyze --role spinetix.player=10.1.0.0/24 fixtures/captures/demo

test: deps
	$(CARGO) test --locked --all-features

# The laboratory: real programs behind a real firewall in network namespaces. Needs root.
lab: deps
	fixtures/record/install
	fixtures/record/check

build: deps
	$(CARGO) build --release --locked

# Rounds of mutation over captures, frames, dialogues and signature files: the same rounds every time.
ROUNDS ?= 10000
fuzz: deps
	PORTBOOK_FUZZ_ROUNDS=$(ROUNDS) $(CARGO) test --locked --profile fuzz --test hostile -- --nocapture rounds

bench: deps
	$(CARGO) bench --locked

lint: deps
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets --all-features -- -D warnings
	@if command -v cargo-deny >/dev/null; then $(CARGO) deny --offline check bans licenses sources; else echo "skipped: cargo-deny is not installed"; fi

deps:
	@command -v $(CARGO) >/dev/null || { echo "cargo is not installed: see https://rustup.rs (Rust 1.90 or newer)"; exit 1; }
	@command -v dpkg >/dev/null || { echo "not Debian: a C linker and libpcap's headers are taken to be there"; exit 0; }; \
	missing=; for p in $(PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; [ -n "$$missing" ] || exit 0; \
	echo "installing$$missing"; \
	$(SUDO) apt-get update -qq && $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null

clean:
	$(CARGO) clean
