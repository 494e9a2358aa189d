/* SPDX-License-Identifier: Apache-2.0 */
/* Where values come from, and who wins. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/option.h"

static const struct option ROWS[] = {
    {.name = "t.int", .type = OPTION_INT, .value = "5", .min = 1, .max = 100, .help = "I."},
    {.name = "t.bool", .type = OPTION_BOOL, .value = "false", .help = "B."},
    {.name = "t.name", .type = OPTION_STRING, .value = "dflt", .help = "N."},
    {.name = "t.token", .type = OPTION_STRING, .value = "", .secret = true, .help = "T."},
    {.name = "t.url", .type = OPTION_STRING, .value = "", .secret = true, .env = "T_URL", .help = "U."},
    {.name = "kafka.brokers", .type = OPTION_STRING, .value = "", .env = "KAFKA_BROKERS", .help = "K."},
};
static const struct option_table TABLE = {"test", "For tests.", ROWS, ARRAY_SIZE(ROWS)};
static const struct option_table *const TABLES[] = {&TABLE};

static char path[64];
static struct config *cfg;
static struct err err;

static void write_file(const char *text, size_t n)
{
    (void)snprintf(path, sizeof path, "/tmp/sluice_config_test.%d.XXXXXX", (int)getpid());
    int fd = mkstemp(path);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, n), (ssize_t)n);
    (void)close(fd);
}

static void setup(void)
{
    cfg = config_create(TABLES, 1);
    path[0] = '\0';
}

static void teardown(void)
{
    cfg = config_free(cfg);
    if (path[0] != '\0') {
        (void)unlink(path);
    }
}

TestSuite(config, .init = setup, .fini = teardown);

static enum rc load_file(const char *text)
{
    write_file(text, strlen(text));
    return config_load_file(cfg, path, &err);
}

static enum rc load_env(const char *a, const char *b)
{
    CLEANUP(freep) char *first = xstrdup(a);
    CLEANUP(freep) char *second = b == NULL ? NULL : xstrdup(b);
    char *envp[] = {first, second, NULL};
    return config_load_env(cfg, envp, &err);
}

Test(config, defaults_are_there_from_the_start)
{
    cr_assert_eq(config_int(cfg, "t.int"), 5);
    cr_assert_not(config_bool(cfg, "t.bool"));
    cr_assert_str_eq(config_str(cfg, "t.name"), "dflt");
    cr_assert_str_eq(config_source(cfg, "t.name"), "default");
}

Test(config, flag_beats_environment_beats_file_in_any_order)
{
    cr_assert_eq(config_set_flag(cfg, "t.int", "4", &err), RC_OK);
    cr_assert_eq(load_env("SLUICE_T_INT=3", "SLUICE_T_NAME=env"), RC_OK);
    cr_assert_eq(load_file("t.int = 2\nt.name = file\nt.bool=true\n"), RC_OK);
    cr_assert_eq(config_int(cfg, "t.int"), 4);
    cr_assert_str_eq(config_source(cfg, "t.int"), "flag --t.int");
    cr_assert_str_eq(config_str(cfg, "t.name"), "env");
    cr_assert_str_eq(config_source(cfg, "t.name"), "environment SLUICE_T_NAME");
    cr_assert(config_bool(cfg, "t.bool"));
    CLEANUP(freep) char *source = xasprintf("file %s:3", path);
    cr_assert_str_eq(config_source(cfg, "t.bool"), source);
}

Test(config, a_value_that_is_overridden_is_checked_all_the_same)
{
    cr_assert_eq(config_set_flag(cfg, "t.int", "4", &err), RC_OK);
    cr_assert_eq(load_env("SLUICE_T_INT=1e6", NULL), RC_FATAL);
    cr_assert_str_eq(err.text,
                     "option t.int (environment SLUICE_T_INT): \"1e6\" is not a whole number; expected 1..100");
}

Test(config, file_knows_comments_blank_lines_and_values_with_signs)
{
    cr_assert_eq(load_file("# comment\n\n  t.name =  a = b # c  \r\n\t# more\n"), RC_OK);
    cr_assert_str_eq(config_str(cfg, "t.name"), "a = b # c");
}

Test(config, file_errors_name_the_line)
{
    cr_assert_eq(load_file("t.int = 2\nt.name\n"), RC_FATAL);
    cr_assert_not_null(strstr(err.text, ":2: expected `key = value` or a # comment"));
}

Test(config, given_twice_is_an_error)
{
    cr_assert_eq(load_file("t.int = 2\nt.int = 3\n"), RC_FATAL);
    cr_assert_not_null(strstr(err.text, "option t.int is set twice: file "));
    cr_assert_eq(config_set_flag(cfg, "t.name", "x", &err), RC_OK);
    cr_assert_eq(config_set_flag(cfg, "t.name", "y", &err), RC_OK, "for flags the last one wins");
    cr_assert_str_eq(config_str(cfg, "t.name"), "y");
}

Test(config, unknown_keys_are_errors_with_a_suggestion)
{
    cr_assert_eq(load_file("t.nmae = 2\n"), RC_FATAL);
    cr_assert_not_null(strstr(err.text, "option t.nmae (file "));
    cr_assert_not_null(strstr(err.text, "did you mean t.name?"));
    cr_assert_eq(load_env("SLUICE_T_NMAE=1", NULL), RC_FATAL);
    cr_assert_str_eq(err.text, "environment SLUICE_T_NMAE: unknown; did you mean SLUICE_T_NAME?");
    cr_assert_eq(config_set_flag(cfg, "something.else", "1", &err), RC_FATAL);
    cr_assert_eq(load_env("SLUICE_KAFKA_BROKERS=x", NULL), RC_FATAL);
    cr_assert_str_eq(err.text, "environment SLUICE_KAFKA_BROKERS: unknown; did you mean KAFKA_BROKERS?");
}

Test(config, strangers_in_the_environment_are_left_alone)
{
    cr_assert_eq(load_env("SLUICE_DEV_PORT_BASE=15000", "SLUICE_TEST_X=1"), RC_OK);
    cr_assert_eq(load_env("PATH=/bin", "SLUICE_CONFIG=/x"), RC_OK);
    cr_assert_eq(load_env("SLUICE_T_INT=", "T_URL=u"), RC_OK);
    cr_assert_eq(config_int(cfg, "t.int"), 5, "empty counts as not set");
    cr_assert_str_eq(config_str(cfg, "t.url"), "u");
}

Test(config, a_secret_can_stand_in_a_file_of_its_own)
{
    write_file("s3cret\n", 7);
    CLEANUP(freep) char *variable = xasprintf("SLUICE_T_TOKEN_FILE=%s", path);
    cr_assert_eq(load_env(variable, NULL), RC_OK);
    cr_assert_str_eq(config_str(cfg, "t.token"), "s3cret");
    cr_assert_str_eq(config_source(cfg, "t.token"), "environment SLUICE_T_TOKEN_FILE");
    cr_assert_eq(config_set_flag(cfg, "t.url.file", path, &err), RC_OK);
    cr_assert_str_eq(config_str(cfg, "t.url"), "s3cret");
    cr_assert_eq(config_set_flag(cfg, "t.token.file", "/no/such/file", &err), RC_FATAL);
    cr_assert_str_eq(err.text,
                     "option t.token.file (flag --t.token.file): cannot open /no/such/file: No such file or directory");
    cr_assert_eq(config_set_flag(cfg, "t.name.file", path, &err), RC_FATAL, "not a secret");
}

Test(config, secret_and_its_file_exclude_each_other)
{
    write_file("a", 1);
    CLEANUP(freep) char *variable = xasprintf("SLUICE_T_TOKEN_FILE=%s", path);
    cr_assert_eq(load_env("SLUICE_T_TOKEN=b", variable), RC_FATAL);
    cr_assert_not_null(strstr(err.text, "option t.token is set twice"));
    cr_assert_null(strstr(err.text, "\"b\""));
}

Test(config, files_have_ceilings)
{
    CLEANUP(freep) char *large = xcalloc(CONFIG_FILE_BYTES_MAX + 2, 1);
    memset(large, '#', CONFIG_FILE_BYTES_MAX + 1);
    cr_assert_eq(load_file(large), RC_FATAL);
    cr_assert_not_null(strstr(err.text, "is larger than 1048576 bytes"));
    (void)unlink(path);
    large[CONFIG_LINE_BYTES_MAX + 1] = '\0';
    cr_assert_eq(load_file(large), RC_FATAL);
    cr_assert_not_null(strstr(err.text, "the line is longer than 16384 bytes"));
    (void)unlink(path);
    large[CONFIG_LINE_BYTES_MAX] = '\0';
    cr_assert_eq(load_file(large), RC_OK);
    (void)unlink(path);
    write_file("t.int\0= 2\n", 10);
    cr_assert_eq(config_load_file(cfg, path, &err), RC_FATAL);
    cr_assert_not_null(strstr(err.text, "holds a NUL byte"));
}

struct seen {
    char text[256];
};

static enum rc note(const char *key, const char *value, void *opaque, struct err *e)
{
    (void)e;
    struct seen *s = opaque;
    size_t n = strlen(s->text);
    (void)snprintf(s->text + n, sizeof s->text - n, "%s=%s;", key, value);
    return RC_OK;
}

static enum rc refuse(const char *key, const char *value, void *opaque, struct err *e)
{
    (void)value;
    (void)opaque;
    FAIL(e, RC_FATAL, "no %s", key);
}

Test(config, kafka_keys_pass_through_in_order_and_flags_win)
{
    cr_assert_eq(load_env("SLUICE_KAFKA_SASL_USERNAME=bob", "SLUICE_KAFKA_LINGER_MS=9"), RC_OK);
    cr_assert_eq(config_set_flag(cfg, "kafka.linger.ms", "5", &err), RC_OK);
    cr_assert_eq(load_file("kafka.acks = all\nkafka.brokers = b:1\n"), RC_OK);
    struct seen seen = {0};
    cr_assert_eq(config_each_passthrough(cfg, note, &seen, &err), RC_OK);
    cr_assert_str_eq(seen.text, "acks=all;linger.ms=5;sasl.username=bob;");
    cr_assert_str_eq(config_str(cfg, "kafka.brokers"), "b:1");
    cr_assert_eq(config_each_passthrough(cfg, refuse, NULL, &err), RC_FATAL);
    cr_assert_str_eq(err.text, "no acks");
    cr_assert_eq(config_set_flag(cfg, "kafka.", "5", &err), RC_FATAL);
    cr_assert_eq(config_set_flag(cfg, "kafka.a b", "5", &err), RC_FATAL);
}

Test(config, number_of_kafka_keys_is_bounded)
{
    char key[64];
    for (int i = 0; i < CONFIG_PASSTHROUGH_MAX; i++) {
        (void)snprintf(key, sizeof key, "kafka.k%d", i);
        cr_assert_eq(config_set_flag(cfg, key, "v", &err), RC_OK);
    }
    cr_assert_eq(config_set_flag(cfg, "kafka.one.more", "v", &err), RC_FATAL);
}

Test(config, shows_where_values_come_from_and_no_secrets)
{
    cr_assert_eq(load_env("T_URL=postgres://u:pw1@h/d", "SLUICE_KAFKA_SASL_PASSWORD=pw2"), RC_OK);
    cr_assert_eq(load_env("SLUICE_T_TOKEN=pw3", "SLUICE_KAFKA_SSL_KEY_PEM=pw4"), RC_OK);
    for (int json = 0; json <= 1; json++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 65536);
        config_print(cfg, json == 1, &out);
        cr_assert_not_null(strstr(buf_str(&out), "postgres://u:***@h/d"));
        cr_assert_not_null(strstr(buf_str(&out), "environment T_URL"));
        cr_assert_not_null(strstr(buf_str(&out), "kafka.sasl.password"));
        for (const char *n = "1234"; *n != 0; n++) {
            char secret[] = {'p', 'w', *n, 0};
            cr_assert_null(strstr(buf_str(&out), secret));
        }
    }
}

Test(config, takes_no_secret_from_a_flag)
{
    static const char *const secrets[] = {"t.token", "t.url", "kafka.sasl.password"};
    for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
        cr_assert_eq(config_set_flag(cfg, secrets[i], "pw", &err), RC_FATAL, "%s", secrets[i]);
        cr_assert(err_is_config(&err));
        cr_assert_null(strstr(err.text, "pw"));
        cr_assert_not_null(strstr(err.text, secrets[i]));
    }
}
