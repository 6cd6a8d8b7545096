#!/usr/bin/env bash
# One more worker by hand: docker run, scp, ssh, ipengine.
#
#   add_worker.sh IMAGE NAME NETWORK FOLDER
#
# FOLDER has the key pair id and id.pub, and ipcontroller-engine.json.
set -euo pipefail

image=$1 name=$2 network=$3 folder=$4
options=(-i "$folder/id" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR)

docker run -d --name "$name" --network "$network" \
  -v "$folder/id.pub:/home/ipp/.ssh/authorized_keys:ro" "$image" >/dev/null
address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$name")
until scp -q "${options[@]}" "$folder/ipcontroller-engine.json" "ipp@$address:"; do
  sleep 0.05
done 2>/dev/null
ssh "${options[@]}" "ipp@$address" \
  'nohup /opt/venv/bin/ipengine --file=ipcontroller-engine.json >engine.log 2>&1 </dev/null &'
