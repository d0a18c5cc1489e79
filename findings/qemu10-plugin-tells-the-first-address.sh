#!/usr/bin/env bash
# In a full system, QEMU 10 runs what it translated of a page wherever that page is mapped, and tells a
# plugin the address for which it was translated first (qemu_plugin_tb_vaddr). QEMU 7.2 translates
# once for each address. So two processes that share a library, or two runs of one program under
# address randomisation, look to a plugin as if both had run at the first one's addresses; what stays
# true is qemu_plugin_insn_haddr. Shown by some instructions without an operating system: one page at
# two addresses, a loop of 1000 turns called at the first and then at the second.
# Debian's QEMU 7.2 (bookworm) and 10.0.13 (trixie), each with the libraries of its own suite.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mirror=$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep -v security | head -n 1)

unpacked() { # SUITE VERSION: the package and all that it needs, below a folder named after the suite
  mkdir -p "$1"/{lists/partial,cache/archives/partial,etc/none,etc/apt.conf.d,etc/preferences.d,root}
  touch "$1/status"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $1 main" > "$1/etc/list"
  cat > "$1/conf" << END
APT::Architecture "amd64"; APT::Architectures { "amd64"; }; APT::Install-Recommends "false";
APT::Sandbox::User ""; Dir::State "$folder/$1"; Dir::State::lists "$folder/$1/lists";
Dir::State::status "$folder/$1/status"; Dir::Cache "$folder/$1/cache"; Dir::Etc "$folder/$1/etc";
Dir::Etc::sourcelist "$folder/$1/etc/list"; Dir::Etc::sourceparts "$folder/$1/etc/none";
END
  APT_CONFIG=$1/conf apt-get -qq update
  APT_CONFIG=$1/conf apt-get -qq -y -d install "qemu-system-arm=$2" > /dev/null
  for package in "$1"/cache/archives/*.deb; do dpkg-deb -x "$package" "$1/root"; done
  rm "$1"/cache/archives/*.deb
}

cat > guest.s << 'END'
  adr x0, table
  mov x1, x0                 // level 1, a block of 1 GiB each: 1 and 2 are the same memory
  ldr x2, =0x40000701        // accessed, inner shareable, attribute 0
  str x2, [x1, #8]
  str x2, [x1, #16]
  mov x2, #0xff              // attribute 0: normal memory
  msr mair_el1, x2
  ldr x2, =0x100803519       // 39 bits of address, 4 KiB pages, cacheable
  msr tcr_el1, x2
  msr ttbr0_el1, x0
  isb
  mrs x2, sctlr_el1
  orr x2, x2, #1
  msr sctlr_el1, x2
  isb
  adr x3, loop
  blr x3
  mov x4, #0x40000000
  add x3, x3, x4
  blr x3
  ldr x0, =0x84000008        // PSCI: off
  hvc #0
  b .
  .ltorg
  .balign 4096
loop:
  mov x5, #1000
1: subs x5, x5, #1
  b.ne 1b
  ret
  .balign 4096
table: .fill 512, 8, 0
END
aarch64-linux-gnu-as -o guest.o guest.s
aarch64-linux-gnu-objcopy -O binary guest.o guest.bin
cat > plugin.c << 'END'
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#define OUT __attribute__((visibility("default")))
struct tb; struct insn;
typedef uint64_t id;
void qemu_plugin_register_vcpu_tb_trans_cb(id, void (*)(id, struct tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(struct tb *, void (*)(unsigned, void *), int, void *);
void qemu_plugin_register_atexit_cb(id, void (*)(id, void *), void *);
uint64_t qemu_plugin_tb_vaddr(const struct tb *);
OUT int qemu_plugin_version = VERSION;
static struct { uint64_t address, count; } blocks[4096];
static int number;
static void ran(unsigned cpu, void *at) { (void)cpu; blocks[(intptr_t)at].count++; }
static void made(id plugin, struct tb *tb) {
  (void)plugin;
  if (number == 4096) abort();
  blocks[number].address = qemu_plugin_tb_vaddr(tb);
  qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, 0, (void *)(intptr_t)number++);
}
static void done(id plugin, void *unused) {
  (void)plugin; (void)unused;
  FILE *out = fopen(getenv("COUNTS"), "w");
  for (int i = 0; i < number; i++)
    if (blocks[i].count > 900)
      fprintf(out, "%" PRIx64 " %" PRIu64 "\n", blocks[i].address, blocks[i].count);
  fclose(out);
}
OUT int qemu_plugin_install(id plugin, const void *info, int argc, char **argv) {
  (void)info; (void)argc; (void)argv;
  qemu_plugin_register_vcpu_tb_trans_cb(plugin, made);
  qemu_plugin_register_atexit_cb(plugin, done, NULL);
  return 0;
}
END

counted() { # SUITE INTERFACE: the addresses at which the loop ran, and how often
  local root=$1/root loader
  loader=$(find "$root" -type f -name 'ld-linux-x86-64.so.2')
  gcc -O2 -shared -fPIC -DVERSION="$2" -o "plugin$2.so" plugin.c
  COUNTS=$folder/counts QEMU_MODULE_DIR=$root/usr/lib/x86_64-linux-gnu/qemu timeout 60 "$loader" \
    --library-path "$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu" \
    "$root/usr/bin/qemu-system-aarch64" -M virt -cpu cortex-a53 -m 64 -display none -serial none \
    -monitor none -nic none -kernel guest.bin -plugin "./plugin$2.so" >&2
  sort counts
}

unpacked bookworm '1:7.2+dfsg-7+deb12u18+b3'
unpacked trixie '1:10.0.13+ds-0+deb13u1'
old=$(counted bookworm 1)
new=$(counted trixie 4)
printf 'QEMU 7.2:\n%s\nQEMU 10.0.13:\n%s\n' "$old" "$new"
[ "$(wc -l <<< "$old")" = 2 ] # one for each address
[ "$(wc -l <<< "$new")" = 1 ] # all turns, at the first address
[ "${old%% *}" = "${new%% *}" ]
