/* SPDX-License-Identifier: Apache-2.0 */
/* Walks an Avro body with the schema it was written with, trusting nothing. */
#include "avro/check.h"

#include <stdint.h>

#include "avro/place.h"
#include "avro/utf8.h"

struct walk {
    const unsigned char *bytes;
    size_t n;
    size_t at;
    size_t items_left;
    bool refuse_nul;
    struct err *err;
};

static enum rc walk_value(struct walk *w, const struct shape *s, const struct place *here);

static enum rc refuse(struct walk *w, const struct place *here, size_t at, const char *expected)
{
    char path[PLACE_PATH_MAX];
    FAIL(w->err, RC_REJECT, "malformed Avro: %s at byte %zu: expected %s", place_path(here, path), at, expected);
}

static enum rc walk_skip(struct walk *w, size_t n, const struct place *here, const char *expected)
{
    if (n > w->n - w->at) {
        return refuse(w, here, w->at, expected);
    }
    w->at += n;
    return RC_OK;
}

/* Zigzag varint of at most 64 bits. */
static enum rc walk_long(struct walk *w, const struct place *here, const char *expected, int64_t *out)
{
    uint64_t v = 0;
    size_t at = w->at;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (at >= w->n) {
            return refuse(w, here, w->at, expected);
        }
        unsigned char c = w->bytes[at++];
        if (shift == 63 && c > 1) {
            return refuse(w, here, w->at, "a number of at most 64 bits");
        }
        v |= (uint64_t)(c & 0x7FU) << shift;
        if ((c & 0x80U) == 0) {
            w->at = at;
            *out = (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
            return RC_OK;
        }
    }
    return refuse(w, here, w->at, "a number of at most 64 bits");
}

static enum rc walk_int(struct walk *w, const struct place *here)
{
    size_t at = w->at;
    int64_t v = 0;
    TRY(walk_long(w, here, "an int", &v));
    if (v < INT32_MIN || v > INT32_MAX) {
        return refuse(w, here, at, "an int of 32 bits");
    }
    return RC_OK;
}

/* A number below limit, e.g. an enum's index. */
static enum rc walk_index(struct walk *w, const struct place *here, size_t limit, const char *expected, size_t *out)
{
    size_t at = w->at;
    int64_t v = 0;
    TRY(walk_long(w, here, expected, &v));
    if (v < 0 || (uint64_t)v >= limit) {
        return refuse(w, here, at, expected);
    }
    *out = (size_t)v;
    return RC_OK;
}

static enum rc walk_bytes(struct walk *w, const struct place *here, const char **out, size_t *out_n)
{
    size_t at = w->at;
    int64_t n = 0;
    TRY(walk_long(w, here, "a length", &n));
    if (n < 0 || (uint64_t)n > w->n - w->at) {
        return refuse(w, here, at, "a length within the value");
    }
    *out = (const char *)w->bytes + w->at;
    *out_n = (size_t)n;
    w->at += (size_t)n;
    return RC_OK;
}

static enum rc walk_string(struct walk *w, const struct place *here, bool refuse_nul)
{
    const char *s = NULL;
    size_t n = 0;
    TRY(walk_bytes(w, here, &s, &n));
    size_t wrong = 0;
    enum utf8_verdict verdict = utf8_check(s, n, &wrong);
    if (verdict == UTF8_INVALID) {
        return refuse(w, here, w->at - n + wrong, "UTF-8");
    }
    if (verdict == UTF8_WITH_NUL && refuse_nul) {
        return refuse(w, here, w->at - n + wrong, "text without U+0000");
    }
    return RC_OK;
}

static enum rc walk_boolean(struct walk *w, const struct place *here)
{
    if (w->at >= w->n || w->bytes[w->at] > 1) {
        return refuse(w, here, w->at, "a boolean, 0 or 1");
    }
    w->at++;
    return RC_OK;
}

