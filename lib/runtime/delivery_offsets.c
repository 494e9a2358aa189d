/* SPDX-License-Identifier: Apache-2.0 */
/* The set of offsets that are done, as a list of those that are not. */
#include "runtime/delivery_offsets.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define MAP_BYTES_MAX ((size_t)2520) /* 3360 characters of base64, and room for the counter */
#define PAIR_BYTES_MAX 8             /* an open and a done run, for runs of less than 2^14 and 2^42 */
#define MARGIN 32                    /* records that may still come when full() has become true */

void delivery_offsets_init(struct delivery_offsets *o, int64_t low)
{
    *o = (struct delivery_offsets){.seen = low, .top = low};
}

void delivery_offsets_done(struct delivery_offsets *o)
{
    free(o->open);
    *o = (struct delivery_offsets){.seen = 0};
}

int64_t delivery_offsets_low(const struct delivery_offsets *o)
{
    return o->n_open > 0 ? o->open[0] : o->top;
}

/* The first entry >= offset; n_open when there is none. */
static size_t find(const struct delivery_offsets *o, int64_t offset)
{
    size_t from = 0;
    size_t to = o->n_open;

    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (o->open[mid] < offset) {
            from = mid + 1;
        } else {
            to = mid;
        }
    }
    return from;
}

static void cut(struct delivery_offsets *o, size_t from, size_t to)
{
    if (from < to) {
        memmove(o->open + from, o->open + to, (o->n_open - to) * sizeof(*o->open));
        o->n_open -= to - from;
    }
}

static void push(struct delivery_offsets *o, int64_t offset)
{
    assert(o->n_open == 0 || o->open[o->n_open - 1] < offset);
    if (o->n_open == o->cap) {
        o->cap = o->cap == 0 ? 64 : 2 * o->cap;
        o->open = xrealloc(o->open, o->cap * sizeof(*o->open));
    }
    o->open[o->n_open++] = offset;
}

/* What should be in [seen, offset) and has not come is not there any more (retention), or was never a record. */
void delivery_offsets_reach(struct delivery_offsets *o, int64_t offset)
{
    if (offset <= o->seen) {
        return;
    }
    cut(o, find(o, o->seen), find(o, offset));
    o->seen = offset;
    o->top = offset > o->top ? offset : o->top;
}

bool delivery_offsets_see(struct delivery_offsets *o, int64_t offset)
{
    if (offset < o->seen) {
        return false;
    }
    delivery_offsets_reach(o, offset);
    o->seen = offset + 1;
    if (offset >= o->top) {
        push(o, offset);
        o->top = offset + 1;
        return true;
    }
    size_t at = find(o, offset);
    return at < o->n_open && o->open[at] == offset;
}

void delivery_offsets_complete(struct delivery_offsets *o, int64_t offset)
{
    size_t at = find(o, offset);

    assert(at < o->n_open && o->open[at] == offset && offset < o->seen);
    cut(o, at, at + 1);
}

bool delivery_offsets_full(const struct delivery_offsets *o)
{
    bool runs_fit = (o->n_open + MARGIN) * PAIR_BYTES_MAX <= MAP_BYTES_MAX;
    bool bits_fit = (uint64_t)(o->top - delivery_offsets_low(o)) + MARGIN * 8 <= MAP_BYTES_MAX * 8;

    return !runs_fit && !bits_fit;
}

/* ---------------------------------------------------------------------------------------------------- writing */

struct map {
    unsigned char bytes[MAP_BYTES_MAX];
    size_t n;
    bool overflow;
};

static void put(struct map *m, unsigned char byte)
{
    if (m->n == sizeof(m->bytes)) {
        m->overflow = true;
        return;
    }
    m->bytes[m->n++] = byte;
}

static void put_number(struct map *m, uint64_t v)
{
    while (v >= 0x80) {
        put(m, (unsigned char)(v | 0x80));
        v >>= 7;
    }
    put(m, (unsigned char)v);
}

