# Two commands set everything up on a fresh Debian machine: `make demo` and `make test`. Both install what is missing.

CARGO ?= cargo
PORTBOOK = target/release/portbook
SUDO := $(shell [ "$$(id -u)" = 0 ] || command -v sudo)
# What building needs: a C linker (rustc calls it), libpcap's headers and library, make's own shell tools are there.
PACKAGES = gcc libc6-dev libpcap-dev

.PHONY: demo test lab load deb readers build hostile fuzz noise determinism gate bench performance lint deps clean

demo: build
	$(PORTBOOK) analyze --role spinetix.player=10.1.0.0/24 fixtures/captures/demo

# xmllint reads what the format junit writes.
test: PACKAGES += libxml2-utils
test: deps
	$(CARGO) test --locked --all-features
	$(CARGO) run --locked --all-features --quiet -- check --expect fixtures/checks/demo.toml --role spinetix.player=10.1.0.0/24 fixtures/captures/demo

# The laboratory: real programs behind a real firewall in network namespaces, recorded, and watched live; and a browser that opens the pages. Needs root.
lab: deps
	fixtures/record/install
	fixtures/record/check
	$(CARGO) build -q --locked --all-features
	fixtures/record/live target/debug/portbook
	$(CARGO) test -q --locked --all-features --test watch -- --nocapture
	PORTBOOK_BROWSER=1 $(CARGO) test -q --locked --all-features --test html -- --nocapture

# What live capture bears, beside tcpdump and others, and a million flows in ten seconds: some five minutes. `LOAD=soak` half an hour of traffic, memory listed. Needs root.
LOAD ?= rates flood
load: build
	fixtures/record/install
	fixtures/record/load $(PORTBOOK) $(LOAD)

# A Debian package, installed and removed in a fresh minimal system where root and debootstrap are there. Needs cargo-deb.
deb: deps
	packaging/build
	packaging/check target/debian/portbook_*.deb

# What reads Suricata's, Zeek's and others' formats reads ours.
readers: deps
	tests/readers/install
	$(CARGO) test --locked --all-features --test readers -- --nocapture

build: deps
	$(CARGO) build --release --locked

# Every prefix of every recorded capture, each of its bytes changed, what guided fuzzing begins with, and rounds of mutation: the same ones every time.
ROUNDS ?= 10000
hostile: deps
	PORTBOOK_FUZZ_ROUNDS=$(ROUNDS) $(CARGO) test --locked --profile fuzz --test hostile --test distortion -- --nocapture

# Fuzzing guided by coverage, each target in turn for so many seconds. Needs cargo-fuzz (cargo install --locked cargo-fuzz) and a C++ compiler; stable Rust
# will do, as nothing is unsafe and no sanitizer is asked for. What is found lies in fuzz/artifacts/, what covers more in fuzz/corpus/.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?= capture frame dialogue signature site whole
fuzz: deps
	@$(CARGO) fuzz --version >/dev/null || { echo "cargo-fuzz is not installed: cargo install --locked cargo-fuzz"; exit 1; }
	PORTBOOK_FUZZ_SEEDS=fuzz/corpus $(CARGO) test --locked --test hostile -- seeds_are_written
	for target in $(FUZZ_TARGETS); do \
	  $(CARGO) fuzz run --sanitizer none $$target -- -max_total_time=$(FUZZ_SECONDS) -max_len=65536 -rss_limit_mb=2048 -timeout=60 -print_final_stats=1 || exit 1; \
	done

# Flows of nobody's protocol, and how many are taken for one.
FLOWS ?= 1000000
noise: deps
	PORTBOOK_NOISE_FLOWS=$(FLOWS) $(CARGO) test --locked --profile bench --test noise -- --nocapture

# Reports on every shared capture by 1, 2, 3 and 8 workers, byte for byte, what live flows hold on average of them, and what matched in the frames cited.
determinism: deps
	PORTBOOK_ALL=1 $(CARGO) test --locked --profile fuzz --test determinism --test held --test matched -- --nocapture

# The work of the whole road against that of the floor, in instructions, and the memory that it takes; a tenth more than in benches/gate.json fails, and 64 MiB on 1 GB of real traffic.
gate: build
	benches/gate

bench: deps
	$(CARGO) bench --locked

# The tables of PERFORMANCE.md: makes captures of SIZE (1G) in target/performance, and measures. On a quiet machine.
performance: build
	benches/performance

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
