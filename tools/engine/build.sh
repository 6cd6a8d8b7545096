#!/usr/bin/env bash
# Builds parts of the Pulumi engine from Go modules, each only when its binary is missing.
#
#   bash tools/engine/build.sh PART...
#
# PART is cli, nodejs, nodejs-host, yaml, docker or command. The last lines on stdout are `PART=PATH`, one for
# each PART in the order asked for; everything else goes to stderr.
#
# The binaries are in ${XDG_CACHE_HOME:-$HOME/.cache}/ipyparallel-cluster/engine/GROUP-KEY/bin,
# where KEY is made of the group's sources, their go.sum and the Go version: what has changed is
# built anew, nothing else. The group `pulumi` is the CLI and its language hosts, which Pulumi
# wants in one folder; each plugin is a group of its own.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/ipyparallel-cluster/engine
version_flag="-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version"

# select_part PART sets group, folders (of the group), folder, package, binary and ldflags.
select_part() {
  group=pulumi
  folders=(pulumi language-nodejs language-yaml)
  ldflags="-s -w"
  case $1 in
    cli)
      folder=pulumi
      package=github.com/pulumi/pulumi/pkg/v3/cmd/pulumi
      ldflags+=" $version_flag=3.259.0"
      ;;
    nodejs)
      folder=language-nodejs
      package=./cmd/pulumi-language-nodejs
      ;;
    nodejs-host)
      folder=language-nodejs
      package=github.com/pulumi/pulumi/sdk/v3/nodejs/cmd/pulumi-language-nodejs
      binary=pulumi-nodejs-host # started by pulumi-language-nodejs
      ldflags+=" $version_flag=3.66.0"
      ;;
    yaml)
      folder=language-yaml
      package=github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml
      ldflags+=" -X github.com/pulumi/pulumi-yaml/pkg/version.Version=1.38.1"
      ;;
    docker | command)
      group=$1
      folders=("$1")
      folder=$1
      package=./cmd/pulumi-resource-$1
      ;;
    *)
      echo "engine: unknown part \"$1\": use cli, nodejs, nodejs-host, yaml, docker or command" >&2
      exit 2
      ;;
  esac
  [ "$1" = nodejs-host ] || binary=$(basename "$package")
}

# key prints the hash of what the selected group is built from.
key() {
  (
    cd "$here"
    go env GOVERSION GOOS GOARCH
    find "${folders[@]}" -type f ! -name '*_test.go' ! -path '*/testdata/*' ! -name '*.md' -print0 |
      LC_ALL=C sort -z | xargs -0 sha256sum
  ) | sha256sum | cut -c1-16
}

# build PART makes the part's binary when it is missing, and sets path.
build() {
  select_part "$1"
  local dir
  dir=$cache/$group-$(key)/bin
  path=$dir/$binary
  [ -x "$path" ] && return
  mkdir -p "$dir"
  exec 9>"$dir/../.lock-$binary"
  flock 9
  [ -x "$path" ] && return

  echo "engine: building $binary ..." >&2
  local started=$SECONDS log new
  log=$(mktemp)
  new=$(mktemp "$dir/../.$binary.XXXXXX")
  if ! (
    cd "$here/$folder"
    go build -mod=readonly -trimpath -buildvcs=false -ldflags "$ldflags" -o "$new" "$package"
  ) >"$log" 2>&1; then
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

if [ $# -eq 0 ]; then
  echo "usage: bash tools/engine/build.sh cli|nodejs|nodejs-host|yaml|docker|command ..." >&2
  exit 2
fi
if ! command -v go >/dev/null; then
  echo "engine: building Pulumi from source needs Go 1.26 or newer on the PATH" >&2
  exit 1
fi
lines=()
for part in "$@"; do
  build "$part"
  lines+=("$part=$path")
done
printf '%s\n' "${lines[@]}"
