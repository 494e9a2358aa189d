/* SPDX-License-Identifier: Apache-2.0 */
/* The effective values: which source set what, and who may override whom. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_values.h"
#include "base/mem.h"

#define ENV_NAME_MAX 128
#define KEY_MAX 128

static void wipe(char *value)
{
    explicit_bzero(value, strlen(value));
    free(value);
}

struct config *config_create(const struct option_table *const *tables, size_t n_tables)
{
    struct config *cfg = xcalloc(1, sizeof *cfg);
    for (size_t t = 0; t < n_tables; t++) {
        cfg->n_entries += tables[t]->n_rows;
    }
    cfg->entries = xcalloc(cfg->n_entries, sizeof *cfg->entries);
    struct config_entry *e = cfg->entries;
    for (size_t t = 0; t < n_tables; t++) {
        for (size_t r = 0; r < tables[t]->n_rows; r++, e++) {
            const struct option *opt = &tables[t]->rows[r];
            char env[ENV_NAME_MAX];
            *e = (struct config_entry){
                .opt = opt,
                .table = tables[t],
                .env = xstrdup(option_env(opt, env, sizeof env)),
                .value = xstrdup(opt->value),
                .source = xstrdup("default"),
            };
        }
    }
    return cfg;
}

struct config *config_free(struct config *cfg)
{
    if (cfg == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < cfg->n_entries; i++) {
        free(cfg->entries[i].env);
        free(cfg->entries[i].source);
        wipe(cfg->entries[i].value);
    }
    for (size_t i = 0; i < cfg->n_pass; i++) {
        free(cfg->pass[i].key);
        free(cfg->pass[i].source);
        wipe(cfg->pass[i].value);
    }
    free(cfg->entries);
    free(cfg->pass);
    free(cfg);
    return NULL;
}

void config_freep(struct config **cfg)
{
    *cfg = config_free(*cfg);
}

struct config_entry *config_find(const struct config *cfg, const char *name)
{
    for (size_t i = 0; i < cfg->n_entries; i++) {
        if (strcmp(cfg->entries[i].opt->name, name) == 0) {
            return &cfg->entries[i];
        }
    }
    return NULL;
}

static void replace(char **text, const char *with)
{
    char *copy = xstrdup(with);
    wipe(*text);
    *text = copy;
}

static enum rc set_entry(struct config_entry *e, const char *value, enum config_level level, const char *source,
                         struct err *err)
{
    enum rc rc = option_check(e->opt, value, err);
    if (rc != RC_OK) {
        return err_prefix(err, "option %s (%s)", e->opt->name, source);
    }
    if (e->level == level && level != LEVEL_FLAG) {
        FAIL(err, RC_FATAL, "option %s is set twice: %s and %s", e->opt->name, e->source, source);
    }
    if (level >= e->level) {
        e->level = level;
        replace(&e->value, value);
        replace(&e->source, source);
    }
    return RC_OK;
}

static bool pass_is_secret(const char *key)
{
    static const char *const words[] = {"password", "secret", "key.pem", "token", "oauthbearer.config"};
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        if (strstr(key, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* Where key is or belongs in the sorted list. */
static size_t pass_position(const struct config *cfg, const char *key, bool *out_found)
{
    size_t at = 0;
    while (at < cfg->n_pass && strcmp(cfg->pass[at].key, key) < 0) {
        at++;
    }
    *out_found = at < cfg->n_pass && strcmp(cfg->pass[at].key, key) == 0;
    return at;
}

static void pass_insert(struct config *cfg, size_t at, struct config_pass row)
{
    cfg->pass = xrealloc(cfg->pass, (cfg->n_pass + 1) * sizeof *cfg->pass);
    memmove(&cfg->pass[at + 1], &cfg->pass[at], (cfg->n_pass - at) * sizeof *cfg->pass);
    cfg->pass[at] = row;
    cfg->n_pass++;
}

static enum rc set_pass(struct config *cfg, const char *key, const char *value, enum config_level level,
                        const char *source, struct err *err)
{
    size_t n = strlen(key);
    if (n == 0 || n > KEY_MAX || strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789._-") != n) {
        FAIL(err, RC_FATAL, "option kafka.%.*s (%s): not a name of a librdkafka setting", KEY_MAX, key, source);
    }
    bool found = false;
    size_t at = pass_position(cfg, key, &found);
    if (!found) {
        if (cfg->n_pass >= CONFIG_PASSTHROUGH_MAX) {
            FAIL(err, RC_FATAL, "option kafka.%s (%s): more than %d kafka.* options", key, source,
                 CONFIG_PASSTHROUGH_MAX);
        }
        pass_insert(cfg, at,
                    (struct config_pass){.key = xstrdup(key),
                                         .value = xstrdup(value),
                                         .source = xstrdup(source),
                                         .level = level,
                                         .secret = pass_is_secret(key)});
        return RC_OK;
    }
    struct config_pass *p = &cfg->pass[at];
    if (p->level == level && level != LEVEL_FLAG) {
        FAIL(err, RC_FATAL, "option kafka.%s is set twice: %s and %s", key, p->source, source);
    }
    if (level >= p->level) {
        p->level = level;
        replace(&p->value, value);
        replace(&p->source, source);
    }
    return RC_OK;
}

