/* SPDX-License-Identifier: Apache-2.0 */
/* The environment of a role the bench starts: ours, plus the options that came from our command line or file. */
#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "roles.h"

#define ENV_MAX 4096
#define NAME_MAX_BYTES 128

struct env {
    char **list;
    size_t n;
};

static bool names(const char *entry, const char *name, const char *suffix)
{
    size_t n = strlen(name);
    size_t k = strlen(suffix);
    return strncmp(entry, name, n) == 0 && strncmp(entry + n, suffix, k) == 0 && entry[n + k] == '=';
}

/* NAME, and NAME_FILE: a secret must not be given twice. */
static void drop(struct env *e, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < e->n; i++) {
        if (names(e->list[i], name, "") || names(e->list[i], name, "_FILE")) {
            free(e->list[i]);
        } else {
            e->list[kept++] = e->list[i];
        }
    }
    e->n = kept;
    e->list[kept] = NULL;
}

static void set(struct env *e, const char *name, const char *value)
{
    drop(e, name);
    if (e->n < ENV_MAX) {
        e->list[e->n++] = xasprintf("%s=%s", name, value);
    }
}

static void set_option(struct env *e, const struct config *cfg, const struct option *row)
{
    char name[NAME_MAX_BYTES];
    const char *source = config_source(cfg, row->name);

    if ((strncmp(source, "flag", 4) != 0 && strncmp(source, "file", 4) != 0) || strcmp(row->name, "http") == 0) {
        return;
    }
    (void)option_env(row, name, sizeof name);
    if (row->type == OPTION_INT) {
        CLEANUP(freep) char *text = xasprintf("%" PRId64, config_int(cfg, row->name));
        set(e, name, text);
    } else if (row->type == OPTION_BOOL) {
        set(e, name, config_bool(cfg, row->name) ? "true" : "false");
    } else {
        set(e, name, config_str(cfg, row->name));
    }
}

static enum rc set_kafka(const char *key, const char *value, void *opaque, struct err *err)
{
    CLEANUP(freep) char *name = xasprintf("SLUICE_KAFKA_%s", key);
    (void)err;
    for (char *c = name; *c != '\0'; c++) {
        *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
    }
    set(opaque, name, value);
    return RC_OK;
}

char **bench_env(const struct config *cfg, char **envp, const struct bench_setting *more, size_t n)
{
    const struct option_table *tables[OPTION_TABLES_MAX];
    size_t n_tables = option_tables(tables);
    struct env e = {.list = xcalloc(ENV_MAX + 1, sizeof *e.list)};
    struct err err;

    for (; *envp != NULL && e.n < ENV_MAX; envp++) {
        e.list[e.n++] = xstrdup(*envp);
    }
    for (size_t t = 0; t < n_tables; t++) {
        for (size_t i = 0; i < tables[t]->n_rows; i++) {
            set_option(&e, cfg, &tables[t]->rows[i]);
        }
    }
    rc_ignore(config_each_passthrough(cfg, set_kafka, &e, &err)); /* set_kafka never fails */
    for (size_t i = 0; i < n; i++) {
        set(&e, more[i].name, more[i].value);
    }
    return e.list;
}

void bench_env_free(char **env)
{
    for (size_t i = 0; env[i] != NULL; i++) {
        free(env[i]);
    }
    free(env);
}
