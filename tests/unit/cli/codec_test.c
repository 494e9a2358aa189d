/* SPDX-License-Identifier: Apache-2.0 */
/* Values between pipes: length prefixes, what `decode` and `encode` print, and how they fail. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/commands.h"
#include "cli/frames.h"
#include "cli/record_json.h"
#include "schemas/avro_set.h"

#define EVENT                                                                                                   \
    "{\"event_id\":\"e\",\"platform\":\"p\",\"event_type\":\"t\",\"callback_target\":\"u\",\"payload\":\"{}\"," \
    "\"queue_seq\":1,\"round_attempts\":0,\"created_at\":2,\"traceparent\":null}"
#define EVENT_BYTES    \
    "\0\0\x03\xe9\x02" \
    "e\x02p\x02t\x02u\x04{}\x02\0\x04\0" /* without the 0x00 in front */
#define FRAMED_EVENT \
    "\0\0\0\x14"     \
    "\0" EVENT_BYTES

static struct err err;

static void open_stream(struct frames *f, const char *bytes, size_t n)
{
    FILE *in = tmpfile();
    cr_assert_eq(fwrite(bytes, 1, n, in), n);
    rewind(in);
    frames_init(f, in, 10);
}

static void close_stream(struct frames *f)
{
    (void)fclose(f->in);
    frames_done(f);
}

Test(frames, values_nulls_and_the_end)
{
    CLEANUP(close_stream) struct frames f;
    open_stream(&f, "\0\0\0\2hi\xff\xff\xff\xff\0\0\0\0", 14);
    cr_assert_eq(frames_next(&f, &err), RC_OK);
    cr_assert(f.body.len == 2 && memcmp(f.body.data, "hi", 2) == 0 && !f.null && f.start == 0);
    cr_assert_eq(frames_next(&f, &err), RC_OK);
    cr_assert(f.null && f.body.len == 0 && f.start == 6);
    cr_assert_eq(frames_next(&f, &err), RC_OK);
    cr_assert(!f.null && f.body.len == 0 && f.start == 10 && !f.end);
    cr_assert_eq(frames_next(&f, &err), RC_OK);
    cr_assert(f.end);
}

Test(frames, truncations_and_absurd_lengths_name_the_offset)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } rows[] = {
        {"\0\0\0", 3, "input ends at byte 3: the value at byte 0 has 3 of 4 bytes"},
        {"\0\0\0\2h", 5, "input ends at byte 5: the value at byte 0 has 1 of 2 bytes"},
        {"\0\0\0\0\0", 5, "input ends at byte 5: the value at byte 4"},
        {"\0\0\0\x0b", 4, "byte 0 says a value of 11 bytes follows, more than the limit of 10"},
        {"hello", 5, "kcat -f '%R%s'"},
        {"\xff\xff\xff\xfe", 4, "4294967294 bytes"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(close_stream) struct frames f;
        enum rc rc = RC_OK;
        open_stream(&f, rows[i].bytes, rows[i].n);
        while (rc == RC_OK && !f.end) {
            rc = frames_next(&f, &err);
        }
        cr_assert_eq(rc, RC_REJECT, "row %zu", i);
        cr_assert(strstr(err.text, rows[i].says), "row %zu: %s", i, err.text);
    }
}

Test(value_json, shows_every_kind_of_value)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *line; /* NULL = refused */
    } rows[] = {
        {NULL, 0, "null"},
        {"", 0, "\"\""},
        {"text", 4, "\"text\""},
        {"{\"a\":1.50}", 10, "{\"a\":1.50}"},
        {"{\"a\":\n1}", 8, "{\"a\":1}"},
        {" [1]", 4, " [1]"},
        {"12", 2, "\"12\""},
        {"{broken", 7, "\"{broken\""},
        {"\xff", 1, "{\"base64\":\"/w==\"}"},
        {"\xff\xfe", 2, "{\"base64\":\"//4=\"}"},
        {"\xff\xfe\xfd", 3, "{\"base64\":\"//79\"}"},
        {"\0" EVENT_BYTES, 20, EVENT},
        {"\0", 1, NULL},
        {"\0\0\0\0\1x", 6, NULL},
        {"\0" EVENT_BYTES, 19, NULL},
    };
    CLEANUP(avro_set_freep) struct avro_set *set = NULL;
    cr_assert_eq(schemas_avro_set(&set, &err), RC_OK);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP(buf_done) struct buf out;
        buf_init(&out, 4096);
        enum rc rc = value_json(set, rows[i].bytes, rows[i].n, &out, &err);
        cr_assert_eq(rc, rows[i].line != NULL ? RC_OK : RC_REJECT, "row %zu: %s", i, err.text);
        cr_assert_str_eq(buf_str(&out), rows[i].line != NULL ? rows[i].line : "", "row %zu", i);
    }
}

