#!/usr/bin/env bash
# Fetches the prebuilt llama.cpp that the npm package node-llama-cpp ships,
# pinned, into a cache folder, and builds peer_logits against it there.
# Prints the path of the built program; the libraries are in lib/ beside it.
# A second run does nothing.
set -euo pipefail

version=3.22.1
here=$(cd "$(dirname "$0")" && pwd)
cache=${CARAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carat}/peer

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) platform=linux-x64 ;;
  Linux-aarch64) platform=linux-arm64 ;;
  *) echo "no prebuilt llama.cpp for $(uname -s) $(uname -m)" >&2; exit 1 ;;
esac

package=@node-llama-cpp/$platform
libraries=$cache/node_modules/$package/bins/$platform
mkdir -p "$cache"
if ! grep -qs "\"version\": \"$version\"" \
    "$cache/node_modules/$package/package.json"; then
  echo "installing $package@$version into $cache" >&2
  npm install --prefix "$cache" --ignore-scripts --no-audit --no-fund \
    --no-save "$package@$version" >&2
fi
# A name without version numbers for those who load it at run time.
ln -sfn "$libraries" "$cache/lib"

program=$cache/peer_logits
if [ ! -x "$program" ] || [ "$here/peer_logits.c" -nt "$program" ]; then
  "${CC:-cc}" -std=gnu11 -O2 -Wall -Wextra "$here/peer_logits.c" -o "$program" \
    "$libraries"/libllama.v*.so "$libraries"/libggml.v*.so \
    "$libraries"/libggml-base.so -lm \
    -Wl,-rpath,"$libraries" -Wl,-rpath-link,"$libraries" \
    -DPEER_LIBRARIES="\"$libraries\""
fi
echo "$program"
