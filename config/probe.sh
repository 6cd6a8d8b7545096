#!/bin/sh
# Looks at a Docker host and prints what it finds, a line each: a word and its value.
#
#   probe.sh DOCKER-ENDPOINT CLUSTER OWNER [CONTROLLER-ADDRESS CONTROLLER-PORT...] [mount=FOLDER]...
#
# Nothing is changed. What can't be found out is left out; only a missing Docker is told as such.
set -u

endpoint=$1
cluster=$2
owner=${3-}
told=
exec 4>&1

# limit SECONDS COMMAND...: `timeout`, which macOS lacks; without it a process group by other means.
# shellcheck disable=SC2016 # a script of its own, also for xargs
limit='
limit() {
  if command -v timeout >/dev/null; then
    timeout "$@"
    return
  fi
  seconds=$1
  shift
  set -m 2>/dev/null
  { "$@" <&5 & } 5<&0
  limited=$!
  { sleep "$seconds" && { kill -- "-$limited" || kill "$limited"; }; } </dev/null >/dev/null 2>&1 4>&- 5<&- &
  timer=$!
  set +m
  wait "$limited"
  result=$?
  { kill -- "-$timer" || kill "$timer"; } 2>/dev/null
  return "$result"
}
'
eval "$limit"

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

# What DNS says of a name: whether one of the servers knows it, with one of the domains or without.
# A server that does not answer within a second is passed over.
# shellcheck disable=SC2016 # a script of its own, for bash
look_up='
name=$1 servers=$2 domains=$3 answer=silent
for full in "$name" $(printf "$name.%s " $domains); do
  question="\\x5a\\x1f\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00"
  for label in ${full//./ }; do
    question+=$(printf "\\\\x%02x%s" "${#label}" "$label")
  done
  for server in $servers; do
    exec 3<>"/dev/udp/$server/53" || continue
    printf "$question\\x00\\x00\\x01\\x00\\x01" >&3 # in one write, so that it is one packet
    # Byte 4 ends with the kind of answer, 0 for one and 3 for no such name; bytes 7 and 8 count.
    set -- $(timeout 1 dd bs=512 count=1 <&3 2>/dev/null | od -A n -t u1 -N 8)
    exec 3<&-
    [ $# -eq 8 ] || continue
    [ $(($7 + $8)) -eq 0 ] || { echo known; exit; }
    case $(($4 % 16)) in 0 | 3) answer=unknown ;; esac
  done
done
echo "$answer"
'

# What containers here would learn of a name: Docker has them ask the servers in its own settings, or
# those of the host, and nobody else: the names in /etc/hosts are the host's alone.
resolve() {
  case $1 in
    *:* | localhost) return ;;
    *[!0-9.]*) ;;
    *) return ;;
  esac
  file=/etc/resolv.conf
  stub=/run/systemd/resolve/resolv.conf # what systemd-resolved asks, which knows /etc/hosts itself
  words() { awk -v key="$1" '$1 ~ "^(" key ")$" { $1 = ""; print }' "$file" | xargs; }
  if [ "$(words nameserver)" = 127.0.0.53 ] && [ -e "$stub" ]; then
    file=$stub
  fi
  servers=$(tr -d ' \t\n' </etc/docker/daemon.json 2>/dev/null |
    sed -n 's/.*"dns":\[\([^]]*\)\].*/\1/p' | tr ',"' '  ' | xargs)
  servers=${servers:-$(words nameserver)}
  if [ -n "$servers" ]; then
    answer=$(timeout 4 bash -c "$look_up" look-up "$1" "$servers" "$(words 'search|domain')" 2>/dev/null)
    echo "dns ${answer:-silent} $servers"
  fi
}

# What mounts bring into containers. A folder that can't be looked into says nothing of what is in it.
for word in "$@"; do
  shift
  case $word in
    mount=*)
      path=${word#mount=}
      if found=$(LC_ALL=C stat -L -c '%u %g %a' -- "$path" 2>&1); then
        echo "mount $found $path"
      else
        case $found in
          *"No such file"* | *"Not a directory"*) echo "mount missing 0 0 $path" ;;
        esac
      fi
      ;;
    *) set -- "$@" "$word" ;;
  esac
done

