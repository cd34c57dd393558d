#!/bin/bash
# GNU parallel: JOBS jobs at a time on this machine (1 unless said). More of its options may follow, such as
# `--sshlogin host1,host2` where they share these folders. Stopped, it goes on where it was.
set -euo pipefail
bash {{ script }} common
seq {{ count }} | parallel --jobs "${JOBS:-1}" --retries 3 "$@" "bash {{ script }} shard"
bash {{ script }} merge
