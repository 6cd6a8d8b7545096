#!/bin/sh
# Brings an image from this machine's Docker to a host's, unless the host has the same one. An image
# that this machine lacks is left to the host, which pulls it when it builds from it.
#
#   copy-image.sh IMAGE SSH-COMMAND...
set -eu

image=$1
shift

if ! id=$(docker image inspect --format '{{.Id}}' "$image" 2>/dev/null); then
  exit 0
fi
if [ "$("$@" "docker image inspect --format '{{.Id}}' '$image'" 2>/dev/null || true)" = "$id" ]; then
  exit 0
fi
docker image save "$image" | "$@" docker image load >&2
