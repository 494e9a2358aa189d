/* SPDX-License-Identifier: Apache-2.0 */
/* A position's text form: what is written is read, what is damaged is refused, where it lives never changes. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "relay/position.h"

static const char GOOD[] = "{\"v\":1,\"source\":\"callback\",\"system_id\":\"7301\",\"timeline\":1,\"database_oid\":5,"
                           "\"s1\":\"10:12:11\",\"s2\":\"12:12:\",\"last_seq\":42,\"published\":40}";

static struct position make(const char *s1, const char *s2, int64_t last_seq)
{
    struct position p = {
        .db = {.system_id = "18446744073709551615", .timeline = 4294967295, .database_oid = 4294967295},
        .published = 9000000000};

    position_set(&p, s1, s2, last_seq);
    return p;
}

static void expect_round_trip(const struct position *p)
{
    struct buf text CLEANUP(buf_done);
    struct position got CLEANUP(position_done);
    struct err err;

    buf_init(&text, POSITION_VALUE_MAX);
    position_encode(p, "callback", &text);
    cr_assert_not(text.overflow);
    cr_assert_eq(position_decode(buf_str(&text), text.len, &got, &err), RC_OK, "%s", err.text);
    cr_expect_str_eq(got.db.system_id, p->db.system_id);
    cr_expect_eq(got.db.timeline, p->db.timeline);
    cr_expect_eq(got.db.database_oid, p->db.database_oid);
    cr_expect_str_eq(got.s1, p->s1);
    cr_expect_str_eq(got.s2, p->s2);
    cr_expect_eq(got.last_seq, p->last_seq);
    cr_expect_eq(got.published, p->published);
    cr_expect_eq(position_mid_window(&got), strcmp(p->s1, p->s2) != 0);
}

Test(position, what_is_encoded_is_decoded)
{
    struct position p CLEANUP(position_done) = make("10:12:11", "12:12:", INT64_MAX);

    expect_round_trip(&p);
    position_set(&p, SNAPSHOT_NOTHING, SNAPSHOT_NOTHING, 0);
    expect_round_trip(&p);
    /* position_set may be given the position's own strings. */
    position_set(&p, p.s2, p.s1, 7);
    expect_round_trip(&p);
}

Test(position, a_snapshot_of_ten_thousand_running_transactions_fits)
{
    struct buf s CLEANUP(buf_done);

    buf_init(&s, POSITION_VALUE_MAX);
    buf_puts(&s, "5000000000:5000020000:");
    for (int i = 0; i < 10000; i++) {
        buf_printf(&s, "%s%" PRId64, i > 0 ? "," : "", 5000000000 + 2 * (int64_t)i);
    }
    struct position p CLEANUP(position_done) = make(buf_str(&s), buf_str(&s), 1);
    expect_round_trip(&p);
}

static enum rc decode(const char *text, size_t n, struct err *err)
{
    struct position p CLEANUP(position_done);

    return position_decode(text, n, &p, err);
}

Test(position, every_truncation_is_refused)
{
    struct err err;

    cr_assert_eq(decode(GOOD, sizeof(GOOD) - 1, &err), RC_OK, "%s", err.text);
    for (size_t n = 0; n < sizeof(GOOD) - 1; n++) {
        char *cut CLEANUP(freep) = xstrndup(GOOD, n); /* a heap copy of exactly n bytes, for the sanitizer */
        cr_expect_eq(decode(cut, n, &err), RC_FATAL, "the first %zu bytes were accepted", n);
    }
}

Test(position, no_single_wrong_byte_crashes_or_leaks)
{
    struct err err;

    for (size_t at = 0; at < sizeof(GOOD) - 1; at++) {
        for (int byte = 0; byte < 256; byte += 5) {
            char *text CLEANUP(freep) = xstrndup(GOOD, sizeof(GOOD) - 1);
            text[at] = (char)byte;
            rc_ignore(decode(text, sizeof(GOOD) - 1, &err));
        }
    }
}

static char *replaced(const char *from, const char *to)
{
    const char *at = strstr(GOOD, from);

    cr_assert_not_null(at, "%s", from);
    return xasprintf("%.*s%s%s", (int)(at - GOOD), GOOD, to, at + strlen(from));
}

