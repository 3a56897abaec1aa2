#!/bin/busybox sh
# What the lab's guest runs first and only (guest.py puts it there as /init): binds its NICs to vfio-pci, then obeys the lab, line by
# line on the second serial port. An answer is "STATUS SIZE" and so many bytes.
chmod 755 /
chmod 1777 /tmp
/bin/busybox --install -s /bin
export PATH=/usr/sbin:/usr/bin:/bin HOME=/ LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in irqbypass vfio_virqfd vfio vfio_iommu_type1 vfio-pci-core vfio-pci tun; do insmod "/lib/modules/$module.ko"; done
ip link set lo up
echo 160 >/proc/sys/vm/nr_hugepages

# As an administrator does it: the driver by name, the group to the dataplane's user.
for device in /sys/bus/pci/devices/*; do
  [ "$(cat "$device/class")" = 0x020000 ] || continue
  echo vfio-pci >"$device/driver_override"
  echo "${device##*/}" >/sys/bus/pci/drivers_probe
  group=$(readlink "$device/iommu_group")
  chown sallyport-dataplane "/dev/vfio/${group##*/}"
done

# As sysusers.d and tmpfiles.d say; users stand in /etc/passwd already.
owned() { mkdir -p "$2" && chown "$1" "$2"; }
ln -s /run /var/run
mkdir -p /run/netns /run/sallyport/setup /var/lib/sallyport /log
for name in dataplane terminator control; do owned "sallyport-$name" "/run/sallyport/$name"; done
owned sallyport-control /run/sallyport/db
owned sallyport-control /var/lib/sallyport
owned sallyport-terminator /var/lib/sallyport/keys
chmod 711 /var/lib/sallyport
chmod 700 /var/lib/sallyport/keys

# start NAME command...
start() {
  name=$1
  shift
  "$@" >>"/log/$name" 2>&1 </dev/null &
  echo $! >"/run/$name.pid"
}
# await condition...: for half a minute at most
await() {
  turn=0
  until "$@"; do
    turn=$((turn + 1))
    [ $turn -lt 600 ] || return 1
    sleep 0.05
  done
}
dataplane() {
  start dataplane sallyport-dataplane --netns /run/netns/sp-ports --user sallyport-dataplane --control-uid "$(id -u sallyport-control)"
}
gateway() {
  sallyport-control --create-database || return
  start setup sallyport-setup
  start db /usr/bin/setpriv --reuid=sallyport-control --regid=sallyport-control --clear-groups \
    ovsdb-server --remote=punix:/run/sallyport/db/socket --unixctl=/run/sallyport/db/ctl --no-chdir /var/lib/sallyport/gateway.db
  await [ -S /run/sallyport/setup/socket ] && await [ -S /run/sallyport/db/socket ] || return
  dataplane
  start terminator sallyport-terminator
  start control sallyport-control
}

# A command is a subshell's: what it leaves running is the first process's child from then on, and a mistake in it ends nothing else.
obey() {
  echo "0 0"
  while read -r line; do
    (eval "$line") >/run/answer 2>&1 </dev/null
    echo "$? $(wc -c </run/answer)"
    cat /run/answer
  done
}

# Not the first process: where a child of its own ends while it reads, busybox's `read` loses the half of the line that it had.
stty -F /dev/ttyS1 raw -echo
obey </dev/ttyS1 >/dev/ttyS1 &
wait
