#!/usr/bin/env bash
# The manual steps, as a script that does them side by side: docker run, ipcontroller, scp, ssh,
# ipengine, and a client that waits for the last engine's hello. Prints the milestones as JSON,
# in seconds from the start; leaves nothing behind.
#
#   manual.sh WORKERS ENGINES [PERIOD]
#
# PERIOD is HeartMonitor.period in ms; ipyparallel's own default (3000) without it.
# Environment: IMAGE (made from manual/Dockerfile), VENV (with ipyparallel), PREFIX (of the
# containers' names), SSH_PORT (the first of WORKERS ports on 127.0.0.1).
set -euo pipefail

workers=$1
engines=$2
period=${3:-}
image=${IMAGE:?} venv=${VENV:?} prefix=${PREFIX:?} port=${SSH_PORT:?}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
jobs=()

cleanup() {
  # Each job is a process group, such as the nine processes of ipcontroller.
  for job in "${jobs[@]}"; do kill -- "-$job" 2>/dev/null || true; done
  wait
  for ((i = 1; i <= workers; i++)); do echo "$prefix-w$i"; done | xargs docker rm -fv >/dev/null 2>&1
  rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# What a user has already: a key pair, and a way to name the workers.
ssh-keygen -q -t ed25519 -N '' -f "$work/id"
for ((i = 1; i <= workers; i++)); do
  printf 'Host w%d\n  HostName 127.0.0.1\n  Port %d\n' "$i" $((port + i - 1))
done >"$work/ssh_config"
cat >>"$work/ssh_config" <<EOF
Host *
  User ipp
  IdentityFile $work/id
  StrictHostKeyChecking no
  UserKnownHostsFile /dev/null
  LogLevel ERROR
EOF
export IPYTHONDIR=$work/ipython
# Containers reach this machine at the address of the default bridge.
bridge=$(ip -4 -o addr show docker0 | awk '{ sub("/.*", "", $4); print $4 }')
profile=$IPYTHONDIR/profile_ssh
mkdir -p "$profile"

start=$EPOCHREALTIME
mark() { # mark NAME: this milestone was reached now
  awk -v name="$1" -v from="$start" -v to="$EPOCHREALTIME" \
    'BEGIN { printf "%s %.3f\n", name, to - from }' >>"$work/milestones"
}

start_worker() { # start_worker I
  docker run -d --name "$prefix-w$1" -p "127.0.0.1:$((port + $1 - 1)):22" \
    -v "$work/id.pub:/home/ipp/.ssh/authorized_keys:ro" "$image" >/dev/null
  mark container
  until [[ -s $profile/security/ipcontroller-engine.json ]]; do sleep 0.05; done
  until scp -q -F "$work/ssh_config" "$profile/security/ipcontroller-engine.json" "w$1:"; do
    sleep 0.05
  done 2>/dev/null
  mark copy
  ssh -F "$work/ssh_config" "w$1" "for i in \$(seq $engines); do
    nohup /opt/venv/bin/ipengine --file=ipcontroller-engine.json >engine\$i.log 2>&1 </dev/null &
  done"
  mark start
}

set -m # each background job is a process group of its own
"$venv/bin/ipcontroller" --profile=ssh --init --ip=0.0.0.0 --location="$bridge" \
  ${period:+--HeartMonitor.period="$period"} >"$work/controller.log" 2>&1 &
jobs+=("$!")
for ((i = 1; i <= workers; i++)); do
  start_worker "$i" &
  jobs+=("$!")
done
set +m
for job in "${jobs[@]:1}"; do wait "$job"; done
"$venv/bin/python" "$here/hello.py" ssh $((workers * engines)) >"$work/hello"
mark hello

# The last of each kind is when that step was done everywhere.
awk -v registered="$(awk '$1 == "registered" { print $2 }' "$work/hello")" -v from="$start" '
  $2 > last[$1] { last[$1] = $2 }
  END {
    printf "{\"containers\": %s, \"copied\": %s, \"started\": %s, ", last["container"], last["copy"], last["start"]
    printf "\"registered\": %.3f, \"answered\": %s}\n", registered - from, last["hello"]
  }' "$work/milestones"
