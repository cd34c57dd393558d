#!/bin/bash
# One job, for any engine: `run.sh common`, then `run.sh shard I` for I from 1 to {{ count }} in any order, at any time,
# on any machine that shares these folders, then `run.sh merge`, which writes the tables. What a job has stored stays
# stored: it may be stopped at any moment, and the same call goes on where it was.
set -euo pipefail
run=({{ command }})
progress={{ progress }}
case "${1-}" in
  common) exec "${run[@]}" --common --progress-file "$progress/common.json" ;;
  shard)
    # Without a number that of Slurm's array, or of Kubernetes' indexed Job, which counts from 0.
    shard=${2:-${SLURM_ARRAY_TASK_ID:-$((JOB_COMPLETION_INDEX + 1))}}
    exec "${run[@]}" --shard "$shard/{{ count }}" --progress-file "$progress/shard-$shard.json"
    ;;
  merge) exec "${run[@]}" --progress-file "$progress/merge.json" ;;
  *)
    echo "expected common, shard or merge, found \`${1-}\`" >&2
    exit 2
    ;;
esac
