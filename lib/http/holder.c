/* SPDX-License-Identifier: Apache-2.0 */
/* From the port to the socket's inode, and on to the process that has it open. */
#include "http/holder.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define LINE_BYTES 512
#define INODES_MAX 16
#define STATE_LISTEN "0A"

static void close_file(FILE **f)
{
    if (*f != NULL) {
        (void)fclose(*f);
    }
}

static void close_dir(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

/* Inodes of the sockets of one table that listen on port, behind the n that are there. */
static size_t add_inodes(const char *table, unsigned port, unsigned long *inodes, size_t n)
{
    char line[LINE_BYTES];
    CLEANUP(close_file) FILE *f = fopen(table, "re");

    while (f != NULL && n < INODES_MAX && fgets(line, sizeof(line), f) != NULL) {
        unsigned at = 0;
        char state[3] = "";
        unsigned long inode = 0;
        int fields = sscanf(line, " %*d: %*[0-9A-F]:%x %*[0-9A-F]:%*x %2s %*s %*s %*s %*s %*s %lu", &at, state, &inode);
        if (fields == 3 && at == port && strcmp(state, STATE_LISTEN) == 0) {
            inodes[n++] = inode;
        }
    }
    return n;
}

/* Has the process one of these sockets open? */
static bool has_one(const char *pid, const unsigned long *inodes, size_t n)
{
    char path[64];
    char target[64];
    char wanted[64];

    (void)snprintf(path, sizeof(path), "/proc/%.16s/fd", pid);
    CLEANUP(close_dir) DIR *dir = opendir(path);
    for (struct dirent *e = dir != NULL ? readdir(dir) : NULL; e != NULL; e = readdir(dir)) {
        ssize_t got = readlinkat(dirfd(dir), e->d_name, target, sizeof(target) - 1);
        target[got > 0 ? got : 0] = '\0';
        for (size_t i = 0; i < n; i++) {
            (void)snprintf(wanted, sizeof(wanted), "socket:[%lu]", inodes[i]);
            if (strcmp(target, wanted) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void read_command(const char *pid, char out[HOLDER_COMMAND_MAX])
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%.16s/cmdline", pid);
    CLEANUP(close_file) FILE *f = fopen(path, "re");
    size_t n = f != NULL ? fread(out, 1, HOLDER_COMMAND_MAX - 1, f) : 0;
    while (n > 0 && out[n - 1] == '\0') {
        n--;
    }
    for (size_t i = 0; i < n; i++) {
        out[i] = (unsigned char)out[i] < ' ' || (unsigned char)out[i] > '~' ? ' ' : out[i];
    }
    out[n] = '\0';
}

bool port_holder_find(unsigned port, struct port_holder *out)
{
    unsigned long inodes[INODES_MAX];
    size_t n = add_inodes("/proc/net/tcp", port, inodes, 0);

    *out = (struct port_holder){.pid = 0};
    n = add_inodes("/proc/net/tcp6", port, inodes, n);
    CLEANUP(close_dir) DIR *proc = n > 0 ? opendir("/proc") : NULL;
    for (struct dirent *e = proc != NULL ? readdir(proc) : NULL; e != NULL; e = readdir(proc)) {
        if (isdigit((unsigned char)e->d_name[0]) && has_one(e->d_name, inodes, n)) {
            out->pid = (pid_t)strtol(e->d_name, NULL, 10);
            read_command(e->d_name, out->command);
            break;
        }
    }
    return n > 0;
}
