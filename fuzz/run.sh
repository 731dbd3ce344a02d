#!/usr/bin/env bash
# `make fuzz`: runs each fuzz target for FUZZ_SECONDS (60), with what earlier runs found as a start. What makes a target
# fail is kept below fuzz/artifacts; arguments are the targets to run instead of all.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! command -v cargo-fuzz >/dev/null; then
  printf '==> Installing cargo-fuzz\n'
  cargo install cargo-fuzz --locked
fi

# Coverage needs flags that the stable compiler only takes this way. The sanitizers would need a nightly compiler; there
# is no unsafe code of ours that they could check.
export RUSTC_BOOTSTRAP=1
[ "$#" -gt 0 ] || set -- expressions json_paths definitions
for target in "$@"; do
  printf '==> Fuzzing %s for %s seconds\n' "$target" "${FUZZ_SECONDS:-60}"
  mkdir -p "corpus/$target"
  cargo fuzz run --fuzz-dir . --sanitizer none "$target" "corpus/$target" "seeds/$target" -- \
    -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 -timeout=10 -rss_limit_mb=2048 -dict=words.dict
done
