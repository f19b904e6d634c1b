/* A QEMU plugin that tells a recorder which pages a program, or a whole guest, accesses.
 *
 *   qemu-x86_64        -plugin SO,out=FD,go=FD,interval=N            one program, virtual pages
 *   qemu-system-x86_64 -plugin SO,out=FD,go=FD,interval=N,ram=FILE   a guest, guest-physical pages
 *
 * Records go to the descriptor `out`.  Consecutive accesses to one page are one record, numbered as its
 * first.  About every `interval` accesses, and at the end, comes a record whose operation is END: then the
 * program stands still until a byte arrives on `go`, while the recorder looks at the contents of its pages.
 * The page of an END has bits: 1 if QEMU has put the program's memory at other addresses than the program's,
 * 2 if the program is about to become another one.
 *
 * The declarations are those of plugin interface version 1 (include/qemu/qemu-plugin.h of QEMU 7.2), as
 * distributions do not ship the header.  A QEMU that wants another version refuses to load this and says so.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- QEMU's side --- */

typedef uint64_t plugin_id;
typedef uint32_t meminfo;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
struct plugin_info {
    const char *target_name;
    struct { int min, cur; } version;
    bool system_emulation;
    struct { int smp_vcpus, max_vcpus; } system;
};
enum { CB_NO_REGS = 0 };
enum { MEM_READ_WRITE = 3 };

typedef void translate_cb(plugin_id, struct qemu_plugin_tb *);
typedef void exec_cb(unsigned cpu, void *data);
typedef void memory_cb(unsigned cpu, meminfo, uint64_t address, void *data);
typedef void syscall_cb(plugin_id, unsigned cpu, int64_t number, uint64_t, uint64_t, uint64_t, uint64_t,
                        uint64_t, uint64_t, uint64_t, uint64_t);
typedef void exit_cb(plugin_id, void *data);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translate_cb *);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, exec_cb *, int flags, void *data);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, memory_cb *, int flags, int kinds, void *data);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, syscall_cb *);
void qemu_plugin_register_atexit_cb(plugin_id, exit_cb *, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *);
bool qemu_plugin_mem_is_store(meminfo);
unsigned qemu_plugin_mem_size_shift(meminfo);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(meminfo, uint64_t address);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

/* --- Records --- */

enum operation { READ = 0, WRITE = 1, FETCH = 3, END = 255 };
enum { PAGE_SHIFT = 12, RECORDS = 4096, FIRST_DESCRIPTOR = 500 };

struct record {
    uint64_t time;     /* number of the access */
    uint64_t page_op;  /* page << 8 | operation */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile bool off; /* nobody listens, or this is a forked child */
static int out = -1, go = -1;
static uint64_t interval, due, accesses;
static bool elsewhere; /* host addresses are not the program's */
static struct record records[RECORDS];
static size_t filled;
static struct { uint64_t page, time; unsigned op; bool open; } run; /* consecutive accesses to one page */

static void send_records(void)
{
    const char *from = (const char *)records;
    size_t left = filled * sizeof *records;
    while (left && !off) {
        ssize_t sent = write(out, from, left);
        if (sent > 0) {
            from += sent;
            left -= (size_t)sent;
        } else if (errno != EINTR) {
            off = true;
        }
    }
    filled = 0;
}

static void put(uint64_t time, uint64_t page, unsigned op)
{
    records[filled++] = (struct record){time, page << 8 | op};
    if (filled == RECORDS)
        send_records();
}

static void end_run(void)
{
    if (run.open)
        put(run.time, run.page, run.op);
    run.open = false;
}

static void access_page(uint64_t page, unsigned op)
{
    if (!run.open || page != run.page) {
        end_run();
        run.page = page;
        run.time = accesses;
        run.op = op;
        run.open = true;
    } else if (op != run.op) {
        run.op = op == WRITE || run.op == WRITE ? WRITE : READ;
    }
    accesses++;
}

static void end_interval(bool becomes_another)
{
    char byte;
    end_run();
    put(accesses, elsewhere | becomes_another << 1, END);
    send_records();
    while (!off && read(go, &byte, 1) < 1)
        off = errno != EINTR;
    due = accesses + interval;
}

/* --- What QEMU calls --- */

static bool whole_guest;
static char ram_file[4096];
static char *ram;          /* where QEMU has the guest's memory */
static uint64_t ram_bytes;

/* The page of the guest's memory that an access has at an address; false if it is a device's or ROM. */
static bool guest_page(meminfo info, uint64_t address, uint64_t *page)
{
    struct qemu_plugin_hwaddr *physical = qemu_plugin_get_hwaddr(info, address);
    if (!physical || qemu_plugin_hwaddr_is_io(physical))
        return false;
    *page = qemu_plugin_hwaddr_phys_addr(physical) >> PAGE_SHIFT;
    return *page < ram_bytes >> PAGE_SHIFT;
}

/* QEMU translates addresses for an access across pages before this is called: both are still at hand. */
static void on_memory(unsigned cpu, meminfo info, uint64_t address, void *data)
{
    (void)cpu, (void)data;
    if (off)
        return;
    unsigned op = qemu_plugin_mem_is_store(info) ? WRITE : READ;
    uint64_t last = address + (1u << qemu_plugin_mem_size_shift(info)) - 1;
    uint64_t ends[] = {address, last}, pages[2];
    unsigned crossed = address >> PAGE_SHIFT != last >> PAGE_SHIFT, n = 0;
    for (unsigned i = 0; i <= crossed; i++) {
        pages[n] = ends[i] >> PAGE_SHIFT;
        n += !whole_guest || guest_page(info, ends[i], &pages[n]);
    }
    pthread_mutex_lock(&lock);
    for (unsigned i = 0; i < n; i++)
        access_page(pages[i], op);
    pthread_mutex_unlock(&lock);
}

/* Before a block of instructions; everything that was stored before it is in memory. */
static void on_block(unsigned cpu, void *page)
{
    (void)cpu;
    if (off)
        return;
    pthread_mutex_lock(&lock);
    if (accesses >= due)
        end_interval(false);
    access_page((uintptr_t)page, FETCH);
    pthread_mutex_unlock(&lock);
}

/* Where the guest's memory is mapped: from /proc/self/maps, as version 1 cannot tell. */
static void find_ram(void)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[sizeof ram_file + 100];
    while (maps && fgets(line, sizeof line, maps)) {
        uint64_t start, end, offset;
        int name = 0;
        if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %*s %n", &start, &end, &offset, &name) < 3)
            continue;
        line[strcspn(line, "\n")] = 0;
        if (name == 0 || strcmp(line + name, ram_file) != 0)
            continue;
        ram = (char *)(uintptr_t)(start - offset);
        if (offset + end - start > ram_bytes)
            ram_bytes = offset + end - start;
    }
    if (maps)
        fclose(maps);
}

