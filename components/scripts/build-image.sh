#!/bin/sh
# Builds an image on this machine's Docker, unless it has one of that name.
#
#   build-image.sh IMAGE [DOCKER-ENDPOINT]
#
# stdin: a line with the length of what follows it, that is a piece of shell which exports `arguments`
# (the names of the build's arguments), `proxies` (further ones, which count only where Docker's
# settings here name no proxy) and the values of both; and then the build's context, as a tar archive.
# Whatever builder or context the user has chosen, Docker's own builder builds.
set -eu

image=$1
if [ $# -ge 2 ]; then
  unset DOCKER_CONTEXT
  export DOCKER_HOST="$2"
fi

read -r length
settings=$(head -c "$length")
if docker image inspect "$image" >/dev/null 2>&1; then
  exit 0
fi
arguments='' proxies=''
eval "$settings"

config=${DOCKER_CONFIG:-${HOME:-}/.docker}
if grep -qs '"proxies"' "$config/config.json"; then
  proxies=
fi

# Docker's command line keeps notes of its builds beside the user's settings. So that nothing of them
# stays, this build has a folder of its own, with links to the settings.
notes=$(mktemp -d)
trap 'rm -rf "$notes"' EXIT
trap 'exit 1' HUP INT TERM
if config=$(cd "$config" 2>/dev/null && pwd); then
  for setting in "$config"/*; do
    case $setting in
      */buildx) ;; # notes of earlier builds, and builders that the user has chosen
      *) if [ -e "$setting" ]; then ln -s "$setting" "$notes"; fi ;;
    esac
  done
fi
unset BUILDX_CONFIG
export DOCKER_CONFIG="$notes"

set --
for name in $arguments $proxies; do
  set -- "$@" --build-arg "$name"
done

# Before 23.0, Docker's command line has BuildKit itself; since then it needs its plugin buildx, and
# builds in the old, slow way without. So another one on the PATH may be the better one.
has_buildkit() {
  "$1" buildx version >/dev/null 2>&1 && return
  case $("$1" version --format '{{.Client.Version}}' 2>/dev/null) in
    1?.* | 20.*) ;;
    *) return 1 ;;
  esac
}
docker=docker
export DOCKER_BUILDKIT=0
IFS=:
for folder in $PATH; do
  if [ -x "$folder/docker" ] && has_buildkit "$folder/docker"; then
    docker=$folder/docker
    # The builder of a context, Docker's own, is called like it; that of DOCKER_HOST is `default`.
    BUILDX_BUILDER=$("$docker" context inspect --format '{{.Name}}' 2>/dev/null || echo default)
    export DOCKER_BUILDKIT=1 BUILDX_BUILDER BUILDX_NO_DEFAULT_ATTESTATIONS=1
    break
  fi
done
"$docker" build --tag "$image" "$@" - 2>&1
