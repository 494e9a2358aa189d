/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is printed from the tables is compared with files in the repository: help, topology, CONFIGURATION.md.
 * After a change that is meant: SLUICE_TEST_GOLDEN_UPDATE=1 ctest -R unit_cli, then read the diff.
 */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"

#define TEXT_MAX ((size_t)1 << 20)

static void read_all(FILE *f, struct buf *out)
{
    char piece[4096];
    for (size_t n = fread(piece, 1, sizeof piece, f); n > 0; n = fread(piece, 1, sizeof piece, f)) {
        cr_assert(buf_add(out, piece, n));
    }
}

static void compare(const char *file, const struct buf *got)
{
    CLEANUP(freep) char *path = xasprintf("%s/%s", SOURCE_DIR, file);
    if (getenv("SLUICE_TEST_GOLDEN_UPDATE") != NULL) {
        FILE *out = fopen(path, "w");
        cr_assert_not_null(out, "%s", path);
        cr_assert_eq(fwrite(buf_str(got), 1, got->len, out), got->len);
        cr_assert_eq(fclose(out), 0);
        return;
    }
    CLEANUP(buf_done) struct buf want;
    buf_init(&want, TEXT_MAX);
    FILE *in = fopen(path, "r");
    cr_assert_not_null(in, "%s", path);
    read_all(in, &want);
    (void)fclose(in);
    cr_assert_str_eq(buf_str(got), buf_str(&want), "%s is not current: SLUICE_TEST_GOLDEN_UPDATE=1 ctest -R unit_cli",
                     file);
}

static void compare_output(const char *file, int argc, const char *const *words)
{
    char *argv[8] = {0};
    char *envp[] = {NULL};
    for (int i = 0; i < argc; i++) {
        argv[i] = xstrdup(words[i]);
    }
    cr_redirect_stdout();
    cr_assert_eq(cli_main(&ROOT_COMMAND, argc, argv, envp), EXIT_DONE);
    (void)fclose(stdout);
    CLEANUP(buf_done) struct buf got;
    buf_init(&got, TEXT_MAX);
    read_all(cr_get_redirected_stdout(), &got);
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    compare(file, &got);
}

static void add_help(const struct command *cmd, const char *path, struct buf *out)
{
    (void)buf_printf(out, "%s$ %s --help\n", out->len == 0 ? "" : "\n", path);
    command_help(cmd, path, out);
    for (size_t i = 0; i < cmd->n_children; i++) {
        CLEANUP(freep) char *child = xasprintf("%s %s", path, cmd->children[i].name);
        add_help(&cmd->children[i], child, out);
    }
}

Test(golden, help_of_every_command)
{
    CLEANUP(buf_done) struct buf out;
    buf_init(&out, TEXT_MAX);
    add_help(&ROOT_COMMAND, ROOT_COMMAND.name, &out);
    compare("tests/golden/help.txt", &out);
}

Test(golden, topology_as_text)
{
    static const char *const words[] = {"sluice", "topology"};
    compare_output("tests/golden/topology.txt", 2, words);
}

Test(golden, topology_as_mermaid)
{
    static const char *const words[] = {"sluice", "topology", "--mermaid"};
    compare_output("tests/golden/topology.mmd", 3, words);
}

Test(golden, topology_as_json)
{
    static const char *const words[] = {"sluice", "topology", "--json"};
    compare_output("tests/golden/topology.json", 3, words);
}

Test(golden, states_of_payments)
{
    static const char *const words[] = {"sluice", "topology", "--states"};
    compare_output("tests/golden/states.mmd", 3, words);
}

Test(golden, configuration_document)
{
    static const char *const words[] = {"sluice", "config", "docs"};
    compare_output("docs/CONFIGURATION.md", 3, words);
}
