#!/bin/sh
# Once at boot, before anything else: memory file systems, the network, the data partition.
say() { echo "edgelite: $*" >/dev/console; }

mount -t tmpfs -o mode=1777,size=25% tmp /tmp
mkdir -p /dev/pts /dev/shm
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
ln -s fd/1 /dev/stdout
ln -s fd/2 /dev/stderr
mount -t devpts devpts /dev/pts
hostname edgelite-guest
load-modules boot || say "some of the kernel's modules do not load"

ifconfig lo 127.0.0.1 up
if ifconfig eth0 10.0.2.15 netmask 255.255.255.0 up 2>/dev/null; then
    route add default gw 10.0.2.2
fi

data=
for serial in /sys/block/vd*/serial; do
    [ "$(cat "$serial" 2>/dev/null)" != data ] || { data=${serial%/serial}; data=/dev/${data##*/}; }
done

# A disk without anything in its first 64 KiB is new. One with something else than a file system is never formatted:
# it may be all that is left of a node.
is_blank() { [ "$(dd if="$1" bs=64k count=1 2>/dev/null | tr -d '\000' | wc -c)" -eq 0 ]; }

prepare() {
    if is_blank "$data"; then
        say "making the data partition on $data"
        mkfs.ext4 -q -F -m 0 -J size=4 "$data" 2>/run/data.error || mkfs.ext4 -q -F -m 0 "$data" 2>/run/data.error
    else
        e2fsck -p "$data" >/run/data.check 2>&1
        [ $? -le 1 ] || cp /run/data.check /run/data.error
    fi
    mount -t ext4 -o noatime,errors=remount-ro "$data" /data 2>>/run/data.error
}

if [ -z "$data" ]; then
    say "no data partition: this boot keeps its state in memory"
    mount -t tmpfs -o mode=755 data /data
elif ! prepare; then
    say "the data partition is damaged and was left as it is: $(tail -n 1 /run/data.error)"
    say "the agent is not started; repair it with e2fsck, or erase its first 64 KiB to begin anew"
    : >/run/no-agent
fi
say "booted"
