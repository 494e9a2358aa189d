/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatch, flags and exit codes, on a small tree of the test's own and on the real one. */
#include "cli/command.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/roles.h"

#define ARGS_MAX 16

/* What the command saw. */
static struct {
    int calls;
    int argc;
    char first[64], second[64];
    char value[64], on[8];
    bool json, yes, dry_run, quiet;
    char level[16];
    int64_t number;
    size_t n_each;
    char each[64]; /* values of a flag that may be given several times, each behind a ';' */
} saw;

static int cmd_look(const struct cli *cli)
{
    struct err err = {0};
    saw.calls++;
    saw.argc = cli->argc;
    (void)snprintf(saw.first, sizeof saw.first, "%s", cli->argc > 0 ? cli->argv[0] : "");
    (void)snprintf(saw.second, sizeof saw.second, "%s", cli->argc > 1 ? cli->argv[1] : "");
    const char *value = cli_flag(cli, "value");
    (void)snprintf(saw.value, sizeof saw.value, "%s", value == NULL ? "(none)" : value);
    (void)snprintf(saw.on, sizeof saw.on, "%s", cli_flag(cli, "on") == NULL ? "no" : "yes");
    (void)snprintf(saw.level, sizeof saw.level, "%s", config_str(cli->cfg, "log.level"));
    saw.json = cli->json;
    saw.yes = cli->yes;
    saw.dry_run = cli->dry_run;
    saw.quiet = cli->quiet;
    saw.number = 42;
    if (cli_flag_int(cli, "number", 1, 10, &saw.number, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    char *each[4] = {NULL};
    enum rc rc = cli_flag_each(cli, "each", each, ARRAY_SIZE(each), &saw.n_each, &err);
    for (size_t i = 0; i < ARRAY_SIZE(each) && each[i] != NULL; i++) {
        size_t at = strlen(saw.each);
        (void)snprintf(saw.each + at, sizeof saw.each - at, ";%s", each[i]);
        free(each[i]);
    }
    return rc == RC_OK ? EXIT_REJECTED : cli_usage(cli, "%s", err.text);
}

static int cmd_other(const struct cli *cli)
{
    (void)cli;
    return EXIT_NOT_FOUND;
}

static const struct command_flag LOOK_FLAGS[] = {
    {"value", "V", "A value."}, {"on", NULL, "A switch."}, {"number", "N", "A number."}, {"each", "E", "Values."}};
static const struct command DEEP[] = {
    {.name = "other", .help = "Other.", .run = cmd_other},
    {.name = "look",
     .args = "A [B]",
     .help = "Looks.",
     .flags = LOOK_FLAGS,
     .n_flags = ARRAY_SIZE(LOOK_FLAGS),
     .args_min = 1,
     .args_max = 2,
     .run = cmd_look},
};
static const struct command TOP[] = {
    {.name = "group", .help = "Group.", .run = cmd_other, .children = DEEP, .n_children = ARRAY_SIZE(DEEP)},
    {.name = "free", .help = "Needs no configuration.", .run = cmd_other, .no_config = true},
};
static const struct command ROOT = {.name = "sluice", .help = "Test.", .children = TOP, .n_children = ARRAY_SIZE(TOP)};

static char *empty_environment[] = {NULL};

/* Runs a line of words separated by single blanks. */
static int run_with(const struct command *root, const char *text, char **envp)
{
    CLEANUP(freep) char *copy = xstrdup(text);
    char *argv[ARGS_MAX] = {copy};
    int argc = 1;
    for (char *c = copy; *c != '\0' && argc < ARGS_MAX; c++) {
        if (*c == ' ') {
            *c = '\0';
            argv[argc++] = c + 1;
        }
    }
    memset(&saw, 0, sizeof saw);
    return cli_main(root, argc, argv, envp);
}

static int run(const char *text)
{
    return run_with(&ROOT, text, empty_environment);
}

static void redirect(void)
{
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(command, .init = redirect);

Test(command, exit_code_and_arguments_go_through)
{
    cr_assert_eq(run("sluice group look a b"), EXIT_REJECTED);
    cr_assert_eq(saw.argc, 2);
    cr_assert_str_eq(saw.first, "a");
    cr_assert_str_eq(saw.second, "b");
    cr_assert_str_eq(saw.value, "(none)");
    cr_assert_str_eq(saw.on, "no");
    cr_assert_eq(saw.number, 42);
    cr_assert_eq(run("sluice group"), EXIT_NOT_FOUND);
    cr_assert_eq(run("sluice group other"), EXIT_NOT_FOUND);
}

Test(command, a_flag_may_be_given_several_times)
{
    cr_assert_eq(run("sluice group look a --each x --value v --each=y,z"), EXIT_REJECTED);
    cr_assert_eq(saw.n_each, 3);
    cr_assert_str_eq(saw.each, ";x;y;z");
    cr_assert_eq(run("sluice group look a"), EXIT_REJECTED);
    cr_assert_eq(saw.n_each, 0);
    cr_assert_eq(run("sluice group look a --each x, "), EXIT_USAGE);
    cr_assert_eq(run("sluice group look a --each="), EXIT_USAGE);
    cr_assert_eq(run("sluice group look a --each ,x"), EXIT_USAGE);
    cr_assert_eq(run("sluice group look a --each 1,2,3,4"), EXIT_REJECTED);
    cr_assert_eq(run("sluice group look a --each 1,2,3,4 --each 5"), EXIT_USAGE);
}

Test(command, flags_stand_anywhere_behind_their_command)
{
    cr_assert_eq(run("sluice --json group look --value=x a --on --number 7 -q --yes --dry-run"), EXIT_REJECTED);
    cr_assert_str_eq(saw.value, "x");
    cr_assert_str_eq(saw.on, "yes");
    cr_assert_eq(saw.number, 7);
    cr_assert(saw.json && saw.quiet && saw.yes && saw.dry_run);
    cr_assert_eq(run("sluice group look --value --on a"), EXIT_REJECTED);
    cr_assert_str_eq(saw.value, "--on", "a value is a value whatever it looks like");
}

Test(command, words_behind_two_dashes_are_arguments)
{
    cr_assert_eq(run("sluice group look -- --json -q"), EXIT_REJECTED);
    cr_assert_str_eq(saw.first, "--json");
    cr_assert_not(saw.json);
    cr_assert_eq(run("sluice group look -"), EXIT_REJECTED);
    cr_assert_str_eq(saw.first, "-");
}

Test(command, mistakes_in_the_line_are_2_and_run_nothing)
{
    static const char *const lines[] = {
        "sluice nosuch",
        "sluice group nosuch",
        "sluice --nosuch",
        "sluice group look",
        "sluice group look a b c",
        "sluice group look a --value",
        "sluice group look a --on=1",
        "sluice group look a -x",
        "sluice group --on look a", /* not yet its command */
        "sluice group other --value=1",
        "sluice --config",
        "sluice --log.level",
        "sluice group other --log.levle=debug",
        "sluice free extra",
    };
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        cr_assert_eq(run(lines[i]), EXIT_USAGE, "%s", lines[i]);
        cr_assert_eq(saw.calls, 0, "%s", lines[i]);
    }
    cr_assert_eq(run("sluice group look a --number 1e1"), EXIT_USAGE);
    cr_assert_eq(run("sluice group look a --number 11"), EXIT_USAGE);
}

Test(command, a_mistyped_command_gets_a_suggestion)
{
    cr_assert_eq(run("sluice gruop"), EXIT_USAGE);
    (void)fflush(stderr);
    cr_assert_stderr_eq_str("sluice: unknown command gruop; did you mean group?; see `sluice --help`\n");
}

Test(command, options_are_flags_and_wrong_ones_are_78)
{
    cr_assert_eq(run("sluice group look a --log.level=debug"), EXIT_REJECTED);
    cr_assert_str_eq(saw.level, "debug");
    cr_assert_eq(run("sluice --log.level debug group look a"), EXIT_REJECTED);
    cr_assert_str_eq(saw.level, "debug");
    cr_assert_eq(run("sluice group look a --log.level=loud"), EXIT_CONFIG);
    cr_assert_eq(saw.calls, 0);
    cr_assert_eq(run("sluice group look a --kafka.security.protocol=ssl"), EXIT_REJECTED);
}

Test(command, environment_and_file_are_read_before_the_command)
{
    char variable[] = "SLUICE_LOG_LEVEL=warn";
    char wrong[] = "SLUICE_LOG_LEVLE=warn";
    char *good[] = {variable, NULL};
    char *bad[] = {wrong, NULL};
    cr_assert_eq(run_with(&ROOT, "sluice group look a", good), EXIT_REJECTED);
    cr_assert_str_eq(saw.level, "warn");
    cr_assert_eq(run_with(&ROOT, "sluice group look a", bad), EXIT_CONFIG);
    cr_assert_eq(run_with(&ROOT, "sluice free", bad), EXIT_NOT_FOUND, "works when the configuration is wrong");
    cr_assert_eq(run("sluice group look a --config /no/such/file"), EXIT_CONFIG);
}

Test(command, the_file_is_named_by_flag_or_environment)
{
    char path[] = "/tmp/sluice_command_test.XXXXXX";
    int fd = mkstemp(path);
    cr_assert_eq(write(fd, "log.level = error\n", 18), 18);
    (void)close(fd);
    CLEANUP(freep) char *line = xasprintf("sluice group look a --config=%s", path);
    CLEANUP(freep) char *variable = xasprintf("SLUICE_CONFIG=%s", path);
    char *envp[] = {variable, NULL};
    cr_assert_eq(run(line), EXIT_REJECTED);
    cr_assert_str_eq(saw.level, "error");
    cr_assert_eq(run_with(&ROOT, "sluice group look a", envp), EXIT_REJECTED);
    cr_assert_str_eq(saw.level, "error");
    (void)unlink(path);
}

Test(command, help_is_0_at_every_level_and_runs_nothing)
{
    static const char *const lines[] = {"sluice",
                                        "sluice --help",
                                        "sluice -h",
                                        "sluice help",
                                        "sluice group --help",
                                        "sluice help group look",
                                        "sluice group look -h"};
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        cr_assert_eq(run(lines[i]), EXIT_DONE, "%s", lines[i]);
        cr_assert_eq(saw.calls, 0, "%s", lines[i]);
    }
}

Test(command, errors_become_one_line_and_an_exit_code)
{
    static const struct {
        enum rc rc;
        int code;
    } rows[] = {{RC_RETRY, 69}, {RC_REJECT, 3}, {RC_FENCED, 75}, {RC_FATAL, 1}};
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        (void)err_set(&err, rows[i].rc, "f", 1, "why");
        cr_assert_eq(cli_fail("what", &err), rows[i].code);
    }
    (void)err_code(&err, "42P01");
    cr_assert_eq(cli_fail("what", &err), 1);
    (void)err_code(&err, ERR_CONFIG);
    cr_assert_eq(cli_fail("what", &err), 78);
    (void)fflush(stderr);
    cr_assert_stderr_eq_str("sluice: what: why\nsluice: what: why\nsluice: what: why\nsluice: what: why\n"
                            "sluice: what: why (42P01)\nsluice: what: why\n");
}

