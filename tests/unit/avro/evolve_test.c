/* SPDX-License-Identifier: Apache-2.0 */
/* BACKWARD_TRANSITIVE: the checker itself on made-up pairs, and then on the contract's schemas. */
#include <criterion/criterion.h>
#include <string.h>

#include "avro/evolve.h"
#include "fixture.h"

#define FIELD(name, type) "{\"name\":\"" name "\",\"type\":" type "}"
#define FIELD_OR(name, type, preset) "{\"name\":\"" name "\",\"type\":" type ",\"default\":" preset "}"
#define RECORD(fields) "{\"type\":\"record\",\"name\":\"r\",\"fields\":[" fields "]}"
#define ENUM(symbols, more) "{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[" symbols "]" more "}"
#define FIXED(name, size) "{\"type\":\"fixed\",\"name\":\"" name "\",\"size\":" size "}"
#define ARRAY(items) "{\"type\":\"array\",\"items\":" items "}"
#define MAP(values) "{\"type\":\"map\",\"values\":" values "}"
#define MICROS "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}"

static const struct {
    const char *reader, *writer;
    const char *says; /* NULL = can read */
} PAIRS[] = {
    {RECORD(FIELD("a", "\"int\"")), RECORD(FIELD("a", "\"int\"")), NULL},
    {RECORD(FIELD("a", "\"int\"")), RECORD(FIELD("b", "\"int\"") "," FIELD("a", "\"int\"")), NULL},
    {RECORD(FIELD("a", "\"int\"") "," FIELD_OR("b", "\"int\"", "0")), RECORD(FIELD("a", "\"int\"")), NULL},
    {RECORD(FIELD("a", "\"int\"") "," FIELD("b", "\"int\"")), RECORD(FIELD("a", "\"int\"")),
     "field b: the writer lacks"},
    {RECORD(FIELD("renamed", "\"int\"")), RECORD(FIELD("a", "\"int\"")), "field renamed"},
    {RECORD(FIELD("a", "[\"null\",\"int\"]")), RECORD(FIELD("a", "\"int\"")), NULL},
    {RECORD(FIELD("a", "\"int\"")), RECORD(FIELD("a", "[\"null\",\"int\"]")), "field a: the writer may have null"},
    {RECORD(FIELD("a", "[\"null\",\"long\"]")), RECORD(FIELD("a", "[\"int\",\"null\"]")), NULL},
    {RECORD(FIELD("a", "[\"null\",\"int\"]")), RECORD(FIELD("a", "[\"null\",\"long\"]")), "long cannot be read as int"},
    {RECORD(FIELD("a", "[\"null\",\"int\"]")), RECORD(FIELD("a", "\"null\"")), NULL},
    {RECORD(FIELD("a", ARRAY("\"long\""))), RECORD(FIELD("a", ARRAY("\"int\""))), NULL},
    {RECORD(FIELD("a", ARRAY("\"int\""))), RECORD(FIELD("a", ARRAY("\"string\""))), "field a[]: string cannot"},
    {RECORD(FIELD("a", MAP("\"int\""))), RECORD(FIELD("a", ARRAY("\"int\""))), "array cannot be read as map"},
    {RECORD(FIELD("a", ENUM("\"x\",\"y\"", ""))), RECORD(FIELD("a", ENUM("\"y\"", ""))), NULL},
    {RECORD(FIELD("a", ENUM("\"x\"", ""))), RECORD(FIELD("a", ENUM("\"x\",\"y\"", ""))), "field a: an enum symbol"},
    {RECORD(FIELD("a", ENUM("\"x\"", ",\"default\":\"x\""))), RECORD(FIELD("a", ENUM("\"x\",\"y\"", ""))), NULL},
    {RECORD(FIELD("a", FIXED("f", "4"))), RECORD(FIELD("a", FIXED("f", "4"))), NULL},
    {RECORD(FIELD("a", FIXED("f", "4"))), RECORD(FIELD("a", FIXED("f", "5"))), "another size"},
    {RECORD(FIELD("a", FIXED("f", "4"))), RECORD(FIELD("a", FIXED("g", "4"))), "another name"},
    {RECORD(FIELD("a", MICROS)), RECORD(FIELD("a", MICROS)), NULL},
    {RECORD(FIELD("a", MICROS)), RECORD(FIELD("a", "\"long\"")), "timestamp-micros on one side"},
    {RECORD(FIELD("a", "\"long\"")), RECORD(FIELD("a", MICROS)), "timestamp-micros on one side"},
    {RECORD(FIELD("a", MICROS)), RECORD(FIELD("a", "\"int\"")), "timestamp-micros on one side"},
    {RECORD(FIELD("a", "\"double\"")), RECORD(FIELD("a", MICROS)), "long cannot be read as double"},
    {"\"long\"", "\"int\"", NULL},
    {"\"float\"", "\"int\"", NULL},
    {"\"double\"", "\"int\"", NULL},
    {"\"float\"", "\"long\"", NULL},
    {"\"double\"", "\"long\"", NULL},
    {"\"double\"", "\"float\"", NULL},
    {"\"bytes\"", "\"string\"", NULL},
    {"\"string\"", "\"bytes\"", NULL},
    {"\"int\"", "\"long\"", "value: long cannot be read as int"},
    {"\"float\"", "\"double\"", "double cannot be read as float"},
    {"\"string\"", "\"int\"", "int cannot be read as string"},
    {"\"boolean\"", "\"int\"", "int cannot be read as boolean"},
    {"\"long\"", "\"boolean\"", "boolean cannot be read as long"},
};

