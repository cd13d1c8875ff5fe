#!/bin/sh
# Installs the peers that bench/ measures against (PyTorch, Stable-Baselines3, EnvPool, Gymnasium) into a venv of the cache folder.
set -eu
cache="${ANCHORAGE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/anchorage}"
mkdir -p "$cache"
python3 -m venv "$cache/peers"
"$cache/peers/bin/pip" install -r "$(dirname "$0")/requirements.txt"
