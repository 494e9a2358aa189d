/* SPDX-License-Identifier: Apache-2.0 */
/* Loading schema files, and the promise that a schema never changes under its id. */
#include <criterion/criterion.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define HASH "0000000000000000000000000000000000000000000000000000000000000000"
#define ENTRY(version, id) "{\"version\":" version ",\"id\":" id ",\"sha256\":\"" HASH "\"}"
#define RECORD(name) "{\"type\":\"record\",\"name\":\"" name "\",\"fields\":[{\"name\":\"a\",\"type\":\"int\"}]}"

static const struct {
    const char *file, *text, *ids;
    const char *says;
} BROKEN[] = {
    {"r.avsc", RECORD("r"), "", "ids.json: line 1"},
    {"r.avsc", RECORD("r"), "[]", "must be an object"},
    {"r.avsc", RECORD("r"), "{}", "names 0 schema versions, but there are 1 files"},
    {"r.avsc", RECORD("r"), "{\"r\":[]}", "r must be an array"},
    {"r.avsc", RECORD("r"), "{\"r\":[" ENTRY("2", "5") "]}", "versions must be 1, 2"},
    {"r.avsc", RECORD("r"), "{\"r\":[" ENTRY("1", "0") "]}", "each entry needs"},
    {"r.avsc", RECORD("r"), "{\"r\":[{\"version\":1,\"id\":5}]}", "each entry needs"},
    {"r.avsc", RECORD("r"), "{\"r\":[" ENTRY("1", "5") "," ENTRY("2", "5") "]}", "no file r.v1.avsc"},
    {"r.avsc", RECORD("r"), "{\"r\":[" ENTRY("1", "5") "],\"s\":[" ENTRY("1", "5") "]}", "id 5 is used twice"},
    {"r.avsc", RECORD("r"), "{\"s\":[" ENTRY("1", "5") "]}", "no file s.avsc"},
    {"r.avsc", RECORD("other"), "{\"r\":[" ENTRY("1", "5") "]}", "r.avsc: must define the record r"},
    {"r.avsc", "\"int\"", "{\"r\":[" ENTRY("1", "5") "]}", "r.avsc"},
    {"r.avsc", "{", "{\"r\":[" ENTRY("1", "5") "]}", "r.avsc: line 1"},
    {"r.avsc", "{\"type\":\"record\",\"name\":\"r\",\"fields\":[{\"name\":\"a\",\"type\":\"date\"}]}",
     "{\"r\":[" ENTRY("1", "5") "]}", "r.avsc: field a: unknown type date"},
};

Test(avro_set, refuses_contradictions_and_names_the_file)
{
    for (size_t i = 0; i < ARRAY_SIZE(BROKEN); i++) {
        const struct avro_file file = {BROKEN[i].file, BROKEN[i].text, strlen(BROKEN[i].text)};
        struct avro_set *set = NULL;
        struct err err;
        cr_assert_eq(avro_set_create(&file, 1, BROKEN[i].ids, strlen(BROKEN[i].ids), &set, &err), RC_FATAL, "row %zu",
                     i);
        cr_assert_null(set);
        cr_assert(strstr(err.text, BROKEN[i].says), "row %zu: %s lacks %s", i, err.text, BROKEN[i].says);
    }
}

Test(avro_set, finds_by_name_and_by_id)
{
    CLEANUP(avro_set_freep) struct avro_set *set = fixture_zoo();
    cr_assert_eq(avro_set_count(set), 3);
    cr_assert_eq(avro_version_id(avro_set_newest(set, "note")), 9);
    cr_assert_eq(avro_version_number(avro_set_by_id(set, 8)), 1);
    cr_assert_null(avro_set_newest(set, "nonsense"));
    cr_assert_null(avro_set_by_id(set, 10));
    cr_assert(strstr(avro_version_text(avro_set_by_id(set, 8)), "gone"));
}

/* The canonical bytes of a schema file: its JSON without white space, keys in the file's order. */
static void canonical_sha256(const char *text, char out[65])
{
    json_error_t at;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &at);
    cr_assert_not_null(j, "%s", at.text);
    char *compact = json_dumps(j, JSON_COMPACT);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_n = 0;
    cr_assert_eq(EVP_Digest(compact, strlen(compact), digest, &digest_n, EVP_sha256(), NULL), 1);
    for (unsigned i = 0; i < digest_n; i++) {
        (void)snprintf(out + (size_t)i * 2, 3, "%02x", digest[i]);
    }
    free(compact);
    json_decref(j);
}

Test(avro_set, no_schema_changed_under_its_id)
{
    CLEANUP(avro_set_freep) struct avro_set *set = fixture_contract();
    cr_assert_geq(avro_set_count(set), 3);
    for (size_t i = 0; i < avro_set_count(set); i++) {
        const struct avro_version *v = avro_set_at(set, i);
        char now[65] = "";
        canonical_sha256(avro_version_text(v), now);
        cr_assert_str_eq(now, avro_version_sha256(v),
                         "%s version %d (id %d) is not what ids.json pins. Records with that id exist: keep the old "
                         "text as %s.v%d.avsc and give the new one the next version, a new id and sha256 %s",
                         avro_version_name(v), avro_version_number(v), (int)avro_version_id(v), avro_version_name(v),
                         avro_version_number(v), now);
    }
}
