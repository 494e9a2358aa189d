/* SPDX-License-Identifier: Apache-2.0 */
/* sources.json: the one that is built in, and every kind of mistake in one of one's own, named with what was expected.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "relay/source.h"
#include "schemas/avro_set.h"
#include "schemas/embedded.h"

static const char GOOD[] =
    "{\"version\": 1, \"sources\": [\n"
    " {\"name\": \"shop-1\", \"table\": \"shop_outbox\", \"queue\": \"append\",\n"
    "  \"id\": \"id\", \"key\": [\"k1\", \"k2\"], \"type\": \"kind\", \"time\": \"at\",\n"
    "  \"topic\": \"shop.events\", \"schema\": \"payment_event\", \"payload\": \"body\",\n"
    "  \"fields\": {\"event_id\": \"id\", \"created_at\": \"at\"},\n"
    "  \"headers\": {\"traceparent\": \"trace\"}, \"dlq\": \"shop.dlq\", \"outcomes\": \"shop.out\"}\n"
    "]}\n";

static enum rc parse(const char *text, struct sources **out, struct err *err)
{
    size_t n = strlen(text);
    char *exact = xcalloc(n > 0 ? n : 1, 1); /* without a NUL, for the sanitizer */
    memcpy(exact, text, n);
    enum rc rc = sources_parse(exact, n, "my.json", out, err);
    free(exact);
    return rc;
}

