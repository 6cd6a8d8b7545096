#!/bin/sh
# Brings an image from one Docker to a host's, unless the host has the same one. An image that the
# first one lacks is left to the host, which pulls it when it builds from it.
#
#   copy-image.sh IMAGE DOCKER-ENDPOINT COMMAND...
#
# COMMAND runs, with one more argument, that shell command on the host.
set -eu

image=$1
from=$2
shift 2

if ! id=$(docker -H "$from" image inspect --format '{{.Id}}' "$image" 2>/dev/null); then
  exit 0
fi
if [ "$("$@" "docker image inspect --format '{{.Id}}' '$image'" 2>/dev/null || true)" = "$id" ]; then
  exit 0
fi
docker -H "$from" image save "$image" | "$@" docker image load >&2
