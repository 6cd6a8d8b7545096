#!/usr/bin/env bash
# Builds parts of the Pulumi engine from Go modules, each only when its binary is missing.
#
#   bash tools/engine/build.sh [--into DIR] PART...
#
# PART is cli, nodejs, yaml, docker or command. The last lines on stdout are `PART=PATH`, one for
# each PART in the order asked for; everything else goes to stderr. Without --into, a part goes to
# ${XDG_CACHE_HOME:-$HOME/.cache}/ipyparallel-cluster/engine/PART-KEY/bin, where KEY is made of
# the part's sources, its go.sum and the Go version: what has changed is built anew, nothing else.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
version_flag="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"

# part_of PART sets folder, package, binary and ldflags.
part_of() {
  ldflags="-s -w"
  case $1 in
    cli)
      folder=pulumi
      package=github.com/pulumi/pulumi/pkg/v3/cmd/pulumi
      ldflags+=" $version_flag=3.259.0"
      ;;
    nodejs)
      folder=language-nodejs
      package=github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs
      ldflags+=" $version_flag=3.66.0"
      ;;
    yaml)
      folder=language-yaml
      package=github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml
      ldflags+=" -X github.com/pulumi/pulumi-yaml/pkg/version.Version=1.38.1"
      ;;
    docker | command)
      folder=$1
      package=./cmd/pulumi-resource-$1
      ;;
    *)
      echo "$0: unknown part \"$1\": use cli, nodejs, yaml, docker or command" >&2
      exit 2
      ;;
  esac
  binary=$(basename "$package")
}

# key prints the hash of what decides the binary of the part that part_of has set.
key() {
  (
    cd "$here/$folder"
    echo "$package $ldflags $(go env GOVERSION GOOS GOARCH)"
    find . -type f ! -name '*_test.go' ! -path '*/testdata/*' ! -name '*.md' -print0 |
      LC_ALL=C sort -z | xargs -0 sha256sum
  ) | sha256sum | cut -c1-16
}

# build PART [DIR] makes the binary in DIR when it is missing, and sets path.
build() {
  part_of "$1"
  local dir=${2:-}
  if [ -z "$dir" ]; then
    dir=${XDG_CACHE_HOME:-$HOME/.cache}/ipyparallel-cluster/engine/$1-$(key)/bin
  fi
  mkdir -p "$dir"
  path=$(cd "$dir" && pwd)/$binary
  [ -x "$path" ] && return
  exec 9>"$dir/.lock"
  flock 9
  [ -x "$path" ] && return

  echo "engine: building $binary ..." >&2
  local started=$SECONDS log new
  log=$(mktemp)
  new=$(mktemp "$dir/.$binary.XXXXXX")
  if ! (cd "$here/$folder" &&
    go build -mod=readonly -trimpath -buildvcs=false -ldflags "$ldflags" -o "$new" "$package") >"$log" 2>&1; then
    echo "engine: building $binary failed:" >&2
    cat "$log" >&2
    rm -f "$log" "$new"
    exit 1
  fi
  chmod 755 "$new"
  mv "$new" "$path"
  rm -f "$log"
  exec 9>&-
  echo "engine: built $binary in $((SECONDS - started)) s" >&2
}

main() {
  local into="" part lines=()
  if [ "${1:-}" = --into ]; then
    into=${2:?--into needs a folder}
    shift 2
  fi
  if [ $# -eq 0 ]; then
    echo "usage: $0 [--into DIR] cli|nodejs|yaml|docker|command ..." >&2
    exit 2
  fi
  if ! command -v go >/dev/null; then
    echo "engine: building Pulumi's engine needs Go 1.26 or newer on the PATH" >&2
    exit 1
  fi
  for part in "$@"; do
    build "$part" "$into"
    lines+=("$part=$path")
  done
  printf '%s\n' "${lines[@]}"
}

main "$@"
