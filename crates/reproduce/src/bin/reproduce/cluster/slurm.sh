#!/bin/bash
#SBATCH --job-name={{ job_name }}
#SBATCH --output={{ log }}
#SBATCH --open-mode=append
#SBATCH --requeue
#SBATCH --signal=B:USR1@120
{% for option in options %}#SBATCH {{ option }}
{% endfor %}
# Slurm itself queues a job again that was preempted or lost its node. Here it is queued again where its time is
# almost up (USR1), and where something killed the program (137): up to 3 times, lest it does so for ever.
again() {
  echo "$(date): $1; queued again" >&2
  scontrol requeue "${SLURM_ARRAY_JOB_ID:+${SLURM_ARRAY_JOB_ID}_}${SLURM_ARRAY_TASK_ID:-$SLURM_JOB_ID}"
}
echo "$(date): on ${SLURMD_NODENAME:-a node without a name}, start $((${SLURM_RESTART_COUNT:-0} + 1))" >&2
kills={{ progress }}/kills-$SLURM_JOB_ID
late= run=
trap 'late=1; kill $run' USR1
bash {{ script }} {{ what }} &
run=$!
wait "$run"
code=$?
if [ -n "$late" ]; then
  wait "$run"
  code=$?
  [ "$code" -eq 0 ] || again "the time is almost up"
elif [ "$code" -eq 137 ] && echo >>"$kills" && [ "$(wc -l <"$kills")" -le 3 ]; then
  again "the program was killed"
fi
exit "$code"
