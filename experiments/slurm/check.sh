#!/usr/bin/env bash
# Runs the smoke scale under a real Slurm on this machine, with one job killed and one cancelled, and compares the
# merged tables with those of a single run. For a machine of your own: as root, where `apt-get install slurm-wlm munge`
# was done; it starts a controller, a node and munge of its own in a folder of its own, and ends them again. Options of
# `reproduce` may follow: `experiments/slurm/check.sh --table III`.
set -euo pipefail
cd "$(dirname "$0")/../.."
for command in munged slurmctld slurmd sbatch; do
  command -v "$command" >/dev/null || { echo "slurm check: left out, no $command (apt-get install slurm-wlm munge)"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "slurm check: left out, not root"; exit 0; }
cargo build --package reproduce --package cli
program=$PWD/target/debug/reproduce
folder=$(mktemp -d /tmp/slurm-check.XXXXXX)
daemons=()
finish() {
  [ ${#daemons[@]} = 0 ] || kill "${daemons[@]}" 2>/dev/null || true
  echo "slurm check: logs are in $folder"
}
trap finish EXIT

host=$(hostname -s)
mkdir -p "$folder"/{state,spool,munge}
dd if=/dev/urandom of="$folder/munge/key" bs=128 count=1 status=none
chmod 600 "$folder/munge/key"
munged --foreground --force --socket="$folder/munge/socket" --key-file="$folder/munge/key" \
  --pid-file="$folder/munge/pid" --log-file="$folder/munge/log" --seed-file="$folder/munge/seed" 2>"$folder/munge/err" &
daemons+=($!)
cat >"$folder/slurm.conf" <<END
ClusterName=check
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${CONTROLLER_PORT:-16817}
SlurmdPort=${NODE_PORT:-16818}
SlurmUser=root
AuthInfo=socket=$folder/munge/socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
MailProg=/bin/true
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=check Nodes=ALL Default=YES MaxTime=INFINITE State=UP
END
export SLURM_CONF=$folder/slurm.conf
slurmctld -D -f "$SLURM_CONF" >"$folder/slurmctld.log" 2>&1 &
daemons+=($!)
slurmd -D -f "$SLURM_CONF" >"$folder/slurmd.log" 2>&1 &
daemons+=($!)
until_true() { # SECONDS COMMAND...: waits until the command succeeds.
  local left=$1
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    [ "$left" -gt 0 ] || { echo "slurm check: waited in vain for: $*" >&2; return 1; }
    sleep 1
  done
}
is_idle() { [ "$(sinfo -h -o %T)" = idle ]; }
until_true 60 is_idle

echo "slurm check: a single run"
"$program" --scale smoke --no-download "$@" --store "$folder/single-store" --out "$folder/single" >"$folder/single.log" 2>&1
run=("$program" --scale smoke --no-download "$@" --store "$folder/store" --out "$folder/merged" --jobs "$folder/jobs" --array 4)
echo "slurm check: an array of 4"
"${run[@]}" --slurm
reached() { [ "$(sed -n 's/.*"done":\([0-9]*\).*/\1/p' "$folder/jobs/progress/$1.json")" -ge "$2" ]; }
process() { pgrep -f -- "$folder/jobs/reproduce .*--shard $1/4"; }
until_true 600 reached shard-1 5
kill -KILL "$(process 1)"
until_true 600 reached shard-2 5
array=$(sed -n '/"shards"/,/]/p' "$folder/jobs/submitted.json" | grep -o '[0-9]\+' | head -1)
scancel "${array}_2"
merge_is_gone() { ! squeue -h -o %j | grep -q merge; }
until_true 600 merge_is_gone
"${run[@]}" --slurm-status
echo "slurm check: what is left, again"
"${run[@]}" --slurm
finished() { grep -q '"finished":true' "$folder/jobs/progress/merge.json"; }
until_true 1200 finished
"${run[@]}" --slurm-status
grep -q 'the program was killed; queued again' "$folder/jobs/logs/shard-1.log"
[ "$(grep -c 'shard 2/4 is done' "$folder/jobs/logs/shard-2.log")" = 1 ]
# Times are this machine's at that moment.
diff -r --exclude='skipping-time.*' "$folder/single" "$folder/merged"
echo "slurm check: $(find "$folder/merged" -type f ! -name 'skipping-time.*' | wc -l) files are those of the single run"
