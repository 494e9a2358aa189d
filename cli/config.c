/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice config`: effective values, the check of them, and docs/CONFIGURATION.md. */
#include "base/mem.h"
#include "commands.h"
#include "roles.h"

#define OUT_BYTES_MAX ((size_t)4 << 20)

int cmd_config(const struct cli *cli)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUT_BYTES_MAX);
    config_print(cli->cfg, cli->json, &out);
    return cli_print(&out);
}

/* Everything that was given has been checked when it was loaded; what remains is what must be given. */
int cmd_config_check(const struct cli *cli)
{
    static const char *const needed[] = {"database.url", "kafka.brokers"};
    int code = EXIT_DONE;
    for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
        int missing = cli_require(cli, needed[i]);
        code = missing == EXIT_DONE ? code : missing;
    }
    if (code == EXIT_DONE) {
        cli_note(cli, "the configuration is complete");
    }
    return code;
}

int cmd_config_docs(const struct cli *cli)
{
    (void)cli;
    const struct option_table *tables[OPTION_TABLES_MAX];
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, OUT_BYTES_MAX);
    option_tables_markdown(tables, option_tables(tables), &out);
    return cli_print(&out);
}
