#!/usr/bin/env bash
# `python -m MNN.tools.mnnconvert`, 3.6.1, asks for `pip install -U aliyun-log-python-sdk` of whatever pip
# comes first on PATH, which need not be that of its own environment, before it converts anything: even
# for its version. Installed, that brought nine packages and took protobuf back from 7.36.2 to 5.29.6,
# with which onnx 1.23.2 could not be imported any more. buildmatrix's recipe calls the compiled
# function, in a container without a network.
#
# Seen on 2026-12-01 with MNN 3.6.1. Here a pip that only writes down what it is asked stands on PATH.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check numpy==2.4.6 MNN==3.6.1

mkdir "$folder/bin"
printf '#!/bin/sh\necho "$*" >> "%s/asked"\n' "$folder" > "$folder/bin/pip"
chmod +x "$folder/bin/pip"
cd "$folder"
PATH="$folder/bin:$PATH" venv/bin/python -m MNN.tools.mnnconvert --version > said 2>&1 || true
echo "MNN $(venv/bin/pip show MNN 2>/dev/null | sed -n 's/^Version: //p') asks pip to:"
cat asked
[ "$(sort -u asked)" = "install -U aliyun-log-python-sdk" ]
