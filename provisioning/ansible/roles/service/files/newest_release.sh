#!/usr/bin/env bash
# REGISTRY IMAGE: prints the newest release of IMAGE that the registry has. Changes nothing.
set -u -o pipefail
registry=$1 image=$2
curl -fsS "http://$registry/v2/$image/tags/list" | jq -r '.tags[]' | grep -vx latest | sort -V | tail -n 1 || {
  echo "the registry $registry has no release of $image. Nothing was changed." >&2
  exit 1
}