/* Runs `sluice WORD...` with `in` as standard input; what it prints goes to *out. */
static int run(const char *in, size_t in_n, struct buf *out, const char *const words[4])
{
    char *argv[6] = {xstrdup("sluice")};
    char *envp[] = {NULL};
    char piece[4096];
    int argc = 1;
    for (; argc < 5 && words[argc - 1] != NULL; argc++) {
        argv[argc] = xstrdup(words[argc - 1]);
    }
    stdin = tmpfile();
    cr_assert_eq(fwrite(in, 1, in_n, stdin), in_n);
    rewind(stdin);
    cr_redirect_stdout();
    cr_redirect_stderr();
    int code = cli_main(&ROOT_COMMAND, argc, argv, envp);
    (void)fclose(stdout);
    for (size_t n = 0; (n = fread(piece, 1, sizeof(piece), cr_get_redirected_stdout())) > 0;) {
        cr_assert(buf_add(out, piece, n));
    }
    (void)fclose(stdin);
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    return code;
}

static const struct {
    const char *words[4];
    const char *in;
    size_t in_n;
    const char *out;
    size_t out_n;
    int code;
} RUNS[] = {
    {{"decode"}, "", 0, "", 0, EXIT_DONE},
    {{"decode"}, FRAMED_EVENT "\xff\xff\xff\xff", 28, EVENT "\nnull\n", sizeof(EVENT) + 5, EXIT_DONE},
    {{"decode"}, "\0\0\0\1\0\0\0\0\2ok", 11, "\"ok\"\n", 5, EXIT_REJECTED},
    {{"decode"}, "\0\0\0\2ok\0\0\0\2o", 11, "\"ok\"\n", 5, EXIT_REJECTED},
    {{"decode", "--max-bytes", "1"}, "\0\0\0\2ok", 6, "", 0, EXIT_REJECTED},
    {{"decode", "--max-bytes", "x"}, "", 0, "", 0, EXIT_USAGE},
    {{"decode", "--raw"}, "\0" EVENT_BYTES, 20, EVENT "\n", sizeof(EVENT), EXIT_DONE},
    {{"encode", "callback_event"}, EVENT "\n\n", sizeof(EVENT) + 1, FRAMED_EVENT, 24, EXIT_DONE},
    {{"encode", "callback_event"}, "{}\n" EVENT, sizeof(EVENT) + 2, FRAMED_EVENT, 24, EXIT_REJECTED},
    {{"encode", "callback_event", "--raw"}, EVENT "\n", sizeof(EVENT), "\0" EVENT_BYTES, 20, EXIT_DONE},
    {{"encode", "nonsense"}, "", 0, "", 0, EXIT_NOT_FOUND},
};

#define RUN(i)                                                                          \
    Test(codec_command, run_##i)                                                        \
    {                                                                                   \
        CLEANUP(buf_done) struct buf out;                                               \
        buf_init(&out, 4096);                                                           \
        cr_assert_eq(run(RUNS[i].in, RUNS[i].in_n, &out, RUNS[i].words), RUNS[i].code); \
        cr_assert_eq(out.len, RUNS[i].out_n, "%s", buf_str(&out));                      \
        cr_assert_arr_eq(buf_str(&out), RUNS[i].out, out.len);                          \
    }

/* Standard input and output can be taken over once a process: one case a row. */
RUN(0)
RUN(1)
RUN(2)
RUN(3)
RUN(4)
RUN(5)
RUN(6)
RUN(7)
RUN(8)
RUN(9)
RUN(10)

Test(codec_command, every_row_has_a_case)
{
    cr_assert_eq(ARRAY_SIZE(RUNS), 11);
}
