/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of a raw source: what the table holds is the record; what is no record is a dead letter. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/mem.h"
#include "relay/batch.h"
#include "relay/relay.h"
#include "runtime/core_options.h"

static struct config *cfg;
static struct sources *sources;
static const struct source *src;
static struct batch *batch;
static struct row_cells cells;

static void setup(void)
{
    const struct option_table *tables[] = {&CORE_OPTIONS, &relay_options};
    const struct batch_limits limits = {.rows_max = 10, .bytes_max = 1 << 20, .record_bytes_max = 1000};
    struct err err;

    cfg = config_create(tables, ARRAY_SIZE(tables));
    cr_assert_eq(relay_load_sources(cfg, &sources, &err), RC_OK, "%s", err.text);
    src = &sources->list[2];
    cr_assert(src->raw);
    cr_assert_eq(batch_create(cfg, src, NULL, &limits, &batch, &err), RC_OK, "%s", err.text);
    cells = (struct row_cells){.seq = 7, .bytes = 100};
}

static void teardown(void)
{
    batch_free(batch);
    sources_free(sources);
    config_free(cfg);
}

TestSuite(batch_raw, .init = setup, .fini = teardown);

static void set(int column, const char *text, size_t n)
{
    cells.columns[column] = (struct cell){.text = text, .len = n};
}

static void set_text(int column, const char *text)
{
    set(column, text, strlen(text));
}

static const struct row *add(void)
{
    bool stop = false;
    struct err err;

    set_text(src->id, "the-id");
    set_text(src->topic_column, "callback.dlq");
    cr_assert_eq(batch_add(&cells, batch, &stop, &err), RC_OK);
    return batch_row(batch, batch_rows(batch) - 1);
}

static const struct row *add_headers(const char *json)
{
    set_text(src->headers_column, json);
    return add();
}

Test(batch_raw, bytes_travel_as_they_are)
{
    static const char value[] = {0, 1, '\xff', '"', '\n'};
    static const char time[] = {0, 6, 10, 24, 24, 88, 0, 0};

    set(src->payload, value, sizeof(value));
    set(src->key[0], "\0k", 2);
    set(src->time, time, 8);
    const struct row *r = add_headers("[]");
    cr_expect_null(r->dead);
    cr_expect_str_eq(r->topic, "callback.dlq");
    cr_assert_eq(r->value_len, sizeof(value));
    cr_expect_arr_eq(r->value, value, sizeof(value));
    cr_assert_eq(r->key_len, 2);
    cr_expect_arr_eq(r->key, "\0k", 2);
    cr_expect_eq(r->n_own, 0);
    cr_expect_eq(r->partition, RD_KAFKA_PARTITION_UA);
    cr_expect_eq(r->time_us, INT64_C(0x00060a1818580000));
}

Test(batch_raw, no_key_and_no_value_stay_none)
{
    const struct row *r = add_headers("{}");

    cr_expect_null(r->dead);
    cr_expect_null(r->key);
    cr_expect_null(r->value);
}

Test(batch_raw, headers_keep_order_repetition_and_bytes)
{
    const struct row *r = add_headers(
        "[[\"b\", \"1\"], [\"a\", \"\\u00fc\\\"\"], [\"b\", null], [\"c\", {\"hex\": \"00ff\"}], [\"d\", \"\"]]");

    cr_assert_null(r->dead);
    cr_assert_eq(r->n_own, 5);
    cr_expect_str_eq(r->own[0].name, "b");
    cr_expect_str_eq(r->own[1].name, "a");
    cr_expect_arr_eq(r->own[1].value, "\xc3\xbc\"", 3);
    cr_expect_str_eq(r->own[2].name, "b");
    cr_expect_null(r->own[2].value);
    cr_assert_eq(r->own[3].value_len, 2);
    cr_expect_arr_eq(r->own[3].value, "\0\xff", 2);
    cr_expect_not_null(r->own[4].value);
    cr_expect_eq(r->own[4].value_len, 0);
}

Test(batch_raw, an_object_will_do)
{
    const struct row *r = add_headers("{\"one\": \"1\"}");

    cr_assert_null(r->dead);
    cr_assert_eq(r->n_own, 1);
    cr_expect_str_eq(r->own[0].name, "one");
}

Test(batch_raw, what_is_no_header_makes_a_dead_letter)
{
    static const char *const wrong[] = {"7",
                                        "\"a\"",
                                        "[7]",
                                        "[[\"a\"]]",
                                        "[[\"a\", \"b\", \"c\"]]",
                                        "[[7, \"a\"]]",
                                        "[[\"\", \"a\"]]",
                                        "{\"a\": 7}",
                                        "{\"a\": {\"hex\": \"0\"}}",
                                        "{\"a\": {\"hex\": \"0g\"}}",
                                        "{\"a\": {\"hex\": \"00\", \"x\": 1}}",
                                        "{\"a\": []}",
                                        "{"};

    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        batch_reset(batch);
        set_text(src->payload, "v");
        const struct row *r = add_headers(wrong[i]);
        cr_assert_not_null(r->dead, "accepted: %s", wrong[i]);
        cr_expect_str_eq(r->dead->class, "invalid-headers");
        cr_expect_eq(r->n_own, 0);
        cr_expect_eq(r->value_len, 1, "the value is kept");
    }
}

Test(batch_raw, headers_have_a_ceiling)
{
    for (int n = 256; n <= 257; n++) {
        struct buf b CLEANUP(buf_done);
        buf_init(&b, 1 << 16);
        buf_puts(&b, "[");
        for (int i = 0; i < n; i++) {
            buf_printf(&b, "%s[\"h\", \"%d\"]", i > 0 ? "," : "", i);
        }
        buf_puts(&b, "]");
        const struct row *r = add_headers(buf_str(&b));
        cr_expect_eq(r->dead != NULL, n == 257);
    }
}

Test(batch_raw, a_partition_may_be_named)
{
    set_text(src->partition_column, "2");
    cr_expect_eq(add_headers("{}")->partition, 2);
    set_text(src->partition_column, "-1");
    cr_expect_str_eq(add_headers("{}")->dead->class, "invalid-partition");
}

Test(batch_raw, a_row_over_the_ceiling_is_cut_and_named)
{
    set_text(src->payload, "what is left of it");
    cells.bytes = 1001;
    cells.sha256 = (struct cell){.text = "abc", .len = 3};
    const struct row *r = add_headers("{}");
    cr_assert_not_null(r->dead);
    cr_expect_str_eq(r->dead->class, "too-large");
    cr_expect_eq(r->value_len, 18);
}
