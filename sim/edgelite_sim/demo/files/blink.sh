#!/bin/sh
# The demo's workload: it tells a file, ten times in three seconds, that it lives, and its output that it began.
# The file is what the demo judges by, because the agent has no part in it.
echo "blink starts as process $$ on $EDGELITE_NODE"
while :; do
    echo "$$ $(date +%s%3N)" >>"$HEARTBEAT_DIR/$EDGELITE_NODE"
    sleep 0.3
done