static void make_runs(const struct delivery_offsets *o, struct map *m)
{
    size_t i = 0;

    m->n = 0;
    m->overflow = false;
    while (i < o->n_open) {
        size_t first = i;
        while (i + 1 < o->n_open && o->open[i + 1] == o->open[i] + 1) {
            i++;
        }
        int64_t end = i + 1 < o->n_open ? o->open[i + 1] : o->top;
        int64_t done = end - o->open[i] - 1;
        if (done > 0) { /* else these are the last ones, and above them nothing is known */
            put_number(m, i + 1 - first);
            put_number(m, (uint64_t)done);
        }
        i++;
    }
}

/* One past the last offset that is done. */
static int64_t done_end(const struct delivery_offsets *o)
{
    size_t n = o->n_open;
    int64_t end = o->top;

    while (n > 0 && o->open[n - 1] == end - 1) {
        end--;
        n--;
    }
    return end;
}

static void make_bits(const struct delivery_offsets *o, struct map *m)
{
    int64_t low = delivery_offsets_low(o);
    int64_t span = done_end(o) - low;

    *m = (struct map){.n = 0};
    if (span > (int64_t)sizeof(m->bytes) * 8) {
        m->overflow = true;
        return;
    }
    m->n = ((size_t)span + 7) / 8;
    for (int64_t i = 0; i < span; i++) {
        m->bytes[i / 8] = (unsigned char)(m->bytes[i / 8] | 1U << (i % 8));
    }
    for (size_t i = 0; i < o->n_open && o->open[i] < low + span; i++) {
        int64_t at = o->open[i] - low;
        m->bytes[at / 8] = (unsigned char)(m->bytes[at / 8] & ~(1U << (at % 8)));
    }
}

static const char BASE64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static void put_base64(const struct map *m, struct buf *out)
{
    for (size_t i = 0; i < m->n; i += 3) {
        uint32_t v = (uint32_t)m->bytes[i] << 16;
        v |= i + 1 < m->n ? (uint32_t)m->bytes[i + 1] << 8 : 0;
        v |= i + 2 < m->n ? (uint32_t)m->bytes[i + 2] : 0;
        buf_putc(out, BASE64[v >> 18]);
        buf_putc(out, BASE64[v >> 12 & 63]);
        buf_putc(out, i + 1 < m->n ? BASE64[v >> 6 & 63] : '=');
        buf_putc(out, i + 2 < m->n ? BASE64[v & 63] : '=');
    }
}

enum rc delivery_offsets_encode(const struct delivery_offsets *o, int64_t counter, struct buf *out, struct err *err)
{
    struct map runs;
    struct map bits;

    make_runs(o, &runs);
    make_bits(o, &bits);
    buf_printf(out, "1 %lld", (long long)counter);
    if (runs.n > 0) { /* both are empty, or none */
        bool use_bits = runs.overflow || (!bits.overflow && bits.n < runs.n);
        if (use_bits && bits.overflow) {
            FAIL(err, RC_FATAL, "%zu open records among %lld do not fit into an offset's metadata", o->n_open,
                 (long long)(o->top - delivery_offsets_low(o)));
        }
        buf_puts(out, use_bits ? " b " : " r ");
        put_base64(use_bits ? &bits : &runs, out);
    }
    if (out->overflow || out->len > DELIVERY_METADATA_MAX) {
        FAIL(err, RC_FATAL, "an offset's metadata would be longer than %zu bytes", DELIVERY_METADATA_MAX);
    }
    return RC_OK;
}

/* ---------------------------------------------------------------------------------------------------- reading */

static int digit(char c)
{
    const char *at = c != '\0' ? strchr(BASE64, c) : NULL;

    return at != NULL ? (int)(at - BASE64) : -1;
}

/* Canonical base64 only: padded, no stray bits behind the last byte. */
static bool take_base64(const char *s, size_t n, struct map *m)
{
    m->n = 0;
    if (n == 0 || n % 4 != 0 || n / 4 * 3 > sizeof(m->bytes)) {
        return false;
    }
    for (size_t i = 0; i < n; i += 4) {
        bool last = i + 4 == n;
        int pad = last && s[i + 3] == '=' ? (s[i + 2] == '=' ? 2 : 1) : 0;
        uint32_t v = 0;
        for (int k = 0; k < 4 - pad; k++) {
            int d = digit(s[i + (size_t)k]);
            if (d < 0) {
                return false;
            }
            v |= (uint32_t)d << (18 - 6 * k);
        }
        if ((pad == 1 && (v & 0xff) != 0) || (pad == 2 && (v & 0xffff) != 0)) {
            return false;
        }
        for (int k = 0; k < 3 - pad; k++) {
            m->bytes[m->n++] = (unsigned char)(v >> (16 - 8 * k));
        }
    }
    return true;
}

