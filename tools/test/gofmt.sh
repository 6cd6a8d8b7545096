#!/usr/bin/env bash
# Fails and shows the difference when a Go file is not formatted: gofmt itself always ends with 0.
set -euo pipefail
difference=$(gofmt -d "$@")
if [ -n "$difference" ]; then
  echo "$difference"
  exit 1
fi