static const struct {
    const char *from, *to, *expected;
} DAMAGE[] = {
    {"\"v\":1", "\"v\":2", "newer program (format 2, this one knows 1)"},
    {"\"v\":1", "\"v\":0", "malformed"},
    {"\"v\":1", "\"v\":-1", "malformed"},
    {"\"v\":1", "\"v\":\"1\"", "malformed"},
    {"\"v\":1,", "", "malformed"},
    {"\"system_id\":\"7301\"", "\"system_id\":7301", "malformed"},
    {"\"system_id\":\"7301\"", "\"system_id\":\"123456789012345678901234\"", "malformed"},
    {"\"system_id\":\"7301\"", "\"system_id\":\"73\\\"01\"", "malformed"},
    {"\"system_id\":\"7301\"", "\"system_id\":\"\"", "malformed"},
    {"\"s1\":\"10:12:11\"", "\"s1\":\"\"", "malformed"},
    {"\"s1\":\"10:12:11\"", "\"s1\":\"10:12:11' OR true\"", "malformed"},
    {"\"s1\":\"10:12:11\"", "\"s1\":null", "malformed"},
    {"\"s2\":\"12:12:\",", "", "malformed"},
    {"\"last_seq\":42", "\"last_seq\":\"42\"", "malformed"},
    {"\"last_seq\":42", "\"last_seq\":42.5", "malformed"},
    {"\"last_seq\":42,", "", "malformed"},
    {"\"last_seq\":42", "\"last_seq\":42,\"last_seq\":41", "not JSON"},
    {"\"last_seq\":42", "\"last_seq\":99999999999999999999", "not JSON"},
    {"{\"v\"", "[{\"v\"", "not JSON"},
    {"\"published\":40}", "\"published\":40} x", "not JSON"},
};

Test(position, every_damage_is_named)
{
    for (size_t i = 0; i < ARRAY_SIZE(DAMAGE); i++) {
        char *text CLEANUP(freep) = replaced(DAMAGE[i].from, DAMAGE[i].to);
        struct err err = {0};
        cr_expect_eq(decode(text, strlen(text), &err), RC_FATAL, "%s was accepted", text);
        cr_expect(strstr(err.text, DAMAGE[i].expected) != NULL, "%s -> %s: %s", DAMAGE[i].from, DAMAGE[i].to, err.text);
    }
}

Test(position, json_that_is_no_object_is_malformed)
{
    static const char *const texts[] = {"[]", "[1]", "{}"};
    struct err err;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        cr_expect_eq(decode(texts[i], strlen(texts[i]), &err), RC_FATAL);
        cr_expect(strstr(err.text, "malformed") != NULL, "%s", err.text);
    }
}

Test(position, a_value_over_the_ceiling_is_refused_unread)
{
    size_t n = POSITION_VALUE_MAX + 1;
    char *text CLEANUP(freep) = xcalloc(n, 1);
    struct err err = {0};

    memset(text, ' ', n);
    memcpy(text, GOOD, sizeof(GOOD) - 1);
    cr_expect_eq(decode(text, n, &err), RC_FATAL);
    cr_expect(strstr(err.text, "expected at most 262144") != NULL, "%s", err.text);
}

/* Written down, because a source whose partition moved would not find its position again. */
static const struct {
    const char *source;
    int partitions;
    int32_t partition;
} PLACES[] = {
    {"callback", 8, 6}, {"payment", 8, 1}, {"callback", 1, 0}, {"", 8, 5}, {"a", 8, 4}, {"callback", 50, 18},
};

Test(position, a_source_keeps_its_partition_for_life)
{
    for (size_t i = 0; i < ARRAY_SIZE(PLACES); i++) {
        cr_expect_eq(position_partition(PLACES[i].source, PLACES[i].partitions), PLACES[i].partition,
                     "\"%s\" of %d: %d", PLACES[i].source, PLACES[i].partitions,
                     (int)position_partition(PLACES[i].source, PLACES[i].partitions));
    }
}
