#!/usr/bin/env bash
# Removes all that a run of test hosts made: processes, namespaces, links, firewall rules, control
# groups, files. Does nothing if the run is not, or no longer, OWNER's.
#
#   remove.sh RUN OWNER
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
registry=/run/ipyparallel-hosts
run=$1
owner=$2

exec 9>"$registry/lock"
flock --wait 120 9
[ "$(cat "$registry/$run/owner" 2>/dev/null)" = "$owner" ] || exit 0
folder=$(cat "$registry/$run/folder" 2>/dev/null || true)

# Whatever part of a host is left tells its name.
host_ids() {
  {
    ip -o link | sed -n "s/^[0-9]*: \(iph$run-[0-9]*\)@.*/\1/p"
    ip netns list | sed -n "s/^\(iph$run-[0-9]*\).*/\1/p"
    find /sys/fs/cgroup -maxdepth 2 -type d -name "iph$run-*" -printf '%f\n'
  } | sort -u
}
for id in $(host_ids); do "$here/host.sh" off "$id" 9>&-; done
"$here/network.sh" down "$run"

[ -z "$folder" ] || rm -rf --one-file-system "$folder"
rm -rf "${registry:?}/$run"