/* The header of an array's or map's block; *out_n = 0 ends the collection. */
static enum rc walk_block(struct walk *w, const struct place *here, size_t entry_min, size_t *out_n)
{
    size_t at = w->at;
    int64_t n = 0;
    TRY(walk_long(w, here, "a block count", &n));
    if (n < 0) {
        int64_t bytes = 0;
        TRY(walk_long(w, here, "a block size", &bytes));
        if (n == INT64_MIN || bytes < 0 || (uint64_t)bytes > w->n - w->at) {
            return refuse(w, here, at, "a block within the value");
        }
        n = -n;
    }
    size_t most = entry_min > 0 ? (w->n - w->at) / entry_min : w->items_left;
    if ((uint64_t)n > most || (uint64_t)n > w->items_left) {
        return refuse(w, here, at, "a block count within the value, and at most 1000000 elements in all");
    }
    w->items_left -= (size_t)n;
    *out_n = (size_t)n;
    return RC_OK;
}

static enum rc walk_collection(struct walk *w, const struct shape *s, const struct place *here)
{
    bool map = s->kind == AVRO_KIND_MAP;
    struct place inside = {.up = here};
    for (;;) {
        size_t n = 0;
        TRY(walk_block(w, here, s->item->min_bytes + (map ? 1 : 0), &n));
        if (n == 0) {
            return RC_OK;
        }
        for (; n > 0; n--) {
            if (map) {
                TRY(walk_string(w, &inside, true));
            }
            TRY(walk_value(w, s->item, &inside));
        }
    }
}

static enum rc walk_union(struct walk *w, const struct shape *s, const struct place *here)
{
    size_t branch = 0;
    TRY(walk_index(w, here, 2, "a union branch, 0 or 1", &branch));
    return branch == (size_t)s->null_branch ? RC_OK : walk_value(w, s->item, here);
}

static enum rc walk_record(struct walk *w, const struct shape *s, const struct place *here)
{
    for (size_t i = 0; i < s->n; i++) {
        struct place inside = {.up = here, .name = s->fields[i].name};
        TRY(walk_value(w, s->fields[i].type, &inside));
    }
    return RC_OK;
}

static enum rc walk_value(struct walk *w, const struct shape *s, const struct place *here)
{
    int64_t number = 0;
    size_t index = 0;
    const char *bytes = NULL;
    switch (s->kind) {
    case AVRO_KIND_NULL:
        return RC_OK;
    case AVRO_KIND_BOOLEAN:
        return walk_boolean(w, here);
    case AVRO_KIND_INT:
        return walk_int(w, here);
    case AVRO_KIND_LONG:
        return walk_long(w, here, "a long", &number);
    case AVRO_KIND_FLOAT:
        return walk_skip(w, 4, here, "4 bytes of a float");
    case AVRO_KIND_DOUBLE:
        return walk_skip(w, 8, here, "8 bytes of a double");
    case AVRO_KIND_BYTES:
        return walk_bytes(w, here, &bytes, &index);
    case AVRO_KIND_STRING:
        return walk_string(w, here, w->refuse_nul);
    case AVRO_KIND_ENUM:
        return walk_index(w, here, s->n, "the index of an enum symbol", &index);
    case AVRO_KIND_FIXED:
        return walk_skip(w, s->n, here, "all bytes of a fixed");
    case AVRO_KIND_ARRAY:
    case AVRO_KIND_MAP:
        return walk_collection(w, s, here);
    case AVRO_KIND_UNION:
        return walk_union(w, s, here);
    case AVRO_KIND_RECORD:
        return walk_record(w, s, here);
    }
    FAIL(w->err, RC_FATAL, "unknown kind %d", (int)s->kind);
}

enum rc check_body(const struct shape *s, const struct check_input *in, struct err *err)
{
    struct walk w = {
        .bytes = in->bytes,
        .n = in->n,
        .at = in->start,
        .items_left = CHECK_ITEMS_MAX,
        .refuse_nul = in->refuse_nul,
        .err = err,
    };
    TRY(walk_value(&w, s, NULL));
    if (w.at != w.n) {
        FAIL(err, RC_REJECT, "malformed Avro: %zu bytes behind the end of the value at byte %zu", w.n - w.at, w.at);
    }
    return RC_OK;
}
