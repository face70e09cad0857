#!/usr/bin/env bash
# CONTAINER SWARM: the container is stopped, or there is none of that name.
set -u
export DOCKER_HOST=$2
docker stop "$1" || ! docker inspect "$1"