/* The page of an instruction; false if it is not in the guest's memory. */
static bool page_of(const struct qemu_plugin_insn *instruction, uintptr_t *page)
{
    uintptr_t host = (uintptr_t)qemu_plugin_insn_haddr(instruction);
    if (!whole_guest) {
        elsewhere = host != qemu_plugin_insn_vaddr(instruction);
        *page = qemu_plugin_insn_vaddr(instruction) >> PAGE_SHIFT;
        return true;
    }
    uintptr_t offset = host - (uintptr_t)ram;
    *page = offset >> PAGE_SHIFT;
    return ram && offset < ram_bytes;
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *block)
{
    (void)id;
    if (whole_guest && !ram)
        find_ram();
    size_t n = qemu_plugin_tb_n_insns(block);
    uintptr_t first, last;
    bool known = page_of(qemu_plugin_tb_get_insn(block, 0), &first);
    if (known)
        qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, CB_NO_REGS, (void *)first);
    if (page_of(qemu_plugin_tb_get_insn(block, n - 1), &last) && !(known && last == first))
        qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, CB_NO_REGS, (void *)last);
    for (size_t i = 0; i < n; i++)
        qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(block, i), on_memory, CB_NO_REGS,
                                         MEM_READ_WRITE, NULL);
}

/* System calls of a program.  Some may be its last act, of which QEMU does not tell otherwise. */
static void on_syscall(plugin_id id, unsigned cpu, int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                       uint64_t e, uint64_t f, uint64_t g, uint64_t h)
{
    (void)id, (void)cpu, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
    if (off)
        return;
    pthread_mutex_lock(&lock);
    bool becomes_another = number == SYS_execve || number == SYS_execveat;
    if (becomes_another || number == SYS_kill || number == SYS_tkill || number == SYS_tgkill)
        end_interval(becomes_another);
    else
        send_records();
    pthread_mutex_unlock(&lock);
}

static void on_end(plugin_id id, void *data)
{
    (void)id, (void)data;
    pthread_mutex_lock(&lock);
    if (!off)
        end_interval(false);
    pthread_mutex_unlock(&lock);
}

/* A forked child is not recorded, and must not keep the recorder waiting. */
static void in_child(void)
{
    off = true;
    close(out);
    close(go);
}

/* Move a descriptor to where a program does not meet it, and what it executes does not inherit it. */
static int hidden(int descriptor)
{
    int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_DESCRIPTOR);
    if (moved < 0)
        return descriptor;
    close(descriptor);
    return moved;
}

EXPORT int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int argc, char **argv)
{
    whole_guest = info->system_emulation;
    for (int i = 0; i < argc; i++) {
        if (sscanf(argv[i], "out=%d", &out) + sscanf(argv[i], "go=%d", &go) +
            sscanf(argv[i], "interval=%" SCNu64, &interval) + sscanf(argv[i], "ram=%4095[^\n]", ram_file) < 1) {
            fprintf(stderr, "tracereplay: unknown plugin argument %s\n", argv[i]);
            return 1;
        }
    }
    out = hidden(out);
    go = hidden(go);
    due = interval;
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* no program without its recorder */
    pthread_atfork(NULL, NULL, in_child);
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_end, NULL);
    if (!whole_guest)
        qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    return 0;
}
