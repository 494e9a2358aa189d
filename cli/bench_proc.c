/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc knows: processor seconds, peak memory, the processor's name, and which process is the broker. */
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

#define LINE_BYTES 1024
#define PATH_BYTES 320
#define JAR "/kafka-server-" /* kafka-server-4.4.0.jar; not kafka-server-common- */
#define STATE_LISTEN "0A"

static void closep(FILE **f)
{
    if (*f != NULL) {
        (void)fclose(*f);
    }
}

static void closedirp(DIR **d)
{
    if (*d != NULL) {
        (void)closedir(*d);
    }
}

double bench_cpu_seconds(pid_t pid)
{
    char path[PATH_BYTES];
    char line[LINE_BYTES];
    unsigned long long user = 0;
    unsigned long long sys = 0;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    CLEANUP(closep) FILE *f = fopen(path, "re");
    if (f == NULL || fgets(line, sizeof line, f) == NULL) {
        return -1;
    }
    /* The name is in parentheses and may hold anything; fields 14 and 15 of proc(5). */
    const char *rest = strrchr(line, ')');
    if (rest == NULL || sscanf(rest + 1, "%*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &user, &sys) != 2) {
        return -1;
    }
    return (double)(user + sys) / (double)sysconf(_SC_CLK_TCK);
}

/* A line of /proc/PID/status, "VmHWM:". */
static int64_t status_kib(pid_t pid, const char *name)
{
    char path[PATH_BYTES];
    char line[LINE_BYTES];
    long long kib = -1;

    (void)snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    CLEANUP(closep) FILE *f = fopen(path, "re");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0 && sscanf(line + strlen(name), "%lld", &kib) == 1) {
            return kib;
        }
    }
    return -1;
}

int64_t bench_peak_kib(pid_t pid)
{
    return status_kib(pid, "VmHWM:");
}

int64_t bench_rss_kib(pid_t pid)
{
    return status_kib(pid, "VmRSS:");
}

int64_t bench_descriptors(pid_t pid)
{
    char path[PATH_BYTES];
    int64_t n = -2; /* . and .. */

    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)pid);
    CLEANUP(closedirp) DIR *dir = opendir(path);
    if (dir == NULL) {
        return -1;
    }
    while (readdir(dir) != NULL) {
        n++;
    }
    return n;
}

/* The port of the first broker when it is this machine's; 0 = elsewhere. */
static unsigned broker_port(const struct config *cfg)
{
    static const char *const HERE[] = {"127.0.0.1:", "localhost:", "[::1]:"};
    const char *brokers = config_str(cfg, "kafka.brokers");

    for (size_t i = 0; i < ARRAY_SIZE(HERE); i++) {
        if (strncmp(brokers, HERE[i], strlen(HERE[i])) == 0) {
            return (unsigned)strtoul(brokers + strlen(HERE[i]), NULL, 10);
        }
    }
    return 0;
}

/* The inode of the socket that listens on port, by one of the two tables; 0 = none. */
static unsigned long listening_inode(const char *table, unsigned port)
{
    char line[LINE_BYTES];
    CLEANUP(closep) FILE *f = fopen(table, "re");

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        unsigned at = 0;
        char state[3] = "";
        unsigned long inode = 0;
        int n = sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %2s %*s %*s %*s %*s %*s %lu", &at, state, &inode);
        if (n == 3 && at == port && strcmp(state, STATE_LISTEN) == 0) {
            return inode;
        }
    }
    return 0;
}

/* Does the process hold the socket? On the way, its Kafka jar tells the version. */
static bool look_into(const char *pid, const char *wanted, char *version, size_t version_size)
{
    char path[PATH_BYTES];
    char target[LINE_BYTES];
    bool found = false;

    (void)snprintf(path, sizeof path, "/proc/%.16s/fd", pid);
    version[0] = '\0';
    CLEANUP(closedirp) DIR *dir = opendir(path);
    if (dir == NULL) {
        return false;
    }
    for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, target, sizeof target - 1);
        target[n > 0 ? n : 0] = '\0';
        found = found || strcmp(target, wanted) == 0;
        const char *jar = strstr(target, JAR);
        if (jar != NULL && isdigit((unsigned char)jar[sizeof JAR - 1])) {
            jar += sizeof JAR - 1;
            (void)snprintf(version, version_size, "%.*s", (int)strcspn(jar, "j") - 1, jar);
        }
    }
    return found;
}

