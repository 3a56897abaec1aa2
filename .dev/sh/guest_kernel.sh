# The kernel of the lab's guest (tests/system/lab/guest.py): Debian's, from its package, which is unpacked and not installed. apt verifies it.
readonly guest_kernel_modules="irqbypass vfio_virqfd vfio vfio_iommu_type1 vfio-pci-core vfio-pci tun"

# The package that linux-image-cloud-amd64 stands for today.
guest_kernel_package() { apt-cache depends linux-image-cloud-amd64 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1; }

guest_kernel_unpack() {
  local package=$1 prefix=$2 tree="$cache/src/guest-kernel" module
  rm -rf "$tree" "$prefix"
  mkdir -p "$tree/root" "$prefix"
  cd "$tree"
  apt-get -q -o APT::Sandbox::User=root download "$package"
  dpkg-deb -x "$package"_*.deb root
  cp root/boot/vmlinuz-* "$prefix/vmlinuz.part"
  for module in $guest_kernel_modules; do find root/lib/modules -name "$module.ko" -exec cp {} "$prefix/" \; ; done
  for module in $guest_kernel_modules; do [[ -e $prefix/$module.ko ]]; done
  mv "$prefix/vmlinuz.part" "$prefix/vmlinuz"
  rm -rf "$tree"
}

guest_kernel_provide() {
  local package
  if [[ ! -e $cache/guest-kernel/vmlinuz ]]; then
    package=$(guest_kernel_package)
    if [[ -z $package ]]; then
      quiet_step "apt-get update" "$cache/log/apt-update.log" apt-get update -q || die "apt-get update failed"
      package=$(guest_kernel_package)
    fi
    [[ -n $package ]] || die "apt knows no linux-image-cloud-amd64, whose kernel the lab's guest runs"
    quiet_step "unpack $package" "$cache/log/guest-kernel.log" \
      bash -euo pipefail -c 'cache=$1; . "$2/.dev/sh/guest_kernel.sh"; guest_kernel_unpack "$3" "$4"' _ "$cache" "$root" "$package" "$cache/prefix/$package" ||
      die "no kernel for the lab's guest"
    ln -sfn "$cache/prefix/$package" "$cache/guest-kernel"
  fi
  note "guest kernel $(basename "$(readlink "$cache/guest-kernel")")"
}
