#!/usr/bin/env bash
# Runs the Python tests where Python has what they need; says what it left out where not.
set -euo pipefail
cd "$(dirname "$0")"
python=${PYTHON:-python3}

has() { "$python" -c "import importlib.util as u, sys; sys.exit(any(u.find_spec(m) is None for m in sys.argv[1:]))" "$@" 2>/dev/null; }

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || ! has pytest; then
  echo "integrations: left out, no Python 3.11 with pytest (PYTHON names another)"
  exit 0
fi
(cd diffusers && "$python" -m pytest -rs)
if [ -z "${COMFYUI:-}" ] || ! has torch diffusers; then
  echo "integrations/comfyui: left out, no ComfyUI (COMFYUI names its folder) with PyTorch and diffusers"
  exit 0
fi
(cd comfyui/tests && "$python" -m pytest -rs)
