#!/usr/bin/env bash
# Install the plug-in into a scratch folder, use its filter in a run and its format in an export.
#
#     bash examples/plugin/try.sh
#
# Prints:
#
#     rejected by the plug-in's filter: ...
#     columns of the plug-in's format: question, answer
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cp "$here"/pyproject.toml "$here"/*.py "$scratch"
python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
  --target "$scratch/site" "$scratch"
export PYTHONPATH="$scratch/site"

python -m selfsown run self-instruct --model lab --seeds lab:25 -n 10 --seed 7 --order strict \
  --set 'filters={one_sentence: {most: 1}}' -o "$scratch/run" --quiet
python -m selfsown export "$scratch/run" --format question-answer -o "$scratch/qa.jsonl" \
  >/dev/null 2>&1

echo "rejected by the plug-in's filter: $(grep -c many_sentences "$scratch/run/rejected.jsonl")"
echo "columns of the plug-in's format: $(head -1 "$scratch/qa.jsonl" \
  | python -c 'import json, sys; print(", ".join(json.loads(sys.stdin.readline())))')"
