/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the platforms' settings from the environment, and refuses absurd ones. */
#include "callback/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/option.h"

#define PREFIX "AI_CS_PLATFORM_"
#define MIDDLE "_CALLBACK_"
#define SECRET_BYTES_MAX 8192

static const struct {
    const char *suffix;
    size_t at; /* in struct platform */
    int64_t min, max;
} NUMBERS[] = {
    {"TIMEOUT_MS", offsetof(struct platform, timeout_ms), 50, 120000},
    {"MAX_RETRIES", offsetof(struct platform, max_retries), 0, 1000},
    {"POLL_INTERVAL_MS", offsetof(struct platform, poll_interval_ms), 100, 3600000},
    {"BATCH_SIZE", offsetof(struct platform, batch_size), 1, 2000},
};

static enum rc wrong(struct err *err, const char *variable, size_t n, const char *why)
{
    (void)err_set(err, RC_FATAL, __FILE__, __LINE__, "environment %.*s: %s", (int)n, variable, why);
    return err_code(err, ERR_CONFIG);
}

static struct platform *find(struct platforms *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++) {
        if (strcmp(p->rows[i].name, name) == 0) {
            return &p->rows[i];
        }
    }
    return NULL;
}

static struct platform *add(struct platforms *p, const char *name)
{
    struct platform *row = find(p, name);
    if (row != NULL || p->n == PLATFORMS_MAX) {
        return row;
    }
    row = &p->rows[p->n++];
    *row = (struct platform){.timeout_ms = 3000,
                             .max_retries = 5,
                             .poll_interval_ms = 5000,
                             .batch_size = 20,
                             .schedule = {.steps_ms = {10000, 30000, 60000, 300000, 900000}, .n = 5}};
    (void)snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

static enum rc read_secret(const char *path, char out[SECRET_BYTES_MAX], struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, SECRET_BYTES_MAX);
    int why = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    if (n < 0 || n == SECRET_BYTES_MAX) {
        FAIL(err, RC_FATAL, "%s: %s", path, n < 0 ? strerror(why) : "too long for keys");
    }
    out[n] = '\0';
    return RC_OK;
}

static enum rc set_secret(struct platform *row, bool is_file, const char *value, struct err *err)
{
    char text[SECRET_BYTES_MAX];
    enum rc rc =
        row->keys != NULL ? err_set(err, RC_FATAL, __FILE__, __LINE__, "there is another secret already") : RC_OK;
    if (rc == RC_OK && is_file) {
        rc = read_secret(value, text, err);
    }
    if (rc == RC_OK) {
        rc = webhook_keys_parse(is_file ? text : value, &row->keys, err);
    }
    if (rc == RC_OK && !webhook_keys_can_sign(row->keys)) {
        rc = err_set(err, RC_FATAL, __FILE__, __LINE__, "only public keys: nothing to sign with");
    }
    OPENSSL_cleanse(text, sizeof text);
    return rc;
}

/* variable is the whole entry, name_n the length of its name. */
static enum rc set(struct platform *row, const char *suffix, const char *value, const char *variable, size_t name_n,
                   struct err *err)
{
    bool is_file = strcmp(suffix, "SECRET_FILE") == 0;
    if (is_file || strcmp(suffix, "SECRET") == 0) {
        if (set_secret(row, is_file, value, err) != RC_OK) {
            (void)err_prefix(err, "environment %.*s", (int)name_n, variable);
            return err_code(err, ERR_CONFIG);
        }
        return RC_OK;
    }
    if (strcmp(suffix, "RETRY_SCHEDULE_SEC") == 0 && !retry_schedule_parse(value, &row->schedule)) {
        return wrong(err, variable, name_n, "expected 1 to 32 numbers of seconds from 1 to 604800, e.g. 10,30,60");
    }
    for (size_t i = 0; i < ARRAY_SIZE(NUMBERS); i++) {
        int64_t *number = (int64_t *)(void *)((char *)row + NUMBERS[i].at);
        if (strcmp(suffix, NUMBERS[i].suffix) == 0 &&
            !option_parse_int(value, NUMBERS[i].min, NUMBERS[i].max, number)) {
            char why[96];
            (void)snprintf(why, sizeof why, "expected a whole number in %lld..%lld", (long long)NUMBERS[i].min,
                           (long long)NUMBERS[i].max);
            return wrong(err, variable, name_n, why);
        }
    }
    return RC_OK;
}

/* The last _CALLBACK_ divides, so that a platform may have that in its name. */
static const char *middle_of(const char *name, const char *end)
{
    const char *found = NULL;
    size_t n = strlen(MIDDLE);
    for (const char *at = name; at + n <= end; at++) {
        found = memcmp(at, MIDDLE, n) == 0 ? at : found;
    }
    return found;
}

static enum rc take(struct platforms *p, const char *entry, struct err *err)
{
    const char *equals = strchr(entry, '=');
    if (equals == NULL || equals[1] == '\0' || strncmp(entry, PREFIX, strlen(PREFIX)) != 0) {
        return RC_OK;
    }
    const char *name = entry + strlen(PREFIX);
    const char *middle = middle_of(name, equals);
    if (middle == NULL || middle == name) {
        return RC_OK;
    }
    size_t n = (size_t)(middle - name);
    const char *suffix_at = middle + strlen(MIDDLE);
    char platform[PLATFORM_NAME_MAX];
    char suffix[PLATFORM_NAME_MAX];
    size_t suffix_n = (size_t)(equals - suffix_at);
    if (n >= sizeof platform || suffix_n >= sizeof suffix) {
        return wrong(err, entry, (size_t)(equals - entry), "the name is too long");
    }
    memcpy(platform, name, n);
    platform[n] = '\0';
    memcpy(suffix, suffix_at, suffix_n);
    suffix[suffix_n] = '\0';
    struct platform *row = add(p, platform);
    return row == NULL ? wrong(err, entry, (size_t)(equals - entry), "one platform too many")
                       : set(row, suffix, equals + 1, entry, (size_t)(equals - entry), err);
}

enum rc platforms_load(struct platforms *out_platforms, char *const *envp, struct err *err)
{
    out_platforms->n = 0;
    (void)add(out_platforms, "SUB2API");
    (void)add(out_platforms, "NEWAPI");
    for (; *envp != NULL; envp++) {
        TRY(take(out_platforms, *envp, err));
    }
    return RC_OK;
}

void platforms_done(struct platforms *platforms)
{
    for (size_t i = 0; i < platforms->n; i++) {
        platforms->rows[i].keys = webhook_keys_free(platforms->rows[i].keys);
    }
    platforms->n = 0;
}

struct platform *platforms_find(struct platforms *platforms, const char *name)
{
    char upper[PLATFORM_NAME_MAX];
    size_t n = strlen(name);
    if (n == 0 || n >= sizeof upper) {
        return NULL;
    }
    for (size_t i = 0; i <= n; i++) {
        upper[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : (name[i] == '-' ? '_' : name[i]));
    }
    struct platform *row = find(platforms, upper);
    return row != NULL && row->keys != NULL ? row : NULL;
}
