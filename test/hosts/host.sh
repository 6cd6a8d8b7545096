#!/usr/bin/env bash
# Turns a host on, or off as a power cut would.
#
#   host.sh on FOLDER      FOLDER/settings, shell variables, says what the host is
#   host.sh off IPH-NAME   the name of its namespace and link, such as iph7-1
#
# Off leaves the disk (FOLDER/disk.img) alone. What is not there is no error.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

on() {
  local folder=$1
  set -a
  # shellcheck source=/dev/null
  . "$folder/settings"
  set +a
  # The disk of a host that was just turned off is let go a moment later.
  wait_until "the disk of $NAME is still in use" disk_is_free "$folder/disk.img"

  local mtu
  mtu=$(cat "/sys/class/net/$BRIDGE/mtu")
  ip netns add "$ID"
  ip link add "$ID" mtu "$mtu" master "$BRIDGE" type veth \
    peer name eth0 mtu "$mtu" address "$MAC" netns "$ID"
  ip link set "$ID" up
  ip -n "$ID" link set lo up
  ip -n "$ID" address add "$ADDRESS/24" dev eth0
  [ -z "$IPV6" ] || ip -n "$ID" address add "$IPV6/64" dev eth0 nodad
  ip -n "$ID" link set eth0 up
  ip -n "$ID" route add default via "$GATEWAY"
  [ -z "$BASTION" ] || only_from iptables "$BASTION"
  [ -z "$BASTION_IPV6" ] || only_from ip6tables "$BASTION_IPV6"

  rm -f "$folder/pid"
  setsid nsenter --net="/run/netns/$ID" \
    unshare --mount --propagation private --pid --fork --uts --ipc \
    "$here/init.sh" "$folder" </dev/null >>"$folder/log" 2>&1 &
  until [ -s "$folder/pid" ]; do
    kill -0 $! || exit 1
    sleep 0.02
  done
}

# New connections come from the bastion or not at all, published ports of containers included.
only_from() {
  ip netns exec "$ID" "$1" -w -t mangle -A PREROUTING -i eth0 ! -s "$2" \
    -m conntrack --ctstate NEW -j DROP
}

disk_is_free() {
  [ -z "$(losetup --noheadings --associated "$1" 2>/dev/null)" ]
}

off() {
  local id=$1
  # The link goes first, so that nobody is told that connections end.
  ip link delete "$id" 2>/dev/null || true
  if [ -e "/run/netns/$id" ]; then
    wait_until "processes of $id do not end" kill_all "$id"
    ip netns delete "$id"
  fi
  wait_until "control groups of $id are still in use" remove_cgroups "$id"
}

kill_all() {
  local pids
  mapfile -t pids < <(ip netns pids "$1")
  [ ${#pids[@]} -eq 0 ] || { kill -KILL "${pids[@]}" 2>/dev/null && false; }
}

remove_cgroups() {
  local folder left=0
  for folder in "/sys/fs/cgroup/$1" /sys/fs/cgroup/*/"$1"; do
    [ -d "$folder" ] || continue
    find "$folder" -depth -type d -exec rmdir {} + 2>/dev/null || left=1
  done
  return "$left"
}

# wait_until MESSAGE COMMAND...: tries the command for ten seconds.
wait_until() {
  local message=$1 tries=0
  shift
  until "$@"; do
    tries=$((tries + 1))
    if [ "$tries" -ge 500 ]; then
      echo "host.sh: $message" >&2
      exit 1
    fi
    sleep 0.02
  done
}

case $1 in
  on) on "$2" ;;
  off) off "$2" ;;
  *)
    echo "host.sh: on or off, not '$1'" >&2
    exit 2
    ;;
esac
