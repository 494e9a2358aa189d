/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines as they reach file descriptor 2. */
#include "base/log.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TEXT_MAX 65536

static int stderr_copy = -1;
static FILE *captured;
static char text[TEXT_MAX];

static void capture_start(void)
{
    captured = tmpfile();
    stderr_copy = dup(STDERR_FILENO);
    (void)dup2(fileno(captured), STDERR_FILENO);
}

/* What was written, without the leading ts= of the first line. */
static const char *capture_end(void)
{
    (void)dup2(stderr_copy, STDERR_FILENO);
    (void)close(stderr_copy);
    rewind(captured);
    size_t n = fread(text, 1, sizeof text - 1, captured);
    text[n] = '\0';
    (void)fclose(captured);
    return text;
}

static size_t count(const char *hay, const char *needle)
{
    size_t n = 0;
    for (const char *at = strstr(hay, needle); at != NULL; at = strstr(at + 1, needle)) {
        n++;
    }
    return n;
}

Test(log, logfmt_quotes_only_what_needs_it)
{
    log_setup(LOG_INFO, false, "relay", NULL);
    capture_start();
    log_info("relay", "took over", KV_S("source", "callback"), KV_I("epoch", -3), KV_S("note", "a \"b\"\n=c"),
             KV_S("none", NULL));
    const char *line = capture_end();
    cr_assert_not_null(strstr(line, "Z level=info area=relay msg=\"took over\" app=relay source=callback epoch=-3 "
                                    "note=\"a \\\"b\\\"\\n=c\" none=\"\"\n"),
                       "%s", line);
    cr_assert_eq(strncmp(line, "ts=20", 5), 0);
    cr_assert_eq(count(line, "\n"), 1);
}

Test(log, json_has_one_object_a_line)
{
    log_setup(LOG_INFO, true, NULL, "i1");
    struct err err = {0};
    (void)err_set(&err, RC_RETRY, "f", 1, "gone away");
    (void)err_code(&err, "57P01");
    capture_start();
    log_error("pg", "lost", KV_ERR(&err), KV_I("n", 7));
    const char *line = capture_end();
    cr_assert_not_null(strstr(line, "\"level\":\"error\",\"area\":\"pg\",\"msg\":\"lost\",\"instance\":\"i1\","
                                    "\"reaction\":\"retry\",\"code\":\"57P01\",\"error\":\"gone away\",\"n\":7}\n"),
                       "%s", line);
}

Test(log, levels_below_the_least_are_silent)
{
    log_setup(LOG_WARN, false, NULL, NULL);
    capture_start();
    log_info("a", "no");
    log_warn("a", "yes");
    const char *line = capture_end();
    cr_assert_null(strstr(line, "msg=no"));
    cr_assert_not_null(strstr(line, "msg=yes"));
    cr_assert_not(log_enabled(LOG_INFO));
    cr_assert(log_enabled(LOG_ERROR));
}

Test(log, repeats_are_limited_for_each_area_and_message)
{
    log_setup(LOG_INFO, false, NULL, NULL);
    capture_start();
    for (int i = 0; i < 3 * LOG_BURST; i++) {
        log_info("a", "again", KV_I("i", i));
    }
    log_info("a", "other");
    log_info("b", "again");
    const char *lines = capture_end();
    cr_assert_eq(count(lines, "area=a msg=again"), LOG_BURST);
    cr_assert_eq(count(lines, "msg=other"), 1);
    cr_assert_eq(count(lines, "area=b msg=again"), 1);
}

Test(log, a_long_value_is_cut_and_the_line_stays_whole)
{
    static char value[20000];
    memset(value, 'x', sizeof value - 1);
    log_setup(LOG_INFO, true, NULL, NULL);
    capture_start();
    for (int i = 0; i < 3; i++) {
        log_info("a", "long", KV_S("k1", value), KV_S("k2", value), KV_S("k3", value), KV_S("k4", value),
                 KV_S("k5", value), KV_S("k6", value), KV_I("end", 1));
    }
    const char *lines = capture_end();
    cr_assert_eq(count(lines, "\n"), 3);
    cr_assert_eq(count(lines, "\"end\":1}\n"), 3);
    cr_assert_leq(strlen(lines), (size_t)3 * LOG_LINE_MAX);
    cr_assert_not_null(strstr(lines, "\"k4\""));
    cr_assert_null(strstr(lines, "\"k6\"")); /* no room */
}

Test(log, knows_its_levels)
{
    enum log_level level = LOG_ERROR;
    cr_assert(log_level_parse("debug", &level));
    cr_assert_eq(level, LOG_DEBUG);
    cr_assert_not(log_level_parse("verbose", &level));
    cr_assert_eq(level, LOG_DEBUG);
}
