#!/bin/sh
# Looks at a Docker host and prints what it finds, a line each: a word and its value.
#
#   probe.sh DOCKER-ENDPOINT CLUSTER [CONTROLLER-ADDRESS CONTROLLER-PORT]
#
# Nothing is changed. What can't be found out is left out; only a missing Docker is told as such.
set -u

endpoint=$1
cluster=$2
told=
exec 4>&1

echo "time $(date +%s)"
echo "architecture $(uname -m)"
for tool in nvidia-container-runtime-hook nvidia-container-cli nvidia-ctk; do
  if command -v "$tool" >/dev/null; then
    echo "gpus $tool"
  fi
done

# Whether Docker is told to translate IPv6 addresses, or told not to.
{
  cat /etc/docker/daemon.json "${HOME:-}/.config/docker/daemon.json" 2>/dev/null
  echo # the last line may have no end
} | sed -n 's/.*"ip6tables": *\([a-z]*\).*/ip6tables \1/p'

# Whether the controller can be reached from here, asked while the rest is looked at. An answer of
# any kind, a refusal too, says that the way is open.
reach() {
  answer=$(timeout 4 bash -c "exec 3<>/dev/tcp/$1/$2" 2>&1)
  status=$?
  case "$status $answer" in
    0*) echo "controller reached" ;;
    124*) echo "controller no answer within 4 s" ;;
    *refused*) echo "controller reached" ;;
    *) echo "controller $(printf '%s\n' "$answer" | sed 's/.*: //' | tail -n 1)" ;;
  esac
}
if [ $# -ge 4 ] && command -v bash >/dev/null && command -v timeout >/dev/null; then
  reach "$3" "$4" &
fi

# What Docker has for containers.
engine() {
  answer=$(docker info --format '{{.ServerVersion}} {{.NCPU}} {{.MemTotal}} {{.DockerRootDir}}' 2>&1) &&
    version=${answer%% *} && [ -n "$version" ] || {
    echo "docker-error $(printf '%s\n' "$answer" | tail -n 1)"
    return
  }
  rest=${answer#* }
  echo "docker $version"
  echo "cores ${rest%% *}"
  rest=${rest#* }
  echo "memory ${rest%% *}"
  echo "disk $(df -P -k "${rest#* }" 2>/dev/null | awk 'NR == 2 { print $4 }')"
}

# What the cluster has here: its parts, their containers' state, and what runs in them. The controller
# is asked first, since it knows what runs in the workers; only who is not among those it tells of is
# asked besides. Of many containers only some are asked at once, and after 5 s none any more.
# shellcheck disable=SC2016 # a script of its own, for xargs
look='
  part=$1 state=$2 id=$3
  if [ "$state" = running ]; then
    # What runs in a container can not be asked when the disk of its host is full, for one.
    if status=$(timeout 5 docker exec "$id" ippctl status 2>&1); then
      echo "status $part $status"
    else
      echo "silent $part $(printf "%s" "$status" | tail -n 1)"
    fi
  else
    echo "ended $part $state $(docker inspect --format "{{.State.FinishedAt}}" "$id" 2>/dev/null)"
  fi
  true
'
containers() {
  format='{{.Label "ipyparallel.cluster"}}|{{.Label "ipyparallel.part"}}|{{.State}}|{{.ID}}|{{.Ports}}'
  all=$(docker ps --all --no-trunc --format "$format" 2>/dev/null) || return
  printf '%s\n' "$all" | awk -F'|' -v own="$cluster" '
    { print ($1 == own ? "own " : "published ") $5 }
    $1 == own && $3 == "running" { print "runs " $2 }
    { fflush() } # lines stay whole among those of `engine`'
  own=$(printf '%s\n' "$all" | awk -F'|' -v own="$cluster" '$1 == own { print $2, $3, $4 }')
  told=$(printf '%s\n' "$own" | grep '^controller ' | timeout 2 xargs -r -n 3 sh -c "$look" look)
  printf '%s\n' "$own" | while read -r part state id; do
    case $state,$told in
      running,"status controller "*"\"container\": \"$id\""*) echo "told $part" >&4 ;;
      *) echo "$part $state $id" ;;
    esac
  done | timeout 5 xargs -r -n 3 -P 16 sh -c "$look" look
}

if command -v docker >/dev/null; then
  engine &
  containers
else
  # Over ssh:// it is needed; a socket on this machine can be used without it.
  case $endpoint in
    ssh://*) echo "docker-missing the command docker is not on the PATH there" ;;
  esac
fi

# Sockets that listen (state 0A), as hexadecimal address:port.
cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk '$4 == "0A" { print "listens " $2 }'

wait
# A long line stays whole if nobody else prints.
case $told in
  "status controller "*) printf '%s\n' "$told" ;;
esac
