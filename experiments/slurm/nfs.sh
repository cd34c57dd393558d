#!/usr/bin/env bash
# Runs the smoke scale on two machines that share their store by NFS, takes the power from them and from the server,
# and compares the tables with those of a single run. The three machines are kernels of their own in user mode, with
# caches of their own; they see this machine's files and nothing of each other's. As root, where `apt-get install
# user-mode-linux nfs-kernel-server nfs-common iproute2` was done. MOUNT has the options of mounting, `vers=4.2` unless
# it is set (`vers=3,nolock`). SKIP_BUILD=1 takes the program as it is built. Options of `reproduce` may follow:
# `experiments/slurm/nfs.sh --table III`.
set -euo pipefail
cd "$(dirname "$0")/../.."
export PATH=$PATH:/usr/sbin:/sbin
check=nfs
. experiments/slurm/common.sh

# The first process of a machine: MACHINE and FOLDER come from the kernel's arguments.
if [ -n "${MACHINE:-}" ]; then
  trap 'sync; halt -f' EXIT
  mount -t proc proc /proc
  mount -t sysfs sys /sys
  for path in /run /var/lib/nfs; do mount -t tmpfs tmpfs "$path"; done
  mount --bind /usr/lib/uml/modules /lib/modules
  hostname "machine$MACHINE"
  ip link set lo up
  ip address add "192.168.77.$MACHINE/24" dev eth0
  ip link set eth0 up
  mkdir /run/shared
  if [ "$MACHINE" = 1 ]; then
    modprobe nfsd
    mount -t nfsd nfsd /proc/fs/nfsd
    mount -t ext4 /dev/ubda /run/shared
    mkdir -p /run/rpcbind /var/lib/nfs/{sm,v4recovery}
    touch /var/lib/nfs/{etab,rmtab,state}
    rpcbind -w
    exportfs -o rw,sync,no_root_squash,no_subtree_check,fsid=0,insecure '*:/run/shared'
    rpc.mountd
    # What a server that is back waits for clients to claim what they had open.
    for time in gracetime leasetime; do echo 10 >"/proc/fs/nfsd/nfsv4$time"; done
    rpc.nfsd -V 3 -V 4
    touch "$FOLDER/serves"
    until [ -e "$FOLDER/stop" ]; do sleep 0.5; done
    exit
  fi
  modprobe nfs
  case $MOUNT in
    *vers=3*) modprobe nfsv3; source=/run/shared ;;
    *) modprobe nfsv4; source=/ ;;
  esac
  mount -t nfs -o "$MOUNT" "192.168.77.1:$source" /run/shared
  if bash "$FOLDER/work-$MACHINE.sh" >>"$FOLDER/log-$MACHINE" 2>&1; then touch "$FOLDER/done-$MACHINE"; fi
  umount /run/shared
  exit
fi

for command in linux.uml mkfs.ext4 rpc.nfsd mount.nfs rpcbind ip; do
  command -v "$command" >/dev/null || { echo "nfs check: left out, no $command"; exit 0; }
done
[ "$(id -u)" = 0 ] || { echo "nfs check: left out, not root"; exit 0; }
[ -n "${SKIP_BUILD:-}" ] || cargo build --package reproduce
program=$PWD/target/debug/reproduce
folder=$(mktemp -d /tmp/nfs-check.XXXXXX)
declare -A machines=()
finish() {
  touch "$folder/stop"
  for machine in "${!machines[@]}"; do power_off "$machine"; done
  for port in 1 2 3; do ip link delete "reproduce$port" 2>/dev/null || true; done
  ip link delete reproduce 2>/dev/null || true
  rm "$folder/disk"
  echo "nfs check: logs are in $folder"
}
trap finish EXIT
boot() { # MACHINE
  local disk=()
  [ "$1" != 1 ] || disk=(ubd0="$folder/disk")
  setsid linux.uml mem=3G umid="reproduce-$1-$$" "${disk[@]}" root=/dev/root rootfstype=hostfs rw \
    eth0="tuntap,reproduce$1" con=null con0=null,fd:1 MACHINE="$1" FOLDER="$folder" MOUNT="${MOUNT:-vers=4.2}" \
    init="$PWD/experiments/slurm/nfs.sh" </dev/null >>"$folder/console-$1" 2>&1 &
  machines[$1]=$!
}
power_off() { # MACHINE
  kill -KILL -- "-${machines[$1]}" 2>/dev/null || true
  wait "${machines[$1]}" 2>/dev/null || true
  unset "machines[$1]"
}
serve() {
  rm -f "$folder/serves"
  boot 1
  until_true 60 test -e "$folder/serves"
}
work() { # MACHINE OPTIONS...: boots a machine that runs `reproduce` and ends.
  local machine=$1
  shift
  rm -f "$folder/done-$machine" "$folder/progress-$machine"
  printf '%q ' "$program" "${options[@]}" --store /run/shared/store --out /run/shared/out \
    --progress-file "$folder/progress-$machine" "$@" >"$folder/work-$machine.sh"
  boot "$machine"
}
reached() { # MACHINE UNITS
  [ "$(sed -n 's/.*"done":\([0-9]*\).*/\1/p' "$folder/progress-$1")" -ge "$2" ]
}
ended() { # MACHINE: waits for the end of its work.
  until_true 1200 test -e "$folder/done-$1"
  wait "${machines[$1]}" || true
  unset "machines[$1]"
}
fetch() { # NAME: machine 3, which wrote nothing of it, copies the tables to this machine, and removes all.
  rm -f "$folder/done-3"
  echo "cp -r /run/shared/out $folder/$1 && rm -r /run/shared/out /run/shared/store" >"$folder/work-3.sh"
  boot 3
  ended 3
}

truncate -s 1G "$folder/disk"
mkfs.ext4 -q "$folder/disk"
ip link add reproduce type bridge
ip link set reproduce up
for port in 1 2 3; do
  ip tuntap add dev "reproduce$port" mode tap
  ip link set "reproduce$port" master reproduce up
done
options=(--scale smoke --no-download "$@")
echo "nfs check: a single run"
"$program" "${options[@]}" --store "$folder/single-store" --out "$folder/single" >"$folder/single.log" 2>&1
serve
echo "nfs check: a shard on each of two machines"
work 2 --shard 1/2
work 3 --shard 2/2
until_true 600 reached 2 5
power_off 2
echo "nfs check: machine 2 lost its power"
until_true 600 reached 3 10
power_off 1
echo "nfs check: the server lost its power"
sleep 3
serve
work 2 --shard 1/2
until_true 600 reached 2 10
power_off 2
echo "nfs check: machine 2 lost its power again; machine 3 takes its shard, and then it goes on as well"
ended 3
work 3 --shard 1/2
until_true 600 reached 3 1
work 2 --shard 1/2
ended 3
ended 2
work 2
ended 2
fetch parted
same_as_single parted
echo "nfs check: everything on both machines at once"
work 2
work 3
ended 2
ended 3
fetch twice
same_as_single twice
