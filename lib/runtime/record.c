/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime directory: written by roles, read by `sluice health`. */
#include "runtime/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "runtime/process.h"

#define RECORD_BYTES_MAX 2048
#define SUFFIX ".json"

static void closedirp(DIR **dir)
{
    if (*dir != NULL) {
        (void)closedir(*dir);
    }
}

char *record_dir(const struct config *cfg)
{
    const char *dir = config_str(cfg, "runtime.dir");
    if (dir[0] != '\0') {
        return xstrdup(dir);
    }
    return geteuid() == 0 ? xstrdup("/run/sluice") : xasprintf("/tmp/sluice-%u", (unsigned)geteuid());
}

/* In /tmp somebody else could have made the directory first and put a link or other records there. */
static enum rc require_own_dir(const char *dir, struct err *err)
{
    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        FAIL(err, RC_FATAL, "runtime directory %s: %s", dir, strerror(errno));
    }
    struct stat st;
    if (lstat(dir, &st) != 0) {
        FAIL(err, RC_FATAL, "runtime directory %s: %s", dir, strerror(errno));
    }
    bool ours = st.st_uid == geteuid() || geteuid() == 0;
    if (!S_ISDIR(st.st_mode) || !ours || (st.st_mode & S_IWOTH) != 0) {
        FAIL(err, RC_FATAL, "runtime directory %s: expected a directory of this user that others cannot write to", dir);
    }
    return RC_OK;
}

static void add_text(struct buf *out, const char *name, const char *value)
{
    (void)buf_printf(out, ", \"%s\": ", name);
    (void)buf_json_string(out, value, strlen(value));
}

static enum rc write_file(const char *path, const struct buf *text, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0) {
        FAIL(err, RC_FATAL, "cannot write %s: %s", path, strerror(errno));
    }
    bool written = write(fd, text->data, text->len) == (ssize_t)text->len;
    if (close(fd) != 0 || !written) {
        FAIL(err, RC_FATAL, "cannot write %s", path);
    }
    return RC_OK;
}

enum rc record_write(const char *dir, const struct record *rec, struct err *err)
{
    TRY(require_own_dir(dir, err));
    CLEANUP(buf_done) struct buf text;
    buf_init(&text, RECORD_BYTES_MAX);
    (void)buf_printf(&text, "{\"pid\": %d, \"start\": %llu", (int)rec->pid, (unsigned long long)rec->start);
    add_text(&text, "role", rec->role);
    add_text(&text, "http", rec->http);
    add_text(&text, "instance", rec->instance);
    (void)buf_puts(&text, "}\n");
    CLEANUP(freep) char *path = xasprintf("%s/%s.%d" SUFFIX, dir, rec->role, (int)rec->pid);
    CLEANUP(freep) char *temporary = xasprintf("%s.new", path);
    TRY(write_file(temporary, &text, err));
    if (rename(temporary, path) != 0) {
        FAIL(err, RC_FATAL, "cannot write %s: %s", path, strerror(errno));
    }
    return RC_OK;
}

void record_remove(const char *dir, const char *role, pid_t pid)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s.%d" SUFFIX, dir, role, (int)pid);
    (void)unlink(path);
}

static const char *text_of(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text == NULL ? "" : text;
}

static bool parse(const char *path, struct record *out)
{
    CLEANUP(json_decrefp) json_t *json = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(json)) {
        return false;
    }
    json_int_t pid = json_integer_value(json_object_get(json, "pid"));
    json_int_t start = json_integer_value(json_object_get(json, "start"));
    if (pid <= 0 || pid > INT32_MAX || start <= 0) {
        return false;
    }
    *out = (struct record){.pid = (pid_t)pid, .start = (uint64_t)start};
    (void)snprintf(out->role, sizeof out->role, "%s", text_of(json, "role"));
    (void)snprintf(out->http, sizeof out->http, "%s", text_of(json, "http"));
    (void)snprintf(out->instance, sizeof out->instance, "%s", text_of(json, "instance"));
    return true;
}

static bool is_record_name(const char *name)
{
    size_t n = strlen(name);
    return n > strlen(SUFFIX) && strcmp(name + n - strlen(SUFFIX), SUFFIX) == 0;
}

enum rc record_list(const char *dir, const char *role, struct record *out, size_t max, size_t *out_n, struct err *err)
{
    *out_n = 0;
    CLEANUP(closedirp) DIR *handle = opendir(dir);
    if (handle == NULL) {
        if (errno == ENOENT) {
            return RC_OK;
        }
        FAIL(err, RC_FATAL, "runtime directory %s: %s", dir, strerror(errno));
    }
    for (const struct dirent *e = readdir(handle); e != NULL && *out_n < max; e = readdir(handle)) {
        struct record rec;
        CLEANUP(freep) char *path = xasprintf("%s/%s", dir, e->d_name);
        if (!is_record_name(e->d_name) || !parse(path, &rec)) {
            continue;
        }
        if (process_start(rec.pid) != rec.start) {
            (void)unlink(path);
        } else if (role == NULL || strcmp(role, rec.role) == 0) {
            out[(*out_n)++] = rec;
        }
    }
    return RC_OK;
}
