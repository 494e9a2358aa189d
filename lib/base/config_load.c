/* SPDX-License-Identifier: Apache-2.0 */
/* Where values come from: a file, the environment, flags. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/config_values.h"
#include "base/mem.h"

#define ENV_NAME_MAX 128
#define SOURCE_MAX 512

/* Names with our prefix that are not options. */
static const char *const NOT_OPTIONS[] = {"SLUICE_CONFIG", "SLUICE_BIN", "SLUICE_SOURCE_DIR"};
static const char *const NOT_OPTION_PREFIXES[] = {"SLUICE_DEV_", "SLUICE_TEST_"};

static void closep(const int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
    }
}

static enum rc read_text(const char *path, size_t max_bytes, bool secret, char **out_text, struct err *err)
{
    struct stat st;
    CLEANUP(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0 || fstat(fd, &st) != 0) {
        FAIL(err, RC_FATAL, "cannot open %s: %s", path, strerror(errno));
    }
    if (secret && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        FAIL(err, RC_FATAL, "%s: readable by others than its owner; expected mode 0600", path);
    }
    CLEANUP(freep) char *text = xcalloc(max_bytes + 2, 1);
    size_t n = 0;
    while (n <= max_bytes) {
        ssize_t got = read(fd, text + n, max_bytes + 1 - n);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            FAIL(err, RC_FATAL, "cannot read %s: %s", path, strerror(errno));
        }
        if (got == 0) {
            break;
        }
        n += (size_t)got;
    }
    if (n > max_bytes) {
        FAIL(err, RC_FATAL, "%s is larger than %zu bytes", path, max_bytes);
    }
    if (memchr(text, '\0', n) != NULL) {
        FAIL(err, RC_FATAL, "%s holds a NUL byte; expected text", path);
    }
    *out_text = xstrdup(text);
    explicit_bzero(text, n);
    return RC_OK;
}

enum rc config_read_file(const char *path, size_t max_bytes, char **out_text, struct err *err)
{
    return read_text(path, max_bytes, false, out_text, err);
}

enum rc config_read_secret(const char *path, size_t max_bytes, char **out_text, struct err *err)
{
    enum rc rc = read_text(path, max_bytes, true, out_text, err);
    return rc == RC_OK ? RC_OK : err_code(err, ERR_CONFIG);
}

/* Cuts white space off both ends, in place. */
static char *trim(char *s)
{
    while (isspace((unsigned char)*s)) {
        s++;
    }
    size_t n = strlen(s);
    while (n > 0 && isspace((unsigned char)s[n - 1])) {
        s[--n] = '\0';
    }
    return s;
}

static enum rc load_line(struct config *cfg, char *line, const char *source, struct err *err)
{
    if (strlen(line) > CONFIG_LINE_BYTES_MAX) {
        FAIL(err, RC_FATAL, "%s: the line is longer than %zu bytes", source, CONFIG_LINE_BYTES_MAX);
    }
    char *key = trim(line);
    if (*key == '\0' || *key == '#') {
        return RC_OK;
    }
    char *equals = strchr(key, '=');
    if (equals == NULL || equals == key) {
        FAIL(err, RC_FATAL, "%s: expected `key = value` or a # comment", source); /* the line may hold a secret */
    }
    *equals = '\0';
    return config_set(cfg, trim(key), trim(equals + 1), LEVEL_FILE, source, err);
}

enum rc config_load_file(struct config *cfg, const char *path, struct err *err)
{
    CLEANUP(freep) char *text = NULL;
    TRY(config_read_file(path, CONFIG_FILE_BYTES_MAX, &text, err));
    int line_no = 1;
    for (char *line = text; line != NULL; line_no++) {
        char *end = strchr(line, '\n');
        if (end != NULL) {
            *end = '\0';
        }
        char source[SOURCE_MAX];
        (void)snprintf(source, sizeof source, "file %s:%d", path, line_no);
        TRY(load_line(cfg, line, source, err));
        line = end == NULL ? NULL : end + 1;
    }
    return RC_OK;
}

