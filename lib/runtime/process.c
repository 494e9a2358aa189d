/* SPDX-License-Identifier: Apache-2.0 */
/* Reads /proc: start times that tell processes apart, and the usual process metrics; signals. */
#include "runtime/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/metric.h"

#define STAT_STATE 3 /* field numbers of proc(5) */
#define STAT_STARTTIME 22
#define MALLOC_ARENAS 2 /* glibc makes up to eight a processor */

/* Reads a small file of /proc in one go; "" when it is not there. */
static void read_small(const char *path, char *out, size_t out_size)
{
    out[0] = '\0';
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    ssize_t n = read(fd, out, out_size - 1);
    out[n > 0 ? n : 0] = '\0';
    (void)close(fd);
}

uint64_t process_start(pid_t pid)
{
    char path[64];
    char text[1024];
    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    read_small(path, text, sizeof text);
    /* Field 2 is the name in parentheses and may hold anything, so count from the last ')'. */
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < STAT_STARTTIME; field++) {
        at = strchr(at + 1, ' ');
        if (at != NULL && field + 1 == STAT_STATE && (at[1] == 'Z' || at[1] == 'X')) {
            return 0;
        }
    }
    return at == NULL ? 0 : strtoull(at + 1, NULL, 10);
}

static double resident_bytes(void)
{
    char text[256];
    read_small("/proc/self/statm", text, sizeof text);
    const char *second = strchr(text, ' ');
    return second == NULL ? 0 : (double)strtoull(second + 1, NULL, 10) * (double)sysconf(_SC_PAGESIZE);
}

static double open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL) {
        return 0;
    }
    double n = -1; /* the directory itself is open too */
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        n += e->d_name[0] == '.' ? 0 : 1;
    }
    (void)closedir(dir);
    return n;
}

static double cpu_seconds(void)
{
    struct rusage usage = {0};
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

void process_metrics(const char *role, int64_t started_utc_ms)
{
    struct rlimit limit = {0};
    (void)getrlimit(RLIMIT_NOFILE, &limit);
    metric_set(metric_gauge("sluice_build_info", "Version of the program and role of the process; always 1.",
                            "version=\"%s\",role=\"%s\"", SLUICE_VERSION, role),
               1);
    metric_set(metric_gauge("process_start_time_seconds", "Start of the process, Unix time in seconds.", NULL),
               (double)started_utc_ms / 1000);
    metric_set(metric_counter("process_cpu_seconds_total", "User and system CPU time in seconds.", NULL),
               cpu_seconds());
    metric_set(metric_gauge("process_resident_memory_bytes", "Resident memory in bytes.", NULL), resident_bytes());
    metric_set(metric_gauge("process_open_fds", "Open file descriptors.", NULL), open_descriptors());
    metric_set(metric_gauge("process_max_fds", "Limit of open file descriptors.", NULL), (double)limit.rlim_cur);
}

void process_share_memory(void)
{
#ifdef M_ARENA_MAX
    (void)mallopt(M_ARENA_MAX, MALLOC_ARENAS);
#endif
}

void process_raise_descriptors(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void process_protect(void)
{
    /* RLIMIT_CORE does not reach core_pattern handlers, PR_SET_DUMPABLE does; it also refuses ptrace by neighbours. */
    struct rlimit none = {0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

void process_adopt_orphans(void)
{
    if (getpid() == 1) {
        (void)signal(SIGCHLD, SIG_IGN);
    }
}

void process_block_signals(void)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}
