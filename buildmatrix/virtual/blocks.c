/* A plugin of QEMU that counts how often each translated block of user code ran, and which words it
 * holds. Argument: socket=PATH. Whoever connects there gets what ran since the last one, a line a block:
 *
 *   ADDRESS PLACE COUNT WORDS     hexadecimal twice, decimal, its instructions in hexadecimal
 *
 * an instruction's bytes apart by a comma; `end` is the last line. Blocks of the kernel (the upper
 * half of the addresses) are left out. PLACE is where the code lies in QEMU's memory, 0 for nowhere:
 * it stands for the page that all processes share which have mapped that file, while ADDRESS is that
 * of the first process for which QEMU 10 translated the block, at whatever address the next one has it.
 *
 * No package of Debian's has qemu-plugin.h, so what is used of it is declared here. The numbers are
 * of the plugin interface: 1 is QEMU 7.2's, 2 took qemu_plugin_n_vcpus away, 3 gave
 * qemu_plugin_insn_data another form, 4 brought qemu_plugin_read_memory_vaddr; 7 changes every
 * callback and is not spoken here. Counts are exact with one virtual processor. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;

void qemu_plugin_register_vcpu_tb_trans_cb(
    qemu_plugin_id_t, void (*)(qemu_plugin_id_t, struct qemu_plugin_tb *));
void qemu_plugin_register_vcpu_tb_exec_cb(
    struct qemu_plugin_tb *, void (*)(unsigned, void *), int flags, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *);

EXPORTED int qemu_plugin_version = 1;

struct block {
    struct block *next; /* made before */
    uint64_t address, place, count, told; /* told: of the count, up to the last answer */
    size_t length;
    char words[]; /* as they are printed */
};

static struct block *_Atomic newest;
static void *insn_data; /* qemu_plugin_insn_data, whose form is the interface's */
static int door;

/* Before QEMU looks at qemu_plugin_version: only what it has tells which interface it speaks. */
__attribute__((constructor)) static void choose(void) {
    if (dlsym(RTLD_DEFAULT, "qemu_plugin_read_memory_vaddr")) qemu_plugin_version = 4;
    insn_data = dlsym(RTLD_DEFAULT, "qemu_plugin_insn_data");
}

static void ran(unsigned processor, void *block) {
    (void)processor;
    ((struct block *)block)->count++;
}

static void bytes_of(const struct qemu_plugin_insn *insn, uint8_t *bytes, size_t size) {
    void *read = insn_data;
    if (qemu_plugin_version >= 3) {
        ((size_t (*)(const struct qemu_plugin_insn *, void *, size_t))read)(insn, bytes, size);
    } else {
        memcpy(bytes, ((const void *(*)(const struct qemu_plugin_insn *))read)(insn), size);
    }
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    (void)id;
    const uint64_t address = qemu_plugin_tb_vaddr(tb);
    const size_t count = qemu_plugin_tb_n_insns(tb);
    if (address >> 63) return;
    struct block *block = malloc(sizeof *block + count * 9 + 1);
    if (!block) abort(); /* a profile with a hole would say nothing of it */
    *block = (struct block){.address = address};
    for (size_t i = 0; i < count; i++) {
        const struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint8_t bytes[4] = {0};
        size_t size = qemu_plugin_insn_size(insn);
        if (size > sizeof bytes) size = sizeof bytes;
        bytes_of(insn, bytes, size);
        for (size_t k = 0; k < size; k++) {
            block->length += (size_t)sprintf(block->words + block->length, "%02x", bytes[k]);
        }
        block->words[block->length++] = ',';
    }
    if (block->length) block->length--; /* the last comma */
    if (count) block->place = (uintptr_t)qemu_plugin_insn_haddr(qemu_plugin_tb_get_insn(tb, 0));
    block->next = newest;
    newest = block;
    qemu_plugin_register_vcpu_tb_exec_cb(tb, ran, 0, block);
}

static void *answer(void *unused) {
    for (int peer; (peer = accept(door, NULL, NULL)) >= 0;) {
        FILE *out = fdopen(peer, "w");
        for (struct block *b = newest; b; b = b->next) {
            const uint64_t count = b->count, more = count - b->told;
            if (!more) continue;
            b->told = count;
            fprintf(out, "%" PRIx64 " %" PRIx64 " %" PRIu64 " %.*s\n", b->address, b->place, more,
                    (int)b->length, b->words);
        }
        fputs("end\n", out);
        fclose(out);
    }
    return unused;
}

EXPORTED int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info_t *info, int argc,
                                 char **argv) {
    (void)info;
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    if (argc != 1 || strncmp(argv[0], "socket=", 7)) return 1;
    if (strlen(argv[0] + 7) >= sizeof place.sun_path) return 1;
    strcpy(place.sun_path, argv[0] + 7);
    door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (door < 0 || bind(door, (struct sockaddr *)&place, sizeof place) || listen(door, 1)) return 1;
    sigset_t all, before;
    sigfillset(&all); /* QEMU's threads take its signals, not ours */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    pthread_t thread;
    const int failed = pthread_create(&thread, NULL, answer, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!failed) qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return failed;
}
