#!/usr/bin/env bash
# The commands behind ./dev. Needs a Debian 12 with git, python3 and apt; each
# command installs the packages it is missing (packages.txt says which).
set -euo pipefail

top="$(cd "$(dirname "$0")/../.." && pwd)"
cd "$top"
dev="$top/tools/dev"
release="$top/build/release"

say() { echo "dev: $*" >&2; }

help() {
  cat <<'TEXT'
usage: ./dev COMMAND

  run [PROMPT] [OPTIONS]   build a release, fetch the default model (Gemma 3
                           270M), answer; options go to 'carat run'
  test [--fast]            build and check everything; --fast is the quick
                           loop without model, fuzzing and cross-building
  build [TARGET...]        the release build, build/release
  bench [--kernels]        speed on the default model, or of the kernels
        [--peer [MODEL...]]  beside llama.cpp, on the same files; writes the
                           table of this machine in docs/benchmarks.md
  lint                     layers, files, format, shell and Python checks
  format                   clang-format every source file
  fuzz [SECONDS] [NAME...] every fuzz target, or those named (default 60 s)
  cross                    the kernel tests for 64-bit Arm, under qemu
  help                     this text

Environment: CARAT_CACHE (where the model is kept), CI=true (fuzz for a minute
each, also cross-build), CARAT_MODEL (another model file for run and bench).
TEXT
}

# need SECTION...: its Debian packages are installed from here on.
need() { "$dev/install.sh" "$@"; }

# configure PRESET [-D...]: again only when a value differs from the cache.
configure() {
  local preset="$1" cache="$top/build/$1/CMakeCache.txt" option
  shift
  if [ -f "$top/build/$preset/build.ninja" ]; then
    local same=yes
    for option in "$@"; do
      option="${option#-D}"
      grep -q "^${option%%=*}:[A-Z]*=${option#*=}\$" "$cache" || same=no
    done
    if [ "$same" = yes ]; then return 0; fi
  fi
  cmake --preset "$preset" "$@" >&2
}

# The program alone: no test library is needed, and tests that another command
# has turned on in the same folder stay on.
build_program() {
  need build
  if [ -f "$release/build.ninja" ]; then configure release
  else configure release -DCARAT_TESTS=OFF; fi
  ninja -C "$release" "${@:-carat}" >&2
}

# Prints the path of the model to use.
model() {
  if [ -n "${CARAT_MODEL:-}" ]; then
    echo "$CARAT_MODEL"
    return
  fi
  local path
  path="$(python3 "$dev/fetch_model.py" --path)"
  if [ ! -f "$path" ] && ! python3 -c 'import pip' 2>/dev/null; then
    need model
  fi
  python3 "$dev/fetch_model.py"
}

command="${1:-help}"
[ "$#" -eq 0 ] || shift
case "$command" in
  run)
    build_program
    path="$(model)"
    exec "$release/carat" run "$path" "$@"
    ;;
  test) exec python3 "$dev/run_tests.py" "$@" ;;
  build) build_program "$@" ;;
  bench)
    case "${1:-}" in
      --kernels)
        shift
        need build bench
        configure release -DCARAT_BENCH=ON
        ninja -C "$release" benchmarks >&2
        CARAT_TEST_MODEL="$(model)"  # the tokenizer's and grammars' need one
        export CARAT_TEST_MODEL
        for source in "$top"/bench/*_bench.cc; do
          program="$release/$(basename "$source" .cc)"
          say "$(basename "$program")"
          "$program" "$@"
        done
        ;;
      --peer)
        shift
        command -v npm >/dev/null || need peer
        build_program
        models=()
        while [ "$#" -gt 0 ] && [ "${1#--}" = "$1" ]; do
          models+=("$1")
          shift
        done
        [ "${#models[@]}" -gt 0 ] || models=("$(model)")
        exec python3 "$top/tools/peer/bench_peer.py" "$release/carat" \
          "$top/docs/benchmarks.md" "${models[@]}" "$@"
        ;;
      *)
        build_program
        path="$(model)"
        exec "$release/carat" bench "$path" "$@"
        ;;
    esac
    ;;
  lint)
    need lint
    exec python3 "$top/tools/lint/lint.py" "$@"
    ;;
  format)
    need lint
    git ls-files -z --cached --others --exclude-standard '*.cc' '*.h' |
      xargs -0 -r clang-format-19 -i
    ;;
  fuzz)
    seconds=60
    case "${1:-}" in '' | *[!0-9]*) ;; *) seconds="$1" && shift ;; esac
    exec python3 "$dev/run_tests.py" --only packages,fuzz \
      --fuzz-seconds "$seconds" --fuzz-targets "$*"
    ;;
  cross) exec python3 "$dev/run_tests.py" --only packages,cross ;;
  help | -h | --help) help ;;
  *)
    say "there is no command '$command'"
    help >&2
    exit 2
    ;;
esac