Test(avro_evolve, knows_which_differences_are_readable)
{
    for (size_t i = 0; i < ARRAY_SIZE(PAIRS); i++) {
        struct err err = {.text = ""};
        const char *r = PAIRS[i].reader;
        const char *w = PAIRS[i].writer;
        enum rc rc = evolve_can_read(r, strlen(r), w, strlen(w), &err);
        cr_assert_eq(rc, PAIRS[i].says == NULL ? RC_OK : RC_REJECT, "%s reads %s: %s", r, w, err.text);
        cr_assert(PAIRS[i].says == NULL || strstr(err.text, PAIRS[i].says), "%s lacks %s", err.text, PAIRS[i].says);
    }
}

Test(avro_evolve, refuses_texts_that_are_no_schema)
{
    static const char *const rows[] = {
        "",
        "{",
        "7",
        "\"nonsense\"",
        "{\"type\":\"record\",\"fields\":[]}",
        "{\"type\":\"record\",\"name\":\"r\"}",
        RECORD("{\"type\":\"int\"}"),
        RECORD("{\"name\":\"a\"}"),
        RECORD(FIELD("a", "\"int\"") "," FIELD("a", "\"int\"")),
        RECORD(FIELD("a", "\"r\"")),
        RECORD(FIELD("a", ARRAY("\"r\""))),
        RECORD(FIELD("a", "[\"int\",\"string\"]")),
        RECORD(FIELD("a", "[\"null\"]")),
        RECORD(FIELD("a", "[\"null\",\"null\"]")),
        RECORD(FIELD("a", "[\"null\",[\"null\",\"int\"]]")),
        RECORD(FIELD("a", ENUM("", ""))),
        RECORD(FIELD("a", ENUM("\"x\",\"x\"", ""))),
        RECORD(FIELD("a", FIXED("f", "0"))),
        RECORD(FIELD("a", FIXED("r", "4"))),
        ARRAY(ARRAY(ARRAY("{}"))),
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct err err;
        cr_assert_eq(evolve_can_read(rows[i], strlen(rows[i]), "\"int\"", 5, &err), RC_FATAL, "%s", rows[i]);
    }
}

Test(avro_evolve, refuses_schemas_nested_without_end)
{
    CLEANUP(buf_done) struct buf text;
    struct err err;
    buf_init(&text, 1 << 20);
    for (int i = 0; i < 100; i++) {
        buf_puts(&text, "{\"type\":\"array\",\"items\":");
    }
    buf_puts(&text, "\"int\"");
    for (int i = 0; i < 100; i++) {
        buf_putc(&text, '}');
    }
    cr_assert_eq(evolve_can_read(text.data, text.len, "\"int\"", 5, &err), RC_FATAL);
    cr_assert(strstr(err.text, "nested deeper"), "%s", err.text);
}

Test(avro_evolve, each_version_in_the_contract_reads_its_predecessors)
{
    struct err err;
    CLEANUP(avro_set_freep) struct avro_set *contract = fixture_contract();
    CLEANUP(avro_set_freep) struct avro_set *zoo = fixture_zoo();
    cr_assert_eq(evolve_check_set(contract, &err), RC_OK, "%s", err.text);
    cr_assert_eq(evolve_check_set(zoo, &err), RC_OK, "%s", err.text);
}
