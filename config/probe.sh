#!/bin/sh
# Looks at a Docker host and prints what it finds, a line each: a word and its value.
#
#   probe.sh DOCKER-ENDPOINT CLUSTER [CONTROLLER-ADDRESS CONTROLLER-PORT]
#
# Nothing is changed. What can't be found out is left out; only a missing Docker is told as such.
set -u

endpoint=$1
cluster=$2

case $endpoint in
  unix://*) export DOCKER_HOST="$endpoint" ;;
esac

echo "time $(date +%s)"
echo "architecture $(uname -m)"

if ! command -v docker >/dev/null; then
  # Over ssh:// it is needed; a socket on this machine can be used without it.
  case $endpoint in
    ssh://*) echo "docker-missing the command docker is not on the PATH there" ;;
  esac
elif answer=$(docker info --format '{{.ServerVersion}} {{.NCPU}} {{.MemTotal}} {{.DockerRootDir}}' 2>&1) &&
  version=${answer%% *} && [ -n "$version" ]; then
  rest=${answer#* }
  echo "docker $version"
  echo "cores ${rest%% *}"
  rest=${rest#* }
  echo "memory ${rest%% *}"
  echo "disk $(df -P -k "${rest#* }" 2>/dev/null | awk 'NR == 2 { print $4 }')"
  docker ps --no-trunc --format '{{.Label "ipyparallel.cluster"}}|{{.Ports}}' |
    awk -F'|' -v own="$cluster" '{ print ($1 == own ? "own " : "published ") $2 }'
else
  echo "docker-error $(printf '%s\n' "$answer" | tail -n 1)"
fi

# What the cluster has here: its parts, their containers' state, and what runs in them.
look() {
  part=$1 state=$2 id=$3
  if [ "$state" = running ]; then
    if status=$(timeout 6 docker exec "$id" ippctl status 2>&1); then
      echo "status $part $status"
    else # what runs in a container can't be asked when its host's disk is full, for one
      echo "silent $part $(printf '%s' "$status" | tail -n 1)"
    fi
  else
    echo "ended $part $state $(docker inspect --format '{{.State.FinishedAt}}' "$id" 2>/dev/null)"
  fi
}
if [ -n "${version:-}" ]; then
  docker ps --all --filter "label=ipyparallel.cluster=$cluster" \
    --format '{{.Label "ipyparallel.part"}} {{.State}} {{.ID}}' | {
    while read -r part state id; do
      look "$part" "$state" "$id" &
    done
    wait
  }
fi

# Sockets that listen (state 0A), as hexadecimal address:port.
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { print "listens " $2 }'

if [ $# -ge 4 ] && command -v bash >/dev/null && command -v timeout >/dev/null; then
  # An answer of any kind, a refusal too, says that the way is open.
  answer=$(timeout 4 bash -c "exec 3<>/dev/tcp/$3/$4" 2>&1)
  status=$?
  case "$status $answer" in
    0*) echo "controller reached" ;;
    124*) echo "controller no answer within 4 s" ;;
    *refused*) echo "controller reached" ;;
    *) echo "controller $(printf '%s\n' "$answer" | sed 's/.*: //' | tail -n 1)" ;;
  esac
fi
