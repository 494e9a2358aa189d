/* SPDX-License-Identifier: Apache-2.0 */
/* Option tables as text: for --help and as docs/CONFIGURATION.md. */
#include <string.h>

#include "base/option.h"

#define ENV_NAME_MAX 128

/* "1..100000", "true | false", "avro | json", "text" */
static void add_values(const struct option *opt, const char *separator, struct buf *out)
{
    switch (opt->type) {
    case OPTION_INT:
        (void)buf_printf(out, "%lld..%lld", (long long)opt->min, (long long)opt->max);
        return;
    case OPTION_BOOL:
        (void)buf_printf(out, "true%sfalse", separator);
        return;
    case OPTION_CHOICE:
        for (const char *c = opt->choices; *c != '\0'; c++) {
            (void)(*c == '|' ? buf_puts(out, separator) : buf_putc(out, *c));
        }
        return;
    case OPTION_STRING:
        (void)buf_puts(out, opt->secret ? "secret" : "text");
        if (opt->choices != NULL) {
            (void)buf_printf(out, " of %s", opt->choices);
        }
        return;
    }
}

/* Help is one sentence; a bare | would end a table cell. */
static void add_cell(const char *text, struct buf *out)
{
    for (; *text != '\0'; text++) {
        (void)(*text == '|' ? buf_puts(out, "\\|") : buf_putc(out, *text));
    }
}

static void add_row(const struct option *opt, struct buf *out)
{
    char env[ENV_NAME_MAX];
    (void)buf_printf(out, "| `%s` | `%s` | ", opt->name, option_env(opt, env, sizeof env));
    add_values(opt, " \\| ", out);
    (void)buf_printf(out, opt->value[0] == '\0' ? " | %s | " : " | `%s` | ", opt->value);
    add_cell(opt->help, out);
    (void)buf_puts(out, " |\n");
}

void option_tables_markdown(const struct option_table *const *tables, size_t n, struct buf *out)
{
    (void)buf_puts(
        out, "# Configuration\n\n"
             "<!-- Printed by `sluice config docs`; do not edit. -->\n\n"
             "Each option can be given as a flag (`--relay.batch.rows.max=5000`), in the environment\n"
             "(`SLUICE_RELAY_BATCH_ROWS_MAX=5000`) or in the file named by `--config` or `SLUICE_CONFIG`\n"
             "(`relay.batch.rows.max = 5000`, `#` starts a comment line). Flag beats environment beats file beats\n"
             "default. Unknown keys are errors; an empty environment variable counts as not set.\n\n"
             "A secret can also be given as a file that holds it: `SLUICE_HTTP_TOKEN_FILE`, `http.token.file`\n"
             "or `--http.token.file`. `sluice config` shows the effective values and where each came from,\n"
             "secrets masked; `sluice config check` only checks them.\n\n"
             "Keys that start with `kafka.` and are not listed here go to librdkafka as they are:\n"
             "`kafka.sasl.username`, in the environment `SLUICE_KAFKA_SASL_USERNAME`.\n");
    for (size_t i = 0; i < n; i++) {
        const struct option_table *table = tables[i];
        (void)buf_printf(
            out, "\n## %s\n\n%s\n\n| option | environment | values | default | meaning |\n|---|---|---|---|---|\n",
            table->component, table->help);
        for (size_t r = 0; r < table->n_rows; r++) {
            add_row(&table->rows[r], out);
        }
    }
}

void option_table_help(const struct option_table *table, struct buf *out)
{
    (void)buf_printf(out, "Options of %s:\n", table->component);
    for (size_t i = 0; i < table->n_rows; i++) {
        const struct option *opt = &table->rows[i];
        (void)buf_printf(out, "  --%s=", opt->name);
        add_values(opt, "|", out);
        if (opt->value[0] != '\0') {
            (void)buf_printf(out, "  (default %s)", opt->value);
        }
        (void)buf_printf(out, "\n      %s\n", opt->help);
    }
}
