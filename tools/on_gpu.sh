#!/usr/bin/env bash
# What only a machine with a GPU can show, in eight minutes: tests, speed, quality, a profile.
#
#     tools/on_gpu.sh OUT [WHEELS]
#
# OUT gets results.json and results.md, both written anew after each part, log.txt, and grids of images. Packages that
# PYTHON (default: python3) lacks are installed from the folder WHEELS (default: .whl in the root of the repository)
# into a scratch folder that is removed at the end: no network is needed, and nothing else is changed. Without a GPU
# the parts that need one are skipped, with the reason.
set -euo pipefail
if (($# < 1 || $# > 2)); then
  echo "usage: tools/on_gpu.sh OUT [WHEELS]" >&2
  exit 2
fi
mkdir -p "$1"
out=$(cd "$1" && pwd)
root=$(cd "$(dirname "$0")/.." && pwd)
wheels=${2:-$root/.whl}
python=${PYTHON:-python3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export PYTHONPATH="$root/src" PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
echo "on_gpu: $(date -u +%Y-%m-%dT%H:%M:%SZ) $("$python" -V 2>&1)" >"$out/log.txt"

# The wheels are of one version of Python, so they are left alone where nothing is missing.
if ! "$python" "$root/tools/on_gpu.py" --missing >>"$out/log.txt" 2>&1; then
  export PYTHONPATH="$scratch/site:$PYTHONPATH"
  timeout -k 5 90 "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
    --no-cache-dir --target "$scratch/site" "$wheels"/*.whl >>"$out/log.txt" 2>&1 ||
    echo "on_gpu: the wheels of $wheels could not be installed" | tee -a "$out/log.txt" >&2
  "$python" "$root/tools/on_gpu.py" --missing 2>&1 | tee -a "$out/log.txt" || true
fi
cd "$root"
"$python" tools/on_gpu.py "$out" --scratch "$scratch" --seconds $((460 - SECONDS))
