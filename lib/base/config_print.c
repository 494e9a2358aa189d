/* SPDX-License-Identifier: Apache-2.0 */
/* The effective configuration for people and programs, secrets masked. */
#include <string.h>

#include "base/config_values.h"
#include "base/mem.h"

static void add_json_text(const char *s, struct buf *out)
{
    (void)buf_json_string(out, s, strlen(s));
}

static char *masked(bool secret, const char *value) MUST_USE;
static char *masked(bool secret, const char *value)
{
    struct buf text;
    buf_init(&text, CONFIG_SECRET_BYTES_MAX * 2);
    option_masked(secret, value, &text);
    return buf_take(&text);
}

static void print_row(const char *prefix, const char *name, const char *value, const char *source, struct buf *out)
{
    CLEANUP(freep) char *key = xasprintf("%s%s", prefix, name);
    (void)buf_printf(out, "%-32s = %-32s # %s\n", key, value, source);
}

static void print_text(const struct config *cfg, struct buf *out)
{
    for (size_t i = 0; i < cfg->n_entries; i++) {
        const struct config_entry *e = &cfg->entries[i];
        if (i == 0 || e->table != cfg->entries[i - 1].table) {
            (void)buf_printf(out, "%s# %s\n", i == 0 ? "" : "\n", e->table->component);
        }
        CLEANUP(freep) char *value = masked(e->opt->secret, e->value);
        print_row("", e->opt->name, value, e->source, out);
    }
    if (cfg->n_pass > 0) {
        (void)buf_puts(out, "\n# given to librdkafka\n");
    }
    for (size_t i = 0; i < cfg->n_pass; i++) {
        CLEANUP(freep) char *value = masked(cfg->pass[i].secret, cfg->pass[i].value);
        print_row("kafka.", cfg->pass[i].key, value, cfg->pass[i].source, out);
    }
}

static void json_row(const char *name, const char *value, bool quoted, const char *source, bool first, struct buf *out)
{
    (void)buf_puts(out, first ? "\n  {\"name\": " : ",\n  {\"name\": ");
    add_json_text(name, out);
    (void)buf_puts(out, ", \"value\": ");
    if (quoted) {
        add_json_text(value, out);
    } else {
        (void)buf_puts(out, value);
    }
    (void)buf_puts(out, ", \"source\": ");
    add_json_text(source, out);
    (void)buf_putc(out, '}');
}

static void print_json(const struct config *cfg, struct buf *out)
{
    (void)buf_putc(out, '[');
    bool first = true;
    for (size_t i = 0; i < cfg->n_entries; i++) {
        const struct config_entry *e = &cfg->entries[i];
        CLEANUP(freep) char *value = masked(e->opt->secret, e->value);
        bool quoted = e->opt->type == OPTION_STRING || e->opt->type == OPTION_CHOICE;
        json_row(e->opt->name, value, quoted, e->source, first, out);
        first = false;
    }
    for (size_t i = 0; i < cfg->n_pass; i++) {
        CLEANUP(freep) char *key = xasprintf("kafka.%s", cfg->pass[i].key);
        CLEANUP(freep) char *value = masked(cfg->pass[i].secret, cfg->pass[i].value);
        json_row(key, value, true, cfg->pass[i].source, first, out);
        first = false;
    }
    (void)buf_puts(out, "\n]\n");
}

void config_print(const struct config *cfg, bool json, struct buf *out)
{
    if (json) {
        print_json(cfg, out);
    } else {
        print_text(cfg, out);
    }
}
