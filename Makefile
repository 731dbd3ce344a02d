# Every target is what CI runs or what a user needs. Add behaviour to a target, not a target.
.PHONY: run test check openapi bench soak fuzz

run: ## builds Tidegate and starts it with a demo Kafka: management, one gateway, everything in memory or ./.tidegate
	@tests/services/packages.sh build
	@echo '==> Building Tidegate (release; the first build takes about ten minutes)'
	@cargo build --release --workspace
	@exec target/release/tidegate dev

test: ## installs what the tests need, runs all of them against private PostgreSQL, Kafka and Redis, stops those again
	@tests/services/test.sh $(ARGS)

check: ## formatting and lints, warnings denied
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings

openapi: ## writes the document of the management API again
	cargo build --workspace
	target/debug/tidegate openapi > target/management-api.json
	mv target/management-api.json openapi/management-api.json

bench: ## measures against floors in the same run and prints ratios; about five minutes
	@benches/run.sh $(ARGS)

soak: ## runs producers, readers and faults on every broker for MINUTES (5), prints verdicts and the gateways' memory slope
	@tests/services/packages.sh test
	@cargo build --workspace
	@tests/services/with.sh cargo test --workspace --test drive -- soak --minutes $(or $(MINUTES),5) $(ARGS)

fuzz: ## feeds garbage to expressions, JSON paths and definitions, a minute each (FUZZ_SECONDS overrides)
	@fuzz/run.sh $(ARGS)