static bool take_number(const struct map *m, size_t *at, int64_t max, int64_t *out)
{
    uint64_t v = 0;

    for (int shift = 0; shift < 63 && *at < m->n; shift += 7) {
        unsigned char byte = m->bytes[(*at)++];
        v |= (uint64_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0) {
            *out = (int64_t)v;
            /* One spelling for each number, and no run of nothing. */
            return v > 0 && v <= (uint64_t)max && (shift == 0 || byte != 0);
        }
    }
    return false;
}

static bool take_runs(const struct map *m, struct delivery_offsets *o)
{
    size_t at = 0;

    while (at < m->n) {
        int64_t n_open = 0;
        int64_t n_done = 0;
        if (!take_number(m, &at, (int64_t)MAP_BYTES_MAX * 8, &n_open) ||
            !take_number(m, &at, INT64_MAX / 2 - o->top - n_open, &n_done) ||
            o->n_open + (size_t)n_open > MAP_BYTES_MAX * 8) {
            return false;
        }
        for (int64_t i = 0; i < n_open; i++) {
            push(o, o->top + i);
        }
        o->top += n_open + n_done;
    }
    return true;
}

static bool bit(const struct map *m, int64_t i)
{
    return ((unsigned int)m->bytes[i / 8] >> (i % 8) & 1U) != 0;
}

static bool take_bits(const struct map *m, struct delivery_offsets *o)
{
    int64_t low = o->top;

    if ((m->bytes[0] & 1U) != 0 || m->bytes[m->n - 1] == 0) {
        return false;
    }
    for (int64_t i = 0; i < (int64_t)m->n * 8; i++) {
        if (bit(m, i)) {
            o->top = low + i + 1;
        }
    }
    for (int64_t i = 0; i < o->top - low; i++) {
        if (!bit(m, i)) {
            push(o, low + i);
        }
    }
    return true;
}

static bool take_counter(const char **at, const char *end, int64_t *out)
{
    const char *p = *at;
    int64_t v = 0;

    while (p < end && *p >= '0' && *p <= '9') {
        if (v > (INT64_MAX - 9) / 10) {
            return false;
        }
        v = v * 10 + (*p++ - '0');
    }
    bool fine = p > *at && (p - *at == 1 || **at != '0');
    *at = p;
    *out = v;
    return fine;
}

static bool take_map(const char *at, const char *end, struct delivery_offsets *o)
{
    struct map m;

    if (at == end) {
        return true;
    }
    if (end - at < 3 || at[0] != ' ' || (at[1] != 'r' && at[1] != 'b') || at[2] != ' ' ||
        !take_base64(at + 3, (size_t)(end - at - 3), &m)) {
        return false;
    }
    return at[1] == 'r' ? take_runs(&m, o) : take_bits(&m, o);
}

enum rc delivery_offsets_decode(const char *text, size_t n, int64_t low, struct delivery_offsets *o,
                                int64_t *out_counter, struct err *err)
{
    struct delivery_offsets got;
    int64_t counter = 0;

    if (low < 0 || low > INT64_MAX / 4) {
        FAIL(err, RC_REJECT, "committed offset %lld is none", (long long)low);
    }
    delivery_offsets_init(&got, low);
    if (n > 0) {
        const char *at = text;
        int64_t version = 0;
        if (!take_counter(&at, text + n, &version)) {
            FAIL(err, RC_REJECT, "the metadata of the committed offset is not ours; expected \"1 COUNTER ...\"");
        }
        if (version != 1) {
            FAIL(err, RC_FATAL, "the metadata of the committed offset has version %lld; this program knows version 1",
                 (long long)version);
        }
        bool fine = at < text + n && *at++ == ' ' && take_counter(&at, text + n, &counter);
        if (!fine || !take_map(at, text + n, &got)) {
            delivery_offsets_done(&got);
            FAIL(err, RC_REJECT, "the metadata of the committed offset is malformed");
        }
    }
    *o = got;
    *out_counter = counter;
    return RC_OK;
}
