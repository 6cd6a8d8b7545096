#!/usr/bin/env bash
# Lists, on a host, what differs from a freshly installed one: files with a digest of what is in
# them, links with where they lead, new folders, and what was deleted. Logs and Docker's data are
# left out.
set -euo pipefail

# The upper layer of the root file system (see init.sh).
cd /run/host-disk/upper

# In these, a folder is no news: it is there as soon as something below it changes.
system='^(bin|etc|lib[^/]*|sbin|usr|var)(/|$)'

find . -mindepth 1 -path ./var/log -prune -o -printf '%y %P\n' | LC_ALL=C sort -k 2 |
  while read -r kind path; do
    case $kind in
      f) printf '/%s %s\n' "$path" "$(sha256sum <"$path" | cut -c 1-12)" ;;
      l) printf '/%s -> %s\n' "$path" "$(readlink "$path")" ;;
      d) [[ $path =~ $system ]] || printf '/%s/\n' "$path" ;;
      # A whiteout. Those of the first boot hide what was never this host's.
      c) [ -e "/run/host-disk/hidden/${path//\//%}" ] || printf '/%s deleted\n' "$path" ;;
      *) printf '/%s\n' "$path" ;;
    esac
  done
