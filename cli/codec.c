/* SPDX-License-Identifier: Apache-2.0 */
/* `sluice decode` and `sluice encode`: values between pipes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avro/codec.h"
#include "base/mem.h"
#include "commands.h"
#include "frames.h"
#include "record_json.h"
#include "schemas/avro_set.h"

#define ARENA_BYTES ((size_t)64 << 10)
#define MEBIBYTE ((int64_t)1 << 20)

/* All of stdin; REJECT when it is longer than the buffer's ceiling. */
static enum rc read_all(struct buf *out, struct err *err)
{
    char step[1 << 14];
    size_t got = 0;
    while ((got = fread(step, 1, sizeof(step), stdin)) > 0) {
        if (!buf_add(out, step, got)) {
            FAIL(err, RC_REJECT, "input is longer than the limit of %zu bytes", out->max);
        }
    }
    if (ferror(stdin)) {
        FAIL(err, RC_FATAL, "cannot read: %s", strerror(errno));
    }
    return RC_OK;
}

/* The first failure decides the exit code, except that a worse one than a refused record wins. */
static void note(int *code, int now)
{
    if (now != EXIT_DONE && (*code == EXIT_DONE || *code == EXIT_REJECTED)) {
        *code = now;
    }
}

/* One value as one line; a malformed one is a message and the next goes on. */
static int print_value_line(const struct avro_set *set, const struct frames *f, const char *where)
{
    CLEANUP(buf_done) struct buf line;
    struct err err;
    buf_init(&line, AVRO_VALUE_BYTES_MAX * 2);
    if (value_json(set, f->null ? NULL : buf_str(&f->body), f->body.len, &line, &err) != RC_OK) {
        return cli_fail(where, &err);
    }
    buf_putc(&line, '\n');
    return cli_print(&line);
}

static int decode_frames(const struct avro_set *set, size_t value_max)
{
    CLEANUP(frames_done) struct frames f;
    struct err err;
    int code = EXIT_DONE;
    frames_init(&f, stdin, value_max);
    while (code == EXIT_DONE || code == EXIT_REJECTED) {
        char where[64];
        if (frames_next(&f, &err) != RC_OK) {
            note(&code, cli_fail("decode", &err));
            break;
        }
        if (f.end) {
            break;
        }
        (void)snprintf(where, sizeof(where), "decode: value at byte %" PRId64, f.start);
        note(&code, print_value_line(set, &f, where));
    }
    return code;
}

static int decode_raw(const struct avro_set *set, size_t value_max)
{
    CLEANUP(frames_done) struct frames f;
    struct err err;
    frames_init(&f, stdin, value_max);
    if (read_all(&f.body, &err) != RC_OK) {
        return cli_fail("decode", &err);
    }
    return print_value_line(set, &f, "decode");
}

int cmd_decode(const struct cli *cli)
{
    CLEANUP(avro_set_freep) struct avro_set *set = NULL;
    struct err err;
    int64_t max = (int64_t)AVRO_VALUE_BYTES_MAX;
    if (cli_flag_int(cli, "max-bytes", 1, 1024 * MEBIBYTE, &max, &err) != RC_OK) {
        return cli_usage(cli, "%s", err.text);
    }
    if (schemas_avro_set(&set, &err) != RC_OK) {
        return cli_fail("schemas", &err);
    }
    return cli_flag(cli, "raw") != NULL ? decode_raw(set, (size_t)max) : decode_frames(set, (size_t)max);
}

/* What `encode` works on. */
struct encoding {
    const struct avro_set *set;
    const char *schema;
    struct arena arena; /* of one record */
};

static void encoding_done(struct encoding *e)
{
    arena_done(&e->arena);
}

/* One JSON text -> one value on stdout, with its length in front when framed. */
static int encode_text(struct encoding *e, const char *text, size_t n, bool framed, const char *where)
{
    const void *bytes = NULL;
    size_t bytes_n = 0;
    struct err err;
    arena_reset(&e->arena);
    if (avro_encode_json(e->set, e->schema, text, n, &e->arena, &bytes, &bytes_n, &err) != RC_OK) {
        return cli_fail(where, &err);
    }
    bool written = framed ? frames_write(stdout, bytes, bytes_n) : fwrite(bytes, 1, bytes_n, stdout) == bytes_n;
    if (!written) {
        (void)fprintf(stderr, "sluice: encode: cannot write to standard output: %s\n", strerror(errno));
        return EXIT_FAILED;
    }
    return EXIT_DONE;
}

/* A line without its newline, at most AVRO_JSON_BYTES_MAX + 1 bytes of it; the rest of a longer one is skipped. */
static bool read_line(struct buf *line)
{
    int c = 0;
    buf_clear(line);
    while ((c = getc_unlocked(stdin)) != EOF && c != '\n') {
        (void)buf_putc(line, (char)c);
    }
    return c != EOF || line->len > 0;
}

static bool blank(const struct buf *line)
{
    return strspn(buf_str(line), " \t\r") == line->len;
}

static int encode_lines(struct encoding *e)
{
    CLEANUP(buf_done) struct buf line;
    int code = EXIT_DONE;
    buf_init(&line, AVRO_JSON_BYTES_MAX + 1);
    for (int64_t number = 1; (code == EXIT_DONE || code == EXIT_REJECTED) && read_line(&line); number++) {
        char where[64];
        (void)snprintf(where, sizeof(where), "encode: line %" PRId64, number);
        if (!blank(&line)) {
            note(&code, encode_text(e, buf_str(&line), line.len, true, where));
        }
    }
    return code;
}

static int encode_raw(struct encoding *e)
{
    CLEANUP(buf_done) struct buf text;
    struct err err;
    buf_init(&text, AVRO_JSON_BYTES_MAX);
    if (read_all(&text, &err) != RC_OK) {
        return cli_fail("encode", &err);
    }
    return encode_text(e, buf_str(&text), text.len, false, "encode");
}

int cmd_encode(const struct cli *cli)
{
    CLEANUP(avro_set_freep) struct avro_set *set = NULL;
    CLEANUP(encoding_done) struct encoding e = {.schema = cli->argv[0]};
    struct err err;
    arena_init(&e.arena, ARENA_BYTES);
    if (schemas_avro_set(&set, &err) != RC_OK) {
        return cli_fail("schemas", &err);
    }
    e.set = set;
    if (avro_set_newest(set, e.schema) == NULL) {
        (void)fprintf(stderr, "sluice: encode: no schema is called %s; there are:", e.schema);
        for (size_t i = 0; i < avro_set_count(set); i++) {
            const struct avro_version *v = avro_set_at(set, i);
            if (v == avro_set_newest(set, avro_version_name(v))) {
                (void)fprintf(stderr, " %s", avro_version_name(v));
            }
        }
        (void)fprintf(stderr, "\n");
        return EXIT_NOT_FOUND;
    }
    int code = cli_flag(cli, "raw") != NULL ? encode_raw(&e) : encode_lines(&e);
    if (fflush(stdout) != 0) {
        note(&code, EXIT_FAILED);
    }
    return code;
}
