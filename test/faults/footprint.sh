#!/usr/bin/env bash
# Runs in a container: how many processes supervise it or make up its controller, how many
# descriptors they have open, and their memory in KiB.
for folder in /proc/[0-9]*; do
  case $(cat "$folder/comm" 2>/dev/null) in
    s6-* | sshd | ippnode | ippagent | ipcontroller)
      fds=("$folder"/fd/*)
      echo "${#fds[@]} $(awk '/^Pss:/ { print $2 }' "$folder/smaps_rollup")"
      ;;
  esac
done 2>/dev/null | awk '{ n++; fds += $1; kib += $2 } END { print n, fds, kib }'