pid_t bench_broker(const struct config *cfg, char *version, size_t version_size)
{
    unsigned port = broker_port(cfg);
    unsigned long inode = port == 0 ? 0 : listening_inode("/proc/net/tcp6", port);
    char wanted[64];

    version[0] = '\0';
    inode = port != 0 && inode == 0 ? listening_inode("/proc/net/tcp", port) : inode;
    CLEANUP(closedirp) DIR *proc = inode == 0 ? NULL : opendir("/proc");
    if (proc == NULL) {
        return 0;
    }
    (void)snprintf(wanted, sizeof wanted, "socket:[%lu]", inode);
    for (struct dirent *e = readdir(proc); e != NULL; e = readdir(proc)) {
        if (isdigit((unsigned char)e->d_name[0]) && look_into(e->d_name, wanted, version, version_size)) {
            return (pid_t)strtol(e->d_name, NULL, 10);
        }
    }
    version[0] = '\0';
    return 0;
}

double bench_session_cpu(const struct bench *b, const char *pattern)
{
    static const char SESSIONS[] = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE $1"
                                   " AND application_name NOT LIKE 'sluice bench%' AND datname = current_database()"
                                   " AND inet_server_addr() IS NOT DISTINCT FROM inet_client_addr()";
    CLEANUP(pg_clearp) PGresult *res = NULL;
    struct err err;
    double sum = 0;

    if (pg_query(b->conn, SESSIONS, 1, &pattern, &res, &err) != RC_OK || PQntuples(res) == 0) {
        return -1;
    }
    for (int i = 0; i < PQntuples(res); i++) {
        double s = bench_cpu_seconds((pid_t)pg_int(res, i, 0, 0));
        if (s < 0) {
            return -1;
        }
        sum += s;
    }
    return sum;
}

double bench_child_cpu(const struct bench_child *c)
{
    return c->pid == 0 ? -1 : bench_cpu_seconds(c->pid);
}

struct bench_cost bench_cost_now(const struct bench *b, const char *pattern)
{
    char version[sizeof b->machine.kafka];
    pid_t broker = bench_broker(b->cli->cfg, version, sizeof version);

    return (struct bench_cost){.relay = -1,
                               .callback = -1,
                               .sink = -1,
                               .account = -1,
                               .gateway = -1,
                               .notify = -1,
                               .push = -1,
                               .postgres = bench_session_cpu(b, pattern),
                               .broker = broker > 0 ? bench_cpu_seconds(broker) : -1};
}

static double difference(double before, double after, double times)
{
    return before < 0 || after < 0 ? -1 : (after - before) * times;
}

struct bench_cost bench_cost_of(const struct bench_cost *before, const struct bench_cost *after, int64_t n, double per)
{
    double times = per / (double)n;
    return (struct bench_cost){.relay = difference(before->relay, after->relay, times),
                               .callback = difference(before->callback, after->callback, times),
                               .sink = difference(before->sink, after->sink, times),
                               .account = difference(before->account, after->account, times),
                               .gateway = difference(before->gateway, after->gateway, times),
                               .notify = difference(before->notify, after->notify, times),
                               .push = difference(before->push, after->push, times),
                               .postgres = difference(before->postgres, after->postgres, times),
                               .broker = difference(before->broker, after->broker, times)};
}

static void processor_name(char *out, size_t out_size)
{
    char line[LINE_BYTES];
    CLEANUP(closep) FILE *f = fopen("/proc/cpuinfo", "re");

    (void)snprintf(out, out_size, "unknown processor");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        const char *colon = strchr(line, ':');
        if (colon != NULL && strncmp(line, "model name", 10) == 0) {
            colon += 1 + strspn(colon + 1, " ");
            (void)snprintf(out, out_size, "%.*s", (int)strcspn(colon, "\n"), colon);
            return;
        }
    }
}

void bench_machine_look(struct bench *b)
{
    const char *postgres = PQparameterStatus(b->conn, "server_version");

    processor_name(b->machine.cpu, sizeof b->machine.cpu);
    b->machine.cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    (void)snprintf(b->machine.postgres, sizeof b->machine.postgres, "%s", postgres == NULL ? "?" : postgres);
    (void)bench_broker(b->cli->cfg, b->machine.kafka, sizeof b->machine.kafka);
}
