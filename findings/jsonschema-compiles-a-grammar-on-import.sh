#!/usr/bin/env bash
# `import jsonschema` asks which format checkers are installed by importing them. One that the extra
# `format-nongpl` brings, rfc3987-syntax, makes a parser of its grammar while it is imported, so every
# program that imports jsonschema pays for it, whether or not it ever checks a format: some twenty times
# what jsonschema alone takes. The extra comes along unasked: `cyclonedx-python-lib[json-validation]`
# asks for it, and so has it whoever validates bills of materials. buildmatrix imports the validator
# where a document is checked, and nowhere else.
#
# Seen on 2026-11-30 with jsonschema 4.26.0 and rfc3987-syntax 1.1.0 on Python 3.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-python3}" -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q jsonschema==4.26.0
cost() { # seconds of CPU: the least of five
  for _ in 1 2 3 4 5; do
    "$folder/venv/bin/python" -c 'import time; began = time.process_time(); import jsonschema
print(time.process_time() - began)'
  done | sort -n | sed -n 1p
}
cost >/dev/null # compiles
alone=$(cost)
"$folder/venv/bin/pip" install -q 'jsonschema[format-nongpl]==4.26.0' rfc3987-syntax==1.1.0
cost >/dev/null
with=$(cost)
echo "import jsonschema: $alone s, with its extra format-nongpl $with s"
"$folder/venv/bin/python" -c "raise SystemExit(0 if $with > 3 * $alone else 1)"