static enum rc unknown(const struct config *cfg, const char *name, const char *source, struct err *err)
{
    struct suggest near;
    suggest_init(&near, name);
    for (size_t i = 0; i < cfg->n_entries; i++) {
        suggest_offer(&near, cfg->entries[i].opt->name);
    }
    if (near.best != NULL) {
        FAIL(err, RC_FATAL, "option %.*s (%s): unknown; did you mean %s?", KEY_MAX, name, source, near.best);
    }
    FAIL(err, RC_FATAL, "option %.*s (%s): unknown; `sluice config docs` lists all options", KEY_MAX, name, source);
}

bool config_is_secret(const struct config *cfg, const char *name)
{
    const struct config_entry *e = config_find(cfg, name);

    return e != NULL ? e->opt->secret : strncmp(name, "kafka.", 6) == 0 && pass_is_secret(name + 6);
}

/* "http.token.file" -> "http.token" when that is a secret; heap text or NULL. */
static char *secret_of_file_key(const struct config *cfg, const char *name)
{
    static const char suffix[] = ".file";
    size_t n = strlen(name);
    if (n <= sizeof suffix - 1 || strcmp(name + n - (sizeof suffix - 1), suffix) != 0) {
        return NULL;
    }
    char *base = xstrndup(name, n - (sizeof suffix - 1));
    if (!config_is_secret(cfg, base)) {
        free(base);
        return NULL;
    }
    return base;
}

static enum rc set_value(struct config *cfg, const char *name, const char *value, enum config_level level,
                         const char *source, struct err *err)
{
    struct config_entry *e = config_find(cfg, name);
    if (e != NULL) {
        return set_entry(e, value, level, source, err);
    }
    if (strncmp(name, "kafka.", 6) == 0) {
        return set_pass(cfg, name + 6, value, level, source, err);
    }
    return unknown(cfg, name, source, err);
}

enum rc config_set(struct config *cfg, const char *name, const char *value, enum config_level level, const char *source,
                   struct err *err)
{
    CLEANUP(freep) char *secret = config_find(cfg, name) == NULL ? secret_of_file_key(cfg, name) : NULL;
    if (secret == NULL) {
        return set_value(cfg, name, value, level, source, err);
    }
    char *text = NULL;
    if (config_read_file(value, CONFIG_SECRET_BYTES_MAX, &text, err) != RC_OK) {
        return err_prefix(err, "option %s (%s)", name, source);
    }
    size_t n = strlen(text);
    if (n > 0 && text[n - 1] == '\n') {
        text[n - 1] = '\0';
    }
    enum rc rc = set_value(cfg, secret, text, level, source, err);
    wipe(text);
    return rc;
}

/* A name that is in no table is a mistake in the program, not in the configuration. */
static const struct config_entry *must_find(const struct config *cfg, const char *name, enum option_type type,
                                            bool any_type)
{
    const struct config_entry *e = config_find(cfg, name);
    if (e == NULL || (!any_type && e->opt->type != type)) {
        (void)fprintf(stderr, "sluice: no option table has %s of this type\n", name);
        abort();
    }
    return e;
}

const char *config_str(const struct config *cfg, const char *name)
{
    return must_find(cfg, name, OPTION_STRING, true)->value;
}

int64_t config_int(const struct config *cfg, const char *name)
{
    const struct config_entry *e = must_find(cfg, name, OPTION_INT, false);
    int64_t value = 0;
    bool ok = option_parse_int(e->value, INT64_MIN, INT64_MAX, &value);
    assert(ok); /* checked when it was set; for a default, by the test of the tables */
    (void)ok;
    return value;
}

bool config_bool(const struct config *cfg, const char *name)
{
    return strcmp(must_find(cfg, name, OPTION_BOOL, false)->value, "true") == 0;
}

const char *config_source(const struct config *cfg, const char *name)
{
    return must_find(cfg, name, OPTION_STRING, true)->source;
}

enum rc config_each_passthrough(const struct config *cfg, config_pass_fn fn, void *opaque, struct err *err)
{
    for (size_t i = 0; i < cfg->n_pass; i++) {
        TRY(fn(cfg->pass[i].key, cfg->pass[i].value, opaque, err));
    }
    return RC_OK;
}
