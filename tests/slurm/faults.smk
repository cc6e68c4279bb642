"""Jobs that go wrong in one way each, for the tests of the profile slurm/."""

import os


configfile: "config.yaml"


include: "rules/run.smk"
include: "rules/common.smk"


rule out_of_time:
    output:
        "faults/out_of_time",
    resources:
        attempt=grows(1),
        mem_mb=grows(1000),
        runtime=grows(1),
    shell:
        "if [ {resources.attempt} = 1 ]; then sleep 300; fi; touch {output}"


rule out_of_memory:
    output:
        "faults/out_of_memory",
    resources:
        mem_mb=grows(700),
        runtime=grows(5),
    shell:
        "python3 -c 'import time; held = bytes(range(256)) * 2500000; time.sleep(12)'"
        " && touch {output}"


rule cancelled:
    output:
        "faults/cancelled",
    resources:
        attempt=grows(1),
        mem_mb=grows(1000),
        runtime=grows(5),
    shell:
        "if [ {resources.attempt} = 1 ]; then sleep 300; fi; touch {output}"


rule fails_once:
    output:
        "faults/fails_once",
    resources:
        attempt=grows(1),
        mem_mb=grows(1000),
        runtime=grows(5),
    shell:
        "[ {resources.attempt} = 2 ] && touch {output}"


rule fails_always:
    output:
        "faults/fails_always",
    log:
        "logs/fails_always.log",
    resources:
        mem_mb=grows(1000),
        runtime=grows(5),
    shell:
        "echo Nothing mends this. > {log}; exit 1"


rule kept:
    output:
        update("faults/kept"),
    resources:
        mem_mb=grows(1000),
        runtime=grows(5),
    params:
        fails=os.environ.get("FAILS", "0"),
    shell:
        "[ {params.fails} = 0 ] && echo whole > {output}"


rule gpu:
    output:
        "faults/gpu_{number}",
    resources:
        gpu=1,
        mem_mb=grows(1000),
        runtime=grows(5),
    shell:
        "echo $CUDA_VISIBLE_DEVICES > {output}; sleep 15"


rule waits:
    output:
        "faults/waited",
    resources:
        mem_mb=grows(1000),
        runtime=grows(5),
    shell:
        "touch waiting; for i in {{1..240}}; do [ -e go ] && break; sleep 0.5; done; touch {output}"


rule after:
    input:
        "faults/waited",
    output:
        "faults/after",
    resources:
        mem_mb=grows(1000),
        runtime=grows(5),
    shell:
        "touch {output}"
