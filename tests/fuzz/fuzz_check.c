/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: check_body() and everything behind it: avro_decode_json(), avro_input_read().
 *
 * The first byte chooses the schema, the rest is the body. Claims: nothing but OK or REJECT; what one of the two
 * readers takes, the other takes too unless it is U+0000; what was printed can be encoded and prints the same.
 */
#include <string.h>

#include "avro/codec.h"
#include "fuzz.h"
#include "support/zoo.h"

static struct avro_set *set;
static struct avro_input *notes;

/* avro-c keeps pointers at unaligned addresses, where LeakSanitizer does not look: nothing may be left at the end. */
static void finish(void)
{
    notes = avro_input_free(notes);
    set = avro_set_free(set);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct err err;
    (void)argc;
    (void)argv;
    CLAIM(zoo_create(&set, &err) == RC_OK);
    CLAIM(avro_input_create(set, "note", &notes, &err) == RC_OK);
    CLAIM(atexit(finish) == 0);
    return 0;
}

static void read_fields(void)
{
    size_t n = 0;
    const char *id = avro_input_string(notes, avro_input_index(notes, "id"), &n);
    CLAIM(id == NULL || strlen(id) == n);
    CLAIM(avro_input_string(notes, avro_input_index(notes, "kind"), &n) != NULL);
    (void)avro_input_long(notes, avro_input_index(notes, "n"), 0);
    (void)avro_input_double(notes, avro_input_index(notes, "x"), 0);
    (void)avro_input_bool(notes, avro_input_index(notes, "flag"), false);
}

/* JSON holds neither U+0000 in our strings nor NaN; everything else survives. */
static void encode_again(const struct buf *json, const char *schema)
{
    CLEANUP(arena_done) struct arena a;
    CLEANUP(buf_done) struct buf again;
    const void *bytes = NULL;
    size_t n = 0;
    struct err err;
    arena_init(&a, 4096);
    buf_init(&again, AVRO_VALUE_BYTES_MAX);
    if (avro_encode_json(set, schema, buf_str(json), json->len, &a, &bytes, &n, &err) == RC_OK) {
        CLAIM(avro_decode_json(set, bytes, n, &again, &err) == RC_OK);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err;
    if (size == 0) {
        return 0;
    }
    const struct avro_version *v = avro_set_at(set, data[0] % avro_set_count(set));
    size_t n = size - 1 + AVRO_FRAME_BYTES;
    CLEANUP(freep) unsigned char *value = xcalloc(n, 1);
    value[AVRO_FRAME_BYTES - 1] = (unsigned char)avro_version_id(v);
    memcpy(value + AVRO_FRAME_BYTES, data + 1, size - 1);
    CLEANUP(buf_done) struct buf json;
    buf_init(&json, AVRO_VALUE_BYTES_MAX);
    enum rc rc = avro_decode_json(set, value, n, &json, &err);
    CLAIM(rc == RC_OK || rc == RC_REJECT);
    if (strcmp(avro_version_name(v), "note") == 0) {
        enum rc typed = avro_input_read(notes, value, n, &err);
        CLAIM(typed == RC_OK || typed == RC_REJECT);
        CLAIM(typed != RC_OK || rc == RC_OK);
        CLAIM(typed == RC_OK || rc != RC_OK || strstr(err.text, "U+0000") != NULL);
        if (typed == RC_OK) {
            read_fields();
        }
    }
    if (rc == RC_OK) {
        encode_again(&json, avro_version_name(v));
    }
    return 0;
}
