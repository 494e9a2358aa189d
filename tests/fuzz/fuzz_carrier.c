/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Target: contents of carriers' calls; CARRIER_FUZZED is the form, so that each has a corpus of its own.
 *
 * Claims: a refusal says why; what is accepted stays within its ceilings, has times worth believing in order, texts of
 * UTF-8 and no node twice; read again it is the same; and it can be shown.
 */
#include <string.h>

#include "carrier/carrier.h"
#include "fuzz.h"
#include "http/body.h"

#define NOW 1770400000

static int text_ok(const char *text, size_t max)
{
    size_t n = strlen(text);
    if (n > max) {
        return 0;
    }
    while (n > 0) {
        size_t k = utf8_sequence(text, n);
        if (k == 0 || (unsigned char)*text < 0x20 || *text == 0x7f) {
            return 0;
        }
        text += k;
        n -= k;
    }
    return 1;
}

static void check_report(const struct carrier_report *r)
{
    size_t n = strspn(r->tracking_no, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    CLAIM(n >= 1 && n <= CARRIER_TRACKING_MAX && r->tracking_no[n] == '\0');
    CLAIM(r->carrier == NULL || (r->carrier[0] != '\0' && text_ok(r->carrier, CARRIER_NAME_MAX)));
    CLAIM((r->n_bad > 0) == (r->bad_detail[0] != '\0'));
    for (size_t i = 0; i < r->n_nodes; i++) {
        const struct carrier_node *node = &r->nodes[i];
        CLAIM(node->at_us >= INT64_C(946684800) * 1000000 && node->at_us <= (NOW + CARRIER_AHEAD_S) * 1000000);
        CLAIM(i == 0 || node[-1].at_us <= node->at_us);
        CLAIM(node->status < EXPRESS_STATUSES);
        CLAIM(text_ok(node->context, CARRIER_CONTEXT_MAX));
        CLAIM(node->code == NULL || text_ok(node->code, CARRIER_CODE_MAX));
        for (size_t k = i; k > 0 && r->nodes[k - 1].at_us == node->at_us; k--) {
            CLAIM(memcmp(r->nodes[k - 1].hash, node->hash, CARRIER_HASH_BYTES) != 0);
        }
    }
}

static void check_same(const struct carrier_call *a, const struct carrier_call *b)
{
    CLAIM(a->n_reports == b->n_reports);
    for (size_t i = 0; i < a->n_reports; i++) {
        CLAIM(a->reports[i].n_nodes == b->reports[i].n_nodes && a->reports[i].n_bad == b->reports[i].n_bad);
        for (size_t k = 0; k < a->reports[i].n_nodes; k++) {
            CLAIM(memcmp(a->reports[i].nodes[k].hash, b->reports[i].nodes[k].hash, CARRIER_HASH_BYTES) == 0);
            CLAIM(a->reports[i].nodes[k].status == b->reports[i].nodes[k].status);
        }
    }
}

static void check_shown(const struct carrier_call *call, struct arena *arena)
{
    static const struct body_limits LIMITS = {.depth = 8, .members = 64, .values = 100000};
    CLEANUP(buf_done) struct buf out;
    struct body_value *value = NULL;
    struct problem problem = {0};
    buf_init(&out, (size_t)16 << 20);
    carrier_call_json(call, &out);
    CLAIM(!out.overflow && body_parse_within(&LIMITS, buf_str(&out), out.len, arena, &value, &problem) == RC_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_done) struct arena arena;
    struct carrier_call call;
    struct carrier_call again;
    char detail[CARRIER_DETAIL_MAX];
    size_t nodes = 0;
    arena_init(&arena, 65536);
    const char *text = arena_strndup(&arena, (const char *)data, size);
    for (size_t i = 0; i < size;) {
        size_t k = utf8_sequence(text + i, size - i);
        if (k == 0 || text[i] == '\0') {
            return 0; /* the channel lets no such thing through */
        }
        i += k;
    }
    const struct carrier_content content = {.text = text, .n = size, .now_s = NOW};
    if (!carrier_read(CARRIER_FUZZED, &content, &arena, &call, detail)) {
        CLAIM(detail[0] != '\0' && strlen(detail) < CARRIER_DETAIL_MAX);
        return 0;
    }
    CLAIM(detail[0] == '\0' && call.n_reports <= CARRIER_REPORTS_MAX);
    for (size_t i = 0; i < call.n_reports; i++) {
        check_report(&call.reports[i]);
        nodes += call.reports[i].n_nodes + call.reports[i].n_bad;
    }
    CLAIM(nodes <= CARRIER_NODES_MAX);
    CLAIM(carrier_read(CARRIER_FUZZED, &content, &arena, &again, detail));
    check_same(&call, &again);
    check_shown(&call, &arena);
    return 0;
}