static int column(const struct source *src, const char *name)
{
    for (int i = 0; i < src->n_columns; i++) {
        if (strcmp(src->columns[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

Test(sources, the_built_in_file_describes_the_outboxes)
{
    const struct embedded *file = embedded_find(SCHEMAS_JSON, SCHEMAS_JSON_n, "sources.json");
    struct sources *s CLEANUP(sources_freep) = NULL;
    struct err err;

    cr_assert_eq(sources_parse(file->text, file->size, "sources.json", &s, &err), RC_OK, "%s", err.text);
    cr_assert_eq(s->n, 8);
    const struct source *cb = &s->list[0];
    cr_expect_str_eq(cb->name, "callback");
    cr_expect_str_eq(cb->table, "cs_platform_event_outbox");
    cr_expect_eq(cb->queue, QUEUE_STATUS);
    cr_expect_str_eq(cb->topic, "callback.events");
    cr_expect_eq(cb->topic_column, -1);
    cr_expect_str_eq(cb->outcomes, "callback.outcomes");
    cr_expect_str_eq(cb->outcome_schema, "callback_outcome");
    cr_expect_eq(cb->n_keys, 2);
    cr_expect_eq(cb->key[0], column(cb, "partition_key"));
    cr_expect_eq(cb->key[1], column(cb, "id"));
    cr_expect(cb->columns[cb->time].micros);
    const struct source *pay = &s->list[1];
    cr_expect_str_eq(pay->table, "payment_outbox");
    cr_expect_eq(pay->queue, QUEUE_APPEND);
    cr_expect_null(pay->topic);
    cr_expect_eq(pay->topic_column, column(pay, "topic"));
    cr_expect_null(pay->outcomes);
    for (int i = 0; i < s->n; i++) { /* what the ledger booked stays */
        const struct source *src = &s->list[i];
        bool goes = strcmp(src->table, "payment_outbox") == 0 || strcmp(src->table, "account_command_outbox") == 0 ||
                    strcmp(src->table, "dead_letter_outbox") == 0;
        cr_expect_eq(src->prune, goes, "%s", src->table);
    }
    const struct source *flow = &s->list[4];
    cr_expect_str_eq(flow->table, "account_flows");
    cr_expect(flow->columns[column(flow, "effective_at")].micros);
    cr_expect(flow->columns[flow->time].micros);
    const struct source *dead = &s->list[2];
    cr_expect_str_eq(dead->table, "dead_letter_outbox");
    cr_expect(dead->raw);
    cr_expect_null(dead->schema);
    cr_expect_eq(dead->type, -1);
    cr_expect(dead->columns[dead->payload].bytes);
    cr_expect(dead->columns[dead->key[0]].bytes);
    cr_expect_not(dead->columns[dead->topic_column].bytes);
    cr_expect_eq(dead->headers_column, column(dead, "headers"));
    cr_expect_eq(dead->partition_column, column(dead, "partition"));
}

Test(sources, a_column_with_several_parts_to_play_travels_once)
{
    struct sources *s CLEANUP(sources_freep) = NULL;
    struct err err;

    cr_assert_eq(parse(GOOD, &s, &err), RC_OK, "%s", err.text);
    const struct source *src = &s->list[0];
    cr_expect_eq(src->n_columns, 7, "id kind body at k1 k2 trace, got %d", src->n_columns);
    cr_expect_eq(src->fields[0].column, src->id);
    cr_expect_eq(src->fields[1].column, src->time);
    cr_expect_str_eq(src->headers[0].name, "traceparent");
    cr_expect_str_eq(src->dlq, "shop.dlq");
}

#define N63 "a23456789012345678901234567890123456789012345678901234567890123"

static const struct {
    const char *from, *to, *expected;
} MISTAKES[] = {
    /* the file */
    {"\"version\": 1", "\"version\": 2", "key \"version\" expected 1"},
    {"\"version\": 1", "\"version\": \"1\"", "key \"version\" expected 1"},
    {"\"version\": 1, ", "", "key \"version\" expected 1"},
    {"\"version\": 1", "\"version\": 1, \"souces\": []", "unknown key \"souces\""},
    {"\"sources\"", "\"Sources\"", "unknown key \"Sources\""},
    {"\"sources\": [", "\"sources\": [], \"x\": [", "unknown key \"x\""},
    {"[\n {\"name\"", "[\n 7, {\"name\"", "source 1: expected an object"},
    {"\"queue\": \"append\"", "\"queue\": \"append\", \"times\": \"at\"", "key \"times\" expected a list"},
    {"\"queue\": \"append\"", "\"queue\": \"append\", \"times\": [7]", "key \"times\" expected a list"},
    {"\"queue\": \"append\"", "\"queue\": \"append\", \"times\": [\"a b\"]", "key \"times\" expected a list"},
    {"\"queue\": \"append\"", "\"queue\": \"append\", \"prune\": 1", "key \"prune\" expected true or false"},
    {"\"queue\": \"append\"", "\"queue\": \"status\", \"prune\": true", "key \"prune\" expected false, or"},
    /* not JSON, with the line */
    {"\"queue\": \"append\",", "\"queue\": \"append\"", "my.json: line 3"},
    {"]}\n", "]", "my.json: line 7"},
    {"\"dlq\": \"shop.dlq\"", "\"dlq\": \"shop.dlq\", \"dlq\": \"b\"", "my.json: line 6"},
    {"\"id\": \"id\",", "\"id\": \"\xff\",", "my.json: line 3"},
    /* unknown keys */
    {"\"dlq\"", "\"dql\": \"x\", \"dlq\"", "source shop-1: unknown key \"dql\""},
    {"\"queue\"", "\"Queue\": \"append\", \"queue\"", "unknown key \"Queue\""},
    /* names */
    {"\"name\": \"shop-1\",", "", "source 1: key \"name\" expected a name"},
    {"\"name\": \"shop-1\"", "\"name\": 1", "source 1: key \"name\" expected a name"},
    {"\"name\": \"shop-1\"", "\"name\": \"\"", "key \"name\" expected a name"},
    {"\"name\": \"shop-1\"", "\"name\": \"shop 1\"", "key \"name\" expected a name"},
    {"\"name\": \"shop-1\"", "\"name\": \"shop'1\"", "key \"name\" expected a name"},
    {"\"name\": \"shop-1\"", "\"name\": \"" N63 "4\"", "key \"name\" expected a name of 1 to 63"},
    {"\"table\": \"shop_outbox\",", "", "key \"table\" expected a name"},
    {"\"table\": \"shop_outbox\"", "\"table\": \"public.shop\"", "key \"table\" expected a name"},
    {"\"table\": \"shop_outbox\"", "\"table\": [\"shop\"]", "key \"table\" expected a name"},
    {"\"queue\": \"append\",", "", "key \"queue\" expected"},
    {"\"queue\": \"append\"", "\"queue\": \"fifo\"", "key \"queue\" expected \"status\", \"append\" or \"process\""},
    {"\"schema\": \"payment_event\", ", "", "key \"schema\" expected a name"},
    {"\"dlq\": \"shop.dlq\", ", "", "key \"dlq\" expected a name"},
    {"\"dlq\": \"shop.dlq\"", "\"dlq\": \"shop/dlq\"", "key \"dlq\" expected a name"},
    {"\"dlq\": \"shop.dlq\"", "\"dlq\": null", "key \"dlq\" expected a name"},
    {"\"outcomes\": \"shop.out\"", "\"outcomes\": 1", "key \"outcomes\" expected a name"},
    /* columns */
    {"\"id\": \"id\",", "", "key \"id\" expected the name of a column"},
    {"\"id\": \"id\"", "\"id\": 5", "key \"id\" expected the name of a column"},
    {"\"type\": \"kind\", ", "", "key \"type\" expected the name of a column"},
    {"\"time\": \"at\"", "\"time\": \"created at\"", "key \"time\" expected the name of a column"},
    {"\"payload\": \"body\"", "\"payload\": \"body->>'x'\"", "key \"payload\" expected the name of a column"},
    {"\"key\": [\"k1\", \"k2\"],", "", "key \"key\" expected a list of 1 to 4 columns"},
    {"\"key\": [\"k1\", \"k2\"]", "\"key\": \"k1\"", "key \"key\" expected a list of 1 to 4 columns"},
    {"\"key\": [\"k1\", \"k2\"]", "\"key\": []", "key \"key\" expected a list of 1 to 4 columns"},
    {"\"key\": [\"k1\", \"k2\"]", "\"key\": [\"a\",\"b\",\"c\",\"d\",\"e\"]", "key \"key\" expected a list of 1 to 4"},
    {"\"key\": [\"k1\", \"k2\"]", "\"key\": [\"k1\", null]", "key \"key\" expected the name of a column"},
    /* one of two */
    {"\"topic\": \"shop.events\"", "\"topic\": \"t\", \"topic_column\": \"c\"", "either \"topic\" or \"topic_column\""},
    {"\"topic\": \"shop.events\", ", "", "either \"topic\" or \"topic_column\""},
    {"\"topic\": \"shop.events\"", "\"topic_column\": 1", "key \"topic_column\" expected the name of a column"},
    {"\"topic\": \"shop.events\"", "\"topic\": \"shop events\"", "key \"topic\" expected a name"},
    /* fields and headers */
    {"\"fields\": {\"event_id\": \"id\", \"created_at\": \"at\"},", "", "key \"fields\" expected an object"},
    {"\"fields\": {\"event_id\": \"id\", \"created_at\": \"at\"}", "\"fields\": {}",
     "key \"fields\" expected an object"},
    {"\"fields\": {\"event_id\": \"id\"", "\"fields\": {\"event id\": \"id\"", "field \"event id\" expected the name"},
    {"\"fields\": {\"event_id\": \"id\"", "\"fields\": {\"event_id\": 1",
     "key \"event_id\" expected the name of a column"},
    {"\"headers\": {\"traceparent\": \"trace\"}", "\"headers\": [\"trace\"]", "key \"headers\" expected an object"},
    {"{\"traceparent\": \"trace\"}", "{\"ce_id\": \"id\"}", "header \"ce_id\" expected a name"},
    {"{\"traceparent\": \"trace\"}", "{\"__dlq.x\": \"id\"}", "header \"__dlq.x\" expected a name"},
    {"{\"traceparent\": \"trace\"}", "{\"a:b\": \"id\"}", "header \"a:b\" expected a name"},
    {"{\"traceparent\": \"trace\"}", "{\"a\": null}", "key \"a\" expected the name of a column"},
    {"{\"traceparent\": \"trace\"}",
     "{\"a\":\"a\",\"b\":\"a\",\"c\":\"a\",\"d\":\"a\",\"e\":\"a\",\"f\":\"a\",\"g\":\"a\",\"h\":\"a\",\"i\":\"a\"}",
     "key \"headers\" expected an object of at most 8"},
};

static char *replaced(const char *from, const char *to)
{
    const char *at = strstr(GOOD, from);

    cr_assert_not_null(at, "%s", from);
    return xasprintf("%.*s%s%s", (int)(at - GOOD), GOOD, to, at + strlen(from));
}

Test(sources, every_mistake_is_named_with_what_was_expected)
{
    for (size_t i = 0; i < ARRAY_SIZE(MISTAKES); i++) {
        char *text CLEANUP(freep) = replaced(MISTAKES[i].from, MISTAKES[i].to);
        struct sources *s CLEANUP(sources_freep) = NULL;
        struct err err = {0};
        cr_expect_eq(parse(text, &s, &err), RC_FATAL, "accepted: %s", text);
        cr_expect_null(s);
        cr_expect(strncmp(err.text, "my.json: ", 9) == 0, "%s", err.text);
        cr_expect(strstr(err.text, MISTAKES[i].expected) != NULL, "%s -> %s gave: %s", MISTAKES[i].from, MISTAKES[i].to,
                  err.text);
        cr_expect(err_is_config(&err), "only the configuration can cure: %s", err.text);
    }
}

/* ---- Raw sources ---- */

static const char RAW[] = "{\"version\": 1, \"sources\": [{\"name\": \"r\", \"table\": \"t\", \"queue\": \"append\","
                          " \"raw\": true, \"id\": \"id\", \"key\": [\"k\"], \"time\": \"at\", \"topic\": \"x\","
                          " \"payload\": \"v\", \"headers_column\": \"h\", \"dlq\": \"d\"}]}";

Test(sources, a_raw_source_needs_no_schema)
{
    struct sources *s CLEANUP(sources_freep) = NULL;
    struct err err;

    cr_assert_eq(parse(RAW, &s, &err), RC_OK, "%s", err.text);
    cr_expect_eq(s->list[0].partition_column, -1);
    cr_expect_eq(source_check_schema(&s->list[0], NULL, &err), RC_OK);
}

static const struct {
    const char *from, *to, *expected;
} RAW_MISTAKES[] = {
    {"\"raw\": true", "\"raw\": \"yes\"", "key \"raw\" expected true or false"},
    {"\"raw\": true", "\"raw\": false", "key \"schema\" expected a name"},
    {"\"id\"", "\"schema\": \"s\", \"id\"", "unknown key \"schema\" of a raw source"},
    {"\"id\"", "\"type\": \"s\", \"id\"", "unknown key \"type\" of a raw source"},
    {"\"id\"", "\"outcomes\": \"s\", \"id\"", "unknown key \"outcomes\" of a raw source"},
    {"\"h\"", "7", "key \"headers_column\" expected the name of a column"},
    {"\"id\"", "\"partition_column\": [], \"id\"", "key \"partition_column\" expected the name of a column"},
};

Test(sources, mistakes_of_a_raw_source_are_named)
{
    for (size_t i = 0; i < ARRAY_SIZE(RAW_MISTAKES); i++) {
        const char *at = strstr(RAW, RAW_MISTAKES[i].from);
        char *text CLEANUP(freep) =
            xasprintf("%.*s%s%s", (int)(at - RAW), RAW, RAW_MISTAKES[i].to, at + strlen(RAW_MISTAKES[i].from));
        struct sources *s CLEANUP(sources_freep) = NULL;
        struct err err = {0};
        cr_expect_eq(parse(text, &s, &err), RC_FATAL, "accepted: %s", text);
        cr_expect(strstr(err.text, RAW_MISTAKES[i].expected) != NULL, "%s", err.text);
    }
}

Test(sources, keys_of_raw_sources_are_unknown_elsewhere)
{
    char *text CLEANUP(freep) = replaced("\"id\": \"id\",", "\"id\": \"id\", \"headers_column\": \"h\",");
    struct sources *s CLEANUP(sources_freep) = NULL;
    struct err err = {0};

    cr_expect_eq(parse(text, &s, &err), RC_FATAL);
    cr_expect(strstr(err.text, "unknown key \"headers_column\"") != NULL, "%s", err.text);
}

Test(sources, a_name_may_have_63_characters)
{
    char *text CLEANUP(freep) = replaced("\"name\": \"shop-1\"", "\"name\": \"" N63 "\"");
    struct sources *s CLEANUP(sources_freep) = NULL;
    struct err err;

    cr_expect_eq(parse(text, &s, &err), RC_OK, "%s", err.text);
}

/* n copies of the good source; name and table numbered unless they are to be the same. */
static enum rc parse_many(int n, bool same_name, bool same_table, struct sources **out, struct err *err)
{
    const char *one = strstr(GOOD, " {\"name\"");
    const char *rest = strstr(one, ", \"queue\"");
    struct buf b CLEANUP(buf_done);

    buf_init(&b, 1 << 20);
    buf_puts(&b, "{\"version\": 1, \"sources\": [");
    for (int i = 0; i < n; i++) {
        buf_printf(&b, "%s{\"name\": \"s%d\", \"table\": \"t%d\"%.*s", i > 0 ? "," : "", same_name ? 0 : i,
                   same_table ? 0 : i, (int)(strstr(rest, "\n]}") - rest), rest);
    }
    buf_puts(&b, "]}");
    return parse(buf_str(&b), out, err);
}

Test(sources, ceilings_hold_and_names_are_used_once)
{
    struct sources *s = NULL;
    struct err err = {0};

    cr_expect_eq(parse_many(SOURCE_MAX, false, false, &s, &err), RC_OK, "%s", err.text);
    s = sources_free(s);
    cr_expect_eq(parse_many(SOURCE_MAX + 1, false, false, &s, &err), RC_FATAL);
    cr_expect(strstr(err.text, "key \"sources\" expected a list of 1 to 32") != NULL, "%s", err.text);
    cr_expect_eq(parse_many(0, false, false, &s, &err), RC_FATAL);
    cr_expect(strstr(err.text, "key \"sources\" expected a list of 1 to 32") != NULL, "%s", err.text);
    cr_expect_eq(parse_many(2, true, false, &s, &err), RC_FATAL);
    cr_expect(strstr(err.text, "source s0: name or table is used twice") != NULL, "%s", err.text);
    cr_expect_eq(parse_many(2, false, true, &s, &err), RC_FATAL);
    cr_expect(strstr(err.text, "source s1: name or table is used twice") != NULL, "%s", err.text);
}

Test(sources, too_many_columns_are_refused)
{
    struct buf fields CLEANUP(buf_done);
    struct err err = {0};

    buf_init(&fields, 1 << 16);
    for (int i = 0; i < SOURCE_COLUMNS_MAX; i++) {
        buf_printf(&fields, "%s\"f%d\": \"c%d\"", i > 0 ? ", " : "", i, i);
    }
    char *text CLEANUP(freep) = replaced("\"event_id\": \"id\", \"created_at\": \"at\"", buf_str(&fields));
    struct sources *s CLEANUP(sources_freep) = NULL;
    cr_expect_eq(parse(text, &s, &err), RC_FATAL);
    cr_expect(strstr(err.text, "source shop-1: more than 48 columns") != NULL, "%s", err.text);
}

Test(sources, no_prefix_of_a_file_crashes_leaks_or_passes)
{
    for (size_t n = 0; n < sizeof(GOOD) - 2; n++) {
        char *text CLEANUP(freep) = xstrndup(GOOD, n);
        struct sources *s CLEANUP(sources_freep) = NULL;
        struct err err;
        cr_expect_eq(sources_parse(text, n, "my.json", &s, &err), RC_FATAL, "the first %zu bytes were accepted", n);
    }
}

/* ---- Does a source fit its schema? ---- */

static enum rc check_schema(const char *text, struct err *err)
{
    struct sources *s CLEANUP(sources_freep) = NULL;
    struct avro_set *set CLEANUP(avro_set_freep) = NULL;

    cr_assert_eq(schemas_avro_set(&set, err), RC_OK, "%s", err->text);
    cr_assert_eq(parse(text, &s, err), RC_OK, "%s", err->text);
    return source_check_schema(&s->list[0], set, err);
}

static const char FITS[] =
    "\"event_id\": \"id\", \"event_type\": \"kind\", \"partition_key\": \"k1\", \"payload\": \"body\","
    " \"queue_seq\": \"queue_seq\", \"created_at\": \"at\"";

Test(source_check_schema, a_field_with_a_default_may_be_left_out)
{
    char *text CLEANUP(freep) = replaced("\"event_id\": \"id\", \"created_at\": \"at\"", FITS);
    struct err err;

    cr_expect_eq(check_schema(text, &err), RC_OK, "%s", err.text);
}

static const struct {
    const char *from, *to, *expected;
} MISFITS[] = {
    {"payment_event", "no_such_schema", "source shop-1: "},
    {"payment_event", "no_such_schema", "no_such_schema"},
    {"\"event_id\": \"id\"", "\"event_no\": \"id\"", "schema payment_event has no field \"event_no\""},
    {"\"event_id\": \"id\", ", "", "field \"event_id\" of schema payment_event has no column"},
};

Test(source_check_schema, every_misfit_is_named)
{
    for (size_t i = 0; i < ARRAY_SIZE(MISFITS); i++) {
        char *text CLEANUP(freep) = replaced(MISFITS[i].from, MISFITS[i].to);
        struct err err = {0};
        cr_expect_eq(check_schema(text, &err), RC_FATAL);
        cr_expect(strstr(err.text, MISFITS[i].expected) != NULL, "%s", err.text);
        cr_expect(err_is_config(&err), "only the configuration can cure: %s", err.text);
    }
}