# Whether the controller can be reached from here, asked while the rest is looked at. An answer of
# any kind, a refusal too, says that the way is open.
reach() {
  answer=$(timeout 4 bash -c "exec 3<>/dev/tcp/$1/$2" 2>&1)
  status=$?
  case "$status $answer" in
    0* | *refused*) ;;
    124*) echo "controller $2 no answer within 4 s" ;;
    *) echo "controller $2 $(printf '%s\n' "$answer" | sed 's/.*: //' | tail -n 1)" ;;
  esac
}
way() {
  address=$1
  shift
  dns=$(resolve "$address")
  case $dns in
    "" | "dns known"*) ;;
    *)
      echo "$dns"
      return
      ;;
  esac
  for port; do
    reach "$address" "$port" &
  done
  wait
}
if [ $# -ge 5 ] && command -v bash >/dev/null && command -v timeout >/dev/null; then
  shift 3
  way "$@" &
fi

# What Docker has for containers.
engine() {
  answer=$(docker info --format '{{.ServerVersion}} {{.NCPU}} {{.MemTotal}} {{.DockerRootDir}}|{{.SecurityOptions}}' 2>&1) &&
    version=${answer%% *} && [ -n "$version" ] || {
    echo "docker-error $(printf '%s\n' "$answer" | tail -n 1)"
    return
  }
  case ${answer##*|} in
    *name=rootless* | *name=userns*) echo "remapped yes" ;;
  esac
  answer=${answer%|*}
  rest=${answer#* }
  echo "docker $version"
  echo "cores ${rest%% *}"
  rest=${rest#* }
  echo "memory ${rest%% *}"
  images=$(docker image ls --filter 'reference=ipyparallel-*' \
    --format '{{.Repository}}:{{.Tag}}' 2>/dev/null) && printf 'images %s\n' "$(printf '%s' "$images" | tr '\n' ' ')"
  echo "disk $(df -P -k "${rest#* }" 2>/dev/null | awk 'NR == 2 { print $4 }')"
}

# What the cluster has here (what has its name, and its owner or none): its parts, their containers' state, and what runs in them. The controller
# is asked first, since it knows what runs in the workers; only who is not among those it tells of is
# asked besides. Of many containers only some are asked at once, and after 5 s none any more.
# shellcheck disable=SC2016 # a script of its own, for xargs
look=$limit'
  part=$1 state=$2 id=$3
  if [ "$state" = running ]; then
    # What runs in a container can not be asked when the disk of its host is full, for one.
    if status=$(limit 5 docker exec "$id" ippctl status 2>&1); then
      echo "status $part $status"
    else
      echo "silent $part $(printf "%s" "$status" | tail -n 1)"
    fi
  else
    echo "ended $part $state $(docker inspect --format "{{.State.FinishedAt}}" "$id" 2>/dev/null || echo unknown) $id"
  fi
  true
'
containers() {
  format='{{.Label "ipyparallel.cluster"}}|{{.Label "ipyparallel.part"}}|{{.State}}|{{.ID}}|{{.Ports}}|{{.Names}}|{{.Label "ipyparallel.owner"}}'
  all=$(docker ps --all --no-trunc --format "$format" 2>/dev/null) || return
  printf '%s\n' "$all" | awk -F'|' -v cluster="$cluster" -v owner="$owner" '
    { own = $1 == cluster && ($7 == "" || $7 == owner) }
    { print (own ? "own " : "published ") $5 }
    own && $3 == "running" { print "runs " $2 }
    $1 != "" || $6 ~ /^ipp-/ { print "object container|" $4 "|" $6 "|" $1 "|" $7 "|" $2 }
    { fflush() } # lines stay whole among those of `engine`'
  own=$(printf '%s\n' "$all" | awk -F'|' -v cluster="$cluster" -v owner="$owner" '
    $1 == cluster && ($7 == "" || $7 == owner) { print $2, $3, $4 }')
  told=$(printf '%s\n' "$own" | grep '^controller ' | limit 2 xargs -r -n 3 sh -c "$look" look)
  printf '%s\n' "$own" | while read -r part state id; do
    case $state,$told in
      running,"status controller "*"\"container\": \"$id\""*) echo "told $part" >&4 ;;
      *) echo "$part $state $id" ;;
    esac
  done | limit 5 xargs -r -n 3 -P 16 sh -c "$look" look
}

# What clusters have here besides containers; a name of theirs counts, whoever has it.
labelled() {
  labels='{{.Label "ipyparallel.cluster"}}|{{.Label "ipyparallel.owner"}}|{{.Label "ipyparallel.part"}}'
  {
    docker network ls --no-trunc --format "network|{{.ID}}|{{.Name}}|$labels"
    docker volume ls --format "volume|{{.Name}}|{{.Name}}|$labels"
  } 2>/dev/null | awk -F'|' '$4 != "" || $3 ~ /^ipp-/ { print "object " $0; fflush() }'
}

if command -v docker >/dev/null; then
  engine &
  labelled &
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