static void check_rows(const struct command *cmd, int depth)
{
    cr_assert_lt(depth, 4);
    cr_assert_gt(strlen(cmd->help), 0, "%s", cmd->name);
    cr_assert_leq(cmd->n_flags, CLI_FLAGS_MAX, "%s", cmd->name);
    cr_assert(cmd->run != NULL || cmd->n_children > 0, "%s", cmd->name);
    cr_assert(cmd->args_min == 0 || cmd->args != NULL, "%s", cmd->name);
    for (size_t i = 0; i < cmd->n_children; i++) {
        check_rows(&cmd->children[i], depth + 1);
    }
}

Test(command, rows_of_the_real_tree_are_complete)
{
    check_rows(&ROOT_COMMAND, 0);
}

Test(command, every_option_of_every_role_has_a_valid_default_and_one_name)
{
    const struct option_table *tables[OPTION_TABLES_MAX];
    size_t n = option_tables(tables);
    char envs[256][96];
    size_t seen = 0;
    for (size_t t = 0; t < n; t++) {
        for (size_t r = 0; r < tables[t]->n_rows; r++) {
            const struct option *opt = &tables[t]->rows[r];
            struct err err = {0};
            cr_assert_eq(option_check(opt, opt->value, &err), RC_OK, "%s: %s", opt->name, err.text);
            (void)option_env(opt, envs[seen], sizeof envs[seen]);
            for (size_t i = 0; i < seen; i++) {
                cr_assert_str_neq(envs[i], envs[seen], "%s", opt->name);
            }
            cr_assert_lt(++seen, ARRAY_SIZE(envs));
        }
    }
}

static int run_real(const char *text)
{
    return run_with(&ROOT_COMMAND, text, empty_environment);
}

Test(command, real_commands_refuse_what_they_cannot_do)
{
    cr_assert_eq(run_real("sluice run"), EXIT_USAGE);
    cr_assert_eq(run_real("sluice run rely"), EXIT_USAGE);
    cr_assert_eq(run_real("sluice run relay relay"), EXIT_USAGE);
    cr_assert_eq(run_real("sluice run relay"), EXIT_CONFIG, "neither database nor brokers are set");
    cr_assert_eq(run_real("sluice config check"), EXIT_CONFIG);
    cr_assert_eq(run_real("sluice config check --database.url=x --kafka.brokers=y"), EXIT_CONFIG,
                 "a secret is not taken from the command line");
    cr_assert_eq(run_real("sluice health relay --runtime.dir=/no/such"), EXIT_NOT_FOUND);
    cr_assert_eq(run_real("sluice health rely"), EXIT_USAGE);
}