static bool is_not_an_option(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(NOT_OPTIONS); i++) {
        if (strcmp(name, NOT_OPTIONS[i]) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < ARRAY_SIZE(NOT_OPTION_PREFIXES); i++) {
        if (strncmp(name, NOT_OPTION_PREFIXES[i], strlen(NOT_OPTION_PREFIXES[i])) == 0) {
            return true;
        }
    }
    return false;
}

static enum rc unknown_variable(const struct config *cfg, const char *name, struct err *err)
{
    struct suggest near;
    suggest_init(&near, name);
    for (size_t i = 0; i < cfg->n_entries; i++) {
        /* DATABASE_URL is what somebody means who writes SLUICE_DATABASE_URL. */
        if (strcmp(name + strlen("SLUICE_"), cfg->entries[i].env) == 0) {
            near = (struct suggest){.word = name, .best = cfg->entries[i].env};
        }
        suggest_offer(&near, cfg->entries[i].env);
    }
    if (near.best != NULL) {
        FAIL(err, RC_FATAL, "environment %s: unknown; did you mean %s?", name, near.best);
    }
    FAIL(err, RC_FATAL, "environment %s: unknown; `sluice config docs` lists all options", name);
}

/* The key that an environment name stands for, as heap text; NULL when it is none of ours. */
static char *key_of_variable(const struct config *cfg, const char *name)
{
    for (size_t i = 0; i < cfg->n_entries; i++) {
        const struct config_entry *e = &cfg->entries[i];
        size_t n = strlen(e->env);
        if (strncmp(name, e->env, n) != 0) {
            continue;
        }
        if (name[n] == '\0') {
            return xstrdup(e->opt->name);
        }
        if (e->opt->secret && strcmp(name + n, "_FILE") == 0) {
            return xasprintf("%s.file", e->opt->name);
        }
    }
    static const char prefix[] = "SLUICE_KAFKA_";
    if (strncmp(name, prefix, sizeof prefix - 1) != 0) {
        return NULL;
    }
    char *key = xasprintf("kafka.%s", name + sizeof prefix - 1);
    for (char *c = key; *c != '\0'; c++) {
        *c = *c == '_' ? '.' : (char)tolower((unsigned char)*c);
    }
    if (config_find(cfg, key) != NULL) { /* it has another name in the environment */
        free(key);
        return NULL;
    }
    return key;
}

static enum rc load_variable(struct config *cfg, const char *name, const char *value, struct err *err)
{
    CLEANUP(freep) char *key = key_of_variable(cfg, name);
    if (key == NULL) {
        bool ours = strncmp(name, "SLUICE_", strlen("SLUICE_")) == 0 && !is_not_an_option(name);
        return ours ? unknown_variable(cfg, name, err) : RC_OK;
    }
    if (value[0] == '\0') {
        return RC_OK;
    }
    char source[SOURCE_MAX];
    (void)snprintf(source, sizeof source, "environment %s", name);
    return config_set(cfg, key, value, LEVEL_ENVIRONMENT, source, err);
}

enum rc config_load_env(struct config *cfg, char **envp, struct err *err)
{
    for (char **var = envp; *var != NULL; var++) {
        const char *equals = strchr(*var, '=');
        if (equals == NULL || equals - *var >= ENV_NAME_MAX) {
            continue;
        }
        char name[ENV_NAME_MAX];
        (void)snprintf(name, sizeof name, "%.*s", (int)(equals - *var), *var);
        TRY(load_variable(cfg, name, equals + 1, err));
    }
    return RC_OK;
}

enum rc config_set_flag(struct config *cfg, const char *name, const char *value, struct err *err)
{
    char source[SOURCE_MAX];
    (void)snprintf(source, sizeof source, "flag --%s", name);
    size_t n = strlen(name);
    bool names_a_file = n > 5 && strcmp(name + n - 5, ".file") == 0;
    if (config_is_secret(cfg, name) && !names_a_file) {
        err_set(
            err, RC_FATAL, __FILE__, __LINE__,
            "option %s is a secret, and a flag stands in the process list; expected it in the environment or in a file",
            name);
        return err_code(err, ERR_CONFIG);
    }
    return config_set(cfg, name, value, LEVEL_FLAG, source, err);
}
