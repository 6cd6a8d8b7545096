#!/usr/bin/env bash
# Makes or removes the network that the hosts of one run share: a bridge with this machine at its
# .1, let through the machine's firewall and masqueraded towards everything else.
#
#   network.sh up RUN
#   network.sh down RUN     (what is not there is no error)
set -euo pipefail

verb=$1
run=$2
bridge=iph$run
subnet=10.77.$run.0/24

# Docker drops what is forwarded by default, and may have bridged traffic filtered like routed.
rules() {
  local table=$1 insert=$2
  "$table" -w "$insert" FORWARD -i "$bridge" -j ACCEPT
  "$table" -w "$insert" FORWARD -o "$bridge" -j ACCEPT
}
masquerade() {
  iptables -w -t nat "$1" POSTROUTING -s "$subnet" ! -o "$bridge" -j MASQUERADE
}
has_ipv6() {
  [ -e /proc/net/if_inet6 ]
}

case $verb in
  up)
    # Removed while this waited for its turn?
    [ -d "/run/ipyparallel-hosts/$run" ] || exit 1
    uplink=$(ip -4 route show default | sed -n 's/.* dev \([^ ]*\).*/\1/p' | head -n 1)
    ip link add "$bridge" mtu "$(cat "/sys/class/net/${uplink:-lo}/mtu")" type bridge
    ip address add "10.77.$run.1/24" dev "$bridge"
    rules iptables -I
    masquerade -A
    if has_ipv6; then
      ip address add "fd77:0:0:$run::1/64" dev "$bridge" nodad
      rules ip6tables -I
    fi
    ip link set "$bridge" up
    ;;
  down)
    ip link delete "$bridge" 2>/dev/null || true
    rules iptables -D 2>/dev/null || true
    masquerade -D 2>/dev/null || true
    if has_ipv6; then rules ip6tables -D 2>/dev/null || true; fi
    ;;
  *)
    echo "network.sh: up or down, not '$verb'" >&2
    exit 2
    ;;
esac
