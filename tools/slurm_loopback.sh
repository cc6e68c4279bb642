#!/usr/bin/env bash
# A real Slurm on one machine, to try and test the profile slurm/ without a cluster:
#     tools/slurm_loopback.sh up      a controller and the nodes c1 and c2, all on 127.0.0.1
#     tools/slurm_loopback.sh down    stops them and removes what `up` wrote
# c2 has two GPUs that are none. CPUs and memory of the nodes are numbers for the scheduler, whatever
# the machine has. Needs root and Debian's or Ubuntu's slurmctld, slurmd, slurm-client and munge.
set -euo pipefail

MARK="# Written by tools/slurm_loopback.sh; removed by its down."
ETC=${SLURM_LOOPBACK_ETC:-/etc/slurm} # Slurm reads no other folder; the test of the guard does
RUN=${SLURM_LOOPBACK_DIR:-/var/tmp/slurm-loopback}
HOST=$(hostname -s)
unset SLURM_CONF

refuse() {
    echo "slurm_loopback.sh: $1" >&2
    exit 1
}

check_machine() {
    local file program
    for file in "$ETC"/{slurm,gres}.conf; do
        [[ ! -e $file ]] || [[ $(head -n 1 "$file") == "$MARK" ]] ||
            refuse "$file belongs to another Slurm and stays as it is"
    done
    ((EUID == 0)) || refuse "needs root"
    for program in slurmctld slurmd sbatch munged; do
        [[ -n $(type -P "$program") ]] || refuse \
            "$program is missing (apt-get install slurmctld slurmd slurm-client munge)"
    done
}

configure() {
    local file
    rm -rf "$RUN"
    mkdir -p "$RUN"/{controller,c1,c2} "$ETC"
    chmod 755 "$RUN"
    cat > "$ETC/slurm.conf" << CONF
$MARK
ClusterName=loopback
SlurmctldHost=$HOST(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$RUN/munge.socket
MpiDefault=none
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=2
JobAcctGatherParams=OverMemoryKill
# A job that fits no node is refused; without this it would wait for ever.
EnforcePartLimits=ALL
ReturnToService=2
MinJobAge=3600
KillWait=5
SlurmdTimeout=15
MailProg=/bin/true
SlurmdParameters=config_overrides
StateSaveLocation=$RUN/controller
SlurmdSpoolDir=$RUN/%n
SlurmctldPidFile=$RUN/slurmctld.pid
SlurmdPidFile=$RUN/slurmd-%n.pid
SlurmctldLogFile=$RUN/slurmctld.log
SlurmdLogFile=$RUN/slurmd-%n.log
SlurmctldPort=16820
NodeName=DEFAULT CPUs=4 RealMemory=16000
NodeName=c1 NodeHostname=$HOST NodeAddr=127.0.0.1 Port=16821
NodeName=c2 NodeHostname=$HOST NodeAddr=127.0.0.1 Port=16822 Gres=gpu:a100:2
PartitionName=DEFAULT MaxTime=2880 DefaultTime=10 DefMemPerCPU=1000 State=UP
PartitionName=main Nodes=c1,c2 Default=YES
PartitionName=gpu Nodes=c2
CONF
    printf '%s\n' "$MARK" "AutoDetect=off" > "$ETC/gres.conf"
    for file in /dev/null /dev/zero; do
        echo "NodeName=c2 Name=gpu Type=a100 File=$file" >> "$ETC/gres.conf"
    done
}

start() {
    head -c 128 /dev/urandom > "$RUN/munge.key"
    chmod 400 "$RUN/munge.key"
    munged --force --key-file="$RUN/munge.key" --socket="$RUN/munge.socket" \
        --pid-file="$RUN/munged.pid" --log-file="$RUN/munged.log" --seed-file="$RUN/munged.seed"
    slurmctld
    slurmd -N c1
    slurmd -N c2
    for _ in {1..120}; do
        if [[ $(sinfo -h -N -p main -t idle -o %N 2> /dev/null | wc -l) == 2 ]]; then
            sinfo -N -o '%N %P %T %c %m %G'
            return
        fi
        sleep 0.25
    done
    tail -n 20 "$RUN"/*.log >&2
    refuse "Slurm did not come up within 30 seconds"
}

stop() {
    local name pid
    [[ ! -e $RUN/slurmctld.pid ]] || scancel --user="$(id -un)" 2> /dev/null || true
    for name in slurmd-c1 slurmd-c2 slurmctld munged; do
        pid=$(cat "$RUN/$name.pid" 2> /dev/null) || continue
        kill "$pid" 2> /dev/null || continue
        for _ in {1..40}; do
            [[ $(ps -o stat= -p "$pid") == [!Z]* ]] || continue 2
            sleep 0.25
        done
        kill -9 "$pid" 2> /dev/null || true
    done
}

case ${1:-} in
    up)
        check_machine
        stop
        configure
        trap stop EXIT
        start
        trap - EXIT
        ;;
    down)
        check_machine
        stop
        rm -rf "$RUN" "$ETC"/{slurm,gres}.conf
        ;;
    *) refuse "say up or down" ;;
esac
