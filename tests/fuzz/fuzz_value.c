/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: value_json() with the program's own schemas: any bytes a topic may hold, framing included.
 *
 * Claims: OK or REJECT; after OK one line of valid JSON, after REJECT nothing.
 */
#include <jansson.h>
#include <string.h>

#include "base/mem.h"
#include "cli/record_json.h"
#include "fuzz.h"
#include "schemas/avro_set.h"

static struct avro_set *set;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct err err;
    (void)argc;
    (void)argv;
    CLAIM(schemas_avro_set(&set, &err) == RC_OK);
    return 0;
}

static bool is_json_line(const struct buf *text)
{
    json_t *j = json_loadb(buf_str(text), text->len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    bool valid = j != NULL && memchr(buf_str(text), '\n', text->len) == NULL;
    json_decref(j);
    return valid;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(freep) unsigned char *exact = xcalloc(size, 1);
    CLEANUP(buf_done) struct buf out;
    struct err err;
    if (size > 0) {
        memcpy(exact, data, size);
    }
    buf_init(&out, (size_t)16 << 20);
    enum rc rc = value_json(set, exact, size, &out, &err);
    CLAIM(rc == RC_OK ? is_json_line(&out) : rc == RC_REJECT && out.len == 0);
    return 0;
}
