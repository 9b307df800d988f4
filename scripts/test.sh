#!/usr/bin/env bash
# Runs all tests under the race detector. Those with real calls measure what
# callers hear, gaps of tenths of a second among it: they have the machine, one
# package at a time and three tests of it at once, for they mostly wait. The
# others run beside them with the processor time that is left over.
#
#   scripts/test.sh [flags of go test]
set -euo pipefail
export REQUIRE_REAL=1
real=(./cmd/markaz ./asterisk ./asterisk/observe ./apps/dashboard ./dialplan ./asterisk/testbed)
flags=(-race -timeout 15m -p 1 "$@")

mapfile -t light < <(go list ./... | grep -vxF "$(go list "${real[@]}")")
log=$(mktemp)
nice -n 19 go test "${flags[@]}" "${light[@]}" >"$log" 2>&1 &
beside=$!
stop() {
  kill "$beside" 2>/dev/null || true
  wait "$beside" || true
  rm -f "$log"
}
trap stop EXIT

failed=0
go test "${flags[@]}" -parallel 3 "${real[@]}" || failed=1
wait "$beside" || failed=1
cat "$log"
exit "$failed"
